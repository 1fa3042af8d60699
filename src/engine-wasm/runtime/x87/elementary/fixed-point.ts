// Fixed point numbers in BigInt: value * 2^fraction. The elementary functions compute in them with over
// a hundred bits more than a register holds, so that one rounding at the end is (all but never) correct.
// Series constants are computed once when the module loads.

import { bitLength } from '../../softfloat/unpacked.ts';

/** A positive magnitude ready for rounding: significand * 2^(exponent - 127), bit 127 set, bit 0 sticky. */
export interface Wide {
  readonly exponent: number;
  readonly significand: bigint;
}

/** Fraction bits that functions work with unless small arguments need more. */
export const FRACTION = 256;

/** ln 2 with `FRACTION` + 256 fraction bits; shift right for less. */
export const LN2_WIDE = naturalLogOf2(FRACTION + 256);

/** pi with `FRACTION` fraction bits. */
export const PI = machinPi(FRACTION);

/** Normalises a positive fixed point number that stands for an irrational one. */
export function toWide(value: bigint, fraction: number): Wide {
  const bits = bitLength(value);
  const shift = 128 - bits;
  const significand = shift >= 0 ? value << BigInt(shift) : value >> BigInt(-shift);
  return { exponent: bits - 1 - fraction, significand: significand | 1n };
}

/** ln 2 with `fraction` bits, at most 512. */
export function ln2(fraction: number): bigint {
  return LN2_WIDE >> BigInt(FRACTION + 256 - fraction);
}

/** atanh(z) for |z| at most about 1/2. */
export function atanhSeries(z: bigint, fraction: number): bigint {
  return oddSeries(z, fraction, false);
}

/** atan(z) for |z| at most about 1/2. */
export function atanSeries(z: bigint, fraction: number): bigint {
  return oddSeries(z, fraction, true);
}

/** z + z^3/3 + z^5/5 ..., or with alternating signs. */
function oddSeries(z: bigint, fraction: number, alternates: boolean): bigint {
  const shift = BigInt(fraction);
  const square = (z * z) >> shift;
  let power = z;
  let sum = z;
  for (let k = 3n; power !== 0n && power !== -1n; k += 2n) {
    power = (power * square) >> shift;
    if (alternates) power = -power;
    sum += power / k;
  }
  return sum;
}

/** John Machin's formula: pi = 16 atan(1/5) - 4 atan(1/239). */
function machinPi(fraction: number): bigint {
  const guard = fraction + 32;
  const one = 1n << BigInt(guard);
  return (16n * atanSeries(one / 5n, guard) - 4n * atanSeries(one / 239n, guard)) >> 32n;
}

/** ln 2 = 18 atanh(1/26) - 2 atanh(1/4801) + 8 atanh(1/8749). */
function naturalLogOf2(fraction: number): bigint {
  const guard = fraction + 32;
  const one = 1n << BigInt(guard);
  const sum =
    18n * atanhSeries(one / 26n, guard) - 2n * atanhSeries(one / 4801n, guard) + 8n * atanhSeries(one / 8749n, guard);
  return sum >> 32n;
}
