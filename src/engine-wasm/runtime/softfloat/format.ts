// The formats that results are rounded to. Intel SDM vol. 1, table 4-2 and section 8.1.5.2: x87
// precision control shortens the significand of a register but leaves its exponent range alone.

/** Where rounding cuts a significand and which exponents a normal number may have. */
export interface Format {
  /** Bits of the significand, leading one included. */
  readonly precision: number;
  /** Exponent of the smallest normal number. */
  readonly minExponent: number;
  /** Exponent of the largest finite number. */
  readonly maxExponent: number;
}

/** Single precision. */
export const BINARY32: Format = { precision: 24, minExponent: -126, maxExponent: 127 };

/** Double precision. */
export const BINARY64: Format = { precision: 53, minExponent: -1022, maxExponent: 1023 };

/** x87 register. */
export const EXTENDED: Format = { precision: 64, minExponent: -16382, maxExponent: 16383 };

/** x87 register under the precision control field of FCW (0 to 3; 1 is reserved and acts as 3). */
export const EXTENDED_BY_PRECISION_CONTROL: readonly Format[] = [
  { ...EXTENDED, precision: 24 },
  EXTENDED,
  { ...EXTENDED, precision: 53 },
  EXTENDED,
];
