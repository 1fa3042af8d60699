// Lowering of movs, stos, lods, scas and cmps: one record, which the runtime executes.

import type { Row } from '../decode/row.ts';
import { opcodeOf } from '../ir/operations.ts';
import { StringOp } from '../ir/string-op.ts';
import type { Lowering, LoweringTable } from './lowering.ts';

const STRING = opcodeOf('string');
const REP = 0xf3;

/** Factories by mnemonic. */
export const STRING_LOWERINGS: LoweringTable = {
  MOVS: (row) => string(row, StringOp.MOVS),
  STOS: (row) => string(row, StringOp.STOS),
  LODS: (row) => string(row, StringOp.LODS),
  SCAS: (row) => string(row, StringOp.SCAS),
  CMPS: (row) => string(row, StringOp.CMPS),
};

/** Without a comparison, F2 and F3 are the same. */
function string(row: Row, kind: number): Lowering {
  const isByte = row.operands.some((operand) => operand.size === 'b');
  const compares = kind === StringOp.SCAS || kind === StringOp.CMPS;
  return (b, i) => {
    const bytes = isByte ? 1 : i.operandSize >> 3;
    const repeat = i.repeat === 0 || compares ? i.repeat : REP;
    const detail = (i.addressSize === 32 ? 1 : 0) | (i.segment << 8);
    b.op(STRING, kind, b.nrInstructions, bytes, repeat, detail);
  };
}
