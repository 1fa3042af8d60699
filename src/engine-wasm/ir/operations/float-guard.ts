// When a floating point operation may be computed by WebAssembly. The fast path is taken only when it
// is proven that the result and MXCSR come out as on hardware: WebAssembly rounds to nearest and keeps
// no flags, so no flag but the sticky PE may be in question. Everything else goes to the exact helper.

import { Cpu } from '../../../engine/index.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import type { Label } from '../../wasm/function-builder.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { OpEmitter } from '../operation.ts';

/** MXCSR bits. Intel SDM vol. 1, figure 10-3. */
export const Mxcsr = {
  PE: 1 << 5,
  DAZ: 1 << 6,
  MASKS: 0x3f << 7,
  PM: 1 << 12,
  RC: 3 << 13,
  FTZ: 1 << 15,
} as const;

/**
 * Emits fast paths, the usual one first, with the exact helper behind them.
 * @param helper - name of the runtime helper; it gets the record's a, b and c
 * @param paths - each emits a path and branches to the label it is given, the beginning of the next or of the helper's
 *   call, while it has written nothing
 */
export function emitGuarded(e: OpEmitter, helper: string, ...paths: readonly ((otherwise: Label) => void)[]): void {
  const f = e.f;
  const done = f.block();
  for (const path of e.hasRareOutOfLine ? paths.slice(0, 1) : paths) {
    const otherwise = f.block();
    path(otherwise);
    f.branch(done);
    f.end();
  }
  e.fallBack(helperIndex(helper));
  f.end();
}

/** Branches unless `mxcsr & mask` is `expected`. */
export function requireMxcsr(e: OpEmitter, mask: number, expected: number, slow: Label): void {
  e.readState(Cpu.MXCSR, M.i32Load);
  e.f.i32(mask).op(W.i32And).i32(expected).op(W.i32Ne).branchIf(slow);
}

/**
 * Branches unless WebAssembly's arithmetic is the guest's: to nearest, everything masked. FTZ and DAZ
 * need not be looked at because no fast path takes a denormal or gives one.
 */
export function requireDefaultMode(e: OpEmitter, slow: Label): void {
  requireMxcsr(e, Mxcsr.MASKS | Mxcsr.RC, Mxcsr.MASKS, slow);
}

/** Like `requireDefaultMode`, and PE must be set already, so that an inexact result changes nothing. */
export function requireStickyMode(e: OpEmitter, slow: Label): void {
  requireMxcsr(e, Mxcsr.MASKS | Mxcsr.RC | Mxcsr.PE, Mxcsr.MASKS | Mxcsr.PE, slow);
}

/** Branches when PE is clear and `exact` pushes 0. */
export function requireExactOrSticky(e: OpEmitter, exact: () => void, slow: Label): void {
  const f = e.f;
  e.readState(Cpu.MXCSR, M.i32Load);
  f.i32(Mxcsr.PE).op(W.i32And).op(W.i32Eqz);
  f.if();
  exact();
  f.op(W.i32Eqz).branchIf(slow);
  f.end();
}

/** One scalar precision: how its bits are held in integer locals. */
export interface Precision {
  readonly suffix: 'ss' | 'sd';
  readonly bits: 32 | 64;
  readonly load: number;
  readonly store: number;
  readonly toFloat: number;
  readonly toBits: number;
  /** Smallest normal number, without its sign, shifted left by one. */
  readonly minNormalTwice: bigint;
  /** Infinity, shifted left by one. */
  readonly infinityTwice: bigint;
  readonly op: {
    readonly add: number;
    readonly sub: number;
    readonly mul: number;
    readonly div: number;
    readonly sqrt: number;
    readonly neg: number;
    readonly eq: number;
    readonly ne: number;
    readonly lt: number;
    readonly gt: number;
    readonly floor: number;
    readonly ceil: number;
    readonly trunc: number;
    readonly nearest: number;
  };
}

