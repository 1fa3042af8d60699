// Sine, cosine, tangent with the CPU's own argument reduction: by a pi of 66 bits, not by the true pi, which
// is what every x87 program has always seen. Arc tangent. Intel SDM vol. 1, section 8.3.8.

import { integerSquareRoot } from '../../softfloat/arithmetic.ts';
import type { Unpacked } from '../../softfloat/unpacked.ts';
import { atanSeries, FRACTION, PI, toWide } from './fixed-point.ts';
import type { Wide } from './fixed-point.ts';

/** pi as the FPU has it, times 2^64. */
const PI_66 = 0x3243f6a8885a308d3n;

/** Half of `PI_66` is `PI_66` * 2^-65. */
const REDUCED_FRACTION = 65;

/** Below 2^this, x, tan x and sin x agree to 140 bits. */
const TINY_EXPONENT = -70;

/** A result with its sign. */
export interface SignedWide extends Wide {
  readonly negative: boolean;
}

/** Sine and cosine of an argument, as fixed point numbers. */
export interface SineCosine {
  readonly sine: bigint;
  readonly cosine: bigint;
  readonly fraction: number;
}

/** sin x and cos x, x finite, not 0, below 2^63. Neither is ever 0. */
export function sineCosine(x: Unpacked): SineCosine {
  // Magnitude first: more fraction bits for small arguments keep the sine's relative precision.
  const fraction = FRACTION + Math.max(0, -x.exponent);
  const { quadrant, rest } = reduced(x, fraction);
  const sine = sineSeries(rest, fraction);
  const cosine = cosineSeries(rest, fraction);
  const swapped = (quadrant & 1) !== 0;
  const sinX = negate(swapped ? cosine : sine, quadrant >= 2);
  const cosX = negate(swapped ? sine : cosine, quadrant === 1 || quadrant === 2);
  return { sine: negate(sinX, x.negative), cosine: cosX, fraction };
}

/** A fixed point number split into sign and magnitude. */
export function signed(value: bigint, fraction: number): SignedWide {
  const negative = value < 0n;
  return { negative, ...toWide(negative ? -value : value, fraction) };
}

/** Whether x is so small that sine, tangent and cosine are x, x and 1 to more bits than the CPU computes. */
export function isTiny(x: Unpacked): boolean {
  return x.exponent < TINY_EXPONENT;
}

/** The angle of the point (x, y), both finite and not 0, without y's sign. */
export function arcTangent(y: Unpacked, x: Unpacked): Wide {
  const difference = y.exponent - x.exponent;
  if (difference < TINY_EXPONENT - 1 && !x.negative) return justBelowQuotient(y, x);
  if (Math.abs(difference) > FRACTION - 2) {
    // Less than the last bit away from 0 (x negative: pi), or from pi/2.
    if (difference < 0) return toWide(PI - 1n, FRACTION);
    return toWide(x.negative ? PI / 2n + 1n : PI / 2n - 1n, FRACTION);
  }
  const fraction = FRACTION + Math.max(0, -difference);
  const [small, large, inverted] =
    difference < 0 || (difference === 0 && y.significand <= x.significand) ? [y, x, false] : [x, y, true];
  const ratio = (small.significand << BigInt(fraction - Math.abs(difference))) / large.significand;
  let angle = atanHalved(ratio, fraction);
  const pi = PI << BigInt(fraction - FRACTION);
  if (inverted) angle = (pi >> 1n) - angle;
  if (x.negative) angle = pi - angle;
  return toWide(angle, fraction);
}

/** atan for 0 < z <= 1: atan z = 4 atan of z halved twice by z / (1 + sqrt(1 + z^2)). */
function atanHalved(z: bigint, fraction: number): bigint {
  const shift = BigInt(fraction);
  const one = 1n << shift;
  for (let i = 0; i < 2; i++) {
    const root = integerSquareRoot((one << shift) + z * z);
    z = (z << shift) / (one + root);
  }
  return atanSeries(z, fraction) << 2n;
}

/** atan of a ratio so small that it is just below the ratio itself. */
function justBelowQuotient(y: Unpacked, x: Unpacked): Wide {
  const dividend = y.significand << 128n;
  let quotient = dividend / x.significand; // 128 or 129 bits
  if (quotient * x.significand === dividend) quotient -= 1n;
  return toWide(quotient, 128 - (y.exponent - x.exponent));
}

function negate(v: bigint, condition: boolean): bigint {
  return condition ? -v : v;
}

interface Reduced {
  readonly quadrant: number;
  /** In -pi/4 to pi/4. */
  readonly rest: bigint;
}

function reduced(x: Unpacked, fraction: number): Reduced {
  if (x.exponent < -2) return { quadrant: 0, rest: x.significand << BigInt(fraction - 63 + x.exponent) };
  const scaled = x.significand << BigInt(x.exponent - 63 + REDUCED_FRACTION);
  const count = (2n * scaled + PI_66) / (2n * PI_66);
  const rest = scaled - count * PI_66;
  return { quadrant: Number(count & 3n), rest: rest << BigInt(fraction - REDUCED_FRACTION) };
}

function sineSeries(x: bigint, fraction: number): bigint {
  return alternatingSeries(x, x, 2n, fraction);
}

function cosineSeries(x: bigint, fraction: number): bigint {
  return alternatingSeries(x, 1n << BigInt(fraction), 1n, fraction);
}

/** first - first x^2/(k(k+1)) + ... */
function alternatingSeries(x: bigint, first: bigint, k: bigint, fraction: number): bigint {
  const shift = BigInt(fraction);
  const square = (x * x) >> shift;
  let term = first;
  let sum = first;
  while (term !== 0n && term !== -1n) {
    term = -((term * square) >> shift) / (k * (k + 1n));
    sum += term;
    k += 2n;
  }
  return sum;
}
