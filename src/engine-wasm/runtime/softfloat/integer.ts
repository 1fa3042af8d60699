// Rounding to an integral value, and conversion to and from two's complement integers.

import { FloatFlag } from './context.ts';
import type { FloatContext } from './context.ts';
import { goesUp, shiftRightSticky } from './round.ts';
import { finite, FloatKind, fromScaledInteger, TOP_BIT, zero } from './unpacked.ts';
import type { Unpacked } from './unpacked.ts';

/** What conversion to an integer gives beside a number. */
export interface IntegerConversion {
  /** Rounded magnitude; meaningless when `overflow`. */
  readonly magnitude: bigint;
  /** 2^64 or more, infinite or NaN. */
  readonly overflow: boolean;
  readonly inexact: boolean;
  readonly roundedUp: boolean;
}

const OVERFLOW: IntegerConversion = { magnitude: 0n, overflow: true, inexact: false, roundedUp: false };

/** The magnitude of x rounded to an integer under `rounding`; raises nothing. */
export function roundedMagnitude(rounding: number, x: Unpacked): IntegerConversion {
  if (x.kind === FloatKind.ZERO) return { magnitude: 0n, overflow: false, inexact: false, roundedUp: false };
  if (x.kind !== FloatKind.FINITE || x.exponent > 63) return OVERFLOW;
  const wide = shiftRightSticky(x.significand << 64n, 63 - x.exponent); // integer part above bit 64
  const kept = wide >> 64n;
  const rest = BigInt.asUintN(64, wide);
  const inexact = rest !== 0n;
  const roundedUp = inexact && goesUp(rounding, x.negative, kept, rest, TOP_BIT);
  return { magnitude: roundedUp ? kept + 1n : kept, overflow: false, inexact, roundedUp };
}

/**
 * Converts to a two's complement integer; out of range (NaN too) raises IE.
 * @param bits - width of the integer
 * @returns the integer as unsigned bits; the integer indefinite (only the sign bit set) when invalid
 */
export function toInteger(context: FloatContext, rounding: number, x: Unpacked, bits: number): bigint {
  const { magnitude, overflow, inexact, roundedUp } = roundedMagnitude(rounding, x);
  const limit = 1n << BigInt(bits - 1);
  context.roundedUp = false;
  if (overflow || magnitude > limit || (magnitude === limit && !x.negative)) {
    context.flags |= FloatFlag.INVALID;
    return limit;
  }
  if (inexact) context.flags |= FloatFlag.INEXACT;
  context.roundedUp = roundedUp;
  return BigInt.asUintN(bits, x.negative ? -magnitude : magnitude);
}

/** A signed integer of at most 64 bits as a value, exactly. */
export function fromInteger(n: bigint): Unpacked {
  return n < 0n ? fromScaledInteger(true, -n, 0) : fromScaledInteger(false, n, 0);
}

/** Rounds to an integral value; NaNs and infinities pass. @param quiet - do not raise PE */
export function roundToIntegral(context: FloatContext, rounding: number, x: Unpacked, quiet: boolean): Unpacked {
  context.roundedUp = false;
  if (x.kind !== FloatKind.FINITE || x.exponent >= 63) return x;
  const { magnitude, inexact, roundedUp } = roundedMagnitude(rounding, x);
  if (!inexact) return x;
  if (!quiet) context.flags |= FloatFlag.INEXACT;
  context.roundedUp = roundedUp;
  if (magnitude === 0n) return zero(x.negative);
  const result = fromScaledInteger(x.negative, magnitude, 0);
  return finite(x.negative, result.exponent, result.significand);
}
