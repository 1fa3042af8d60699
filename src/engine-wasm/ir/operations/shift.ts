// Shifts and rotates, with a count from a slot or an immediate. Intel SDM vol. 2B, SAL/SAR/SHL/SHR,
// RCL/RCR/ROL/ROR, SHLD, SHRD.
// Fields: a = destination slot, b = source slot, c = slot of the count or imm = count, in the `i` forms
// nonzero and already masked. shld and shrd: a = destination and first source, b = register shifted in.
// A count from a slot is masked to 5 or 6 bits; a masked count of 0 copies b to a and leaves the flags.

import { Cpu, Rflags } from '../../../engine/index.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import {
  constant,
  scratch,
  signExtend,
  topBitToOverflow,
  type Width,
  widthCode,
  WIDTHS,
  WORD_WIDTHS,
  writeResult,
} from './width.ts';

type Count = 'slot' | 'immediate';

/** Local of the masked count; the bodies below use the scratch locals before it. */
const COUNT_LOCAL = 3;

/** Operations of this family. */
export function shiftOperations(): Operation[] {
  const list: Operation[] = [];
  const families = [
    ['shl', emitShiftLeft],
    ['shr', emitShiftRight],
    ['sar', emitShiftArithmetic],
    ['rol', emitRotateLeft],
    ['ror', emitRotateRight],
    ['rcl', emitRotateCarryLeft],
    ['rcr', emitRotateCarryRight],
  ] as const;
  for (const count of ['slot', 'immediate'] as const) {
    const suffix = count === 'immediate' ? 'i' : '';
    for (const [name, body] of families) {
      for (const width of WIDTHS) {
        list.push({
          name: `${name}${width}${suffix}`,
          kind: 'plain',
          emit: (e) => emitCounted(e, width, count, 'b', body),
        });
      }
    }
    for (const width of WORD_WIDTHS) {
      list.push({
        name: `shld${width}${suffix}`,
        kind: 'plain',
        emit: (e) => emitCounted(e, width, count, 'a', emitDoubleLeft),
      });
      list.push({
        name: `shrd${width}${suffix}`,
        kind: 'plain',
        emit: (e) => emitCounted(e, width, count, 'a', emitDoubleRight),
      });
    }
  }
  return list;
}

type Body = (e: OpEmitter, width: Width) => void;

/** Reads the count and emits `body` for counts other than 0. */
function emitCounted(e: OpEmitter, width: Width, count: Count, source: 'a' | 'b', body: Body): void {
  const local = e.i32[COUNT_LOCAL];
  if (count === 'immediate') {
    e.imm32();
    e.f.set(local);
    body(e, width);
    return;
  }
  e.read('c', M.i32Load8U);
  e.f
    .i32(width === 64 ? 63 : 31)
    .op(W.i32And)
    .tee(local);
  e.f.if();
  body(e, width);
  e.f.else();
  writeResult(e, 'a', width, () => e.read(source, widthCode(width).load));
  e.f.end();
}

/** Pushes the count in the computing type. */
function pushCount(e: OpEmitter, width: Width): void {
  e.f.get(e.i32[COUNT_LOCAL]);
  if (width === 64) e.f.op(W.i64ExtendI32U);
}

/** Pushes the count - 1 in the computing type. */
function pushCountLessOne(e: OpEmitter, width: Width): void {
  pushCount(e, width);
  constant(e, width, 1);
  e.f.op(widthCode(width).sub);
}

/** Pushes width - count in the computing type; for 32 and 64 bits modulo the width, as shifts take it. */
function pushWidthLessCount(e: OpEmitter, width: Width): void {
  constant(e, width, width);
  pushCount(e, width);
  e.f.op(widthCode(width).sub);
}

/** Reduces the value of the computing type on the stack to its lowest bit, as i32. */
function lowestBit(e: OpEmitter, width: Width): void {
  if (width === 64) e.f.op(W.i32WrapI64);
  e.f.i32(1).op(W.i32And);
}

/** Shift flags: SF, ZF and PF of the result; `carry` pushes CF as 0 or 1, `overflow` pushes OF in its place. AF is undefined and cleared. */
function setShiftFlags(e: OpEmitter, width: Width, result: number, carry: () => void, overflow: () => void): void {
  e.setFlags(
    () => {
      e.f.get(result);
      signExtend(e, width);
    },
    () => {
      carry();
      overflow();
      e.f.op(W.i32Or);
    },
  );
}

/** Rotate flags: only CF and OF change. */
function setRotateFlags(e: OpEmitter, carry: () => void, overflow: () => void): void {
  e.writeState(Cpu.FLAG_AUX, M.i32Store, () => {
    e.readState(Cpu.FLAG_AUX, M.i32Load);
    e.f.i32(~(Rflags.CF | Rflags.OF)).op(W.i32And);
    carry();
    e.f.op(W.i32Or);
    overflow();
    e.f.op(W.i32Or);
  });
}

