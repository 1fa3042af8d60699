// Multiplication and division. Intel SDM vol. 2A, DIV, IDIV, IMUL, MUL.
// imul: a = destination slot, b = source slot, c = second source slot or imm.
// mul1, imul1, div, idiv: a = slot of rax, c = slot of rdx, b = slot of the other operand.

import { Rflags } from '../../../engine/index.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import type { Field } from '../record.ts';
import { type Width, WIDTHS, WORD_WIDTHS, writeResult } from './width.ts';

const DIVIDE_ERROR = 0;
const MIN64 = -(2n ** 63n);

/** Operations of this family. */
export function multiplyOperations(): Operation[] {
  const list: Operation[] = [];
  const add = (name: string, emit: (e: OpEmitter) => void): void => {
    list.push({ name, kind: 'plain', emit });
  };
  for (const width of WORD_WIDTHS) {
    add(`imul${width}`, (e) => emitMultiplyTruncated(e, width, false));
    add(`imul${width}i`, (e) => emitMultiplyTruncated(e, width, true));
  }
  for (const width of WIDTHS) {
    for (const signed of [false, true]) {
      const prefix = signed ? 'i' : '';
      add(`${prefix}mul1_${width}`, (e) =>
        width === 64 ? emitMultiply128(e, signed) : emitMultiplyWide(e, width, signed),
      );
      add(`${prefix}div${width}`, (e) => {
        if (width === 64) emitDivide128(e, signed);
        else emitDivide(e, width, signed);
      });
    }
  }
  return list;
}

/** Reads an operand of up to 32 bits, extended to i64. */
function readExtended(e: OpEmitter, field: Field, width: Width, signed: boolean): void {
  const loads = signed
    ? { 8: M.i64Load8S, 16: M.i64Load16S, 32: M.i64Load32S, 64: M.i64Load }
    : { 8: M.i64Load8U, 16: M.i64Load16U, 32: M.i64Load32U, 64: M.i64Load };
  e.read(field, loads[width]);
}

/** Extends the low `width` bits of the i64 on the stack. */
function extend(e: OpEmitter, width: Width, signed: boolean): void {
  if (signed && width === 8) e.f.op(W.i64Extend8S);
  if (signed && width === 16) e.f.op(W.i64Extend16S);
  if (signed && width === 32) e.f.op(W.i64Extend32S);
  if (!signed && width !== 64) e.f.i64(2 ** width - 1).op(W.i64And);
}

/** Turns i32 0 or 1 on the stack into CF | OF. */
function toCarryAndOverflow(e: OpEmitter): void {
  e.f.i32(Rflags.CF | Rflags.OF).op(W.i32Mul);
}

/** Writes the low bits of an i64 as a result of this width. */
function writeWide(e: OpEmitter, field: Field, width: Width, value: () => void): void {
  writeResult(e, field, width, () => {
    value();
    if (width !== 64) e.f.op(W.i32WrapI64);
  });
}

/** imul with a truncated result: CF and OF tell that it does not fit. */
function emitMultiplyTruncated(e: OpEmitter, width: Width, byImmediate: boolean): void {
  const [x, y, r] = e.i64;
  const f = e.f;
  readExtended(e, 'b', width, true);
  f.set(x);
  if (byImmediate) e.imm64();
  else readExtended(e, 'c', width, true);
  f.set(y);
  f.get(x).get(y).op(W.i64Mul).set(r);
  if (width === 64) {
    // two 32-bit factors never overflow; only others need the high half
    f.get(x).get(x).op(W.i64Extend32S).op(W.i64Ne);
    f.get(y).get(y).op(W.i64Extend32S).op(W.i64Ne).op(W.i32Or);
    f.if(I32_RESULT);
    pushHighHalf(e, true);
    f.get(r).i64(63).op(W.i64ShrS).op(W.i64Ne);
    f.else().i32(0).end().set(e.i32[0]);
  } else {
    f.get(r).get(r);
    extend(e, width, true);
    f.op(W.i64Ne).set(e.i32[0]);
  }
  e.setFlags(
    () => {
      f.get(r);
      extend(e, width, true);
    },
    () => {
      f.get(e.i32[0]);
      toCarryAndOverflow(e);
    },
  );
  writeWide(e, 'a', width, () => f.get(r));
}

/** WebAssembly block type of an `if` that leaves an i32. */
const I32_RESULT = 0x7f;

/** Pushes the high half of the 128-bit product of i64 locals 0 and 1; uses locals 3 and 4. */
function pushHighHalf(e: OpEmitter, signed: boolean): void {
  const [x, y, , t, u] = e.i64;
  const f = e.f;
  const lowOf = (local: number): void => void f.get(local).i64(0xffffffff).op(W.i64And);
  const highOf = (local: number): void => void f.get(local).i64(32).op(W.i64ShrU);
  highOf(x);
  lowOf(y);
  f.op(W.i64Mul);
  lowOf(x);
  lowOf(y);
  f.op(W.i64Mul).i64(32).op(W.i64ShrU).op(W.i64Add).set(t);
  lowOf(x);
  highOf(y);
  f.op(W.i64Mul);
  lowOf(t);
  f.op(W.i64Add).set(u);
  highOf(x);
  highOf(y);
  f.op(W.i64Mul);
  highOf(t);
  f.op(W.i64Add);
  highOf(u);
  f.op(W.i64Add);
  if (!signed) return;
  f.get(x).i64(63).op(W.i64ShrS).get(y).op(W.i64And).op(W.i64Sub);
  f.get(y).i64(63).op(W.i64ShrS).get(x).op(W.i64And).op(W.i64Sub);
}

