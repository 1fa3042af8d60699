// Lowerings of the SSE and MMX instructions by mnemonic; see `../lowering.ts`.

import type { LoweringTable } from '../lowering.ts';
import { FLOAT_LOWERINGS } from './float-lowerings.ts';
import { VECTOR_INTEGER_LOWERINGS } from './integer-lowerings.ts';
import { LANE_LOWERINGS, VECTOR_MOVE_LOWERINGS } from './move-lowerings.ts';
import { SHUFFLE_LOWERINGS } from './shuffle-lowerings.ts';
import { VECTOR_STATE_LOWERINGS } from './state-lowerings.ts';

/** Factories by mnemonic. */
export const SSE_LOWERINGS: LoweringTable = {
  ...VECTOR_INTEGER_LOWERINGS,
  ...VECTOR_MOVE_LOWERINGS,
  ...LANE_LOWERINGS,
  ...SHUFFLE_LOWERINGS,
  ...FLOAT_LOWERINGS,
  ...VECTOR_STATE_LOWERINGS,
};
