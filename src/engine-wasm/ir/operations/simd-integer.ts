// Integer arithmetic, comparison and logic on 128-bit lanes. Intel SDM vol. 2, one page per mnemonic.
// Fields: a = destination slot, b = first source (x86's destination), c = second source.

import { L, M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';

/** Operations that are one WebAssembly instruction: a = b op c. */
const BINARY: readonly (readonly [name: string, code: number])[] = [
  ['paddb', W.i8x16Add],
  ['paddw', W.i16x8Add],
  ['paddd', W.i32x4Add],
  ['paddq', W.i64x2Add],
  ['paddsb', W.i8x16AddSatS],
  ['paddsw', W.i16x8AddSatS],
  ['paddusb', W.i8x16AddSatU],
  ['paddusw', W.i16x8AddSatU],
  ['psubb', W.i8x16Sub],
  ['psubw', W.i16x8Sub],
  ['psubd', W.i32x4Sub],
  ['psubq', W.i64x2Sub],
  ['psubsb', W.i8x16SubSatS],
  ['psubsw', W.i16x8SubSatS],
  ['psubusb', W.i8x16SubSatU],
  ['psubusw', W.i16x8SubSatU],
  ['pminub', W.i8x16MinU],
  ['pminuw', W.i16x8MinU],
  ['pminud', W.i32x4MinU],
  ['pminsb', W.i8x16MinS],
  ['pminsw', W.i16x8MinS],
  ['pminsd', W.i32x4MinS],
  ['pmaxub', W.i8x16MaxU],
  ['pmaxuw', W.i16x8MaxU],
  ['pmaxud', W.i32x4MaxU],
  ['pmaxsb', W.i8x16MaxS],
  ['pmaxsw', W.i16x8MaxS],
  ['pmaxsd', W.i32x4MaxS],
  ['pavgb', W.i8x16AvgrU],
  ['pavgw', W.i16x8AvgrU],
  ['pcmpeqb', W.i8x16Eq],
  ['pcmpeqw', W.i16x8Eq],
  ['pcmpeqd', W.i32x4Eq],
  ['pcmpeqq', W.i64x2Eq],
  ['pcmpgtb', W.i8x16GtS],
  ['pcmpgtw', W.i16x8GtS],
  ['pcmpgtd', W.i32x4GtS],
  ['pcmpgtq', W.i64x2GtS],
  ['pand', W.v128And],
  ['por', W.v128Or],
  ['pxor', W.v128Xor],
  ['pmullw', W.i16x8Mul],
  ['pmulld', W.i32x4Mul],
  ['pmaddwd', W.i32x4DotI16x8S],
  ['packsswb', W.i8x16NarrowI16x8S],
  ['packuswb', W.i8x16NarrowI16x8U],
  ['packssdw', W.i16x8NarrowI32x4S],
  ['packusdw', W.i16x8NarrowI32x4U],
];

/** Operations that are one WebAssembly instruction: a = op b. */
const UNARY: readonly (readonly [name: string, code: number])[] = [
  ['pabsb', W.i8x16Abs],
  ['pabsw', W.i16x8Abs],
  ['pabsd', W.i32x4Abs],
];

/** Bytes of a vector that repeats `unit`. */
export function repeat(unit: readonly number[]): number[] {
  return Array.from({ length: 16 }, (_, n) => unit[n % unit.length] ?? 0);
}

/** Bytes 0 to 15. */
export const IOTA: readonly number[] = Array.from({ length: 16 }, (_, n) => n);

/** Leaves slots b and c in the first two v128 scratch locals. */
function readBoth(e: OpEmitter): void {
  e.read('b', M.v128Load);
  e.f.set(e.v128[0]);
  e.read('c', M.v128Load);
  e.f.set(e.v128[1]);
}

/** Operations of this family. */
export function simdIntegerOperations(): Operation[] {
  const list: Operation[] = [];
  const add = (name: string, emit: (e: OpEmitter) => void): void => {
    list.push({ name, kind: 'plain', emit });
  };
  /** An operation that pushes its result. */
  const value = (name: string, push: (e: OpEmitter) => void): void => {
    add(name, (e) => e.write('a', M.v128Store, () => push(e)));
  };
  for (const [name, code] of BINARY) {
    value(name, (e) => {
      e.read('b', M.v128Load);
      e.read('c', M.v128Load);
      e.f.op(code);
    });
  }
  for (const [name, code] of UNARY) {
    value(name, (e) => {
      e.read('b', M.v128Load);
      e.f.op(code);
    });
  }
  value('pandn', (e) => {
    e.read('c', M.v128Load);
    e.read('b', M.v128Load);
    e.f.op(W.v128Andnot);
  });
  value('vzero', (e) => e.f.v128(repeat([0])));
  value('pmulhw', (e) => emitHighProduct(e, W.i32x4ExtmulLowI16x8S, W.i32x4ExtmulHighI16x8S));
  value('pmulhuw', (e) => emitHighProduct(e, W.i32x4ExtmulLowI16x8U, W.i32x4ExtmulHighI16x8U));
  value('pmulhrsw', emitRoundedHighProduct);
  value('pmuludq', (e) => emitEvenProduct(e, W.i64x2ExtmulLowI32x4U));
  value('pmuldq', (e) => emitEvenProduct(e, W.i64x2ExtmulLowI32x4S));
  value('pmaddubsw', emitMixedDotProduct);
  value('psadbw', emitSumOfDifferences);
  value('psignb', (e) => emitSign(e, { shift: W.i8x16ShrS, sub: W.i8x16Sub, ne: W.i8x16Ne, bits: 8 }));
  value('psignw', (e) => emitSign(e, { shift: W.i16x8ShrS, sub: W.i16x8Sub, ne: W.i16x8Ne, bits: 16 }));
  value('psignd', (e) => emitSign(e, { shift: W.i32x4ShrS, sub: W.i32x4Sub, ne: W.i32x4Ne, bits: 32 }));
  value('phaddw', (e) => emitHorizontal(e, 2, W.i16x8Add));
  value('phaddd', (e) => emitHorizontal(e, 4, W.i32x4Add));
  value('phaddsw', (e) => emitHorizontal(e, 2, W.i16x8AddSatS));
  value('phsubw', (e) => emitHorizontal(e, 2, W.i16x8Sub));
  value('phsubd', (e) => emitHorizontal(e, 4, W.i32x4Sub));
  value('phsubsw', (e) => emitHorizontal(e, 2, W.i16x8SubSatS));
  // low half of b, then low half of c: makes one 16-byte operand of two MMX registers
  value('joinlow', (e) => {
    e.read('b', M.v128Load64Zero);
    e.read('c', M.i64Load);
    e.f.lane(L.i64x2ReplaceLane, 1);
  });
  return list;
}

function emitHighProduct(e: OpEmitter, low: number, high: number): void {
  const [x, y] = e.v128;
  readBoth(e);
  e.f.get(x).get(y).op(low).get(x).get(y).op(high);
  e.f.shuffle([2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]);
}

/** WebAssembly saturates -1 * -1 to 0x7fff where x86 wraps to 0x8000; all other products agree. */
function emitRoundedHighProduct(e: OpEmitter): void {
  const [x, y] = e.v128;
  const lowest = repeat([0x00, 0x80]);
  readBoth(e);
  e.f.get(x).get(y).op(W.i16x8Q15mulrSatS);
  e.f.get(x).get(y).op(W.v128And).v128(lowest).op(W.i16x8Eq);
  e.f.get(x).get(y).op(W.v128Or).v128(lowest).op(W.i16x8Eq).op(W.v128And);
  e.f.op(W.v128Xor);
}

/** Products of the even 32-bit lanes. */
function emitEvenProduct(e: OpEmitter, multiply: number): void {
  const even = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
  const [x, y] = e.v128;
  readBoth(e);
  e.f.get(x).get(x).shuffle(even).get(y).get(y).shuffle(even).op(multiply);
}

/** Unsigned bytes of b times signed bytes of c; neighbours added with saturation. Each product fits in 16 bits. */
function emitMixedDotProduct(e: OpEmitter): void {
  const [x, y] = e.v128;
  const f = e.f;
  readBoth(e);
  f.get(x)
    .v128(repeat([0xff, 0]))
    .op(W.v128And);
  f.get(y).i32(8).op(W.i16x8Shl).i32(8).op(W.i16x8ShrS).op(W.i16x8Mul);
  f.get(x).i32(8).op(W.i16x8ShrU).get(y).i32(8).op(W.i16x8ShrS).op(W.i16x8Mul);
  f.op(W.i16x8AddSatS);
}

function emitSumOfDifferences(e: OpEmitter): void {
  const [x, y] = e.v128;
  const f = e.f;
  readBoth(e);
  f.get(x).get(y).op(W.i8x16MaxU).get(x).get(y).op(W.i8x16MinU).op(W.i8x16Sub);
  f.op(W.i16x8ExtaddPairwiseI8x16U).op(W.i32x4ExtaddPairwiseI16x8U).tee(x);
  f.i32(32).op(W.i64x2ShrU);
  f.get(x)
    .v128(repeat([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]))
    .op(W.v128And)
    .op(W.i64x2Add);
}

interface LaneCode {
  readonly shift: number;
  readonly sub: number;
  readonly ne: number;
  readonly bits: number;
}

/** b negated where c is negative, 0 where c is 0. */
function emitSign(e: OpEmitter, lane: LaneCode): void {
  const [x, y, sign] = e.v128;
  const f = e.f;
  readBoth(e);
  f.get(y)
    .i32(lane.bits - 1)
    .op(lane.shift)
    .set(sign);
  f.get(x).get(sign).op(W.v128Xor).get(sign).op(lane.sub);
  f.get(y)
    .v128(repeat([0]))
    .op(lane.ne)
    .op(W.v128And);
}

/** Even lanes of b and c, op odd lanes of b and c. */
function emitHorizontal(e: OpEmitter, laneBytes: 2 | 4, code: number): void {
  const [x, y] = e.v128;
  const lanes = 32 / laneBytes;
  const pick = (odd: number): number[] =>
    Array.from({ length: lanes / 2 }, (_, n) => 2 * n + odd).flatMap((lane) =>
      Array.from({ length: laneBytes }, (_, byte) => lane * laneBytes + byte),
    );
  readBoth(e);
  e.f.get(x).get(y).shuffle(pick(0)).get(x).get(y).shuffle(pick(1)).op(code);
}
