// Conversions between integers and SSE floating point, and rounding to integral values, with a fast
// path in WebAssembly. Fields: a = destination slot, b = source slot. Forms that are rare call their
// helper outright and have no operation. Intel SDM vol. 1, sections 4.8.4 and 11.5; vol. 2, CVT*, ROUND*.

import type { Label } from '../../wasm/function-builder.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import {
  DOUBLE,
  emitGuarded,
  Mxcsr,
  type Precision,
  pushBits,
  pushFloat,
  pushIsDenormal,
  pushIsSafelyNormal,
  pushIsZero,
  requireExactOrSticky,
  requireMxcsr,
  requireDefaultMode,
  requireStickyMode,
  scalarLocals,
  SINGLE,
} from './float-guard.ts';
import { repeat } from './simd-integer.ts';

const ROUNDINGS = ['nearest', 'floor', 'ceil', 'trunc'] as const;

/** Operations of this family. */
export function simdConversionOperations(): Operation[] {
  const list: Operation[] = [];
  const guarded = (name: string, helper: string, fast: (e: OpEmitter, slow: Label) => void): void => {
    list.push({ name, kind: 'plain', emit: (e) => emitGuarded(e, `sse.${helper}`, (slow) => fast(e, slow)) });
  };
  const simple = (name: string, fast: (e: OpEmitter, slow: Label) => void): void => guarded(name, name, fast);
  for (const p of [SINGLE, DOUBLE]) {
    for (const bits of [32, 64] as const) {
      const name = `cvtsi2${p.suffix}_i${bits}`;
      if (p.bits === 64 && bits === 32) {
        list.push({ name, kind: 'plain', emit: emitExactFromInteger });
      } else simple(name, (e, slow) => emitFromInteger(e, p, bits, slow));
      simple(`cvtt${p.suffix}2si_i${bits}`, (e, slow) => emitToInteger(e, p, bits, 'trunc', slow));
      simple(`cvt${p.suffix}2si_i${bits}`, (e, slow) => emitToInteger(e, p, bits, 'nearest', slow));
    }
    // round<mode>: c is the instruction's immediate, for the helper; bit 3 suppresses PE
    for (const mode of ROUNDINGS) {
      guarded(`round${mode}${p.suffix}`, `round${p.suffix}`, (e, slow) => emitRound(e, p, mode, slow));
    }
  }
  simple('cvtsd2ss', emitNarrow);
  simple('cvtss2sd', emitWiden);
  list.push({ name: 'cvtdq2pd', kind: 'plain', emit: (e) => emitPacked(e, [W.f64x2ConvertLowI32x4S]) });
  simple('cvtdq2ps', (e, slow) => {
    requireStickyMode(e, slow);
    emitPacked(e, [W.f32x4ConvertI32x4S]);
  });
  simple('cvtps2pd', emitPackedWiden);
  simple('cvtpd2ps', emitPackedNarrow);
  simple('cvttps2dq', (e, slow) => emitPackedToInteger(e, 'ps', false, slow));
  simple('cvtps2dq', (e, slow) => emitPackedToInteger(e, 'ps', true, slow));
  simple('cvttpd2dq', (e, slow) => emitPackedToInteger(e, 'pd', false, slow));
  simple('cvtpd2dq', (e, slow) => emitPackedToInteger(e, 'pd', true, slow));
  return list;
}

/** Every 32-bit integer is a double. */
function emitExactFromInteger(e: OpEmitter): void {
  e.write('a', M.f64Store, () => {
    e.read('b', M.i32Load);
    e.f.op(W.f64ConvertI32S);
  });
}

/** An integer that fits in the significand converts exactly, whatever MXCSR says. */
function emitFromInteger(e: OpEmitter, p: Precision, bits: 32 | 64, slow: Label): void {
  const f = e.f;
  const x = e.i64[0];
  const limit = p.bits === 64 ? 1n << 53n : 1n << 24n;
  e.read('b', bits === 64 ? M.i64Load : M.i64Load32S);
  f.tee(x)
    .i64(limit)
    .op(W.i64Add)
    .i64(2n * limit)
    .op(W.i64GtU);
  f.if();
  requireStickyMode(e, slow);
  f.end();
  e.write('a', p.bits === 64 ? M.f64Store : M.f32Store, () => {
    f.get(x).op(p.bits === 64 ? W.f64ConvertI64S : W.f32ConvertI64S);
  });
}

