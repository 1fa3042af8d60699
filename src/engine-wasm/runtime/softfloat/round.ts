// Rounding: the last step of every operation. Takes an exact (or sticky) 128-bit significand with an
// unbounded exponent and gives the nearest value of a format in the rounding mode of the context, with
// the masked and unmasked responses of the CPU. Tininess is detected after rounding on both x87 and SSE.
// Intel SDM vol. 1, sections 4.9.1.4 to 4.9.1.6, 8.5.4 and 8.5.5.

import { FloatFlag, Rounding } from './context.ts';
import type { FloatContext } from './context.ts';
import type { Format } from './format.ts';
import { countLeadingZeros, finite, infinity, zero } from './unpacked.ts';
import type { Unpacked } from './unpacked.ts';

/** Bits of a significand before rounding. */
const WIDE = 128;

/**
 * Rounds (-1)^negative * wide * 2^(exponent - 127) into a format, raising OE, UE and PE.
 * @param wide - significand with bit 127 set; bit 0 is sticky when the exact value has more bits
 */
export function round(
  context: FloatContext,
  format: Format,
  negative: boolean,
  exponent: number,
  wide: bigint,
): Unpacked {
  const { precision, minExponent, maxExponent } = format;
  context.roundedUp = false;
  let significand = cut(context, negative, wide, WIDE - precision);
  let inexact = significand !== wide;
  let resultExponent = exponent;
  if (significand >> 128n !== 0n) {
    significand >>= 1n;
    resultExponent++;
  }
  if (resultExponent > maxExponent) return overflow(context, format, negative, resultExponent, significand, inexact);
  if (resultExponent < minExponent) {
    if ((context.masks & FloatFlag.UNDERFLOW) === 0) {
      context.flags |= FloatFlag.UNDERFLOW | (inexact ? FloatFlag.INEXACT : 0);
      return wrapped(context, format, negative, resultExponent + context.exponentWrap, significand);
    }
    if (context.flushToZero) {
      context.flags |= FloatFlag.UNDERFLOW | FloatFlag.INEXACT;
      return zero(negative);
    }
    // From the unrounded value again: the cut is now at the last place of a subnormal.
    const shifted = shiftRightSticky(wide, minExponent - exponent);
    significand = cut(context, negative, shifted, WIDE - precision);
    inexact = significand !== shifted;
    if (inexact) context.flags |= FloatFlag.UNDERFLOW | FloatFlag.INEXACT;
    if (significand === 0n) return zero(negative);
    return normalised(negative, minExponent, significand);
  }
  if (inexact) context.flags |= FloatFlag.INEXACT;
  return finite(negative, resultExponent, significand >> 64n);
}

/** Shifts right, keeping in bit 0 whether a one was lost. */
export function shiftRightSticky(x: bigint, count: number): bigint {
  if (count <= 0) return x;
  const distance = BigInt(count);
  const shifted = x >> distance;
  return shifted << distance === x ? shifted : shifted | 1n;
}

/** Clears the low `drop` bits after rounding; records whether the magnitude went up. */
function cut(context: FloatContext, negative: boolean, wide: bigint, drop: number): bigint {
  const distance = BigInt(drop);
  const rest = BigInt.asUintN(drop, wide);
  if (rest === 0n) {
    context.roundedUp = false;
    return wide;
  }
  const kept = wide >> distance;
  context.roundedUp = goesUp(context.rounding, negative, kept, rest, 1n << (distance - 1n));
  return (context.roundedUp ? kept + 1n : kept) << distance;
}

/** Whether a magnitude with discarded bits `rest` (not 0) is rounded away from zero. */
export function goesUp(rounding: number, negative: boolean, kept: bigint, rest: bigint, half: bigint): boolean {
  switch (rounding) {
    case Rounding.NEAREST:
      return rest > half || (rest === half && (kept & 1n) !== 0n);
    case Rounding.DOWN:
      return negative;
    case Rounding.UP:
      return !negative;
    default:
      return false;
  }
}

function overflow(
  context: FloatContext,
  format: Format,
  negative: boolean,
  exponent: number,
  significand: bigint,
  inexact: boolean,
): Unpacked {
  context.flags |= FloatFlag.OVERFLOW;
  if ((context.masks & FloatFlag.OVERFLOW) === 0) {
    if (inexact) context.flags |= FloatFlag.INEXACT;
    return wrapped(context, format, negative, exponent - context.exponentWrap, significand);
  }
  context.flags |= FloatFlag.INEXACT;
  const toInfinity =
    context.rounding === Rounding.NEAREST || context.rounding === (negative ? Rounding.DOWN : Rounding.UP);
  context.roundedUp = toInfinity;
  if (toInfinity) return infinity(negative);
  const allOnes = (1n << 64n) - (1n << BigInt(64 - format.precision));
  return finite(negative, format.maxExponent, allOnes);
}

/** The result of an unmasked overflow or underflow, its exponent wrapped; fscale can leave even that range. */
function wrapped(
  context: FloatContext,
  format: Format,
  negative: boolean,
  exponent: number,
  significand: bigint,
): Unpacked {
  if (context.exponentWrap !== 0) {
    if (exponent > format.maxExponent || exponent < format.minExponent) {
      context.flags |= FloatFlag.INEXACT;
      context.roundedUp = exponent > format.maxExponent;
      return context.roundedUp ? infinity(negative) : zero(negative);
    }
  }
  return finite(negative, exponent, significand >> 64n);
}

/** A value whose 128-bit significand may have leading zeros. */
function normalised(negative: boolean, exponent: number, wide: bigint): Unpacked {
  const significand = wide >> 64n;
  const zeros = countLeadingZeros(significand);
  return finite(negative, exponent - zeros, significand << BigInt(zeros));
}
