// Moves of lanes: unpacks, permutations, blends, widening. Permutations by immediate take their lane
// numbers as the four bytes of imm, which lowering makes of x86's two-bit fields: byte n is the byte
// offset of the lane that goes to lane n.
// Fields: a = destination slot, b = first source, c = second source, d = mask slot of variable blends.

import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { IOTA, repeat } from './simd-integer.ts';

const UNPACK: readonly (readonly [suffix: string, laneBytes: number])[] = [
  ['bw', 1],
  ['wd', 2],
  ['dq', 4],
  ['qdq', 8],
];

const WIDEN: readonly (readonly [suffix: string, signed: readonly number[], unsigned: readonly number[]])[] = [
  ['bw', [W.i16x8ExtendLowI8x16S], [W.i16x8ExtendLowI8x16U]],
  ['wd', [W.i32x4ExtendLowI16x8S], [W.i32x4ExtendLowI16x8U]],
  ['dq', [W.i64x2ExtendLowI32x4S], [W.i64x2ExtendLowI32x4U]],
  ['bd', [W.i16x8ExtendLowI8x16S, W.i32x4ExtendLowI16x8S], [W.i16x8ExtendLowI8x16U, W.i32x4ExtendLowI16x8U]],
  ['wq', [W.i32x4ExtendLowI16x8S, W.i64x2ExtendLowI32x4S], [W.i32x4ExtendLowI16x8U, W.i64x2ExtendLowI32x4U]],
  [
    'bq',
    [W.i16x8ExtendLowI8x16S, W.i32x4ExtendLowI16x8S, W.i64x2ExtendLowI32x4S],
    [W.i16x8ExtendLowI8x16U, W.i32x4ExtendLowI16x8U, W.i64x2ExtendLowI32x4U],
  ],
];

const BLEND: readonly (readonly [name: string, shift: number, bits: number])[] = [
  ['pblendvb', W.i8x16ShrS, 8],
  ['blendvps', W.i32x4ShrS, 32],
  ['blendvpd', W.i64x2ShrS, 64],
];

/** Operations of this family. */
export function simdShuffleOperations(): Operation[] {
  const list: Operation[] = [];
  const value = (name: string, push: (e: OpEmitter) => void): void => {
    list.push({ name, kind: 'plain', emit: (e) => e.write('a', M.v128Store, () => push(e)) });
  };
  for (const [suffix, laneBytes] of UNPACK) {
    value(`punpckl${suffix}`, (e) => emitInterleave(e, laneBytes, 0));
    value(`punpckh${suffix}`, (e) => emitInterleave(e, laneBytes, 8));
  }
  for (const [suffix, signed, unsigned] of WIDEN) {
    for (const [name, codes] of [
      ['pmovsx', signed],
      ['pmovzx', unsigned],
    ] as const) {
      value(name + suffix, (e) => {
        e.read('b', M.v128Load);
        for (const code of codes) e.f.op(code);
      });
    }
  }
  for (const [name, shift, bits] of BLEND) {
    value(name, (e) => {
      e.read('c', M.v128Load);
      e.read('b', M.v128Load);
      e.read('d', M.v128Load);
      e.f
        .i32(bits - 1)
        .op(shift)
        .op(W.v128Bitselect);
    });
  }
  value('pshufb', (e) => emitShuffleBytes(e, 0x8f));
  value('pshufb64', (e) => emitShuffleBytes(e, 0x87)); // MMX: 8 lanes
  value('pshufd', (e) => {
    e.read('b', M.v128Load);
    if (e.knownImmediate !== undefined) {
      const { knownImmediate: imm } = e;
      pushSelf(
        e,
        [0, 1, 2, 3].flatMap((n) => laneAt(imm, n, 4)),
      );
      return;
    }
    pushDwordIndex(e, [0, 1, 2, 3]);
    e.f.op(W.i8x16Swizzle);
  });
  // lanes 0 and 1 from b, lanes 2 and 3 from c
  value('shufps', (e) => {
    e.read('b', M.v128Load);
    if (e.knownImmediate !== undefined) {
      const { knownImmediate: imm } = e;
      e.read('c', M.v128Load);
      e.f.shuffle([0, 1, 2, 3].flatMap((n) => laneAt(imm, n, 4).map((byte) => (n < 2 ? byte : 16 + byte))));
      return;
    }
    pushDwordIndex(e, [0, 1, OUT_OF_RANGE, OUT_OF_RANGE]);
    e.f.op(W.i8x16Swizzle);
    e.read('c', M.v128Load);
    pushDwordIndex(e, [OUT_OF_RANGE, OUT_OF_RANGE, 2, 3]);
    e.f.op(W.i8x16Swizzle).op(W.v128Or);
  });
  value('pshuflw', (e) => emitShuffleWords(e, [0, 0, 1, 1, 2, 2, 3, 3, 24, 25, 26, 27, 28, 29, 30, 31]));
  value('pshufhw', (e) => emitShuffleWords(e, [16, 17, 18, 19, 20, 21, 22, 23, 0, 0, 1, 1, 2, 2, 3, 3]));
  value('pblendw', emitBlendWords);
  list.push({ name: 'movd', kind: 'plain', emit: (e) => emitZeroExtended(e, M.v128Load32Zero) });
  list.push({ name: 'movq', kind: 'plain', emit: (e) => emitZeroExtended(e, M.v128Load64Zero) });
  // one lane, the others stay
  list.push({ name: 'lane32', kind: 'plain', emit: (e) => e.write('a', M.i32Store, () => e.read('b', M.i32Load)) });
  list.push({ name: 'zerolane32', kind: 'plain', emit: (e) => e.write('a', M.i32Store, () => e.f.i32(0)) });
  return list;
}

