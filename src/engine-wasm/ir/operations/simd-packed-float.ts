// Packed SSE arithmetic and comparison, with a quick path for ordinary numbers (`ordinary.ts`) and a careful one behind
// it, whose conditions are those of `simd-float.ts`, for all lanes at once. Two-operand form: a = a op b.

import type { Label } from '../../wasm/function-builder.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { emitExceptional, emitUnorderedFlags, type ExceptionalOperation } from './exceptional.ts';
import { emitGuarded, requireStickyMode } from './float-guard.ts';
import { type LaneBits, requireOrdinary, unsureOperands } from './ordinary.ts';
import { PACKED_DOUBLE, PACKED_SINGLE, type PackedPrecision, pushDenormal, pushZero } from './packed-precision.ts';
import { repeat } from './simd-integer.ts';

/** Compare predicates in encoding order; `negated` ones are true for what the plain one is false for. */
const PREDICATES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'] as const;

/** Operations of this family. Compares are `cmp<predicate>ps` and `cmp<predicate>pd`; c is the predicate, for the helper. */
export function simdPackedFloatOperations(): Operation[] {
  const list: Operation[] = [];
  for (const p of [PACKED_SINGLE, PACKED_DOUBLE]) {
    const add = (name: string, helper: string, ...paths: readonly Path[]): void => {
      list.push({
        name: name + p.suffix,
        kind: 'plain',
        emit: (e) => emitGuarded(e, `sse.${helper}${p.suffix}`, ...paths.map((path) => (next: Label) => path(e, next))),
      });
    };
    /** An operation on two vectors. @param push - pushes the result */
    const binary = (name: string, push: (e: OpEmitter) => void, ...careful: readonly Path[]): void =>
      add(name, name, (e, next) => emitQuick(e, p, () => push(e), next), ...careful);
    const sum = (name: string, push: (e: OpEmitter) => void, ...others: readonly Path[]): void =>
      binary(name, push, (e, slow) => emitSum(e, p, () => push(e), slow), ...others);
    const exceptional =
      (operation: ExceptionalOperation): Path =>
      (e, slow) => {
        readBoth(e);
        emitExceptional(e, p, operation, slow);
        writeResult(e);
      };
    sum('add', pushLanes(p.op.add), exceptional('add'));
    sum('sub', pushLanes(p.op.sub), exceptional('sub'));
    sum('hadd', (e) => pushHorizontal(e, p, p.op.add));
    sum('hsub', (e) => pushHorizontal(e, p, p.op.sub));
    sum('addsub', (e) => pushAlternating(e, p));
    binary('mul', pushLanes(p.op.mul), (e, slow) => emitProduct(e, p, slow), exceptional('mul'));
    binary('div', pushLanes(p.op.div), (e, slow) => emitQuotient(e, p, slow), exceptional('div'));
    add(
      'sqrt',
      'sqrt',
      (e, careful) => emitQuickRoot(e, p, careful),
      (e, slow) => emitSquareRoot(e, p, slow),
    );
    add('min', 'min', (e, slow) => emitExtreme(e, p, p.op.lt, slow));
    add('max', 'max', (e, slow) => emitExtreme(e, p, p.op.gt, slow));
    PREDICATES.forEach((name, code) => {
      add(
        `cmp${name}`,
        'cmp',
        (e, careful) => emitQuickCompare(e, p, code, careful),
        (e, unordered) => emitCompare(e, p, code, unordered),
        (e, slow) => emitUnordered(e, p, code, slow),
      );
    });
  }
  return list;
}

/** One way of an operation. */
type Path = (e: OpEmitter, otherwise: Label) => void;

/** An operation on the two operands, lane by lane. */
function pushLanes(code: number): (e: OpEmitter) => void {
  return (e) => e.f.get(e.v128[0]).get(e.v128[1]).op(code);
}

/** Leaves the operands in the first two scratch locals. */
function readBoth(e: OpEmitter): void {
  const [x, y] = e.v128;
  e.read('a', M.v128Load);
  e.f.set(x);
  e.read('b', M.v128Load);
  e.f.set(y);
}