/** mul and imul of al, ax or eax: the whole product is computed in an i64. */
function emitMultiplyWide(e: OpEmitter, width: Width, signed: boolean): void {
  const [r] = e.i64;
  const f = e.f;
  readExtended(e, 'a', width, signed);
  readExtended(e, 'b', width, signed);
  f.op(W.i64Mul).set(r);
  e.setFlags(
    () => {
      f.get(r);
      extend(e, width, true);
    },
    () => {
      f.get(r).get(r);
      extend(e, width, signed);
      f.op(W.i64Ne);
      toCarryAndOverflow(e);
    },
  );
  if (width === 8) {
    writeWide(e, 'a', 16, () => f.get(r));
    return;
  }
  writeWide(e, 'a', width, () => f.get(r));
  writeWide(e, 'c', width, () => f.get(r).i64(width).op(W.i64ShrU));
}

/** mul and imul of rax. */
function emitMultiply128(e: OpEmitter, signed: boolean): void {
  const [x, y, r, , , high] = e.i64;
  const f = e.f;
  e.read('a', M.i64Load);
  f.set(x);
  e.read('b', M.i64Load);
  f.set(y);
  pushHighHalf(e, signed);
  f.set(high);
  f.get(x).get(y).op(W.i64Mul).set(r);
  e.setFlags(
    () => f.get(r),
    () => {
      f.get(high);
      if (signed) f.get(r).i64(63).op(W.i64ShrS);
      else f.i64(0);
      f.op(W.i64Ne);
      toCarryAndOverflow(e);
    },
  );
  e.write('a', M.i64Store, () => f.get(r));
  e.write('c', M.i64Store, () => f.get(high));
}

/** Raises #DE when the i32 on the stack is not 0. */
function divideErrorIf(e: OpEmitter): void {
  e.f.if();
  e.raise(DIVIDE_ERROR);
  e.f.end();
}

/** Pushes the dividend of a division of up to 32 bits: ax, dx:ax or edx:eax, extended to i64. */
function pushDividend(e: OpEmitter, width: Width, signed: boolean): void {
  if (width === 8) {
    readExtended(e, 'a', 16, signed);
    return;
  }
  readExtended(e, 'a', width, false);
  readExtended(e, 'c', width, signed);
  e.f.i64(width).op(W.i64Shl).op(W.i64Or);
}

function emitDivide(e: OpEmitter, width: Width, signed: boolean): void {
  const [n, divisor, quotient] = e.i64;
  const f = e.f;
  pushDividend(e, width, signed);
  f.set(n);
  readExtended(e, 'b', width, signed);
  f.tee(divisor).op(W.i64Eqz);
  if (signed && width === 32) {
    f.get(n).i64(MIN64).op(W.i64Eq).get(divisor).i64(-1).op(W.i64Eq).op(W.i32And).op(W.i32Or);
  }
  divideErrorIf(e);
  f.get(n)
    .get(divisor)
    .op(signed ? W.i64DivS : W.i64DivU)
    .tee(quotient);
  f.get(quotient);
  extend(e, width, signed);
  f.op(W.i64Ne);
  divideErrorIf(e);
  const pushRemainder = (): void =>
    void f
      .get(n)
      .get(divisor)
      .op(signed ? W.i64RemS : W.i64RemU);
  writeWide(e, 'a', width, () => f.get(quotient));
  if (width === 8) {
    e.write(
      'a',
      M.i32Store8,
      () => {
        pushRemainder();
        f.op(W.i32WrapI64);
      },
      1,
    );
  } else {
    writeWide(e, 'c', width, pushRemainder);
  }
}

/** Division of rdx:rax: inline when rdx only extends rax, else by a helper. */
function emitDivide128(e: OpEmitter, signed: boolean): void {
  const [low, high, divisor] = e.i64;
  const f = e.f;
  e.read('a', M.i64Load);
  f.set(low);
  e.read('c', M.i64Load);
  f.set(high);
  e.read('b', M.i64Load);
  f.tee(divisor).op(W.i64Eqz);
  if (signed)
    f.get(low)
      .i64(MIN64)
      .op(W.i64Eq)
      .get(divisor)
      .i64(-1)
      .op(W.i64Eq)
      .op(W.i32And)
      .get(high)
      .i64(-1)
      .op(W.i64Eq)
      .op(W.i32And)
      .op(W.i32Or);
  divideErrorIf(e);
  f.get(high);
  if (signed) f.get(low).i64(63).op(W.i64ShrS).op(W.i64Eq);
  else f.op(W.i64Eqz);
  f.if();
  e.write('a', M.i64Store, () =>
    f
      .get(low)
      .get(divisor)
      .op(signed ? W.i64DivS : W.i64DivU),
  );
  e.write('c', M.i64Store, () =>
    f
      .get(low)
      .get(divisor)
      .op(signed ? W.i64RemS : W.i64RemU),
  );
  f.else();
  e.callHelper(helperIndex(signed ? 'idiv128' : 'div128'));
  f.end();
}
