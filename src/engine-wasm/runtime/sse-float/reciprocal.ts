// rcpss, rcpps, rsqrtss, rsqrtps, bit for bit as Intel's CPUs compute them: the value at the middle of a segment of
// the significand, rounded to 1/8192. 2048 segments for 1/x; 1024 for 1/sqrt(x) in each of two octaves. All were
// compared with a CPU. They ignore MXCSR: denormal operands are zeros, tiny results too, nothing is raised.
// Intel SDM vol. 2B, RCPPS, RSQRTPS.

import type { Helper, StateView } from '../state.ts';

const EXPONENT = 0x7f800000;
const SIGN = 0x80000000;
const QUIET_BIT = 0x400000;
const DEFAULT_NAN = 0xffc00000;

/** Segments start at multiples of these many units of the last place. */
const RECIPROCAL_SEGMENT_BITS = 12;
const ROOT_SEGMENT_BITS = 13;

/** Results are multiples of 1/8192 below 1: bit 10 of the significand is their last. */
const SCALE = 8192;
const RESULT_SHIFT = 11;

/** Reciprocal helpers, by name. */
export const SSE_RECIPROCAL: Readonly<Record<string, Helper>> = {
  'sse.rcpss': lanes(1, reciprocal),
  'sse.rcpps': lanes(4, reciprocal),
  'sse.rsqrtss': lanes(1, reciprocalRoot),
  'sse.rsqrtps': lanes(4, reciprocalRoot),
};

function lanes(count: number, operation: (bits: number) => number): Helper {
  return (s: StateView, a, b) => {
    for (let i = 0; i < count; i++) s.u32[a / 4 + i] = operation(s.u32[b / 4 + i]);
    return 0;
  };
}

function reciprocal(bits: number): number {
  const sign = bits & SIGN;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return fraction === 0 ? sign : bits | QUIET_BIT;
  if (exponent === 0) return sign | EXPONENT;
  const resultExponent = 253 - exponent;
  if (resultExponent <= 0) return sign;
  const middle = 1 + (Math.floor(fraction / 2 ** RECIPROCAL_SEGMENT_BITS) + 0.5) / 2048;
  return sign | assemble(resultExponent, Math.round(SCALE / middle));
}

function reciprocalRoot(bits: number): number {
  const sign = bits & SIGN;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff && fraction !== 0) return bits | QUIET_BIT;
  if (exponent === 0) return sign | EXPONENT;
  if (sign !== 0) return DEFAULT_NAN;
  if (exponent === 0xff) return 0;
  const odd = (exponent & 1) === 0; // of the unbiased exponent
  const middle = (1 + (Math.floor(fraction / 2 ** ROOT_SEGMENT_BITS) + 0.5) / 1024) * (odd ? 2 : 1);
  const half = (exponent - 127 - (odd ? 1 : 0)) / 2;
  return assemble(126 - half, Math.round(SCALE / Math.sqrt(middle)));
}

/** @param steps - the result as a multiple of 1/8192, 1/2 to 1 */
function assemble(biasedExponent: number, steps: number): number {
  return (biasedExponent << 23) | ((steps << RESULT_SHIFT) & 0x7fffff);
}
