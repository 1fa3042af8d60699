// Sum, difference, product, quotient, square root. Operands are zeros, finite values and infinities;
// NaNs and unsupported encodings are the front end's business, because x87 and SSE choose differently.
// Invalid combinations raise IE and give the default NaN.

import { FloatFlag, Rounding } from './context.ts';
import type { FloatContext } from './context.ts';
import type { Format } from './format.ts';
import { round, shiftRightSticky } from './round.ts';
import { bitLength, countLeadingZeros, DEFAULT_NAN, FloatKind, infinity, negated, zero } from './unpacked.ts';
import type { Unpacked } from './unpacked.ts';

/** An operation on two values that are not NaN. */
export type BinaryOperation = (context: FloatContext, format: Format, x: Unpacked, y: Unpacked) => Unpacked;

/** x + y */
export function add(context: FloatContext, format: Format, x: Unpacked, y: Unpacked): Unpacked {
  if (x.kind === FloatKind.INFINITY) {
    return y.kind === FloatKind.INFINITY && x.negative !== y.negative ? invalid(context) : x;
  }
  if (y.kind === FloatKind.INFINITY) return y;
  if (x.kind === FloatKind.ZERO) {
    if (y.kind !== FloatKind.ZERO) return roundExact(context, format, y);
    return x.negative === y.negative ? x : zero(context.rounding === Rounding.DOWN);
  }
  if (y.kind === FloatKind.ZERO) return roundExact(context, format, x);
  if (x.exponent < y.exponent || (x.exponent === y.exponent && x.significand < y.significand))
    return addOrdered(context, format, y, x);
  return addOrdered(context, format, x, y);
}

/** x - y */
export function subtract(context: FloatContext, format: Format, x: Unpacked, y: Unpacked): Unpacked {
  return add(context, format, x, negated(y));
}

/** x * y */
export function multiply(context: FloatContext, format: Format, x: Unpacked, y: Unpacked): Unpacked {
  const negative = x.negative !== y.negative;
  if (x.kind === FloatKind.INFINITY || y.kind === FloatKind.INFINITY) {
    return x.kind === FloatKind.ZERO || y.kind === FloatKind.ZERO ? invalid(context) : infinity(negative);
  }
  if (x.kind === FloatKind.ZERO || y.kind === FloatKind.ZERO) return zero(negative);
  const product = x.significand * y.significand;
  const exponent = x.exponent + y.exponent;
  return product >> 127n !== 0n
    ? round(context, format, negative, exponent + 1, product)
    : round(context, format, negative, exponent, product << 1n);
}

/** x / y; raises ZE for a finite x over zero. */
export function divide(context: FloatContext, format: Format, x: Unpacked, y: Unpacked): Unpacked {
  const negative = x.negative !== y.negative;
  if (x.kind === FloatKind.INFINITY) return y.kind === FloatKind.INFINITY ? invalid(context) : infinity(negative);
  if (y.kind === FloatKind.INFINITY) return zero(negative);
  if (y.kind === FloatKind.ZERO) {
    if (x.kind === FloatKind.ZERO) return invalid(context);
    context.flags |= FloatFlag.ZERO_DIVIDE;
    return infinity(negative);
  }
  if (x.kind === FloatKind.ZERO) return zero(negative);
  const dividend = x.significand << 66n;
  let quotient = dividend / y.significand;
  if (quotient * y.significand !== dividend) quotient |= 1n; // sticky: 66 bits are more than any format rounds at
  const exponent = x.exponent - y.exponent;
  return quotient >> 66n !== 0n
    ? round(context, format, negative, exponent, quotient << 61n)
    : round(context, format, negative, exponent - 1, quotient << 62n);
}

/** The square root of x. */
export function squareRoot(context: FloatContext, format: Format, x: Unpacked): Unpacked {
  if (x.kind === FloatKind.ZERO) return x;
  if (x.negative) return invalid(context);
  if (x.kind === FloatKind.INFINITY) return x;
  // value = radicand * 2^(exponent - 133) with the exponent made even, so that the root has 67 bits.
  const odd = (x.exponent & 1) !== 0;
  const radicand = x.significand << (odd ? 70n : 69n);
  let root = integerSquareRoot(radicand);
  if (root * root !== radicand) root |= 1n;
  return round(context, format, false, (odd ? x.exponent - 1 : x.exponent) / 2, root << 61n);
}

/** Rounds a finite value (zero and infinity pass) into a format. */
export function roundExact(context: FloatContext, format: Format, x: Unpacked): Unpacked {
  return x.kind === FloatKind.FINITE ? round(context, format, x.negative, x.exponent, x.significand << 64n) : x;
}

/** The largest integer whose square is not above `n`. */
export function integerSquareRoot(n: bigint): bigint {
  if (n === 0n) return 0n;
  const bits = bitLength(n);
  const drop = Math.max(0, bits - 52 + (bits & 1)); // even, so that the root scales by an integer
  let root = (BigInt(Math.floor(Math.sqrt(Number(n >> BigInt(drop))))) + 1n) << BigInt(drop / 2);
  for (;;) {
    const next = (root + n / root) >> 1n; // Newton from above falls until it is there
    if (next >= root) return root;
    root = next;
  }
}

/** Raises IE. */
export function invalid(context: FloatContext): Unpacked {
  context.flags |= FloatFlag.INVALID;
  return DEFAULT_NAN;
}

/** Adds two finite values of which the first has the larger magnitude. */
function addOrdered(context: FloatContext, format: Format, x: Unpacked, y: Unpacked): Unpacked {
  const large = x.significand << 63n; // one bit of room for the carry
  const small = shiftRightSticky(y.significand << 63n, x.exponent - y.exponent);
  if (x.negative === y.negative) {
    const sum = large + small;
    return sum >> 127n !== 0n
      ? round(context, format, x.negative, x.exponent + 1, sum)
      : round(context, format, x.negative, x.exponent, sum << 1n);
  }
  const difference = large - small;
  if (difference === 0n) return zero(context.rounding === Rounding.DOWN);
  const high = difference >> 63n;
  const zeros = high !== 0n ? countLeadingZeros(high) : 64 + countLeadingZeros(difference << 1n);
  return round(context, format, x.negative, x.exponent - zeros, difference << BigInt(zeros + 1));
}
