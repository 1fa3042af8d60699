// Lowering of moves, extensions, address computation, exchanges and byte swaps.

import { Cpu } from '../../../engine/index.ts';
import type { Instruction } from '../../decode/instruction.ts';
import type { Row } from '../../decode/row.ts';
import type { IrBuilder } from '../../ir/builder.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { byteSlot, gprSlot, temp } from '../../ir/slots.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import {
  family,
  isByteRow,
  load,
  loadForWrite,
  type OperandWidth,
  readRm,
  regSlot,
  rmSlot,
  store,
  storeBack,
} from '../operand.ts';
import { moveSystemRegister } from '../system.ts';

const MOV = family('mov');
const MOVI = family('mov', 'i');
const LEA = family('lea', '', [16, 32, 64]);
const LOAD = family('ld');
const STORE = family('st');
const MOVABS64 = opcodeOf('movabs64');
const LDZ8 = opcodeOf('ldz8');
const LDZ16 = opcodeOf('ldz16');
const LDS8_64 = opcodeOf('lds8_64');
const LDS16_64 = opcodeOf('lds16_64');
const LDS32_64 = opcodeOf('lds32_64');
const MOVZX8_64 = opcodeOf('movzx8_64');
const MOVZX16_64 = opcodeOf('movzx16_64');
const MOVZX8_16 = opcodeOf('movzx8_16');
const MOVSX32_64 = opcodeOf('movsx32_64');
const BSWAP32 = opcodeOf('bswap32');
const BSWAP64 = opcodeOf('bswap64');
const RAX = gprSlot(0);
const RDX = gprSlot(2);
const RBX = gprSlot(3);
const VALUE = temp(0);
const ADDRESS = temp(1);

/** Factories by mnemonic. */
export const MOVE_LOWERINGS: LoweringTable = {
  MOV: move,
  MOVNTI: () => (b, i) => store(b, i, i.operandSize === 64 ? 64 : 32, gprSlot(i.reg)),
  MOVZX: (row) => (row.operands[1]?.size === 'b' ? zeroExtend8 : zeroExtend16),
  MOVSX: (row) => (row.operands[1]?.size === 'b' ? signExtend8() : signExtend16()),
  MOVSXD: () => signExtend32,
  LEA: () => (b, i) => b.effectiveAddress(LEA[i.operandSize >> 4], gprSlot(i.reg), i),
  XCHG: exchange,
  BSWAP: () => swapBytes,
  CBW: convertInPlace,
  CWD: convertToDx,
  XLAT: () => translate,
};

function move(row: Row): Lowering {
  const isByte = isByteRow(row);
  const [first, second] = row.operands;
  if ('SCD'.includes(first?.kind || '-') || 'SCD'.includes(second?.kind || '-')) return moveSystemRegister(row);
  if (first?.kind === 'O' || second?.kind === 'O')
    return moveAbsolute(isByte || second?.size === 'b', first?.kind === 'O');
  if (first?.kind === 'Z')
    return (b, i) =>
      moveImmediate(b, isByte ? byteSlot(i.opcodeReg, i.rex) : gprSlot(i.opcodeReg), isByte ? 8 : i.operandSize, i);
  if (first?.kind === 'G') {
    return (b, i) => {
      const width = isByte ? 8 : i.operandSize;
      if (i.isMemory) load(b, i, width, regSlot(i, width));
      else b.op(MOV[width >> 4], regSlot(i, width), rmSlot(i, width));
    };
  }
  if (second?.kind === 'I') {
    return (b, i) => {
      const width = isByte ? 8 : i.operandSize;
      b.op(MOVI[width >> 4], i.isMemory ? VALUE : rmSlot(i, width), 0, 0, 0, i.imm);
      if (i.isMemory) store(b, i, width, VALUE);
    };
  }
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    if (i.isMemory) store(b, i, width, regSlot(i, width));
    else b.op(MOV[width >> 4], rmSlot(i, width), regSlot(i, width));
  };
}

/** The only instruction with a 64-bit immediate. */
function moveImmediate(b: IrBuilder, slot: number, width: OperandWidth, i: Instruction): void {
  if (width !== 64 || i.immHi === i.imm >> 31) b.op(MOVI[width >> 4], slot, 0, 0, 0, i.imm);
  else moveConstant(b, slot, i);
}

/** slot = the instruction's 64-bit immediate. */
function moveConstant(b: IrBuilder, slot: number, i: Instruction): void {
  b.op(MOVABS64, slot, 0, i.immHi & 0xffff, i.immHi >>> 16, i.imm);
}

