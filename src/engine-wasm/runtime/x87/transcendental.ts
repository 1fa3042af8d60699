// fsin, fcos, fsincos, fptan, fpatan, f2xm1, fyl2x, fyl2xp1: special operands here, values from `elementary/`.
// A computed result raises PE even when it happens to be exact, as on the CPU; precision control has no say.
// Intel SDM vol. 2A, the instructions' pages.

import { invalid, multiply } from '../softfloat/arithmetic.ts';
import { FloatFlag } from '../softfloat/context.ts';
import { EXTENDED } from '../softfloat/format.ts';
import { round } from '../softfloat/round.ts';
import { DEFAULT_NAN, FloatKind, infinity, ONE, zero } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper } from '../state.ts';
import { exp2Minus1, log2, log2OfOnePlus } from './elementary/exponential.ts';
import type { Logarithm } from './elementary/exponential.ts';
import { FRACTION, PI, toWide } from './elementary/fixed-point.ts';
import type { Wide } from './elementary/fixed-point.ts';
import { arcTangent, isTiny, signed, sineCosine } from './elementary/trigonometric.ts';
import type { SineCosine } from './elementary/trigonometric.ts';
import { waiting } from './fpu.ts';
import type { Fpu } from './fpu.ts';
import { Fsw } from './fsw.ts';
import { binary, deliverUnderflow, noteDenormal, unary, unaryNan } from './operands.ts';

/** Arguments of 2^63 and above are out of range: C2 is set and nothing else happens. */
const RANGE_EXPONENT = 63;

/** Transcendental helpers, by name. */
export const TRANSCENDENTAL: Readonly<Record<string, Helper>> = {
  'x87.f2xm1': waiting(unary(exponential)),
  'x87.fsin': waiting((fpu) => circular(fpu, sine)),
  'x87.fcos': waiting((fpu) => circular(fpu, cosine)),
  'x87.fsincos': waiting((fpu) => circularPair(fpu, sine, cosine)),
  'x87.fptan': waiting((fpu) => circularPair(fpu, tangent, () => ONE)),
  'x87.fpatan': waiting((fpu) => intoSt1(fpu, angle)),
  'x87.fyl2x': waiting((fpu) => intoSt1(fpu, logarithm)),
  'x87.fyl2xp1': waiting((fpu) => intoSt1(fpu, logarithmOfOnePlus)),
};

/** Bits that the CPU seems to compute before it rounds: an argument too small to change them gives an exact result. */
const INTERNAL_PRECISION = 80;

function rounded(fpu: Fpu, negative: boolean, { exponent, significand }: Wide): Unpacked {
  const drop = BigInt(128 - INTERNAL_PRECISION);
  const internal = (significand + (1n << (drop - 1n))) >> drop;
  const carried = internal >> BigInt(INTERNAL_PRECISION) !== 0n;
  const result = round(
    fpu.context,
    EXTENDED,
    negative,
    carried ? exponent + 1 : exponent,
    carried ? 1n << 127n : internal << drop,
  );
  fpu.context.flags |= FloatFlag.INEXACT;
  const isSubnormal = result.kind === FloatKind.FINITE && result.exponent < EXTENDED.minExponent;
  if (isSubnormal) fpu.context.flags |= FloatFlag.UNDERFLOW;
  return result;
}

function exponential(fpu: Fpu, x: Unpacked): Unpacked {
  if (x.kind === FloatKind.ZERO) return x;
  if (x.kind === FloatKind.INFINITY) return x.negative ? { ...ONE, negative: true } : x;
  if (x.exponent >= 0) return outOfDomain(fpu, x);
  return rounded(fpu, x.negative, exp2Minus1(x));
}

/** f2xm1 beyond -1 to 1, where the manual promises nothing: what the CPU gives. */
function outOfDomain(fpu: Fpu, x: Unpacked): Unpacked {
  fpu.context.flags |= FloatFlag.INEXACT;
  if (x.exponent === 0 && x.significand === ONE.significand && x.negative)
    return { ...ONE, negative: true, exponent: -1 };
  return x;
}

type Circular = (fpu: Fpu, x: Unpacked, values: SineCosine | undefined) => Unpacked;

function sine(fpu: Fpu, x: Unpacked, values: SineCosine | undefined): Unpacked {
  if (x.kind === FloatKind.ZERO) return x;
  if (values === undefined)
    return rounded(fpu, x.negative, { exponent: x.exponent, significand: x.significand << 64n });
  const result = signed(values.sine, values.fraction);
  return rounded(fpu, result.negative, result);
}

function cosine(fpu: Fpu, x: Unpacked, values: SineCosine | undefined): Unpacked {
  if (x.kind === FloatKind.ZERO) return ONE;
  if (values === undefined) return rounded(fpu, false, { exponent: 0, significand: 1n << 127n });
  const result = signed(values.cosine, values.fraction);
  return rounded(fpu, result.negative, result);
}

function tangent(fpu: Fpu, x: Unpacked, values: SineCosine | undefined): Unpacked {
  if (x.kind === FloatKind.ZERO) return x;
  if (values === undefined)
    return rounded(fpu, x.negative, { exponent: x.exponent, significand: x.significand << 64n });
  const result = signed((values.sine << BigInt(values.fraction + 64)) / values.cosine, values.fraction + 64);
  return rounded(fpu, result.negative, result);
}

