// cmpss, cmpsd, cmpps, cmppd with their eight predicates, and comis, ucomis. Intel SDM vol. 2A, CMPPS, table 3-7;
// COMISS, UCOMISS.

import { compare, Relation } from '../softfloat/compare.ts';
import { FloatFlag } from '../softfloat/context.ts';
import type { FloatContext } from '../softfloat/context.ts';
import { FloatKind } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper } from '../state.ts';
import { setComparisonFlags } from '../x87/compare.ts';
import { DOUBLE, readLane, SHAPES, SINGLE } from './lanes.ts';
import type { Lane } from './lanes.ts';
import { settle, sseContext } from './mxcsr.ts';

/** For each predicate a bit for every `Relation` that makes it true: eq lt le unord neq nlt nle ord. */
const TRUE_FOR: readonly number[] = [0b0010, 0b0001, 0b0011, 0b1000, 0b1101, 0b1110, 0b1100, 0b0111];

/** Predicates for which a quiet NaN is invalid: lt, le, nlt, nle. */
const SIGNALLING = 0b01100110;

/** Comparison helpers, by name; `imm` of `sse.cmp...` is the predicate, 0 to 7. */
export const SSE_COMPARE: Readonly<Record<string, Helper>> = {
  ...Object.fromEntries(SHAPES.map(([suffix, lane, count]) => [`sse.cmp${suffix}`, masks(lane, count)])),
  'sse.comiss': flags(SINGLE, true),
  'sse.comisd': flags(DOUBLE, true),
  'sse.ucomiss': flags(SINGLE, false),
  'sse.ucomisd': flags(DOUBLE, false),
};

function relate(context: FloatContext, x: Unpacked, y: Unpacked, signalling: boolean): number {
  const relation = compare(x, y);
  if (relation !== Relation.UNORDERED) {
    if (x.denormal || y.denormal) context.flags |= FloatFlag.DENORMAL;
  } else if (signalling || isSignalling(x) || isSignalling(y)) context.flags |= FloatFlag.INVALID;
  return relation;
}

function isSignalling(x: Unpacked): boolean {
  return x.kind === FloatKind.SIGNALLING_NAN;
}

function masks(lane: Lane, count: number): Helper {
  return (s, a, b, imm) => {
    const predicate = imm & 7;
    const context = sseContext(s);
    const results: boolean[] = [];
    for (let i = 0; i < count; i++) {
      const at = i * lane.bytes;
      const x = readLane(s, lane, a + at);
      const y = readLane(s, lane, b + at);
      const relation = relate(context, x, y, (SIGNALLING & (1 << predicate)) !== 0);
      results.push((TRUE_FOR[predicate] & (1 << relation)) !== 0);
    }
    const fault = settle(s, context);
    if (fault === 0) results.forEach((set, i) => lane.writeMask(s, a + i * lane.bytes, set));
    return fault;
  };
}

function flags(lane: Lane, signalling: boolean): Helper {
  return (s, a, b) => {
    const context = sseContext(s);
    const relation = relate(context, readLane(s, lane, a), readLane(s, lane, b), signalling);
    const fault = settle(s, context);
    if (fault === 0) setComparisonFlags(s, relation);
    return fault;
  };
}
