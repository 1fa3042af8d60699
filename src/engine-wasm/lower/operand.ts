// What lowerings share: operation numbers by operand width, the slots of register operands, loads and
// stores of the ModRM operand.

import type { Instruction } from '../decode/instruction.ts';
import type { Row } from '../decode/row.ts';
import type { IrBuilder } from '../ir/builder.ts';
import { opcodeOf } from '../ir/operations.ts';
import { byteSlot, gprSlot } from '../ir/slots.ts';

/** Operand width in bits. */
export type OperandWidth = 8 | 16 | 32 | 64;

/** Operation numbers of a family by width: use `family[width >> 4]`. */
export type OpcodeFamily = readonly number[];

/** Numbers of `name` + width + `suffix`; widths that do not exist have number 0. @param widths - the widths that exist */
export function family(name: string, suffix = '', widths: readonly OperandWidth[] = [8, 16, 32, 64]): OpcodeFamily {
  const numbers = [0, 0, 0, 0, 0];
  for (const width of widths) numbers[width >> 4] = opcodeOf(`${name}${width}${suffix}`);
  return numbers;
}

/** Numbers of a family that has no 8-bit form: `name` + 16, 32 or 64 + `suffix`. */
export function wordFamily(name: string, suffix = ''): OpcodeFamily {
  return family(name, suffix, [16, 32, 64]);
}

/** True when a row's first operand is a byte. */
export function isByteRow(row: Row): boolean {
  const first = row.operands[0];
  return first !== undefined && (first.size === 'b' || first.text === 'AL');
}

const LOAD = family('ld');
/** Loads that clear the rest of the slot, for temporaries. */
const LOAD_ZERO = [opcodeOf('ldz8'), opcodeOf('ldz16'), opcodeOf('ld32'), 0, opcodeOf('ld64')] as const;
const STORE = family('st');
const LOAD_FOR_WRITE = family('ldw');
const STORE_BACK = family('stw');
const HELPER = opcodeOf('helper');

/** Slot of the register in the ModRM reg field. */
export function regSlot(i: Instruction, width: OperandWidth): number {
  return width === 8 ? byteSlot(i.reg, i.rex) : gprSlot(i.reg);
}

/** Slot of the register in the ModRM r/m field. */
export function rmSlot(i: Instruction, width: OperandWidth): number {
  return width === 8 ? byteSlot(i.rm, i.rex) : gprSlot(i.rm);
}

/** Slot of the r/m operand's value: the register itself, or `temporary` after a load. */
export function readRm(b: IrBuilder, i: Instruction, width: OperandWidth, temporary: number): number {
  if (!i.isMemory) return rmSlot(i, width);
  b.mem(LOAD_ZERO[width >> 4] ?? 0, temporary, i);
  return temporary;
}

/** Loads the memory operand into a slot: 8 and 16 bits leave the rest of the slot, 32 bits clear it. */
export function load(b: IrBuilder, i: Instruction, width: OperandWidth, slot: number): void {
  b.mem(LOAD[width >> 4], slot, i);
}

/** Stores a slot to the memory operand. */
export function store(b: IrBuilder, i: Instruction, width: OperandWidth, slot: number): void {
  b.mem(STORE[width >> 4], slot, i);
}

/** Loads the memory operand, which `storeBack` follows; faults as the store would. */
export function loadForWrite(b: IrBuilder, i: Instruction, width: OperandWidth, slot: number): void {
  b.mem(LOAD_FOR_WRITE[width >> 4], slot, i);
}

/** Stores to the memory operand that `loadForWrite` loaded from; cannot fault. */
export function storeBack(b: IrBuilder, i: Instruction, width: OperandWidth, slot: number): void {
  b.mem(STORE_BACK[width >> 4], slot, i);
}

/** Calls a runtime helper. @param index - from `helperIndex`; @param argument - 16 bits that the helper knows the meaning of */
export function helper(b: IrBuilder, index: number, slotA: number, slotB: number, argument: number): void {
  b.op(HELPER, slotA, slotB, argument, 0, index);
}