/** Rounds to an integral value first; the result is exact when that changed nothing. */
function emitToInteger(e: OpEmitter, p: Precision, bits: 32 | 64, mode: 'trunc' | 'nearest', slow: Label): void {
  const f = e.f;
  const [x, , r] = scalarLocals(e, p);
  e.read('b', p.load);
  f.set(x);
  pushFloat(e, p, x);
  f.op(p.op[mode]).op(p.toBits).set(r);
  // -2^(bits-1) <= r < 2^(bits-1); NaN fails
  const limit = 2 ** (bits - 1);
  pushFloat(e, p, r);
  pushConstant(e, p, -limit);
  f.op(p.op.lt).op(W.i32Eqz);
  pushFloat(e, p, r);
  pushConstant(e, p, limit);
  f.op(p.op.lt).op(W.i32And).op(W.i32Eqz).branchIf(slow);
  if (mode === 'nearest') requireMxcsr(e, Mxcsr.RC, 0, slow);
  requireUnchangedOrSticky(e, p, x, r, slow);
  e.write('a', M.i64Store, () => {
    pushFloat(e, p, r);
    if (bits === 64) f.op(p.bits === 64 ? W.i64TruncSatF64S : W.i64TruncSatF32S);
    else f.op(p.bits === 64 ? W.i32TruncSatF64S : W.i32TruncSatF32S).op(W.i64ExtendI32U);
  });
}

/** Branches when rounding x to r changed it, unless PE is already set and masked. */
function requireUnchangedOrSticky(e: OpEmitter, p: Precision, x: number, r: number, slow: Label): void {
  const f = e.f;
  pushFloat(e, p, x);
  pushFloat(e, p, r);
  f.op(p.op.ne);
  f.if();
  requireMxcsr(e, Mxcsr.PE | Mxcsr.PM, Mxcsr.PE | Mxcsr.PM, slow);
  f.end();
}

/** Pushes a power of two, or its negative, of the precision. */
function pushConstant(e: OpEmitter, p: Precision, value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  if (p.bits === 64) {
    view.setFloat64(0, value);
    pushBits(e, p, view.getBigUint64(0));
  } else {
    view.setFloat32(0, value);
    pushBits(e, p, BigInt(view.getUint32(0)));
  }
  e.f.op(p.toFloat);
}

/** DAZ makes a denormal zero before it is rounded, so denormals are left to the helper, and so are NaNs. */
function emitRound(e: OpEmitter, p: Precision, mode: (typeof ROUNDINGS)[number], slow: Label): void {
  const f = e.f;
  const [x, , r] = scalarLocals(e, p);
  e.read('b', p.load);
  f.set(x);
  pushIsDenormal(e, p, x);
  pushFloat(e, p, x);
  pushFloat(e, p, x);
  f.op(p.op.ne).op(W.i32Or).branchIf(slow);
  pushFloat(e, p, x);
  f.op(p.op[mode]).op(p.toBits).set(r);
  e.number('c');
  f.i32(8).op(W.i32And).op(W.i32Eqz);
  f.if();
  requireUnchangedOrSticky(e, p, x, r, slow);
  f.end();
  e.write('a', p.store, () => f.get(r));
}

function emitNarrow(e: OpEmitter, slow: Label): void {
  const f = e.f;
  const x = e.i64[0];
  const r = e.i32[2];
  requireDefaultMode(e, slow);
  e.read('b', M.i64Load);
  f.set(x);
  pushIsDenormal(e, DOUBLE, x);
  f.branchIf(slow);
  pushFloat(e, DOUBLE, x);
  f.op(W.f32DemoteF64).op(W.i32ReinterpretF32).set(r);
  pushIsSafelyNormal(e, SINGLE, r);
  pushIsZero(e, DOUBLE, x);
  f.op(W.i32Or).op(W.i32Eqz).branchIf(slow);
  requireExactOrSticky(
    e,
    () => {
      pushFloat(e, SINGLE, r);
      f.op(W.f64PromoteF32);
      pushFloat(e, DOUBLE, x);
      f.op(W.f64Eq);
    },
    slow,
  );
  e.write('a', M.i32Store, () => f.get(r));
}

