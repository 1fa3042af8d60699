// Shifts of 128-bit lanes. A count of the lane width or more gives 0, or the sign for arithmetic
// shifts; WebAssembly would take it modulo the width. Intel SDM vol. 2B, PSLLW and following.
// Fields: a = destination slot, b = source, c = slot of the 64-bit count, or imm below the lane width.

import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { IOTA, repeat } from './simd-integer.ts';

const ZERO = repeat([0]);

interface Row {
  readonly name: string;
  readonly bits: 16 | 32 | 64;
  readonly code: number;
  readonly arithmetic: boolean;
}

const ROWS: readonly Row[] = [
  { name: 'psllw', bits: 16, code: W.i16x8Shl, arithmetic: false },
  { name: 'pslld', bits: 32, code: W.i32x4Shl, arithmetic: false },
  { name: 'psllq', bits: 64, code: W.i64x2Shl, arithmetic: false },
  { name: 'psrlw', bits: 16, code: W.i16x8ShrU, arithmetic: false },
  { name: 'psrld', bits: 32, code: W.i32x4ShrU, arithmetic: false },
  { name: 'psrlq', bits: 64, code: W.i64x2ShrU, arithmetic: false },
  { name: 'psraw', bits: 16, code: W.i16x8ShrS, arithmetic: true },
  { name: 'psrad', bits: 32, code: W.i32x4ShrS, arithmetic: true },
];

/** Operations of this family: `psllw` and so on by slot, `psllwi` and so on by immediate, byte shifts. */
export function simdShiftOperations(): Operation[] {
  const list: Operation[] = [];
  const value = (name: string, push: (e: OpEmitter) => void): void => {
    list.push({ name, kind: 'plain', emit: (e) => e.write('a', M.v128Store, () => push(e)) });
  };
  for (const row of ROWS) {
    value(row.name, (e) => emitShiftBySlot(e, row));
    value(`${row.name}i`, (e) => {
      e.read('b', M.v128Load);
      e.imm32();
      e.f.op(row.code);
    });
  }
  // imm = bytes, 0 to 16: lanes picked from beyond the vector are 0
  value('psrldq', (e) => {
    e.read('b', M.v128Load);
    if (e.knownImmediate !== undefined) {
      const { knownImmediate: imm } = e;
      e.f.v128(ZERO).shuffle(IOTA.map((byte) => byte + imm));
      return;
    }
    e.f.v128(IOTA);
    e.imm32();
    e.f.op(W.i8x16Splat).op(W.i8x16Add).op(W.i8x16Swizzle);
  });
  value('pslldq', (e) => {
    e.read('b', M.v128Load);
    if (e.knownImmediate !== undefined) {
      const { knownImmediate: imm } = e;
      e.f.v128(ZERO).shuffle(IOTA.map((byte) => (byte >= imm ? byte - imm : 16)));
      return;
    }
    e.f.v128(IOTA);
    e.imm32();
    e.f.op(W.i8x16Splat).op(W.i8x16Sub).op(W.i8x16Swizzle);
  });
  // bytes imm (0 to 32) and on of the 32 bytes that have c below b
  value('palignr', (e) => {
    if (e.knownImmediate !== undefined) {
      const { knownImmediate: imm } = e;
      if (imm <= 16) e.read('c', M.v128Load);
      e.read('b', M.v128Load);
      if (imm > 16) e.f.v128(ZERO);
      e.f.shuffle(IOTA.map((byte) => byte + (imm <= 16 ? imm : imm - 16)));
      return;
    }
    const [index] = e.v128;
    e.f.v128(IOTA);
    e.imm32();
    e.f.op(W.i8x16Splat).op(W.i8x16Add).set(index);
    e.read('c', M.v128Load);
    e.f.get(index).op(W.i8x16Swizzle);
    e.read('b', M.v128Load);
    e.f
      .get(index)
      .v128(repeat([16]))
      .op(W.i8x16Sub)
      .op(W.i8x16Swizzle);
    e.f.op(W.v128Or);
  });
  return list;
}

function emitShiftBySlot(e: OpEmitter, row: Row): void {
  const [count] = e.i64;
  const f = e.f;
  e.read('c', M.i64Load);
  f.set(count);
  e.read('b', M.v128Load);
  if (row.arithmetic) {
    f.get(count)
      .i64(row.bits - 1)
      .get(count)
      .i64(row.bits)
      .op(W.i64LtU)
      .op(W.select);
    f.op(W.i32WrapI64).op(row.code);
    return;
  }
  f.get(count).op(W.i32WrapI64).op(row.code);
  f.v128(repeat([0]));
  f.get(count).i64(row.bits).op(W.i64LtU).op(W.select);
}
