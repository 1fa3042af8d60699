// The cvt family. Integer results: `a` may be a general register (the whole 64 bits are written, zero-extended),
// an MMX register or a temporary. For forms with an MMX operand the lowering does `x87.mmx_enter` as well, except
// when that operand is memory. Intel SDM vol. 2A, the CVT pages.

import { roundExact } from '../softfloat/arithmetic.ts';
import { FloatFlag, Rounding } from '../softfloat/context.ts';
import type { FloatContext } from '../softfloat/context.ts';
import type { Format } from '../softfloat/format.ts';
import { fromInteger, toInteger } from '../softfloat/integer.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { DOUBLE, finish, propagatedNan, readLane, SINGLE } from './lanes.ts';
import type { Lane } from './lanes.ts';
import { settle, sseContext } from './mxcsr.ts';

/** Conversion helpers, by name. */
export const SSE_CONVERT: Readonly<Record<string, Helper>> = {
  'sse.cvtss2sd': betweenFloats(SINGLE, DOUBLE, 1, false),
  'sse.cvtps2pd': betweenFloats(SINGLE, DOUBLE, 2, false),
  'sse.cvtsd2ss': betweenFloats(DOUBLE, SINGLE, 1, false),
  'sse.cvtpd2ps': betweenFloats(DOUBLE, SINGLE, 2, true),
  'sse.cvtsi2ss_i32': fromIntegers(SINGLE, 1, 32),
  'sse.cvtsi2ss_i64': fromIntegers(SINGLE, 1, 64),
  'sse.cvtsi2sd_i32': fromIntegers(DOUBLE, 1, 32),
  'sse.cvtsi2sd_i64': fromIntegers(DOUBLE, 1, 64),
  'sse.cvtdq2ps': fromIntegers(SINGLE, 4, 32),
  'sse.cvtdq2pd': fromIntegers(DOUBLE, 2, 32),
  'sse.cvtpi2ps': fromIntegers(SINGLE, 2, 32),
  'sse.cvtpi2pd': fromIntegers(DOUBLE, 2, 32),
  ...toIntegersBothWays('ss2si_i32', SINGLE, 1, 32, 8),
  ...toIntegersBothWays('ss2si_i64', SINGLE, 1, 64, 8),
  ...toIntegersBothWays('sd2si_i32', DOUBLE, 1, 32, 8),
  ...toIntegersBothWays('sd2si_i64', DOUBLE, 1, 64, 8),
  ...toIntegersBothWays('ps2dq', SINGLE, 4, 32, 16),
  ...toIntegersBothWays('pd2dq', DOUBLE, 2, 32, 16),
  ...toIntegersBothWays('ps2pi', SINGLE, 2, 32, 8),
  ...toIntegersBothWays('pd2pi', DOUBLE, 2, 32, 8),
};

function betweenFloats(from: Lane, to: Lane, count: number, clearsHighHalf: boolean): Helper {
  return (s, a, b) => {
    const context = sseContext(s);
    const results: Unpacked[] = [];
    for (let i = 0; i < count; i++) {
      results.push(converted(context, to.format, readLane(s, from, b + i * from.bytes)));
    }
    const fault = finish(s, context, to, a, results);
    if (fault === 0 && clearsHighHalf) s.u64[a / 8 + 1] = 0n;
    return fault;
  };
}

function converted(context: FloatContext, format: Format, x: Unpacked): Unpacked {
  const nan = propagatedNan(context, x, x);
  if (nan !== undefined) return nan;
  if (x.denormal) context.flags |= FloatFlag.DENORMAL;
  return roundExact(context, format, x);
}

function fromIntegers(lane: Lane, count: number, bits: 32 | 64): Helper {
  return (s, a, b) => {
    const context = sseContext(s);
    const results: Unpacked[] = [];
    for (let i = 0; i < count; i++) {
      const value = bits === 64 ? BigInt.asIntN(64, s.u64[b / 8]) : BigInt(s.i32[b / 4 + i]);
      results.push(roundExact(context, lane.format, fromInteger(value)));
    }
    return finish(s, context, lane, a, results);
  };
}

/** The rounding and the truncating form. */
function toIntegersBothWays(
  name: string,
  lane: Lane,
  count: number,
  bits: 32 | 64,
  width: 8 | 16,
): Record<string, Helper> {
  return {
    [`sse.cvt${name}`]: toIntegers(lane, count, bits, width, false),
    [`sse.cvtt${name}`]: toIntegers(lane, count, bits, width, true),
  };
}

/** @param width - bytes of the destination; those that no result fills become 0 */
function toIntegers(lane: Lane, count: number, bits: 32 | 64, width: 8 | 16, truncates: boolean): Helper {
  return (s, a, b) => {
    const context = sseContext(s);
    const mode = truncates ? Rounding.ZERO : context.rounding;
    const results: bigint[] = [];
    for (let i = 0; i < count; i++) results.push(toInteger(context, mode, readLane(s, lane, b + i * lane.bytes), bits));
    const fault = settle(s, context);
    if (fault === 0) writeIntegers(s, a, results, bits, width);
    return fault;
  };
}

function writeIntegers(s: StateView, a: number, results: readonly bigint[], bits: 32 | 64, width: 8 | 16): void {
  if (bits === 64) {
    s.u64[a / 8] = results[0];
    return;
  }
  for (let i = 0; i < width / 4; i++) s.u32[a / 4 + i] = i < results.length ? Number(results[i]) : 0;
}
