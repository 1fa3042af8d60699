// The SSE4.2 string compares: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. Intel SDM vol. 1, section
// 4.1 of vol. 2B ("Imm8 control byte operation"), whose names of the steps are kept here.

import { auxOfFlags, Cpu, Gpr, resultOfFlags, Rflags } from '../../engine/index.ts';
import type { StateView } from './state.ts';

/** Fields of the immediate; `WIDE_LENGTH` is REX.W, which lowering adds. */
const Control = {
  WORDS: 1 << 0,
  SIGNED: 1 << 1,
  AGGREGATION_SHIFT: 2,
  NEGATIVE: 1 << 4,
  MASKED: 1 << 5,
  OUTPUT: 1 << 6,
  WIDE_LENGTH: 1 << 8,
} as const;

const Aggregation = { EQUAL_ANY: 0, RANGES: 1, EQUAL_EACH: 2, EQUAL_ORDERED: 3 } as const;

/** One operand: its elements, and how many of them are valid. */
interface Text {
  readonly elements: readonly number[];
  readonly length: number;
}

/**
 * Compares the strings in slots a and b and sets all six flags.
 * @param explicit - lengths are in rax and rdx; otherwise a zero element ends a string
 * @param index - the result goes to rcx; otherwise a mask goes to xmm0
 * @returns 0
 */
export function compareStrings(
  s: StateView,
  a: number,
  b: number,
  imm: number,
  explicit: boolean,
  index: boolean,
): number {
  const count = (imm & Control.WORDS) !== 0 ? 8 : 16;
  const left = readText(s, a, imm, explicit ? explicitLength(s, Gpr.RAX, imm, count) : -1);
  const right = readText(s, b, imm, explicit ? explicitLength(s, Gpr.RDX, imm, count) : -1);
  const result = applyPolarity(aggregate(left, right, imm), right, imm);
  if (index) writeIndex(s, result, imm, count);
  else writeMask(s, result, imm, count);
  const flags =
    (result !== 0 ? Rflags.CF : 0) |
    (right.length < count ? Rflags.ZF : 0) |
    (left.length < count ? Rflags.SF : 0) |
    ((result & 1) !== 0 ? Rflags.OF : 0);
  s.u32[Cpu.FLAG_RESULT >> 2] = resultOfFlags(flags);
  s.u32[(Cpu.FLAG_RESULT >> 2) + 1] = 0;
  s.u32[Cpu.FLAG_AUX >> 2] = auxOfFlags(flags);
  return 0;
}

/** The magnitude of eax or rax (edx or rdx), at most `count`. */
function explicitLength(s: StateView, register: number, imm: number, count: number): number {
  const at = Cpu.GPR + register * 8;
  if ((imm & Control.WIDE_LENGTH) === 0) return Math.min(Math.abs(s.i32[at >> 2]), count);
  return Math.min(Math.abs(Number(BigInt.asIntN(64, s.u64[at >> 3]))), count);
}

/** @param length - valid elements, or -1: up to the first zero */
function readText(s: StateView, at: number, imm: number, length: number): Text {
  const signed = (imm & Control.SIGNED) !== 0;
  const elements: number[] = [];
  if ((imm & Control.WORDS) !== 0) {
    for (let n = 0; n < 8; n++) elements.push(signed ? s.view.getInt16(at + n * 2, true) : s.u16[(at >> 1) + n]);
  } else {
    for (let n = 0; n < 16; n++) elements.push(signed ? s.view.getInt8(at + n) : s.u8[at + n]);
  }
  if (length >= 0) return { elements, length };
  const end = elements.indexOf(0);
  return { elements, length: end < 0 ? elements.length : end };
}

/** IntRes1: one bit for each element of the second operand. */
function aggregate(left: Text, right: Text, imm: number): number {
  const count = left.elements.length;
  let result = 0;
  for (let j = 0; j < count; j++) {
    if (holds(left, right, j, (imm >> Control.AGGREGATION_SHIFT) & 3)) result |= 1 << j;
  }
  return result;
}

function holds(left: Text, right: Text, j: number, aggregation: number): boolean {
  const count = left.elements.length;
  switch (aggregation) {
    case Aggregation.EQUAL_ANY:
      if (j >= right.length) return false;
      for (let i = 0; i < left.length; i++) if (left.elements[i] === right.elements[j]) return true;
      return false;
    case Aggregation.RANGES:
      if (j >= right.length) return false;
      for (let i = 0; i + 1 < left.length; i += 2) {
        if (right.elements[j] >= left.elements[i] && right.elements[j] <= left.elements[i + 1]) return true;
      }
      return false;
    case Aggregation.EQUAL_EACH:
      if (j >= left.length || j >= right.length) return j >= left.length && j >= right.length;
      return left.elements[j] === right.elements[j];
    default: // EQUAL_ORDERED: the first operand stands in the second from j on, as far as that reaches
      for (let i = 0; i < left.length && i + j < count; i++) {
        if (i + j >= right.length || left.elements[i] !== right.elements[i + j]) return false;
      }
      return true;
  }
}

/** IntRes2. */
function applyPolarity(result: number, right: Text, imm: number): number {
  if ((imm & Control.NEGATIVE) === 0) return result;
  const affected = (imm & Control.MASKED) !== 0 ? right.length : right.elements.length;
  return result ^ ((1 << affected) - 1);
}

function writeIndex(s: StateView, result: number, imm: number, count: number): void {
  let index = count;
  if (result !== 0) index = 31 - Math.clz32((imm & Control.OUTPUT) !== 0 ? result : result & -result);
  s.u64[(Cpu.GPR >> 3) + Gpr.RCX] = BigInt(index);
}

function writeMask(s: StateView, result: number, imm: number, count: number): void {
  if ((imm & Control.OUTPUT) === 0) {
    s.u64[Cpu.XMM >> 3] = BigInt(result);
    s.u64[(Cpu.XMM >> 3) + 1] = 0n;
    return;
  }
  const bytes = 16 / count;
  for (let n = 0; n < count; n++)
    s.u8.fill((result & (1 << n)) !== 0 ? 0xff : 0, Cpu.XMM + n * bytes, Cpu.XMM + (n + 1) * bytes);
}
