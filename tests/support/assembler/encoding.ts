// Encodings of instructions with operands: prefixes, ModRM, SIB, displacements and immediates. Functions that append one
// instruction to an image. Intel SDM vol. 2, chapter 2.

import { type Fixup, type ImageBuilder, little } from './image-builder.ts';
import type { Imm, Mem, Reg, Size } from './operands.ts';

/** What an instruction is made of, besides its memory or register operand. */
export interface Encoding {
  readonly opcode: readonly number[];
  /** Register or opcode extension of the ModRM byte. */
  readonly reg: number;
  readonly size: Size;
  /** Bytes behind the operand. */
  readonly imm?: readonly number[];
  /** The operand size is 64 bits without REX.W. */
  readonly default64?: boolean;
  readonly prefix?: number;
}

/** An instruction of the eight that share an encoding: add, or, adc, sbb, and, sub, xor, cmp. @param row - its number among them */
export function emitArithmetic(image: ImageBuilder, row: number, dst: Reg | Mem, src: Reg | Mem | Imm): void {
  if (isOperand(src)) {
    emitMove(image, dst, src, row * 8);
    return;
  }
  const short = src >= -128 && src <= 127;
  const opcode = dst.size === 1 ? 0x80 : short ? 0x83 : 0x81;
  const imm = short ? little(src, 1) : immediate(src, dst.size);
  emitInstruction(image, { opcode: [opcode], reg: row, size: dst.size, imm }, dst);
}

/** Instructions with a direction bit: r/m from register at `opcode`, register from r/m two further. */
export function emitMove(image: ImageBuilder, dst: Reg | Mem, src: Reg | Mem, opcode: number): void {
  if (src.kind === 'reg')
    emitInstruction(image, { opcode: [opcode + (src.size === 1 ? 0 : 1)], reg: src.code, size: src.size }, dst);
  else if (dst.kind === 'reg')
    emitInstruction(image, { opcode: [opcode + (dst.size === 1 ? 2 : 3)], reg: dst.code, size: dst.size }, src);
  else throw new Error('memory to memory');
}

/** A constant into a register, in the shortest form. */
export function emitConstant(image: ImageBuilder, dst: Reg, value: Imm): void {
  const wide = BigInt.asUintN(dst.size * 8, BigInt(value));
  if (dst.size === 1) emitInstruction(image, { opcode: [0xc6], reg: 0, size: 1, imm: little(wide, 1) }, dst);
  else if (dst.size < 8)
    emitInstruction(image, { opcode: [0xc7], reg: 0, size: dst.size, imm: little(wide, dst.size) }, dst);
  else if (BigInt.asIntN(32, wide) === BigInt.asIntN(64, wide))
    emitInstruction(image, { opcode: [0xc7], reg: 0, size: 8, imm: little(wide, 4) }, dst);
  else if (wide < 1n << 32n) emitInstruction(image, { opcode: [0xc7], reg: 0, size: 4, imm: little(wide, 4) }, dst);
  else image.bytes(0x48 | (dst.code >> 3), 0xb8 | (dst.code & 7), ...little(wide, 8));
}

/** A jump or call to a label. */
export function emitBranch(image: ImageBuilder, opcode: readonly number[], to: string): void {
  image.bytes(...opcode);
  image.reference(to, 0, 4);
  image.u32(0);
}

/** Emits an instruction with a ModRM byte. */
export function emitInstruction(image: ImageBuilder, encoding: Encoding, rm: Reg | Mem): void {
  const { opcode, reg, size, imm = [], default64 = false, prefix } = encoding;
  if (rm.kind === 'mem' && rm.segment !== undefined) image.bytes(rm.segment === 'fs' ? 0x64 : 0x65);
  if (size === 2) image.bytes(0x66);
  if (prefix !== undefined) image.bytes(prefix);
  const index = rm.kind === 'mem' ? (rm.index?.code ?? 0) : 0;
  const base = rm.kind === 'mem' ? (rm.base?.code ?? 0) : rm.code;
  const wide = size === 8 && !default64 ? 8 : 0;
  const rex = wide | ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3);
  if (rex !== 0) image.bytes(0x40 | rex);
  image.bytes(...opcode);
  const fixup = rm.kind === 'reg' ? registerOperand(image, reg, rm) : memoryOperand(image, reg, rm);
  image.bytes(...imm);
  if (fixup !== undefined) fixup.end = image.size;
}

/** False for a constant. */
export function isOperand<Operand extends Reg | Mem>(value: Operand | Imm): value is Operand {
  return typeof value === 'object';
}

/** An immediate of an instruction: at most 4 bytes, sign-extended to the operand's size. */
export function immediate(value: Imm, size: Size): number[] {
  const wide = BigInt.asIntN(size * 8, BigInt(value));
  if (size === 8 && wide !== BigInt.asIntN(32, wide)) throw new Error(`${value} does not fit an immediate`);
  return little(wide, size === 8 ? 4 : size);
}

function registerOperand(image: ImageBuilder, reg: number, rm: Reg): undefined {
  image.bytes(0xc0 | ((reg & 7) << 3) | (rm.code & 7));
}

function memoryOperand(image: ImageBuilder, reg: number, mem: Mem): Fixup | undefined {
  const middle = (reg & 7) << 3;
  const { base, index, scale, disp, label } = mem;
  if (label !== undefined) {
    if (base !== undefined || index !== undefined) throw new Error('a label has neither base nor index');
    image.bytes(middle | 5);
    const fixup = image.reference(label, disp, 4);
    image.u32(0);
    return fixup;
  }
  const sib = (Math.log2(scale) << 6) | (((index?.code ?? 4) & 7) << 3);
  if (base === undefined) {
    image.bytes(middle | 4, sib | 5, ...little(disp, 4));
    return undefined;
  }
  const short = disp >= -128 && disp <= 127;
  const mode = short ? 0x40 : 0x80;
  if (index === undefined && (base.code & 7) !== 4) image.bytes(mode | middle | (base.code & 7));
  else image.bytes(mode | middle | 4, sib | (base.code & 7));
  image.bytes(...little(disp, short ? 1 : 4));
  return undefined;
}