/** Double precision. */
export const DOUBLE: Precision = {
  suffix: 'sd',
  bits: 64,
  load: M.i64Load,
  store: M.i64Store,
  toFloat: W.f64ReinterpretI64,
  toBits: W.i64ReinterpretF64,
  minNormalTwice: 1n << 53n,
  infinityTwice: 0x7ffn << 53n,
  op: {
    add: W.f64Add,
    sub: W.f64Sub,
    mul: W.f64Mul,
    div: W.f64Div,
    sqrt: W.f64Sqrt,
    neg: W.f64Neg,
    eq: W.f64Eq,
    ne: W.f64Ne,
    lt: W.f64Lt,
    gt: W.f64Gt,
    floor: W.f64Floor,
    ceil: W.f64Ceil,
    trunc: W.f64Trunc,
    nearest: W.f64Nearest,
  },
};

/** Single precision. */
export const SINGLE: Precision = {
  suffix: 'ss',
  bits: 32,
  load: M.i32Load,
  store: M.i32Store,
  toFloat: W.f32ReinterpretI32,
  toBits: W.i32ReinterpretF32,
  minNormalTwice: 1n << 24n,
  infinityTwice: 0xffn << 24n,
  op: {
    add: W.f32Add,
    sub: W.f32Sub,
    mul: W.f32Mul,
    div: W.f32Div,
    sqrt: W.f32Sqrt,
    neg: W.f32Neg,
    eq: W.f32Eq,
    ne: W.f32Ne,
    lt: W.f32Lt,
    gt: W.f32Gt,
    floor: W.f32Floor,
    ceil: W.f32Ceil,
    trunc: W.f32Trunc,
    nearest: W.f32Nearest,
  },
};

/** Pushes an integer constant of the precision's size. */
export function pushBits(e: OpEmitter, p: Precision, value: bigint): void {
  if (p.bits === 64) e.f.i64(BigInt.asIntN(64, value));
  else e.f.i32(Number(BigInt.asIntN(32, value)));
}

/** Pushes the number whose bits are in a local. */
export function pushFloat(e: OpEmitter, p: Precision, local: number): void {
  e.f.get(local).op(p.toFloat);
}

/** Pushes the bits in a local shifted left by one: the magnitude without the sign. */
function pushTwice(e: OpEmitter, p: Precision, local: number): void {
  e.f.get(local);
  pushBits(e, p, 1n);
  e.f.op(p.bits === 64 ? W.i64Shl : W.i32Shl);
}

/** Pushes 1 when the local holds a denormal: the magnitude less one is below the smallest normal less one; zero wraps around. */
export function pushIsDenormal(e: OpEmitter, p: Precision, local: number): void {
  const wide = p.bits === 64;
  pushTwice(e, p, local);
  pushBits(e, p, 1n);
  e.f.op(wide ? W.i64Sub : W.i32Sub);
  pushBits(e, p, p.minNormalTwice - 1n);
  e.f.op(wide ? W.i64LtU : W.i32LtU);
}

/** Pushes 1 when the local holds a zero, a denormal or a normal number. */
export function pushIsFinite(e: OpEmitter, p: Precision, local: number): void {
  pushTwice(e, p, local);
  pushBits(e, p, p.infinityTwice);
  e.f.op(p.bits === 64 ? W.i64LtU : W.i32LtU);
}

/**
 * Pushes 1 when the local holds a normal number of at least twice the smallest one: a result that is
 * certainly not tiny. (The smallest normal itself may be a tiny result rounded up, which sets UE.)
 */
export function pushIsSafelyNormal(e: OpEmitter, p: Precision, local: number): void {
  const wide = p.bits === 64;
  pushTwice(e, p, local);
  pushBits(e, p, 2n * p.minNormalTwice);
  e.f.op(wide ? W.i64Sub : W.i32Sub);
  pushBits(e, p, p.infinityTwice - 2n * p.minNormalTwice);
  e.f.op(wide ? W.i64LtU : W.i32LtU);
}

/** Pushes 1 when the local holds +0 or -0. */
export function pushIsZero(e: OpEmitter, p: Precision, local: number): void {
  pushTwice(e, p, local);
  e.f.op(p.bits === 64 ? W.i64Eqz : W.i32Eqz);
}

/** The first scratch locals of the precision's integer type: two operands, a result, one more. */
export function scalarLocals(e: OpEmitter, p: Precision): readonly [number, number, number, number] {
  if (p.bits === 32) return e.i32;
  const [x, y, r, t] = e.i64;
  return [x, y, r, t];
}