const OUT_OF_RANGE = -1;

/** imm: bit n set takes word n from c. */
function emitBlendWords(e: OpEmitter): void {
  if (e.knownImmediate !== undefined) {
    const { knownImmediate: imm } = e;
    e.read('b', M.v128Load);
    e.read('c', M.v128Load);
    e.f.shuffle(IOTA.map((byte) => ((imm & (1 << (byte >> 1))) === 0 ? byte : 16 + byte)));
    return;
  }
  const bits = IOTA.map((byte) => (byte % 2 === 0 ? 1 << (byte >> 1) : 0));
  e.read('c', M.v128Load);
  e.read('b', M.v128Load);
  e.imm32();
  e.f.op(W.i16x8Splat).v128(bits).op(W.v128And).v128(bits).op(W.i16x8Eq).op(W.v128Bitselect);
}

/** The bytes of the lane whose offset is byte `n` of an immediate. */
function laneAt(imm: number, n: number, laneBytes: 2 | 4): number[] {
  const offset = (imm >>> (n * 8)) & 0xff;
  return Array.from({ length: laneBytes }, (_, byte) => offset + byte);
}

/** Takes a vector from the stack and pushes the bytes of it at these places. */
function pushSelf(e: OpEmitter, bytes: readonly number[]): void {
  const [x] = e.v128;
  e.f.tee(x).get(x).shuffle(bytes);
}

function emitZeroExtended(e: OpEmitter, load: number): void {
  e.write('a', M.v128Store, () => e.read('b', load));
}

function emitInterleave(e: OpEmitter, laneBytes: number, first: 0 | 8): void {
  const lanes: number[] = [];
  for (let lane = first; lane < first + 8; lane += laneBytes) {
    for (const source of [0, 16]) {
      for (let byte = 0; byte < laneBytes; byte++) lanes.push(source + lane + byte);
    }
  }
  e.read('b', M.v128Load);
  e.read('c', M.v128Load);
  e.f.shuffle(lanes);
}

/** Bytes of b by the indices in c; an index with its top bit set gives 0. */
function emitShuffleBytes(e: OpEmitter, indexMask: number): void {
  e.read('b', M.v128Load);
  e.read('c', M.v128Load);
  e.f
    .v128(repeat([indexMask]))
    .op(W.v128And)
    .op(W.i8x16Swizzle);
}

/** Pushes byte indices: dword n of the result comes from the offset in byte `source[n]` of imm, or is 0. */
function pushDwordIndex(e: OpEmitter, source: readonly number[]): void {
  e.imm32();
  e.f.op(W.i32x4Splat).v128(repeat([0x80]));
  e.f.shuffle(source.flatMap((n) => repeat([n === OUT_OF_RANGE ? 16 : n]).slice(0, 4)));
  e.f.v128(repeat([0, 1, 2, 3])).op(W.i8x16Add);
}

/** Permutes the four words whose lanes in `spread` name bytes of imm; lanes from 16 on stay. */
function emitShuffleWords(e: OpEmitter, spread: readonly number[]): void {
  e.read('b', M.v128Load);
  if (e.knownImmediate !== undefined) {
    const { knownImmediate: imm } = e;
    pushSelf(
      e,
      spread.map((lane, byte) => (lane < 16 ? ((imm >>> (lane * 8)) & 0xff) + (byte % 2) : lane - 16)),
    );
    return;
  }
  e.imm32();
  e.f.op(W.i32x4Splat).v128(IOTA).shuffle(spread);
  e.f
    .v128(spread.map((lane, byte) => (lane < 16 ? byte % 2 : 0)))
    .op(W.i8x16Add)
    .op(W.i8x16Swizzle);
}
