// add, sub, mul, div, sqrt, min, max, addsub, hadd, hsub, dp, round in their scalar and packed forms.
// Intel SDM vol. 2, the instructions' pages; NaN rules in vol. 1, table 4-7.

import { add, divide, multiply, squareRoot, subtract } from '../softfloat/arithmetic.ts';
import type { BinaryOperation } from '../softfloat/arithmetic.ts';
import { compare, Relation } from '../softfloat/compare.ts';
import { FloatContext, FloatFlag } from '../softfloat/context.ts';
import type { Format } from '../softfloat/format.ts';
import { roundToIntegral } from '../softfloat/integer.ts';
import { FloatKind, isNan, zero } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { DOUBLE, elementwise, finish, propagatedNan, readLane, SHAPES, SINGLE } from './lanes.ts';
import type { Lane, LaneOperation } from './lanes.ts';
import { denormalsAreZeros, settle, sseContext } from './mxcsr.ts';

/** Bits of the immediate of roundss and its relatives. Intel SDM vol. 2B, figure 4-24. */
const RoundImmediate = { MODE: 3, USE_MXCSR: 4, QUIET: 8 } as const;

const sum = arithmetic(add);
const difference = arithmetic(subtract);
const product = arithmetic(multiply);
const root = arithmetic((context, format, x) => squareRoot(context, format, x));

/** Arithmetic helpers, by name: `sse.addss` and so on. */
export const SSE_ARITHMETIC: Readonly<Record<string, Helper>> = {
  ...shapes('add', sum),
  ...shapes('sub', difference),
  ...shapes('mul', product),
  ...shapes('div', arithmetic(divide)),
  ...shapes('sqrt', (context, format, _x, y, i) => root(context, format, y, y, i)),
  ...shapes('min', extreme(Relation.LESS)),
  ...shapes('max', extreme(Relation.GREATER)),
  'sse.addsubps': elementwise(SINGLE, 4, alternating),
  'sse.addsubpd': elementwise(DOUBLE, 2, alternating),
  'sse.haddps': horizontal(SINGLE, 4, sum),
  'sse.haddpd': horizontal(DOUBLE, 2, sum),
  'sse.hsubps': horizontal(SINGLE, 4, difference),
  'sse.hsubpd': horizontal(DOUBLE, 2, difference),
  'sse.dpps': dotProduct(SINGLE, 4),
  'sse.dppd': dotProduct(DOUBLE, 2),
  ...Object.fromEntries(SHAPES.map(([suffix, lane, count]) => [`sse.round${suffix}`, rounding(lane, count)])),
};

function shapes(name: string, operation: LaneOperation): Record<string, Helper> {
  return Object.fromEntries(
    SHAPES.map(([suffix, lane, count]) => [`sse.${name}${suffix}`, elementwise(lane, count, operation)]),
  );
}

/** Runs an operation under exceptions of its own, so that one element's IE or ZE hides only its own DE. */
function arithmetic(operation: BinaryOperation): LaneOperation {
  return (context, format, x, y) => {
    const nan = propagatedNan(context, x, y);
    if (nan !== undefined) return nan;
    const own = new FloatContext(context.rounding, context.masks, context.exponentWrap, context.flushToZero);
    const result = operation(own, format, x, y);
    context.flags |= own.flags;
    if ((own.flags & (FloatFlag.INVALID | FloatFlag.ZERO_DIVIDE)) === 0) noteDenormal(context, x, y);
    return result;
  };
}

function noteDenormal(context: FloatContext, x: Unpacked, y: Unpacked): void {
  if (x.denormal || y.denormal) context.flags |= FloatFlag.DENORMAL;
}

/** min and max: the second operand when either is a NaN or both are zeros. */
function extreme(wanted: number): LaneOperation {
  return (context, _format, x, y) => {
    if (isNan(x) || isNan(y)) {
      context.flags |= FloatFlag.INVALID;
      return y;
    }
    noteDenormal(context, x, y);
    return compare(x, y) === wanted ? x : y;
  };
}

/** Subtracts even elements, adds odd ones. */
function alternating(context: FloatContext, format: Format, x: Unpacked, y: Unpacked, index: number): Unpacked {
  return (index & 1) === 0 ? difference(context, format, x, y, index) : sum(context, format, x, y, index);
}

/** Combines neighbours: those of `a` give the low half of the result, those of `b` the high half. */
function horizontal(lane: Lane, count: number, operation: LaneOperation): Helper {
  return (s, a, b) => {
    const context = sseContext(s);
    const results: Unpacked[] = [];
    for (const slot of [a, b]) {
      for (let i = 0; i < count; i += 2) {
        const at = slot + i * lane.bytes;
        results.push(operation(context, lane.format, readLane(s, lane, at), readLane(s, lane, at + lane.bytes), i));
      }
    }
    return finish(s, context, lane, a, results);
  };
}

/**
 * `imm`: bits 4 and up choose the products, bits 0 and up the elements that get the sum. Every element adds up in
 * an order of its own, which tells when NaNs meet; recorded on a CPU: for ps (t[i^1] + t[i]) + (t[i^3] + t[i^2]).
 */
function dotProduct(lane: Lane, count: number): Helper {
  return (s, a, b, imm) => {
    const context = sseContext(s);
    let terms: Unpacked[] = [];
    for (let i = 0; i < count; i++) {
      const at = i * lane.bytes;
      const chosen = (imm & (0x10 << i)) !== 0;
      terms.push(
        chosen ? product(context, lane.format, readLane(s, lane, a + at), readLane(s, lane, b + at), i) : zero(false),
      );
    }
    let fault = settle(s, context);
    // Each level of additions is an operation of its own: an unmasked exception of one stops before the next.
    for (let distance = 1; distance < count && fault === 0; distance *= 2) {
      const swapped = distance === 1 && count === 4;
      const previous = terms.map((x) => intermediate(s, lane, x));
      const next = sseContext(s);
      terms = previous.map((own, i) => {
        const other = previous[i ^ distance];
        return sum(next, lane.format, swapped ? other : own, swapped ? own : other, i);
      });
      fault = settle(s, next);
    }
    if (fault === 0)
      terms.forEach((x, i) => lane.write(s, a + i * lane.bytes, (imm & (1 << i)) !== 0 ? x : zero(false)));
    return fault;
  };
}

/** A result that is an operand again: it may be denormal, and DAZ may make it zero. */
function intermediate(s: StateView, lane: Lane, x: Unpacked): Unpacked {
  if (x.kind !== FloatKind.FINITE || x.exponent >= lane.format.minExponent) return x;
  return denormalsAreZeros(s) ? zero(x.negative) : { ...x, denormal: true };
}

/** `imm`: rounding mode, or MXCSR's; whether PE is raised. Denormals raise nothing. */
function rounding(lane: Lane, count: number): Helper {
  return (s: StateView, a, b, imm) => {
    const context = sseContext(s);
    const mode = (imm & RoundImmediate.USE_MXCSR) !== 0 ? context.rounding : imm & RoundImmediate.MODE;
    const quiet = (imm & RoundImmediate.QUIET) !== 0;
    const results: Unpacked[] = [];
    for (let i = 0; i < count; i++) {
      const x = readLane(s, lane, b + i * lane.bytes);
      results.push(propagatedNan(context, x, x) ?? roundToIntegral(context, mode, x, quiet));
    }
    return finish(s, context, lane, a, results);
  };
}
