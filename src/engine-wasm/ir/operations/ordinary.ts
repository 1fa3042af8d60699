// The quick path of floating point operations. An ordinary number is finite and at least twice the smallest normal
// one. With ordinary operands and an ordinary result an operation has no exception but an inexact result, so where MXCSR
// rounds to nearest and has PE set and masked, WebAssembly's arithmetic is the guest's, and MXCSR stays as it is.
//
// A number is ordinary when its upper 16 bits are in a range. Shifted left, to lose the sign, and moved so that the range
// begins at the lowest signed word, they are compared with the range's end; the places are odd, because what is shifted
// is even, so that with the lowest word as the end nothing passes. One comparison does for all numbers that take part.

import { Cpu } from '../../../engine/index.ts';
import type { Label } from '../../wasm/function-builder.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { OpEmitter } from '../operation.ts';
import { Mxcsr } from './float-guard.ts';
import { repeat } from './simd-integer.ts';

/** Bits of a lane: single or double precision. */
export type LaneBits = 32 | 64;

/** What is taken from the upper words, in all words. */
const BIAS: Readonly<Record<LaneBits, readonly number[]>> = { 32: repeat([0xff, 0x81]), 64: repeat([0x3f, 0x80]) };

/** The end of the range, and what stands for it when there is no quick path. */
const END: Readonly<Record<LaneBits, readonly number[]>> = { 32: repeat([0xff, 0x7c]), 64: repeat([0x9f, 0x7f]) };
const NOTHING = repeat([0x00, 0x80]);

/** Pushes what `OpEmitter.ordinaryBias` pushes. */
export function pushBias(e: Pick<OpEmitter, 'f'>, bits: LaneBits): void {
  e.f.v128(BIAS[bits]);
}

/** Pushes what `OpEmitter.ordinaryEnd` pushes, from MXCSR as it is in the state block. */
export function pushEnd(e: Pick<OpEmitter, 'f'>, bits: LaneBits): void {
  const required = Mxcsr.PM | Mxcsr.PE;
  e.f.v128(END[bits]).v128(NOTHING);
  e.f.i32(0).mem(M.i32Load, Cpu.MXCSR);
  e.f
    .i32(required | Mxcsr.RC)
    .op(W.i32And)
    .i32(required)
    .op(W.i32Eq)
    .op(W.select);
}

/** Those vector locals that hold an operand which may be denormal. @param operands - by field */
export function unsureOperands(
  e: OpEmitter,
  bits: LaneBits,
  scalar: boolean,
  operands: Readonly<Partial<Record<'a' | 'b', number>>>,
): number[] {
  const { a, b } = operands;
  const list: number[] = [];
  if (a !== undefined && !e.hasNoDenormals('a', bits, scalar)) list.push(a);
  if (b !== undefined && !e.hasNoDenormals('b', bits, scalar)) list.push(b);
  return list;
}

/**
 * Branches unless numbers are ordinary. Those that are only operands of an operation whose result is among `results` need
 * not be looked at from above: what is not finite gives no finite result.
 * @param operands - vector locals; @param results - likewise
 * @param scalar - only the lowest lane matters
 */
export function requireOrdinary(
  e: OpEmitter,
  bits: LaneBits,
  operands: readonly number[],
  results: readonly number[],
  scalar: boolean,
  otherwise: Label,
): void {
  if (operands.length + results.length === 0) return;
  const f = e.f;
  let terms = 0;
  const shift = (local: number): void => {
    f.get(local).get(local).op(W.i16x8Add);
  };
  const term = (): void => {
    e.ordinaryBias(bits);
    f.op(W.i16x8Sub);
    if (terms++ > 0) f.op(W.i16x8MaxS);
  };
  operands.forEach((local, n) => {
    shift(local);
    if (n > 0) f.op(W.i16x8MinU);
  });
  if (operands.length > 0) term();
  for (const local of results) {
    shift(local);
    term();
  }
  e.ordinaryEnd(bits);
  f.op(W.i16x8GtS).op(bits === 64 ? W.i64x2Bitmask : W.i32x4Bitmask);
  if (scalar) f.i32(1).op(W.i32And);
  f.unlikely().branchIf(otherwise);
}
