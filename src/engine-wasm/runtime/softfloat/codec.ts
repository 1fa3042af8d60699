// Between register bits and `Unpacked`: binary32, binary64 and the 80-bit format with its explicit
// integer bit. Unpacking knows every encoding, the meaningless ones of the 80-bit format too; packing
// expects a value that rounding has brought into range. Intel SDM vol. 1, sections 4.2.2 and 8.2.2.

import { BINARY32, BINARY64, EXTENDED } from './format.ts';
import { countLeadingZeros, DEFAULT_NAN, FloatKind, QUIET_BIT, TOP_BIT, zero } from './unpacked.ts';
import type { Unpacked } from './unpacked.ts';

const EXTENDED_EXPONENT_MASK = 0x7fff;
const EXTENDED_BIAS = 16383;

/** Reads a binary32. @param bits - u32 or i32 */
export function unpack32(bits: number): Unpacked {
  const negative = bits < 0 || bits > 0x7fffffff;
  const field = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (field === 0) {
    if (fraction === 0) return zero(negative);
    const shift = Math.clz32(fraction) - 8;
    return {
      kind: FloatKind.FINITE,
      negative,
      exponent: BINARY32.minExponent - shift,
      significand: BigInt(fraction * 2 ** shift) << 40n,
      denormal: true,
    };
  }
  const significand = BigInt(0x800000 | fraction) << 40n;
  if (field === 0xff) return special(negative, significand);
  return { kind: FloatKind.FINITE, negative, exponent: field - 127, significand, denormal: false };
}

/** Reads a binary64. @param bits - u64 */
export function unpack64(bits: bigint): Unpacked {
  const negative = bits >> 63n !== 0n;
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  if (field === 0) {
    if (fraction === 0n) return zero(negative);
    const shift = countLeadingZeros(fraction) - 11;
    return {
      kind: FloatKind.FINITE,
      negative,
      exponent: BINARY64.minExponent - shift,
      significand: fraction << BigInt(shift + 11),
      denormal: true,
    };
  }
  const significand = (0x10000000000000n | fraction) << 11n;
  if (field === 0x7ff) return special(negative, significand);
  return { kind: FloatKind.FINITE, negative, exponent: field - 1023, significand, denormal: false };
}

/**
 * Reads an 80-bit value.
 * @param significand - u64
 * @param signExponent - u16: sign at bit 15, biased exponent below
 */
export function unpack80(significand: bigint, signExponent: number): Unpacked {
  const negative = (signExponent & 0x8000) !== 0;
  const field = signExponent & EXTENDED_EXPONENT_MASK;
  const integerBit = significand >> 63n !== 0n;
  if (field === 0) {
    if (significand === 0n) return zero(negative);
    const zeros = countLeadingZeros(significand); // none in a pseudo-denormal
    return {
      kind: FloatKind.FINITE,
      negative,
      exponent: EXTENDED.minExponent - zeros,
      significand: significand << BigInt(zeros),
      denormal: true,
    };
  }
  if (!integerBit) return { kind: FloatKind.UNSUPPORTED, negative, exponent: 0, significand, denormal: false };
  if (field === EXTENDED_EXPONENT_MASK) return special(negative, significand);
  return { kind: FloatKind.FINITE, negative, exponent: field - EXTENDED_BIAS, significand, denormal: false };
}

/** The bits of a binary32 as u32. `x` is in range and not unsupported. */
export function pack32(x: Unpacked): number {
  const sign = x.negative ? 0x80000000 : 0;
  switch (x.kind) {
    case FloatKind.ZERO:
      return sign;
    case FloatKind.INFINITY:
      return sign + 0x7f800000;
    case FloatKind.FINITE:
      break;
    default:
      return sign + 0x7f800000 + (Number(x.significand >> 40n) & 0x7fffff);
  }
  if (x.exponent < BINARY32.minExponent) {
    return sign + Number(x.significand >> BigInt(40 + BINARY32.minExponent - x.exponent));
  }
  return sign + (x.exponent + 127) * 0x800000 + (Number(x.significand >> 40n) & 0x7fffff);
}

/** The bits of a binary64 as u64. `x` is in range and not unsupported. */
export function pack64(x: Unpacked): bigint {
  const sign = x.negative ? TOP_BIT : 0n;
  switch (x.kind) {
    case FloatKind.ZERO:
      return sign;
    case FloatKind.INFINITY:
      return sign | 0x7ff0000000000000n;
    case FloatKind.FINITE:
      break;
    default:
      return sign | 0x7ff0000000000000n | BigInt.asUintN(52, x.significand >> 11n);
  }
  if (x.exponent < BINARY64.minExponent) {
    return sign | (x.significand >> BigInt(11 + BINARY64.minExponent - x.exponent));
  }
  return sign | (BigInt(x.exponent + 1023) << 52n) | BigInt.asUintN(52, x.significand >> 11n);
}

/** The significand of `x` in the 80-bit format. */
export function significand80(x: Unpacked): bigint {
  if (x.kind === FloatKind.FINITE && x.exponent < EXTENDED.minExponent) {
    return x.significand >> BigInt(EXTENDED.minExponent - x.exponent);
  }
  return x.kind === FloatKind.UNSUPPORTED ? DEFAULT_NAN.significand : x.significand;
}

/** Sign and biased exponent of `x` in the 80-bit format, as u16. */
export function signExponent80(x: Unpacked): number {
  const sign = x.negative ? 0x8000 : 0;
  if (x.kind === FloatKind.ZERO) return sign;
  if (x.kind !== FloatKind.FINITE) return sign | EXTENDED_EXPONENT_MASK;
  return x.exponent < EXTENDED.minExponent ? sign : sign | (x.exponent + EXTENDED_BIAS);
}

function special(negative: boolean, significand: bigint): Unpacked {
  let kind: number = FloatKind.INFINITY;
  if (significand !== TOP_BIT) {
    kind = (significand & QUIET_BIT) !== 0n ? FloatKind.QUIET_NAN : FloatKind.SIGNALLING_NAN;
  }
  return { kind, negative, exponent: 0, significand, denormal: false };
}