function emitQuick(e: OpEmitter, p: PackedPrecision, push: () => void, careful: Label): void {
  const [x, y, r] = e.v128;
  readBoth(e);
  push();
  e.f.set(r);
  const bits = laneBits(p);
  requireOrdinary(e, bits, unsureOperands(e, bits, false, { a: x, b: y }), [r], false, careful);
  writeResult(e);
}

function emitQuickRoot(e: OpEmitter, p: PackedPrecision, careful: Label): void {
  const [x, , r] = e.v128;
  e.read('b', M.v128Load);
  e.f.tee(x).op(p.op.sqrt).set(r);
  const bits = laneBits(p);
  requireOrdinary(e, bits, unsureOperands(e, bits, false, { b: x }), [r], false, careful);
  writeResult(e);
}

function laneBits(p: PackedPrecision): LaneBits {
  return p.laneBytes === 8 ? 64 : 32;
}

/** Leaves the operands in the first two scratch locals; branches when a lane is denormal. */
function readOperands(e: OpEmitter, p: PackedPrecision, slow: Label): void {
  const [x, y] = e.v128;
  e.read('a', M.v128Load);
  e.f.set(x);
  e.read('b', M.v128Load);
  e.f.set(y);
  pushDenormal(e, p, x);
  pushDenormal(e, p, y);
  e.f.op(W.v128Or).op(W.v128AnyTrue).branchIf(slow);
}

/** Takes a mask of good lanes from the stack and branches unless all are. */
function requireAllLanes(e: OpEmitter, slow: Label): void {
  e.f.op(W.i32x4AllTrue).op(W.i32Eqz).branchIf(slow);
}

function writeResult(e: OpEmitter): void {
  e.write('a', M.v128Store, () => e.f.get(e.v128[2]));
}

/** Pushes a mask of the finite lanes of the result. */
function pushFinite(e: OpEmitter, p: PackedPrecision): void {
  e.f.get(e.v128[2]).op(p.op.abs).v128(p.infinity).op(p.op.lt);
}

/** @param sum - pushes the sum or difference of the two operands */
function emitSum(e: OpEmitter, p: PackedPrecision, sum: () => void, slow: Label): void {
  requireStickyMode(e, slow);
  readOperands(e, p, slow);
  sum();
  e.f.set(e.v128[2]);
  pushFinite(e, p);
  requireAllLanes(e, slow);
  pushDenormal(e, p, e.v128[2]);
  e.f.op(W.v128AnyTrue).branchIf(slow);
  writeResult(e);
}

/** Even lanes of both operands, op their odd lanes. */
function pushHorizontal(e: OpEmitter, p: PackedPrecision, code: number): void {
  const [x, y] = e.v128;
  const lanes = 32 / p.laneBytes;
  for (const odd of [0, 1]) {
    const bytes = Array.from({ length: 16 }, (_, n) => {
      const lane = 2 * Math.floor(n / p.laneBytes) + odd;
      return (lane % lanes) * p.laneBytes + (n % p.laneBytes);
    });
    e.f.get(x).get(y).shuffle(bytes);
  }
  e.f.op(code);
}

/** Even lanes subtracted, odd lanes added. */
function pushAlternating(e: OpEmitter, p: PackedPrecision): void {
  const [x, y] = e.v128;
  e.f.get(x).get(y).v128(p.evenSign).op(W.v128Xor).op(p.op.add);
}

/** Pushes a mask of the result lanes that are certainly not tiny (see `pushIsSafelyNormal`). */
function pushSafelyNormal(e: OpEmitter, p: PackedPrecision): void {
  pushFinite(e, p);
  e.f.get(e.v128[2]).op(p.op.abs).v128(p.twiceMinNormal).op(p.op.ge).op(W.v128And);
}

