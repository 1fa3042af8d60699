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

/**
 * Compares the strings in slots a and b and sets all six flags. @hot
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
  const left = explicit ? explicitLength(s, Gpr.RAX, imm, count) : implicitLength(s, a, imm, count);
  const right = explicit ? explicitLength(s, Gpr.RDX, imm, count) : implicitLength(s, b, imm, count);
  let result = aggregate(s, a, b, imm, left, right);
  if ((imm & Control.NEGATIVE) !== 0) result ^= (1 << ((imm & Control.MASKED) !== 0 ? right : count)) - 1;
  if (index) writeIndex(s, result, imm, count);
  else writeMask(s, result, imm, count);
  const flags =
    (result !== 0 ? Rflags.CF : 0) |
    (right < count ? Rflags.ZF : 0) |
    (left < count ? Rflags.SF : 0) |
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

/** Elements before the first zero. */
function implicitLength(s: StateView, at: number, imm: number, count: number): number {
  let length = 0;
  while (length < count && element(s, at, length, imm) !== 0) length++;
  return length;
}

/** Element n of a string, by the format in the immediate. */
function element(s: StateView, at: number, n: number, imm: number): number {
  if ((imm & Control.WORDS) === 0) {
    const byte = s.u8[at + n];
    return (imm & Control.SIGNED) !== 0 ? (byte << 24) >> 24 : byte;
  }
  const word = s.u16[(at >> 1) + n];
  return (imm & Control.SIGNED) !== 0 ? (word << 16) >> 16 : word;
}

/** IntRes1: one bit for each element of the second string. @param left - valid elements of a; @param right - of b */
function aggregate(s: StateView, a: number, b: number, imm: number, left: number, right: number): number {
  switch ((imm >> Control.AGGREGATION_SHIFT) & 3) {
    case Aggregation.EQUAL_ANY:
      return equalAny(s, a, b, imm, left, right);
    case Aggregation.RANGES:
      return inRanges(s, a, b, imm, left, right);
    case Aggregation.EQUAL_EACH:
      return equalEach(s, a, b, imm, left, right);
    default:
      return equalOrdered(s, a, b, imm, left, right);
  }
}

function equalAny(s: StateView, a: number, b: number, imm: number, left: number, right: number): number {
  let result = 0;
  for (let j = 0; j < right; j++) {
    const one = element(s, b, j, imm);
    let i = 0;
    while (i < left && element(s, a, i, imm) !== one) i++;
    if (i < left) result |= 1 << j;
  }
  return result;
}

/** The first string is pairs of lower and upper bounds. */
function inRanges(s: StateView, a: number, b: number, imm: number, left: number, right: number): number {
  let result = 0;
  for (let j = 0; j < right; j++) {
    const one = element(s, b, j, imm);
    for (let i = 0; i + 1 < left; i += 2) {
      if (one >= element(s, a, i, imm) && one <= element(s, a, i + 1, imm)) result |= 1 << j;
    }
  }
  return result;
}

/** Behind the end of both strings they count as equal. */
function equalEach(s: StateView, a: number, b: number, imm: number, left: number, right: number): number {
  const count = (imm & Control.WORDS) !== 0 ? 8 : 16;
  const both = Math.min(left, right);
  let result = ((1 << count) - 1) & ~((1 << Math.max(left, right)) - 1);
  for (let j = 0; j < both; j++) if (element(s, a, j, imm) === element(s, b, j, imm)) result |= 1 << j;
  return result;
}

/** The first string stands in the second from j on, as far as the register reaches. */
function equalOrdered(s: StateView, a: number, b: number, imm: number, left: number, right: number): number {
  const count = (imm & Control.WORDS) !== 0 ? 8 : 16;
  let result = 0;
  for (let j = 0; j < count; j++) {
    const end = Math.min(left, count - j);
    let i = 0;
    while (i < end && i + j < right && element(s, a, i, imm) === element(s, b, i + j, imm)) i++;
    if (i === end) result |= 1 << j;
  }
  return result;
}

function writeIndex(s: StateView, result: number, imm: number, count: number): void {
  let index = count;
  if (result !== 0) index = 31 - Math.clz32((imm & Control.OUTPUT) !== 0 ? result : result & -result);
  s.u32[(Cpu.GPR >> 2) + Gpr.RCX * 2] = index;
  s.u32[(Cpu.GPR >> 2) + Gpr.RCX * 2 + 1] = 0;
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
