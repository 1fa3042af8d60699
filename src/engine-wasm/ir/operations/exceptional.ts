// Arithmetic and comparison of infinities and NaNs, and overflow and division by zero, lane by lane: WebAssembly's
// results but for NaNs, which it leaves open, and the flags that they raise. For the interpreter, and so for compiled
// code out of line. Denormal operands and results that may be tiny are left to the helper.
// Intel SDM vol. 1, sections 4.8.3.5 (which NaN comes out), 11.5.2 and 11.5.3.

import { Cpu } from '../../../engine/index.ts';
import type { Label } from '../../wasm/function-builder.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { OpEmitter } from '../operation.ts';
import { requireMxcsr, Mxcsr } from './float-guard.ts';
import { type PackedPrecision, pushDenormal, pushZero } from './packed-precision.ts';
import { repeat } from './simd-integer.ts';

/** Operations that this file knows. */
export type ExceptionalOperation = 'add' | 'sub' | 'mul' | 'div';

const IE = 1 << 0;
const ZE = 1 << 2;
const OE = 1 << 3;
const NONE = repeat([0]);

/**
 * Computes the operation on the first two vector scratch locals, result in the third, and raises flags in MXCSR;
 * branches while nothing is changed.
 */
export function emitExceptional(e: OpEmitter, p: PackedPrecision, operation: ExceptionalOperation, slow: Label): void {
  const [x, y, r, mask] = e.v128;
  const [flags] = e.i32;
  const f = e.f;
  const required = Mxcsr.MASKS | Mxcsr.PE;
  requireMxcsr(e, required | Mxcsr.RC | Mxcsr.DAZ | Mxcsr.FTZ, required, slow);
  pushDenormal(e, p, x);
  pushDenormal(e, p, y);
  f.op(W.v128Or).op(W.v128AnyTrue).branchIf(slow);
  f.get(x).get(y).op(p.op[operation]).set(r);
  if (operation === 'mul' || operation === 'div') requireNotTiny(e, p, operation, slow);
  // infinite results of finite operands
  f.get(r).op(p.op.abs).v128(p.infinity).op(p.op.eq);
  for (const local of [x, y]) f.get(local).op(p.op.abs).v128(p.infinity).op(p.op.lt).op(W.v128And);
  f.set(mask);
  if (operation === 'div') {
    f.i32(ZE).i32(0).get(mask);
    pushZero(e, p, y);
    f.op(W.v128And).op(W.v128AnyTrue).op(W.select).set(flags);
    f.get(mask);
    pushZero(e, p, y);
    f.op(W.v128Andnot).set(mask);
  } else f.i32(0).set(flags);
  f.i32(OE).i32(0).get(mask).op(W.v128AnyTrue).op(W.select).get(flags).op(W.i32Or).set(flags);
  // NaNs: of the first operand, of the second, or made here
  f.v128(p.defaultNan).get(r).get(r).get(r).op(p.op.ne);
  f.op(W.v128Bitselect).set(r);
  pushIsNan(e, p, r);
  for (const local of [x, y]) {
    pushIsNan(e, p, local);
    f.op(W.v128Andnot);
  }
  f.set(mask);
  for (const local of [x, y]) {
    pushIsSignalling(e, p, local);
    f.get(mask).op(W.v128Or).set(mask);
  }
  for (const local of [y, x]) {
    f.get(local).v128(p.quiet).op(W.v128Or).get(r);
    pushIsNan(e, p, local);
    f.op(W.v128Bitselect).set(r);
  }
  raise(e, () => f.get(flags).i32(IE).i32(0).get(mask).op(W.v128AnyTrue).op(W.select).op(W.i32Or));
}

/**
 * Raises IE for a comparison of the first two vector scratch locals, any NaN or only signalling ones; branches while
 * nothing is changed.
 */
export function emitUnorderedFlags(e: OpEmitter, p: PackedPrecision, quietToo: boolean, slow: Label): void {
  const [x, y] = e.v128;
  const f = e.f;
  requireMxcsr(e, Mxcsr.MASKS, Mxcsr.MASKS, slow);
  pushDenormal(e, p, x);
  pushDenormal(e, p, y);
  f.op(W.v128Or).op(W.v128AnyTrue).branchIf(slow);
  raise(e, () => {
    f.i32(IE).i32(0);
    for (const local of [x, y]) {
      if (quietToo) pushIsNan(e, p, local);
      else pushIsSignalling(e, p, local);
    }
    f.op(W.v128Or).op(W.v128AnyTrue).op(W.select);
  });
}

/** A product or quotient is at least twice the smallest normal number, or NaN, or zero because an operand makes it so. */
function requireNotTiny(e: OpEmitter, p: PackedPrecision, operation: 'mul' | 'div', slow: Label): void {
  const [x, y, r] = e.v128;
  const f = e.f;
  f.get(r).op(p.op.abs).v128(p.twiceMinNormal).op(p.op.lt);
  pushZero(e, p, x);
  if (operation === 'mul') pushZero(e, p, y);
  else f.get(y).op(p.op.abs).v128(p.infinity).op(p.op.eq);
  f.op(W.v128Or).op(W.v128Andnot).op(W.v128AnyTrue).branchIf(slow);
}

function pushIsNan(e: OpEmitter, p: PackedPrecision, local: number): void {
  e.f.get(local).get(local).op(p.op.ne);
}

function pushIsSignalling(e: OpEmitter, p: PackedPrecision, local: number): void {
  const f = e.f;
  pushIsNan(e, p, local);
  f.get(local)
    .v128(p.quiet)
    .op(W.v128And)
    .v128(NONE)
    .op(p.laneBytes === 8 ? W.i64x2Eq : W.i32x4Eq)
    .op(W.v128And);
}

/** Sets bits of MXCSR. @param flags - pushes them */
function raise(e: OpEmitter, flags: () => void): void {
  e.writeState(Cpu.MXCSR, M.i32Store, () => {
    e.readState(Cpu.MXCSR, M.i32Load);
    flags();
    e.f.op(W.i32Or);
  });
}
