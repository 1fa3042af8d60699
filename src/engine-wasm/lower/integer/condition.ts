// Lowering of setcc and cmovcc.

import type { Row } from '../../decode/row.ts';
import { CONDITION_NAMES } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { temp } from '../../ir/slots.ts';
import type { Lowering, LoweringFactory, LoweringTable } from '../lowering.ts';
import { family, readRm, regSlot, rmSlot, store } from '../operand.ts';

const VALUE = temp(0);

/** Factories by mnemonic. */
export const CONDITION_LOWERINGS: LoweringTable = Object.fromEntries<LoweringFactory>(
  CONDITION_NAMES.flatMap((name) => [
    [`SET${name}`, setByte],
    [`CMOV${name}`, conditionalMove],
  ]),
);

function setByte(row: Row): Lowering {
  const opcode = opcodeOf(row.mnemonic.toLowerCase());
  return (b, i) => {
    b.op(opcode, i.isMemory ? VALUE : rmSlot(i, 8));
    if (i.isMemory) store(b, i, 8, VALUE);
  };
}

/** The source is read whether or not the condition holds. */
function conditionalMove(row: Row): Lowering {
  const opcodes = family('cmov', row.mnemonic.slice('CMOV'.length).toLowerCase(), [16, 32, 64]);
  return (b, i) => {
    const width = i.operandSize;
    b.op(opcodes[width >> 4], regSlot(i, width), readRm(b, i, width, VALUE));
  };
}