/** Exact for all but denormals, which set DE, and NaNs, which are made quiet. */
function emitWiden(e: OpEmitter, slow: Label): void {
  const f = e.f;
  const x = e.i32[0];
  e.read('b', M.i32Load);
  f.set(x);
  pushIsDenormal(e, SINGLE, x);
  pushFloat(e, SINGLE, x);
  pushFloat(e, SINGLE, x);
  f.op(W.f32Ne).op(W.i32Or).branchIf(slow);
  e.write('a', M.f64Store, () => {
    pushFloat(e, SINGLE, x);
    f.op(W.f64PromoteF32);
  });
}

function emitPacked(e: OpEmitter, codes: readonly number[]): void {
  e.write('a', M.v128Store, () => {
    e.read('b', M.v128Load);
    for (const code of codes) e.f.op(code);
  });
}

const MIN_NORMAL = { ps: repeat([0, 0, 0x80, 0x00]), pd: repeat([0, 0, 0, 0, 0, 0, 0x10, 0x00]) } as const;
const ZERO = repeat([0]);

function emitPackedWiden(e: OpEmitter, slow: Label): void {
  const f = e.f;
  const [x] = e.v128;
  e.read('b', M.v128Load64Zero);
  f.set(x);
  // normal, infinite or zero
  f.get(x).op(W.f32x4Abs).v128(MIN_NORMAL.ps).op(W.f32x4Ge);
  f.get(x).v128(ZERO).op(W.f32x4Eq).op(W.v128Or).op(W.i32x4AllTrue).op(W.i32Eqz).branchIf(slow);
  e.write('a', M.v128Store, () => f.get(x).op(W.f64x2PromoteLowF32x4));
}

/** Lanes between 2^-125 and 2^127 stay far from the limits of single precision. */
function emitPackedNarrow(e: OpEmitter, slow: Label): void {
  const f = e.f;
  const [x] = e.v128;
  requireStickyMode(e, slow);
  e.read('b', M.v128Load);
  f.set(x);
  f.get(x)
    .op(W.f64x2Abs)
    .v128(repeat([0, 0, 0, 0, 0, 0, 0x20, 0x38]))
    .op(W.f64x2Ge);
  f.get(x)
    .op(W.f64x2Abs)
    .v128(repeat([0, 0, 0, 0, 0, 0, 0xe0, 0x47]))
    .op(W.f64x2Lt)
    .op(W.v128And);
  f.get(x).v128(ZERO).op(W.f64x2Eq).op(W.v128Or).op(W.i32x4AllTrue).op(W.i32Eqz).branchIf(slow);
  e.write('a', M.v128Store, () => f.get(x).op(W.f32x4DemoteF64x2Zero));
}

/** Magnitudes below 2^31 convert; the fast path needs PE set, or nothing lost. */
function emitPackedToInteger(e: OpEmitter, precision: 'ps' | 'pd', nearest: boolean, slow: Label): void {
  const f = e.f;
  const [x, r] = e.v128;
  const single = precision === 'ps';
  if (nearest) requireMxcsr(e, Mxcsr.RC, 0, slow);
  e.read('b', M.v128Load);
  f.tee(x);
  if (nearest) f.op(single ? W.f32x4Nearest : W.f64x2Nearest);
  else f.op(single ? W.f32x4Trunc : W.f64x2Trunc);
  f.tee(r).op(single ? W.f32x4Abs : W.f64x2Abs);
  f.v128(single ? repeat([0, 0, 0x00, 0x4f]) : repeat([0, 0, 0, 0, 0, 0, 0xe0, 0x41]));
  f.op(single ? W.f32x4Lt : W.f64x2Lt)
    .op(W.i32x4AllTrue)
    .op(W.i32Eqz)
    .branchIf(slow);
  f.get(x)
    .get(r)
    .op(single ? W.f32x4Ne : W.f64x2Ne)
    .op(W.v128AnyTrue);
  f.if();
  requireMxcsr(e, Mxcsr.PE | Mxcsr.PM, Mxcsr.PE | Mxcsr.PM, slow);
  f.end();
  e.write('a', M.v128Store, () => f.get(r).op(single ? W.i32x4TruncSatF32x4S : W.i32x4TruncSatF64x2SZero));
}
