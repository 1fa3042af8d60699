// Emission helpers by operand width: 8, 16 and 32-bit operations compute in i32, 64-bit ones in i64.
// A 32-bit result clears the upper half of its register, 8 and 16-bit results leave the rest alone.

import { M, W } from '../../wasm/instructions.ts';
import type { OpEmitter } from '../operation.ts';
import type { Field } from '../record.ts';

/** Operand width in bits. */
export type Width = 8 | 16 | 32 | 64;

/** All integer widths. */
export const WIDTHS: readonly Width[] = [8, 16, 32, 64];

/** Widths that a 16/32/64-bit instruction has. */
export const WORD_WIDTHS: readonly Width[] = [16, 32, 64];

/** The instructions of one width, so that an operation is written once for all of them. */
export interface WidthCode {
  readonly width: Width;
  /** Load that zero-extends to the computing type. */
  readonly load: number;
  readonly add: number;
  readonly sub: number;
  readonly mul: number;
  readonly and: number;
  readonly or: number;
  readonly xor: number;
  readonly shl: number;
  readonly shrU: number;
  readonly shrS: number;
  readonly eq: number;
  readonly eqz: number;
  readonly ltU: number;
  readonly leU: number;
}

const NARROW = {
  add: W.i32Add,
  sub: W.i32Sub,
  mul: W.i32Mul,
  and: W.i32And,
  or: W.i32Or,
  xor: W.i32Xor,
  shl: W.i32Shl,
  shrU: W.i32ShrU,
  shrS: W.i32ShrS,
  eq: W.i32Eq,
  eqz: W.i32Eqz,
  ltU: W.i32LtU,
  leU: W.i32LeU,
} as const;

const CODES: Readonly<Record<Width, WidthCode>> = {
  8: { width: 8, load: M.i32Load8U, ...NARROW },
  16: { width: 16, load: M.i32Load16U, ...NARROW },
  32: { width: 32, load: M.i32Load, ...NARROW },
  64: {
    width: 64,
    load: M.i64Load,
    add: W.i64Add,
    sub: W.i64Sub,
    mul: W.i64Mul,
    and: W.i64And,
    or: W.i64Or,
    xor: W.i64Xor,
    shl: W.i64Shl,
    shrU: W.i64ShrU,
    shrS: W.i64ShrS,
    eq: W.i64Eq,
    eqz: W.i64Eqz,
    ltU: W.i64LtU,
    leU: W.i64LeU,
  },
};

/** The instructions of a width. */
export function widthCode(width: Width): WidthCode {
  return CODES[width];
}

/** Scratch locals of the computing type of a width. */
export function scratch(e: OpEmitter, width: Width): readonly number[] {
  return width === 64 ? e.i64 : e.i32;
}

/** Pushes a constant of the computing type. */
export function constant(e: OpEmitter, width: Width, value: number): void {
  if (width === 64) e.f.i64(value);
  else e.f.i32(value);
}

/** Pushes the immediate in the computing type, truncated to the width. */
export function immediate(e: OpEmitter, width: Width): void {
  if (width === 64) e.imm64();
  else e.imm32();
  if (width === 8) e.f.i32(0xff).op(W.i32And);
  if (width === 16) e.f.i32(0xffff).op(W.i32And);
}

/** Writes a value of the computing type to a register slot as an instruction of this width does. */
export function writeResult(e: OpEmitter, field: Field, width: Width, value: () => void): void {
  if (width === 8) e.write(field, M.i32Store8, value);
  else if (width === 16) e.write(field, M.i32Store16, value);
  else if (width === 64) e.write(field, M.i64Store, value);
  else
    e.write(field, M.i64Store, () => {
      value();
      e.f.op(W.i64ExtendI32U);
    });
}

/** Turns the value on the stack, of the computing type, into the sign-extended i64 that FLAG_RESULT holds. */
export function signExtend(e: OpEmitter, width: Width): void {
  if (width === 8) e.f.op(W.i32Extend8S);
  if (width === 16) e.f.op(W.i32Extend16S);
  if (width !== 64) e.f.op(W.i64ExtendI32S);
}

/** Moves the top bit (of the width) of the value on the stack to OF's place, as i32; other bits are cleared. */
export function topBitToOverflow(e: OpEmitter, width: Width): void {
  const f = e.f;
  if (width === 8) f.i32(4).op(W.i32Shl);
  if (width === 16) f.i32(4).op(W.i32ShrU);
  if (width === 32) f.i32(20).op(W.i32ShrU);
  if (width === 64) f.i64(52).op(W.i64ShrU).op(W.i32WrapI64);
  f.i32(0x800).op(W.i32And);
}
