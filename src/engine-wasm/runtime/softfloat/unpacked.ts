// The one representation that all arithmetic works on, whatever format a value came from: class, sign,
// unbounded exponent and a 64-bit significand with its leading one at bit 63. Codecs in `codec.ts` make
// it from register bits; rounding in `round.ts` brings it back into a format's range.

/** Class of a value. */
export const FloatKind = {
  ZERO: 0,
  FINITE: 1,
  INFINITY: 2,
  QUIET_NAN: 3,
  SIGNALLING_NAN: 4,
  /** An 80-bit encoding that means nothing since the 80387: unnormal, pseudo-infinity, pseudo-NaN. */
  UNSUPPORTED: 5,
} as const;

/** A value out of its format. */
export interface Unpacked {
  /** One of `FloatKind`. */
  readonly kind: number;
  readonly negative: boolean;
  /** FINITE: the value is significand * 2^(exponent - 63). */
  readonly exponent: number;
  /** FINITE: bit 63 is set. NaN: integer bit at 63, quiet bit at 62, payload below, left aligned. */
  readonly significand: bigint;
  /** Was subnormal (or pseudo-denormal) in its format: raises DE when an operation reads it. */
  readonly denormal: boolean;
}

/** Bit 63: the leading one of a significand. */
export const TOP_BIT = 1n << 63n;

/** Bit 62: set in a quiet NaN. */
export const QUIET_BIT = 1n << 62n;

/** Makes a finite value; the significand has bit 63 set. */
export function finite(negative: boolean, exponent: number, significand: bigint): Unpacked {
  return { kind: FloatKind.FINITE, negative, exponent, significand, denormal: false };
}

/** A zero of either sign. */
export function zero(negative: boolean): Unpacked {
  return { kind: FloatKind.ZERO, negative, exponent: 0, significand: 0n, denormal: false };
}

/** An infinity of either sign. */
export function infinity(negative: boolean): Unpacked {
  return { kind: FloatKind.INFINITY, negative, exponent: 0, significand: TOP_BIT, denormal: false };
}

/** The QNaN that masked invalid operations give: negative, no payload. Intel SDM vol. 1, table 4-3. */
export const DEFAULT_NAN: Unpacked = {
  kind: FloatKind.QUIET_NAN,
  negative: true,
  exponent: 0,
  significand: TOP_BIT | QUIET_BIT,
  denormal: false,
};

/** +1. */
export const ONE: Unpacked = finite(false, 0, TOP_BIT);

/** Whether `x` is a NaN of either sort. */
export function isNan(x: Unpacked): boolean {
  return x.kind === FloatKind.QUIET_NAN || x.kind === FloatKind.SIGNALLING_NAN;
}

/** The NaN `x` with its quiet bit set. */
export function quieted(x: Unpacked): Unpacked {
  return x.kind === FloatKind.QUIET_NAN
    ? x
    : { ...x, kind: FloatKind.QUIET_NAN, significand: x.significand | QUIET_BIT };
}

/** `x` with the other sign. */
export function negated(x: Unpacked): Unpacked {
  return { ...x, negative: !x.negative };
}

/** Number of leading zero bits of a 64-bit value; 64 for 0. */
export function countLeadingZeros(x: bigint): number {
  const hi = Number(x >> 32n);
  return hi !== 0 ? Math.clz32(hi) : 32 + Math.clz32(Number(x & 0xffffffffn));
}

/** Number of bits of a non-negative value of any size; 0 for 0. */
export function bitLength(x: bigint): number {
  if (x === 0n) return 0;
  const digits = x.toString(16);
  return digits.length * 4 - Math.clz32(parseInt(digits.charAt(0), 16)) + 28;
}

/** A finite value from an integer of any size scaled by 2^scale, exactly; needs at most 64 significant bits. */
export function fromScaledInteger(negative: boolean, magnitude: bigint, scale: number): Unpacked {
  if (magnitude === 0n) return zero(negative);
  const bits = bitLength(magnitude);
  const significand = bits <= 64 ? magnitude << BigInt(64 - bits) : magnitude >> BigInt(bits - 64);
  return finite(negative, scale + bits - 1, significand);
}