function isOutOfRange(x: Unpacked): boolean {
  return x.kind === FloatKind.FINITE && x.exponent >= RANGE_EXPONENT;
}

function valuesOf(x: Unpacked): SineCosine | undefined {
  return x.kind === FloatKind.ZERO || isTiny(x) ? undefined : sineCosine(x);
}

function circular(fpu: Fpu, result: Circular): void {
  fpu.setCodes(Fsw.C2, 0);
  if (!fpu.isEmpty(0) && isOutOfRange(fpu.read(0))) {
    fpu.setCodes(0, Fsw.C2);
    return;
  }
  unary((one, x) => (x.kind === FloatKind.INFINITY ? invalid(one.context) : result(one, x, valuesOf(x))))(fpu);
}

/** Replaces ST(0) by one function of it and pushes another. */
function circularPair(fpu: Fpu, first: Circular, second: Circular): void {
  fpu.setCodes(Fsw.C2, 0);
  if (fpu.isEmpty(0) || !fpu.isEmpty(-1)) {
    if (fpu.isEmpty(0) ? fpu.underflow() : fpu.overflow()) {
      fpu.write(0, DEFAULT_NAN);
      fpu.push(DEFAULT_NAN);
    }
    return;
  }
  const x = fpu.read(0);
  if (isOutOfRange(x)) {
    fpu.setCodes(0, Fsw.C2);
    return;
  }
  const nan = x.kind === FloatKind.INFINITY ? invalid(fpu.context) : unaryNan(fpu, x);
  if (nan === undefined) noteDenormal(fpu, x);
  if (fpu.isBlocked()) return;
  const values = nan === undefined ? valuesOf(x) : undefined;
  fpu.write(0, nan ?? first(fpu, x, values));
  fpu.push(nan ?? second(fpu, x, values));
}

/** ST(1) becomes a function of ST(0) and ST(1), then ST(0) is popped. */
function intoSt1(fpu: Fpu, operation: (fpu: Fpu, x: Unpacked, y: Unpacked) => Unpacked): void {
  if (fpu.isEmpty(0) || fpu.isEmpty(1)) deliverUnderflow(fpu, 1, true);
  else binary(fpu, operation, fpu.read(0), fpu.read(1), 1, true);
}

/** The angle of the point (x, y). Intel SDM vol. 2A, table 3-31. */
function angle(fpu: Fpu, x: Unpacked, y: Unpacked): Unpacked {
  if (y.kind === FloatKind.ZERO || (x.kind === FloatKind.INFINITY && y.kind !== FloatKind.INFINITY)) {
    return x.negative ? rounded(fpu, y.negative, toWide(PI, FRACTION)) : zero(y.negative);
  }
  if (y.kind === FloatKind.INFINITY && x.kind === FloatKind.INFINITY) {
    const quarter = PI >> 2n;
    return rounded(fpu, y.negative, toWide(x.negative ? 3n * quarter : quarter, FRACTION));
  }
  if (y.kind === FloatKind.INFINITY || x.kind === FloatKind.ZERO)
    return rounded(fpu, y.negative, toWide(PI >> 1n, FRACTION));
  return rounded(fpu, y.negative, arcTangent(y, x));
}

/** y log2(x). Intel SDM vol. 2A, table 3-58. */
function logarithm(fpu: Fpu, x: Unpacked, y: Unpacked): Unpacked {
  if (x.kind === FloatKind.ZERO) {
    if (y.kind === FloatKind.ZERO) return invalid(fpu.context);
    if (y.kind === FloatKind.FINITE) fpu.context.flags |= FloatFlag.ZERO_DIVIDE;
    return infinity(!y.negative);
  }
  if (x.negative) return invalid(fpu.context);
  if (x.kind === FloatKind.INFINITY) return multiply(fpu.context, EXTENDED, x, y);
  return timesLogarithm(fpu, log2(x), y);
}

/** y log2(x + 1). Intel SDM vol. 2A, table 3-59. */
function logarithmOfOnePlus(fpu: Fpu, x: Unpacked, y: Unpacked): Unpacked {
  if (x.kind === FloatKind.ZERO)
    return y.kind === FloatKind.INFINITY ? invalid(fpu.context) : zero(x.negative !== y.negative);
  if (x.kind === FloatKind.INFINITY) return x.negative ? invalid(fpu.context) : multiply(fpu.context, EXTENDED, x, y);
  if (x.negative && x.exponent >= 0) {
    if (y.kind !== FloatKind.FINITE) return { ...y, negative: !y.negative };
    fpu.context.flags |= FloatFlag.INEXACT; // beyond the domain: what the CPU gives
    return x;
  }
  return timesLogarithm(fpu, log2OfOnePlus(x), y);
}

function timesLogarithm(fpu: Fpu, { value, fraction }: Logarithm, y: Unpacked): Unpacked {
  if (y.kind === FloatKind.INFINITY) return value === 0n ? invalid(fpu.context) : infinity(y.negative !== value < 0n);
  if (value === 0n || y.kind === FloatKind.ZERO) return zero(y.negative !== value < 0n);
  const negative = value < 0n;
  const wide = toWide((negative ? -value : value) * y.significand, fraction + 63 - y.exponent);
  const isExact = BigInt.asUintN(fraction, value) === 0n;
  return rounded(fpu, negative !== y.negative, isExact ? { ...wide, significand: wide.significand & ~1n } : wide);
}
