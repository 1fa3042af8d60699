// 2^x - 1 and logarithms to base 2. Intel SDM vol. 2A, F2XM1, FYL2X, FYL2XP1.

import type { Unpacked } from '../../softfloat/unpacked.ts';
import { bitLength } from '../../softfloat/unpacked.ts';
import { atanhSeries, FRACTION, ln2, LN2_WIDE, toWide } from './fixed-point.ts';
import type { Wide } from './fixed-point.ts';

/** Below 2^this, the first term of a series is exact to more than 128 bits. */
const TINY_EXPONENT = -130;

/** A base 2 logarithm: value * 2^-fraction. */
export interface Logarithm {
  readonly value: bigint;
  readonly fraction: number;
}

/** |2^x - 1| for a finite x that is not 0, |x| < 1; it has the sign of x. */
export function exp2Minus1(x: Unpacked): Wide {
  if (x.exponent < TINY_EXPONENT) {
    return toWide(x.significand * LN2_WIDE, FRACTION + 256 + 63 - x.exponent);
  }
  const fraction = FRACTION + Math.max(0, -x.exponent - 1);
  const shift = BigInt(fraction);
  const magnitude = (x.significand * ln2(fraction)) >> BigInt(63 - x.exponent);
  const y = x.negative ? -magnitude : magnitude;
  let term = y;
  let sum = y;
  for (let k = 2n; term !== 0n && term !== -1n; k++) {
    term = ((term * y) >> shift) / k;
    sum += term;
  }
  return toWide(sum < 0n ? -sum : sum, fraction);
}

/** log2 of a finite x above 0. Exact, with value a multiple of 2^fraction, for a power of two. */
export function log2(x: Unpacked): Logarithm {
  return log2OfInteger(x.significand, x.exponent - 63);
}

/** log2(1 + x) for a finite x above -1 that is not 0. */
export function log2OfOnePlus(x: Unpacked): Logarithm {
  if (x.exponent > FRACTION) return log2(x);
  if (x.exponent >= -1) {
    const one = 1n << BigInt(Math.max(0, 63 - x.exponent));
    const magnitude = x.significand << BigInt(Math.max(0, x.exponent - 63));
    return log2OfInteger(x.negative ? one - magnitude : one + magnitude, Math.min(0, x.exponent - 63));
  }
  if (x.exponent < TINY_EXPONENT) {
    // x / ln 2, kept as an integer scaled far down
    const value = (x.significand << BigInt(FRACTION)) / ln2(FRACTION);
    return { value: x.negative ? -value << 128n : value << 128n, fraction: 63 - x.exponent + 128 };
  }
  const fraction = FRACTION - x.exponent;
  const two = 2n << BigInt(63 - x.exponent);
  const signedX = x.negative ? -x.significand : x.significand;
  return inBase2((signedX << BigInt(fraction)) / (two + signedX), 0, fraction);
}

function log2OfInteger(n: bigint, scale: number): Logarithm {
  const bits = bitLength(n);
  const fraction = Math.max(FRACTION, FRACTION - 64 + bits);
  let exponent = scale + bits - 1;
  let one = 1n << BigInt(bits - 1);
  if (n === one) return { value: BigInt(exponent) << BigInt(fraction), fraction };
  // Above the square root of 2 the significand counts as below 1, so that nothing cancels.
  if (n * n > 2n * one * one) {
    one <<= 1n;
    exponent++;
  }
  return inBase2(((n - one) << BigInt(fraction)) / (n + one), exponent, fraction);
}

/** exponent + 2 atanh(z) / ln 2 */
function inBase2(z: bigint, exponent: number, fraction: number): Logarithm {
  const natural = 2n * atanhSeries(z, fraction);
  return {
    value: (BigInt(exponent) << BigInt(fraction)) + (natural << BigInt(FRACTION)) / ln2(FRACTION),
    fraction,
  };
}