function moveAbsolute(isByte: boolean, toMemory: boolean): Lowering {
  return (b, i) => {
    const opcode = (toMemory ? STORE : LOAD)[(isByte ? 8 : i.operandSize) >> 4];
    moveConstant(b, ADDRESS, i); // immHi is 0 with a 32-bit address
    if (i.segment === 0) b.op(opcode, RAX, ADDRESS);
    else b.op(opcode + 1, RAX, i.segment === 4 ? Cpu.FS_BASE : Cpu.GS_BASE, ADDRESS);
  };
}

function zeroExtend8(b: IrBuilder, i: Instruction): void {
  const target = gprSlot(i.reg);
  if (i.operandSize === 16) b.op(MOVZX8_16, target, readRm(b, i, 8, VALUE));
  else if (i.isMemory) b.mem(LDZ8, target, i);
  else b.op(MOVZX8_64, target, rmSlot(i, 8));
}

function zeroExtend16(b: IrBuilder, i: Instruction): void {
  const target = gprSlot(i.reg);
  if (i.operandSize === 16) b.op(MOV[1], target, readRm(b, i, 16, VALUE));
  else if (i.isMemory) b.mem(LDZ16, target, i);
  else b.op(MOVZX16_64, target, rmSlot(i, 16));
}

function signExtend8(): Lowering {
  const opcodes = [0, opcodeOf('movsx8_16'), opcodeOf('movsx8_32'), 0, opcodeOf('movsx8_64')];
  return (b, i) => {
    if (i.isMemory && i.operandSize === 64) b.mem(LDS8_64, gprSlot(i.reg), i);
    else b.op(opcodes[i.operandSize >> 4], gprSlot(i.reg), readRm(b, i, 8, VALUE));
  };
}

function signExtend16(): Lowering {
  const opcodes = [0, opcodeOf('mov16'), opcodeOf('movsx16_32'), 0, opcodeOf('movsx16_64')];
  return (b, i) => {
    if (i.isMemory && i.operandSize === 64) b.mem(LDS16_64, gprSlot(i.reg), i);
    else b.op(opcodes[i.operandSize >> 4], gprSlot(i.reg), readRm(b, i, 16, VALUE));
  };
}

/** movsxd: without REX.W a plain move. */
function signExtend32(b: IrBuilder, i: Instruction): void {
  const target = gprSlot(i.reg);
  if (i.operandSize !== 64) b.op(MOV[i.operandSize >> 4], target, readRm(b, i, i.operandSize, VALUE));
  else if (i.isMemory) b.mem(LDS32_64, target, i);
  else b.op(MOVSX32_64, target, gprSlot(i.rm));
}

function exchange(row: Row): Lowering {
  const isByte = isByteRow(row);
  if (row.operands[0]?.kind === 'Z') {
    return (b, i) => {
      if (i.opcodeReg !== 0) swapSlots(b, i.operandSize, gprSlot(i.opcodeReg), RAX); // 90 without REX.B is nop
    };
  }
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    if (!i.isMemory) {
      swapSlots(b, width, rmSlot(i, width), regSlot(i, width));
      return;
    }
    loadForWrite(b, i, width, VALUE);
    storeBack(b, i, width, regSlot(i, width));
    b.op(MOV[width >> 4], regSlot(i, width), VALUE);
  };
}

function swapSlots(b: IrBuilder, width: OperandWidth, x: number, y: number): void {
  b.op(MOV[width >> 4], VALUE, x);
  b.op(MOV[width >> 4], x, y);
  b.op(MOV[width >> 4], y, VALUE);
}

/** The result of a 16-bit bswap is undefined; hardware clears the register. */
function swapBytes(b: IrBuilder, i: Instruction): void {
  const slot = gprSlot(i.opcodeReg);
  if (i.operandSize === 16) b.op(MOVI[1], slot, 0, 0, 0, 0);
  else b.op(i.operandSize === 64 ? BSWAP64 : BSWAP32, slot, slot);
}

/** cbw, cwde, cdqe. */
function convertInPlace(): Lowering {
  const opcodes = [0, opcodeOf('movsx8_16'), opcodeOf('movsx16_32'), 0, opcodeOf('movsx32_64')];
  return (b, i) => b.op(opcodes[i.operandSize >> 4], RAX, RAX);
}

/** cwd, cdq, cqo. */
function convertToDx(): Lowering {
  const opcodes = family('sign', '', [16, 32, 64]);
  return (b, i) => b.op(opcodes[i.operandSize >> 4], RDX, RAX);
}

function translate(b: IrBuilder, i: Instruction): void {
  b.op(MOVZX8_64, ADDRESS, RAX);
  b.op((i.addressSize === 32 ? LEA[2] : LEA[4]) + 1, ADDRESS, RBX, ADDRESS);
  if (i.segment === 0) b.op(LOAD[0], RAX, ADDRESS);
  else b.op(LOAD[0] + 1, RAX, i.segment === 4 ? Cpu.FS_BASE : Cpu.GS_BASE, ADDRESS);
}
