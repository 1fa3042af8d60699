// Scalar SSE arithmetic and comparison, with a quick path for ordinary numbers (`ordinary.ts`) and a careful one behind
// it. Two-operand form: a = a op b; the other lanes of a stay. Intel SDM vol. 1, section 11.5 (exceptions), vol. 2 for
// each mnemonic. What follows is about the careful path.
//
// With operands that are not denormal, a sum that is normal or zero has no flag but PE; a product or
// quotient has none when it is safely normal, or zero because an operand is.

import type { Label } from '../../wasm/function-builder.ts';
import { L, M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { emitExceptional, type ExceptionalOperation } from './exceptional.ts';
import {
  DOUBLE,
  emitGuarded,
  type Precision,
  pushFloat,
  pushBits,
  pushIsDenormal,
  pushIsFinite,
  pushIsSafelyNormal,
  pushIsZero,
  requireDefaultMode,
  requireExactOrSticky,
  scalarLocals,
  SINGLE,
} from './float-guard.ts';
import { requireOrdinary, unsureOperands } from './ordinary.ts';
import { PACKED_DOUBLE, PACKED_SINGLE } from './packed-precision.ts';
import { writeZeroAndCarry } from './simd-state.ts';

/**
 * Which of less, equal, greater (bits 0, 1, 2) satisfy each of the eight predicates of CMPSS and
 * CMPSD, a nibble each: eq lt le unord neq nlt nle ord.
 */
const PREDICATES = 0x74650312;

/** Operations of this family. */
export function simdFloatOperations(): Operation[] {
  const list: Operation[] = [];
  for (const p of [SINGLE, DOUBLE]) {
    type Path = (e: OpEmitter, otherwise: Label) => void;
    const add = (name: string, ...paths: readonly Path[]): void => {
      const full = name + p.suffix;
      list.push({
        name: full,
        kind: 'plain',
        emit: (e) => emitGuarded(e, `sse.${full}`, ...paths.map((path) => (next: Label) => path(e, next))),
      });
    };
    const exceptional =
      (operation: ExceptionalOperation): Path =>
      (e, slow) =>
        emitScalarExceptional(e, p, operation, slow);
    const quick =
      (code: number): Path =>
      (e, careful) =>
        emitQuick(e, p, code, careful);
    add('add', quick(p.op.add), (e, slow) => emitSum(e, p, false, slow), exceptional('add'));
    add('sub', quick(p.op.sub), (e, slow) => emitSum(e, p, true, slow), exceptional('sub'));
    add('mul', quick(p.op.mul), (e, slow) => emitProduct(e, p, slow), exceptional('mul'));
    add('div', quick(p.op.div), (e, slow) => emitQuotient(e, p, slow), exceptional('div'));
    add(
      'sqrt',
      (e, careful) => emitQuickRoot(e, p, careful),
      (e, slow) => emitSquareRoot(e, p, slow),
    );
    add(
      'min',
      (e, careful) => emitQuickExtreme(e, p, p.op.lt, careful),
      (e, slow) => emitExtreme(e, p, p.op.lt, slow),
    );
    add(
      'max',
      (e, careful) => emitQuickExtreme(e, p, p.op.gt, careful),
      (e, slow) => emitExtreme(e, p, p.op.gt, slow),
    );
    add('cmp', (e, slow) => emitCompare(e, p, slow));
    for (const name of ['comi', 'ucomi']) {
      add(name, (e, slow) => {
        // zeros are compared with often enough to have the careful way in compiled code too
        const done = e.f.block();
        const careful = e.f.block();
        emitQuickCompareToFlags(e, p, careful);
        e.f.branch(done).end();
        emitCompareToFlags(e, p, slow);
        e.f.end();
      });
    }
  }
  return list;
}

/** Leaves both operands in the first two vector scratch locals. */
function readVectors(e: OpEmitter): void {
  const [x, y] = e.v128;
  e.read('a', M.v128Load);
  e.f.set(x);
  e.read('b', M.v128Load);
  e.f.set(y);
}

/** Pushes the number in the lowest lane of a vector. */
function pushLowest(e: OpEmitter, p: Precision, local: number): void {
  e.f.get(local).lane(p.bits === 64 ? L.f64x2ExtractLane : L.f32x4ExtractLane, 0);
}

/** Makes the first vector scratch local, with the number that is pushed as its lowest lane, the result. */
function replaceLowest(e: OpEmitter, p: Precision, push: () => void): void {
  const [x, , r] = e.v128;
  e.f.get(x);
  push();
  e.f.lane(p.bits === 64 ? L.f64x2ReplaceLane : L.f32x4ReplaceLane, 0).set(r);
}

function emitQuick(e: OpEmitter, p: Precision, code: number, careful: Label): void {
  const [x, y, r] = e.v128;
  readVectors(e);
  replaceLowest(e, p, () => {
    pushLowest(e, p, x);
    pushLowest(e, p, y);
    e.f.op(code);
  });
  requireOrdinary(e, p.bits, unsureOperands(e, p.bits, true, { a: x, b: y }), [r], true, careful);
  e.write('a', M.v128Store, () => e.f.get(r));
}

/** On vectors that have the two operands in all lanes. */
function emitScalarExceptional(e: OpEmitter, p: Precision, operation: ExceptionalOperation, slow: Label): void {
  const packed = p.bits === 64 ? PACKED_DOUBLE : PACKED_SINGLE;
  const [x, y, r] = e.v128;
  const load = p.bits === 64 ? M.f64Load : M.f32Load;
  e.read('a', load);
  e.f.op(packed.op.splat).set(x);
  e.read('b', load);
  e.f.op(packed.op.splat).set(y);
  emitExceptional(e, packed, operation, slow);
  e.write('a', p.bits === 64 ? M.f64Store : M.f32Store, () => pushLowest(e, p, r));
}

function emitQuickRoot(e: OpEmitter, p: Precision, careful: Label): void {
  const [, y, r] = e.v128;
  readVectors(e);
  replaceLowest(e, p, () => {
    pushLowest(e, p, y);
    e.f.op(p.op.sqrt);
  });
  requireOrdinary(e, p.bits, unsureOperands(e, p.bits, true, { b: y }), [r], true, careful);
  e.write('a', M.v128Store, () => e.f.get(r));
}

function emitQuickExtreme(e: OpEmitter, p: Precision, compare: number, careful: Label): void {
  const [x, y, r] = e.v128;
  readVectors(e);
  requireOrdinary(e, p.bits, [], [x, y], true, careful);
  replaceLowest(e, p, () => {
    for (const local of [x, y, x, y]) pushLowest(e, p, local);
    e.f.op(compare).op(W.select);
  });
  e.write('a', M.v128Store, () => e.f.get(r));
}

function emitQuickCompareToFlags(e: OpEmitter, p: Precision, careful: Label): void {
  const [x, y] = e.v128;
  readVectors(e);
  requireOrdinary(e, p.bits, [], [x, y], true, careful);
  writeComparison(
    e,
    p,
    () => pushLowest(e, p, x),
    () => pushLowest(e, p, y),
  );
}

/** Leaves the operands' bits in the first two scratch locals; branches when one is denormal. */
function readOperands(e: OpEmitter, p: Precision, slow: Label): void {
  const [x, y] = scalarLocals(e, p);
  e.read('a', p.load);
  e.f.set(x);
  e.read('b', p.load);
  e.f.set(y);
  pushIsDenormal(e, p, x);
  pushIsDenormal(e, p, y);
  e.f.op(W.i32Or).branchIf(slow);
}

/** Takes a number from the stack into the result local. */
function setResult(e: OpEmitter, p: Precision): void {
  e.f.op(p.toBits).set(scalarLocals(e, p)[2]);
}

function writeResult(e: OpEmitter, p: Precision): void {
  e.write('a', p.store, () => e.f.get(scalarLocals(e, p)[2]));
}

function emitSum(e: OpEmitter, p: Precision, subtract: boolean, slow: Label): void {
  const [x, y, r] = scalarLocals(e, p);
  const f = e.f;
  requireDefaultMode(e, slow);
  readOperands(e, p, slow);
  pushFloat(e, p, x);
  pushFloat(e, p, y);
  f.op(subtract ? p.op.sub : p.op.add);
  setResult(e, p);
  pushIsFinite(e, p, r);
  f.op(W.i32Eqz);
  pushIsDenormal(e, p, r);
  f.op(W.i32Or).branchIf(slow);
  requireExactOrSticky(e, () => pushSumIsExact(e, p, subtract), slow);
  writeResult(e, p);
}

/** Knuth's error of a sum: 0 only when the sum is exact. An overflow on the way gives an infinity or NaN. */
function pushSumIsExact(e: OpEmitter, p: Precision, subtract: boolean): void {
  const [x, y, r, part] = scalarLocals(e, p);
  const f = e.f;
  const second = (): void => {
    pushFloat(e, p, y);
    if (subtract) f.op(p.op.neg);
  };
  pushFloat(e, p, r);
  pushFloat(e, p, x);
  f.op(p.op.sub).op(p.toBits).set(part);
  pushFloat(e, p, x);
  pushFloat(e, p, r);
  pushFloat(e, p, part);
  f.op(p.op.sub).op(p.op.sub);
  second();
  pushFloat(e, p, part);
  f.op(p.op.sub).op(p.op.add);
  pushBits(e, p, 0n);
  f.op(p.toFloat).op(p.op.eq);
}

function emitProduct(e: OpEmitter, p: Precision, slow: Label): void {
  const [x, y, r] = scalarLocals(e, p);
  const f = e.f;
  requireDefaultMode(e, slow);
  readOperands(e, p, slow);
  pushFloat(e, p, x);
  pushFloat(e, p, y);
  f.op(p.op.mul);
  setResult(e, p);
  pushIsSafelyNormal(e, p, r);
  pushIsZero(e, p, r);
  pushIsZero(e, p, x);
  pushIsZero(e, p, y);
  f.op(W.i32Or).op(W.i32And).op(W.i32Or).op(W.i32Eqz).branchIf(slow);
  requireExactOrSticky(e, () => pushProductIs(e, p, x, y, r), slow);
  writeResult(e, p);
}

function emitQuotient(e: OpEmitter, p: Precision, slow: Label): void {
  const [x, y, r] = scalarLocals(e, p);
  const f = e.f;
  requireDefaultMode(e, slow);
  readOperands(e, p, slow);
  pushFloat(e, p, x);
  pushFloat(e, p, y);
  f.op(p.op.div);
  setResult(e, p);
  pushIsSafelyNormal(e, p, r);
  pushIsZero(e, p, r);
  pushIsZero(e, p, x);
  f.op(W.i32And).op(W.i32Or).op(W.i32Eqz).branchIf(slow);
  requireExactOrSticky(e, () => pushProductIs(e, p, y, r, x), slow);
  writeResult(e, p);
}

function emitSquareRoot(e: OpEmitter, p: Precision, slow: Label): void {
  const [x, , r] = scalarLocals(e, p);
  const f = e.f;
  requireDefaultMode(e, slow);
  e.read('b', p.load);
  f.set(x);
  pushIsDenormal(e, p, x);
  f.branchIf(slow);
  pushFloat(e, p, x);
  f.op(p.op.sqrt);
  setResult(e, p);
  pushIsFinite(e, p, r);
  f.op(W.i32Eqz).branchIf(slow);
  requireExactOrSticky(e, () => pushProductIs(e, p, r, r, x), slow);
  writeResult(e, p);
}

/**
 * Pushes 1 when it is certain that x * y is exactly z, for finite numbers that are not denormal. In
 * single precision the product is exact in double; in double precision it is when the significands
 * have 53 trailing zeros between them.
 */
function pushProductIs(e: OpEmitter, p: Precision, x: number, y: number, z: number): void {
  const f = e.f;
  const push = (local: number): void => {
    pushFloat(e, p, local);
    if (p.bits === 32) f.op(W.f64PromoteF32);
  };
  push(x);
  push(y);
  f.op(W.f64Mul);
  push(z);
  f.op(W.f64Eq);
  if (p.bits === 32) return;
  for (const local of [x, y]) {
    f.get(local)
      .i64(1n << 52n)
      .op(W.i64Or)
      .op(W.i64Ctz);
  }
  f.op(W.i64Add).i64(53).op(W.i64GeU).op(W.i32And);
}

/** Branches when an operand is NaN. */
function requireOrdered(e: OpEmitter, p: Precision, slow: Label): void {
  const [x, y] = scalarLocals(e, p);
  for (const local of [x, y]) {
    pushFloat(e, p, local);
    pushFloat(e, p, local);
    e.f.op(p.op.ne);
  }
  e.f.op(W.i32Or).branchIf(slow);
}

/** Minimum and maximum give the second operand when the numbers are equal. */
function emitExtreme(e: OpEmitter, p: Precision, compare: number, slow: Label): void {
  const [x, y] = scalarLocals(e, p);
  readOperands(e, p, slow);
  requireOrdered(e, p, slow);
  e.write('a', p.store, () => {
    e.f.get(x).get(y);
    pushFloat(e, p, x);
    pushFloat(e, p, y);
    e.f.op(compare).op(W.select);
  });
}

/** c = predicate, 0 to 7. */
function emitCompare(e: OpEmitter, p: Precision, slow: Label): void {
  const [x, y] = scalarLocals(e, p);
  const f = e.f;
  readOperands(e, p, slow);
  requireOrdered(e, p, slow);
  e.write('a', p.store, () => {
    pushBits(e, p, -1n);
    pushBits(e, p, 0n);
    for (const [shift, compare] of [p.op.lt, p.op.eq, p.op.gt].entries()) {
      pushFloat(e, p, x);
      pushFloat(e, p, y);
      f.op(compare);
      if (shift > 0) f.i32(shift).op(W.i32Shl).op(W.i32Or);
    }
    f.i32(PREDICATES);
    e.number('c');
    f.i32(2).op(W.i32Shl).op(W.i32ShrU).op(W.i32And).op(W.select);
  });
}

/** ZF: equal; CF: a below b; PF would be unordered, which the helper does. */
function emitCompareToFlags(e: OpEmitter, p: Precision, slow: Label): void {
  const [x, y] = scalarLocals(e, p);
  readOperands(e, p, slow);
  requireOrdered(e, p, slow);
  writeComparison(
    e,
    p,
    () => pushFloat(e, p, x),
    () => pushFloat(e, p, y),
  );
}

function writeComparison(e: OpEmitter, p: Precision, pushFirst: () => void, pushSecond: () => void): void {
  const [, , zero, carry] = e.i32;
  for (const [local, compare] of [
    [zero, p.op.eq],
    [carry, p.op.lt],
  ] as const) {
    pushFirst();
    pushSecond();
    e.f.op(compare).set(local);
  }
  writeZeroAndCarry(e, zero, carry);
}
