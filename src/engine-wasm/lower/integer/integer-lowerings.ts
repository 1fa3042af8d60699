// Lowerings of the general-purpose instructions by mnemonic; see `../lowering.ts`.

import { CONTROL_FLOW_LOWERINGS } from '../control-flow.ts';
import type { LoweringTable } from '../lowering.ts';
import { STRING_LOWERINGS } from '../string.ts';
import { ARITHMETIC_LOWERINGS } from './arithmetic.ts';
import { BIT_LOWERINGS } from './bits.ts';
import { COMPARE_EXCHANGE_LOWERINGS } from './compare-exchange.ts';
import { CONDITION_LOWERINGS } from './condition.ts';
import { FLAG_LOWERINGS } from './flags.ts';
import { MOVE_LOWERINGS } from './move.ts';
import { MULTIPLY_LOWERINGS } from './multiply.ts';
import { SHIFT_LOWERINGS } from './shift.ts';
import { STACK_LOWERINGS } from './stack.ts';

/** Factories by mnemonic. */
export const INTEGER_LOWERINGS: LoweringTable = {
  ...ARITHMETIC_LOWERINGS,
  ...BIT_LOWERINGS,
  ...COMPARE_EXCHANGE_LOWERINGS,
  ...CONDITION_LOWERINGS,
  ...CONTROL_FLOW_LOWERINGS,
  ...FLAG_LOWERINGS,
  ...MOVE_LOWERINGS,
  ...MULTIPLY_LOWERINGS,
  ...SHIFT_LOWERINGS,
  ...STACK_LOWERINGS,
  ...STRING_LOWERINGS,
};
