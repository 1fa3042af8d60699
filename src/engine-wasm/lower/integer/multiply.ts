// Lowering of multiplication and division.

import type { Row } from '../../decode/row.ts';
import { gprSlot, temp } from '../../ir/slots.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { family, isByteRow, readRm, regSlot, wordFamily } from '../operand.ts';

const RAX = gprSlot(0);
const RDX = gprSlot(2);
const VALUE = temp(0);

/** Factories by mnemonic. */
export const MULTIPLY_LOWERINGS: LoweringTable = {
  MUL: (row) => wide(row, 'mul1_'),
  IMUL: (row) => (row.operands.length === 1 ? wide(row, 'imul1_') : truncated(row)),
  DIV: (row) => wide(row, 'div'),
  IDIV: (row) => wide(row, 'idiv'),
};

/** The forms with rax and rdx. */
function wide(row: Row, name: string): Lowering {
  const opcodes = family(name);
  const isByte = isByteRow(row);
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    b.op(opcodes[width >> 4], RAX, readRm(b, i, width, VALUE), RDX);
  };
}

function truncated(row: Row): Lowering {
  const hasImmediate = row.operands.length === 3;
  const opcodes = wordFamily('imul', hasImmediate ? 'i' : '');
  return (b, i) => {
    const width = i.operandSize;
    const source = readRm(b, i, width, VALUE);
    const target = regSlot(i, width);
    if (hasImmediate) b.op(opcodes[width >> 4], target, source, 0, 0, i.imm);
    else b.op(opcodes[width >> 4], target, target, source);
  };
}
