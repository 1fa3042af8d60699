// Lowering of two-operand arithmetic and logic, of test, inc, dec, neg and not.

import type { Row } from '../../decode/row.ts';
import { gprSlot, temp } from '../../ir/slots.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { family, isByteRow, loadForWrite, type OpcodeFamily, readRm, regSlot, rmSlot, storeBack } from '../operand.ts';

const RAX = gprSlot(0);
const VALUE = temp(0);

/** Factories by mnemonic. */
export const ARITHMETIC_LOWERINGS: LoweringTable = {
  ADD: (row) => binary(row, 'add'),
  OR: (row) => binary(row, 'or'),
  ADC: (row) => binary(row, 'adc'),
  SBB: (row) => binary(row, 'sbb'),
  AND: (row) => binary(row, 'and'),
  SUB: (row) => binary(row, 'sub'),
  XOR: (row) => binary(row, 'xor'),
  CMP: (row) => compare(row, 'cmp'),
  TEST: (row) => compare(row, 'test'),
  INC: (row) => unary(row, 'inc'),
  DEC: (row) => unary(row, 'dec'),
  NEG: (row) => unary(row, 'neg'),
  NOT: (row) => unary(row, 'not'),
};

/** Second operand of a row: a register in the reg field, an immediate, or r/m. */
function binary(row: Row, name: string): Lowering {
  const slots = family(name);
  const immediates = family(name, 'i');
  const isByte = isByteRow(row);
  const [first, second] = row.operands;
  if (first?.kind === 'G') return registerFromRm(isByte, slots);
  if (first?.kind === '') {
    return (b, i) => b.op(immediates[isByte ? 0 : i.operandSize >> 4], RAX, RAX, 0, 0, i.imm);
  }
  const hasImmediate = second?.kind === 'I';
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    let slot = VALUE;
    if (i.isMemory) loadForWrite(b, i, width, VALUE);
    else slot = rmSlot(i, width);
    if (hasImmediate) b.op(immediates[width >> 4], slot, slot, 0, 0, i.imm);
    else b.op(slots[width >> 4], slot, slot, regSlot(i, width));
    if (i.isMemory) storeBack(b, i, width, VALUE);
  };
}

function registerFromRm(isByte: boolean, slots: OpcodeFamily): Lowering {
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    const source = readRm(b, i, width, VALUE);
    const target = regSlot(i, width);
    b.op(slots[width >> 4], target, target, source);
  };
}

/** cmp and test: no destination. */
function compare(row: Row, name: string): Lowering {
  const slots = family(name);
  const immediates = family(name, 'i');
  const isByte = isByteRow(row);
  const [first, second] = row.operands;
  if (first?.kind === '') return (b, i) => b.op(immediates[isByte ? 0 : i.operandSize >> 4], 0, RAX, 0, 0, i.imm);
  if (second?.kind === 'I') {
    return (b, i) => {
      const width = isByte ? 8 : i.operandSize;
      b.op(immediates[width >> 4], 0, readRm(b, i, width, VALUE), 0, 0, i.imm);
    };
  }
  const registerFirst = first?.kind === 'G';
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    const rm = readRm(b, i, width, VALUE);
    const reg = regSlot(i, width);
    b.op(slots[width >> 4], 0, registerFirst ? reg : rm, registerFirst ? rm : reg);
  };
}

function unary(row: Row, name: string): Lowering {
  const slots = family(name);
  const isByte = isByteRow(row);
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    if (!i.isMemory) {
      const slot = rmSlot(i, width);
      b.op(slots[width >> 4], slot, slot);
      return;
    }
    loadForWrite(b, i, width, VALUE);
    b.op(slots[width >> 4], VALUE, VALUE);
    storeBack(b, i, width, VALUE);
  };
}
