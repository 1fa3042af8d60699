// Exact remainder in steps, as fprem and fprem1 do it: when the exponents are 64 or more apart, one
// step lowers the difference by 32 to 63 and says that more is needed. Intel SDM vol. 2A, FPREM.

import { finite, fromScaledInteger, zero } from './unpacked.ts';
import type { Unpacked } from './unpacked.ts';

/** One step of a remainder. */
export interface RemainderStep {
  readonly remainder: Unpacked;
  /** Low three bits of the quotient; 0 while incomplete. */
  readonly quotient: number;
  /** The remainder needs further steps. */
  readonly incomplete: boolean;
}

/**
 * One step of x mod y, both finite and not zero.
 * @param nearest - quotient rounded to nearest (fprem1, IEEE 754) instead of truncated (fprem)
 */
export function remainderStep(x: Unpacked, y: Unpacked, nearest: boolean): RemainderStep {
  const difference = x.exponent - y.exponent;
  if (difference < -1 || (difference < 0 && !nearest)) return { remainder: x, quotient: 0, incomplete: false };
  if (difference >= 64) {
    const step = 32 + (difference % 32); // what Intel's CPUs do within the 32 to 63 that are allowed
    const rest = (x.significand << BigInt(step)) % y.significand;
    const scale = y.exponent + difference - step - 63;
    return { remainder: fromRest(x, rest, scale), quotient: 0, incomplete: true };
  }
  // Both significands in units of the smaller exponent.
  const dividend = difference >= 0 ? x.significand << BigInt(difference) : x.significand;
  const divisor = difference >= 0 ? y.significand : y.significand << 1n;
  const scale = Math.min(x.exponent, y.exponent) - 63;
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  let negative = x.negative;
  if (nearest && (2n * rest > divisor || (2n * rest === divisor && (quotient & 1n) !== 0n))) {
    quotient += 1n;
    rest = divisor - rest;
    negative = !negative;
  }
  const low = Number(quotient & 7n);
  if (rest === 0n) return { remainder: zero(x.negative), quotient: low, incomplete: false };
  const value = fromScaledInteger(negative, rest, scale);
  return { remainder: finite(negative, value.exponent, value.significand), quotient: low, incomplete: false };
}

function fromRest(x: Unpacked, rest: bigint, scale: number): Unpacked {
  return rest === 0n ? zero(x.negative) : fromScaledInteger(x.negative, rest, scale);
}
