// Slots of SSE and MMX operands, by the operand kinds of a row: V, U and W name XMM registers; P, N
// and Q MMX registers; G and E general ones. A memory operand is loaded into a temporary first.

import { bug } from '../../../base/index.ts';
import { Cpu } from '../../../engine/index.ts';
import type { Instruction } from '../../decode/instruction.ts';
import type { Operand, Row } from '../../decode/row.ts';
import type { IrBuilder } from '../../ir/builder.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { gprSlot, temp, xmmSlot, xtemp } from '../../ir/slots.ts';

/** Gives the slot of an operand's value; appends a load when it is in memory. */
type OperandReader = (b: IrBuilder, i: Instruction) => number;

const LOADS: Readonly<Record<string, number>> = {
  b: opcodeOf('ldz8'),
  w: opcodeOf('ldz16'),
  d: opcodeOf('ld32'),
  q: opcodeOf('ld64'),
  x: opcodeOf('ld128a'),
  u: opcodeOf('ld128'),
};

/** Loads to a 16-byte temporary: operations take all of it, so the rest is cleared. */
const EXTENDING_LOADS: Readonly<Record<string, number>> = { d: opcodeOf('ldd128'), q: opcodeOf('ldq128') };

const STORES: Readonly<Record<string, number>> = {
  b: opcodeOf('st8'),
  w: opcodeOf('st16'),
  d: opcodeOf('st32'),
  q: opcodeOf('st64'),
  x: opcodeOf('st128a'),
  u: opcodeOf('st128'),
};

/** Slot of MMX register `n`; REX does not extend it. */
export function mmxSlot(n: number): number {
  return Cpu.X87 + (n & 7) * 16;
}

/** Operand `n` of a row. */
export function operandOf(row: Row, n: number): Operand {
  return row.operands[n] ?? bug(`${row.mnemonic} has too few operands`);
}

/** True when an operand is an MMX register or stands for one. */
export function isMmx(operand: Operand): boolean {
  return operand.kind === 'P' || operand.kind === 'Q' || operand.kind === 'N';
}

/** Number of the load of a size letter; `u` is 16 bytes without alignment. */
export function loadOf(size: string): number {
  return LOADS[size] ?? bug(`no load of size ${size}`);
}

/** Number of the store of a size letter. */
export function storeOf(size: string): number {
  return STORES[size] ?? bug(`no store of size ${size}`);
}

/** The slot of a register operand. */
export function registerOf(operand: Operand): (i: Instruction) => number {
  switch (operand.kind) {
    case 'V':
      return (i) => xmmSlot(i.reg);
    case 'U':
    case 'W':
      return (i) => xmmSlot(i.rm);
    case 'P':
      return (i) => mmxSlot(i.reg);
    case 'N':
    case 'Q':
      return (i) => mmxSlot(i.rm);
    case 'G':
      return (i) => gprSlot(i.reg);
    case 'E':
    case 'R':
    case 'M':
      return (i) => gprSlot(i.rm);
    default:
      return bug(`no vector operand is called ${operand.text}`);
  }
}

/** The slot of an operand's value; memory goes through `temporary`, or a general one with size `y`. @param size - size letter of the load */
export function readerOf(operand: Operand, size = operand.size, temporary = xtemp(0)): OperandReader {
  const register = registerOf(operand);
  if (!['W', 'Q', 'E', 'M'].includes(operand.kind)) return (_b, i) => register(i);
  if (size === 'y') {
    const [load32, load64] = [loadOf('d'), loadOf('q')];
    return (b, i) => {
      if (!i.isMemory) return register(i);
      b.mem(i.rexW ? load64 : load32, temp(0), i);
      return temp(0);
    };
  }
  const load = (temporary >= Cpu.XTEMP ? EXTENDING_LOADS[size] : undefined) ?? loadOf(size);
  return (b, i) => {
    if (!i.isMemory) return register(i);
    b.mem(load, temporary, i);
    return temporary;
  };
}