function emitProduct(e: OpEmitter, p: PackedPrecision, slow: Label): void {
  const [x, y, r] = e.v128;
  const f = e.f;
  requireStickyMode(e, slow);
  readOperands(e, p, slow);
  f.get(x).get(y).op(p.op.mul).set(r);
  pushSafelyNormal(e, p);
  pushZero(e, p, r);
  pushZero(e, p, x);
  pushZero(e, p, y);
  f.op(W.v128Or).op(W.v128And).op(W.v128Or);
  requireAllLanes(e, slow);
  writeResult(e);
}

function emitQuotient(e: OpEmitter, p: PackedPrecision, slow: Label): void {
  const [x, y, r] = e.v128;
  const f = e.f;
  requireStickyMode(e, slow);
  readOperands(e, p, slow);
  f.get(x).get(y).op(p.op.div).set(r);
  pushSafelyNormal(e, p);
  pushZero(e, p, r);
  pushZero(e, p, x);
  f.op(W.v128And).op(W.v128Or);
  requireAllLanes(e, slow);
  writeResult(e);
}

function emitSquareRoot(e: OpEmitter, p: PackedPrecision, slow: Label): void {
  const [x, , r] = e.v128;
  const f = e.f;
  requireStickyMode(e, slow);
  e.read('b', M.v128Load);
  f.set(x);
  pushDenormal(e, p, x);
  f.op(W.v128AnyTrue).branchIf(slow);
  f.get(x).op(p.op.sqrt).set(r);
  pushFinite(e, p);
  requireAllLanes(e, slow);
  writeResult(e);
}

/** Branches when a lane of an operand is NaN. */
function requireOrdered(e: OpEmitter, p: PackedPrecision, slow: Label): void {
  const [x, y] = e.v128;
  const f = e.f;
  f.get(x).get(x).op(p.op.eq).get(y).get(y).op(p.op.eq).op(W.v128And);
  requireAllLanes(e, slow);
}

/** Minimum and maximum give the second operand's lane when the numbers are equal. */
function emitExtreme(e: OpEmitter, p: PackedPrecision, compare: number, slow: Label): void {
  const [x, y] = e.v128;
  readOperands(e, p, slow);
  requireOrdered(e, p, slow);
  e.write('a', M.v128Store, () => {
    e.f.get(x).get(y).get(x).get(y).op(compare).op(W.v128Bitselect);
  });
}

function emitQuickCompare(e: OpEmitter, p: PackedPrecision, predicate: number, careful: Label): void {
  const [x, y] = e.v128;
  const bits = laneBits(p);
  readBoth(e);
  requireOrdinary(e, bits, [], [x, y], false, careful);
  writeOrderedComparison(e, p, predicate);
}

function emitCompare(e: OpEmitter, p: PackedPrecision, predicate: number, slow: Label): void {
  readOperands(e, p, slow);
  requireOrdered(e, p, slow);
  writeOrderedComparison(e, p, predicate);
}

/** Without NaNs. */
function writeOrderedComparison(e: OpEmitter, p: PackedPrecision, predicate: number): void {
  const [x, y] = e.v128;
  const codes = [p.op.eq, p.op.lt, p.op.le, 0, p.op.ne, p.op.ge, p.op.gt, 0];
  const code = codes[predicate] ?? 0;
  e.write('a', M.v128Store, () => {
    if (code !== 0) e.f.get(x).get(y).op(code);
    else e.f.v128(repeat([predicate === 3 ? 0 : 0xff])); // no lane is unordered here
  });
}

/** With NaNs: the upper four predicates are the lower ones negated. */
function emitUnordered(e: OpEmitter, p: PackedPrecision, predicate: number, slow: Label): void {
  const [x, y] = e.v128;
  const f = e.f;
  const relation = predicate & 3;
  readBoth(e);
  emitUnorderedFlags(e, p, relation === 1 || relation === 2, slow);
  e.write('a', M.v128Store, () => {
    if (relation === 3) f.get(x).get(x).op(p.op.ne).get(y).get(y).op(p.op.ne).op(W.v128Or);
    else
      f.get(x)
        .get(y)
        .op([p.op.eq, p.op.lt, p.op.le][relation] ?? 0);
    if (predicate >= 4) f.op(W.v128Not);
  });
}