/** Pushes OF = top bit of the result xor the carry, for left shifts and rotates. */
function pushOverflowOfLeft(e: OpEmitter, width: Width, result: number, carry: number): void {
  e.f.get(result);
  topBitToOverflow(e, width);
  e.f.get(carry).i32(11).op(W.i32Shl).op(W.i32Xor);
}

/** Pushes OF = the two top bits of the result differ, for right rotates. */
function pushOverflowOfRight(e: OpEmitter, width: Width, result: number): void {
  e.f.get(result).get(result);
  constant(e, width, 1);
  e.f.op(widthCode(width).shl).op(widthCode(width).xor);
  topBitToOverflow(e, width);
}

function emitShiftLeft(e: OpEmitter, width: Width): void {
  const [x = 0, r = 0] = scratch(e, width);
  const carry = e.i32[2];
  const code = widthCode(width);
  e.read('b', code.load);
  e.f.tee(x);
  pushCount(e, width);
  e.f.op(code.shl).set(r);
  if (width === 8 || width === 16) {
    e.f.get(r).i32(width).op(W.i32ShrU);
  } else {
    e.f.get(x);
    pushWidthLessCount(e, width);
    e.f.op(code.shrU);
  }
  lowestBit(e, width);
  e.f.set(carry);
  setShiftFlags(
    e,
    width,
    r,
    () => e.f.get(carry),
    () => pushOverflowOfLeft(e, width, r, carry),
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitShiftRight(e: OpEmitter, width: Width): void {
  const [x = 0, r = 0] = scratch(e, width);
  const code = widthCode(width);
  e.read('b', code.load);
  e.f.tee(x);
  pushCount(e, width);
  e.f.op(code.shrU).set(r);
  setShiftFlags(
    e,
    width,
    r,
    () => {
      e.f.get(x);
      pushCountLessOne(e, width);
      e.f.op(code.shrU);
      lowestBit(e, width);
    },
    () => {
      e.f.get(x);
      topBitToOverflow(e, width);
    },
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitShiftArithmetic(e: OpEmitter, width: Width): void {
  const [x = 0, r = 0] = scratch(e, width);
  const code = widthCode(width);
  const signedLoad = { 8: M.i32Load8S, 16: M.i32Load16S, 32: M.i32Load, 64: M.i64Load }[width];
  e.read('b', signedLoad);
  e.f.tee(x);
  pushCount(e, width);
  e.f.op(code.shrS).set(r);
  setShiftFlags(
    e,
    width,
    r,
    () => {
      e.f.get(x);
      pushCountLessOne(e, width);
      e.f.op(code.shrS);
      lowestBit(e, width);
    },
    () => e.f.i32(0),
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

/** Leaves the rotated value in the second scratch local; 8 and 16 bits are replicated, so that any count works. */
function rotate(e: OpEmitter, width: Width, left: boolean): number {
  const [, r = 0] = scratch(e, width);
  e.read('b', widthCode(width).load);
  if (width === 8) e.f.i32(0x01010101).op(W.i32Mul);
  if (width === 16) e.f.i32(0x00010001).op(W.i32Mul);
  pushCount(e, width);
  if (width === 64) e.f.op(left ? W.i64Rotl : W.i64Rotr);
  else e.f.op(left ? W.i32Rotl : W.i32Rotr);
  e.f.set(r);
  return r;
}

function emitRotateLeft(e: OpEmitter, width: Width): void {
  const r = rotate(e, width, true);
  const carry = e.i32[2];
  e.f.get(r);
  lowestBit(e, width);
  e.f.set(carry);
  setRotateFlags(
    e,
    () => e.f.get(carry),
    () => pushOverflowOfLeft(e, width, r, carry),
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitRotateRight(e: OpEmitter, width: Width): void {
  const r = rotate(e, width, false);
  setRotateFlags(
    e,
    () => {
      e.f.get(r);
      constant(e, width, width - 1);
      e.f.op(widthCode(width).shrU);
      lowestBit(e, width);
    },
    () => pushOverflowOfRight(e, width, r),
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

/** Pushes CF as i64 0 or 1. */
function pushCarryIn(e: OpEmitter): void {
  e.readState(Cpu.FLAG_AUX, M.i32Load);
  e.f.i32(Rflags.CF).op(W.i32And).op(W.i64ExtendI32U);
}

/** Pushes the i64 count of a rotate through carry, which turns width + 1 bits. */
function pushCarryCount(e: OpEmitter, width: Width): void {
  e.f.get(e.i32[COUNT_LOCAL]);
  if (width === 8 || width === 16) e.f.i32(width + 1).op(W.i32RemU);
  e.f.op(W.i64ExtendI32U);
}

/**
 * Rotates CF and the operand together. Up to 32 bits the two are one number in an i64; for 64 bits
 * the operand's parts and CF are put together, with two shifts where one could be by 64.
 * Leaves the result in i64 local 1 and the carry in i32 local 2.
 */
function rotateCarry(e: OpEmitter, width: Width, left: boolean): void {
  const [x, r, n] = e.i64;
  const carry = e.i32[2];
  const f = e.f;
  const load = { 8: M.i64Load8U, 16: M.i64Load16U, 32: M.i64Load32U, 64: M.i64Load }[width];
  e.read('b', load);
  f.set(x);
  pushCarryCount(e, width);
  f.set(n);
  if (width !== 64) {
    f.get(x);
    pushCarryIn(e);
    f.i64(width).op(W.i64Shl).op(W.i64Or).set(x);
    f.get(x)
      .get(n)
      .op(left ? W.i64Shl : W.i64ShrU);
    f.get(x)
      .i64(width + 1)
      .get(n)
      .op(W.i64Sub)
      .op(left ? W.i64ShrU : W.i64Shl);
    f.op(W.i64Or).tee(r);
    f.i64(width).op(W.i64ShrU).op(W.i32WrapI64).i32(1).op(W.i32And).set(carry);
    return;
  }
  // toward: the direction of the rotation; back: the other one
  const toward = left ? W.i64Shl : W.i64ShrU;
  const back = left ? W.i64ShrU : W.i64Shl;
  f.get(x).get(n).op(toward);
  f.get(x).i64(1).op(back).i64(64).get(n).op(W.i64Sub).op(back).op(W.i64Or);
  pushCarryIn(e);
  if (left) f.get(n).i64(1).op(W.i64Sub).op(W.i64Shl);
  else f.i64(64).get(n).op(W.i64Sub).op(W.i64Shl);
  f.op(W.i64Or).set(r);
  f.get(x);
  if (left) f.i64(64).get(n).op(W.i64Sub);
  else f.get(n).i64(1).op(W.i64Sub);
  f.op(W.i64ShrU).op(W.i32WrapI64).i32(1).op(W.i32And).set(carry);
}

/** Moves the i64 result to a local of the computing type and returns that. */
function narrowCarryResult(e: OpEmitter, width: Width): number {
  if (width === 64) return e.i64[1];
  e.f.get(e.i64[1]).op(W.i32WrapI64).set(e.i32[1]);
  return e.i32[1];
}

function emitRotateCarryLeft(e: OpEmitter, width: Width): void {
  rotateCarry(e, width, true);
  const r = narrowCarryResult(e, width);
  setRotateFlags(
    e,
    () => e.f.get(e.i32[2]),
    () => pushOverflowOfLeft(e, width, r, e.i32[2]),
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitRotateCarryRight(e: OpEmitter, width: Width): void {
  rotateCarry(e, width, false);
  const r = narrowCarryResult(e, width);
  setRotateFlags(
    e,
    () => e.f.get(e.i32[2]),
    () => pushOverflowOfRight(e, width, r),
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

/**
 * Leaves the first operand in scratch local 0 and the result of shld or shrd in local 1, and pushes
 * the carry as i32. A 16-bit operand is shifted in the 48 bits a:b:a, which is what hardware does
 * with the undefined counts above 16.
 */
function doubleShift(e: OpEmitter, width: Width, left: boolean): void {
  const [x = 0, r = 0] = scratch(e, width);
  const code = widthCode(width);
  const f = e.f;
  e.read('a', code.load);
  f.set(x);
  if (width === 16) {
    const wide = e.i64[0];
    f.get(x).op(W.i64ExtendI32U).i64(0x1_0000_0001).op(W.i64Mul);
    e.read('b', M.i64Load16U);
    f.i64(16).op(W.i64Shl).op(W.i64Or).set(wide);
    f.get(wide);
    if (left) f.i64(32);
    pushCount(e, 64);
    if (left) f.op(W.i64Sub);
    f.op(W.i64ShrU).op(W.i32WrapI64).set(r);
    f.get(wide);
    if (left) f.i64(48);
    pushCount(e, 64);
    if (!left) f.i64(1);
    f.op(W.i64Sub).op(W.i64ShrU);
    lowestBit(e, 64);
    return;
  }
  f.get(x);
  pushCount(e, width);
  f.op(left ? code.shl : code.shrU);
  e.read('b', code.load);
  pushWidthLessCount(e, width);
  f.op(left ? code.shrU : code.shl)
    .op(code.or)
    .set(r);
  f.get(x);
  if (left) pushWidthLessCount(e, width);
  else pushCountLessOne(e, width);
  f.op(code.shrU);
  lowestBit(e, width);
}

function emitDouble(e: OpEmitter, width: Width, left: boolean): void {
  const [x = 0, r = 0] = scratch(e, width);
  const carry = e.i32[2];
  doubleShift(e, width, left);
  e.f.set(carry);
  setShiftFlags(
    e,
    width,
    r,
    () => e.f.get(carry),
    () => {
      e.f.get(x).get(r).op(widthCode(width).xor);
      topBitToOverflow(e, width);
    },
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitDoubleLeft(e: OpEmitter, width: Width): void {
  emitDouble(e, width, true);
}

function emitDoubleRight(e: OpEmitter, width: Width): void {
  emitDouble(e, width, false);
}
