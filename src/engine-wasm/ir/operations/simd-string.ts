// PCMPISTRI on bytes with aggregation "equal each", which the C library's string compares use; all other
// string compares are runtime helpers (`runtime/simd-string-compare.ts`). Intel SDM vol. 2B, section 4.1.
// Fields: a = first string, b = second string, imm = the instruction's immediate.

import { Cpu, FlagAux, Gpr, Rflags } from '../../../engine/index.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { gprSlot } from '../slots.ts';
import { repeat } from './simd-integer.ts';

const NEGATIVE = 1 << 4;
const MASKED = 1 << 5;
const MOST_SIGNIFICANT = 1 << 6;
const ALL = 0xffff;
const LENGTH = 16;

/** True when the operation `pcmpistribytes` carries out a PCMPISTRI with this immediate. */
export function isByteCompare(imm: number): boolean {
  return (imm & 0b1101) === 0b1000;
}

/** Operations of this family. */
export function simdStringOperations(): Operation[] {
  return [{ name: 'pcmpistribytes', kind: 'plain', emit: emitByteCompare }];
}

function emitByteCompare(e: OpEmitter): void {
  const [x, y] = e.v128;
  const [left, right, result, index] = e.i32;
  const f = e.f;
  e.read('a', M.v128Load);
  f.set(x);
  e.read('b', M.v128Load);
  f.set(y);
  setValid(e, x, left);
  setValid(e, y, right);
  // equal and both valid, or both behind their end
  f.get(x).get(y).op(W.i8x16Eq).op(W.i8x16Bitmask);
  f.get(left).op(W.i32And).get(right).op(W.i32And);
  f.get(left).get(right).op(W.i32Or).i32(ALL).op(W.i32Xor).op(W.i32Or);
  // polarity
  f.get(right).i32(ALL);
  pushImmediateBit(e, MASKED);
  f.op(W.select).i32(0);
  pushImmediateBit(e, NEGATIVE);
  f.op(W.select).op(W.i32Xor).set(result);
  // index of the last or first bit; 16 when there is none
  f.i32(31).get(result).op(W.i32Clz).op(W.i32Sub).i32(LENGTH).get(result).op(W.select);
  f.get(result)
    .i32(ALL + 1)
    .op(W.i32Or)
    .op(W.i32Ctz);
  pushImmediateBit(e, MOST_SIGNIFICANT);
  f.op(W.select).set(index);
  e.writeState(gprSlot(Gpr.RCX), M.i64Store, () => f.get(index).op(W.i64ExtendI32U));
  emitFlags(e);
}

function pushImmediateBit(e: OpEmitter, bit: number): void {
  e.imm32();
  e.f.i32(bit).op(W.i32And);
}

/** Leaves a mask of the bytes before the first zero of a string. */
function setValid(e: OpEmitter, string: number, local: number): void {
  const f = e.f;
  f.get(string)
    .v128(repeat([0]))
    .op(W.i8x16Eq)
    .op(W.i8x16Bitmask);
  f.i32(ALL + 1)
    .op(W.i32Or)
    .tee(local); // the bit above stands for the end of the register
  f.i32(1).op(W.i32Sub).get(local).i32(-1).op(W.i32Xor).op(W.i32And).set(local);
}

/** CF: any bit; ZF, SF: the second, first string ends here; OF: bit 0; PF and AF: 0 (see `writeZeroAndCarry`). */
function emitFlags(e: OpEmitter): void {
  const [left, right, result] = e.i32;
  const f = e.f;
  e.writeState(Cpu.FLAG_RESULT, M.i64Store, () => f.get(right).i32(ALL).op(W.i32Eq).op(W.i64ExtendI32U));
  e.writeState(Cpu.FLAG_AUX, M.i32Store, () => {
    f.get(result).i32(0).op(W.i32Ne); // CF is bit 0
    f.get(result).i32(1).op(W.i32And).i32(Math.log2(Rflags.OF)).op(W.i32Shl).op(W.i32Or);
    f.i32(FlagAux.SIGN_DELTA).i32(0).get(left).i32(ALL).op(W.i32Ne).op(W.select).op(W.i32Or);
    f.get(right).i32(ALL).op(W.i32Ne).i32(FlagAux.PARITY_DELTA_SHIFT).op(W.i32Shl).op(W.i32Or);
  });
}
