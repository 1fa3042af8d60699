// Lowering of shifts and rotates. A constant count of 0 leaves the flags and only clears the upper half
// of a 32-bit register.

import type { Instruction } from '../../decode/instruction.ts';
import type { Row } from '../../decode/row.ts';
import type { IrBuilder } from '../../ir/builder.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { gprSlot, temp } from '../../ir/slots.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import {
  family,
  isByteRow,
  loadForWrite,
  type OperandWidth,
  regSlot,
  rmSlot,
  storeBack,
  wordFamily,
} from '../operand.ts';

const MOV32 = opcodeOf('mov32');
const RCX = gprSlot(1);
const VALUE = temp(0);

/** Factories by mnemonic. */
export const SHIFT_LOWERINGS: LoweringTable = {
  ROL: (row) => shift(row, 'rol'),
  ROR: (row) => shift(row, 'ror'),
  RCL: (row) => shift(row, 'rcl'),
  RCR: (row) => shift(row, 'rcr'),
  SHL: (row) => shift(row, 'shl'),
  SHR: (row) => shift(row, 'shr'),
  SAR: (row) => shift(row, 'sar'),
  SHLD: (row) => double(row, 'shld'),
  SHRD: (row) => double(row, 'shrd'),
};

function shift(row: Row, name: string): Lowering {
  const isByte = isByteRow(row);
  const count = row.operands[1]?.text;
  if (count === 'CL') {
    const opcodes = family(name);
    return (b, i) => {
      const width = isByte ? 8 : i.operandSize;
      const slot = begin(b, i, width);
      b.op(opcodes[width >> 4], slot, slot, RCX);
      if (i.isMemory) storeBack(b, i, width, slot);
    };
  }
  const opcodes = family(name, 'i');
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    const amount = count === '1' ? 1 : maskedCount(i, width);
    if (amount === 0) return shiftByZero(b, i, width);
    const slot = begin(b, i, width);
    b.op(opcodes[width >> 4], slot, slot, 0, 0, amount);
    if (i.isMemory) storeBack(b, i, width, slot);
  };
}

function double(row: Row, name: string): Lowering {
  const byRegister = row.operands[2]?.text === 'CL';
  const opcodes = wordFamily(name, byRegister ? '' : 'i');
  return (b, i) => {
    const width = i.operandSize;
    const amount = byRegister ? 0 : maskedCount(i, width);
    if (!byRegister && amount === 0) return shiftByZero(b, i, width);
    const slot = begin(b, i, width);
    b.op(opcodes[width >> 4], slot, regSlot(i, width), RCX, 0, amount);
    if (i.isMemory) storeBack(b, i, width, slot);
  };
}

/** Slot of the destination's value, loaded when it is in memory. */
function begin(b: IrBuilder, i: Instruction, width: OperandWidth): number {
  if (!i.isMemory) return rmSlot(i, width);
  loadForWrite(b, i, width, VALUE);
  return VALUE;
}

function maskedCount(i: Instruction, width: OperandWidth): number {
  return i.imm & (width === 64 ? 63 : 31);
}

/** Memory is left as it is, but must be writable. */
function shiftByZero(b: IrBuilder, i: Instruction, width: OperandWidth): void {
  if (i.isMemory) loadForWrite(b, i, width, VALUE);
  else if (width === 32) b.op(MOV32, rmSlot(i, 32), rmSlot(i, 32));
}
