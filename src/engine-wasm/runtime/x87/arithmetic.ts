// fadd, fsub, fsubr, fmul, fdiv, fdivr in all their forms, fsqrt, frndint, fscale, fxtract, fabs, fchs, and the
// constants. Intel SDM vol. 2A, the instructions' pages; vol. 1, sections 8.3.5 and 8.3.6.

import { add, divide, invalid, multiply, squareRoot, subtract } from '../softfloat/arithmetic.ts';
import type { BinaryOperation } from '../softfloat/arithmetic.ts';
import { FloatFlag, Rounding } from '../softfloat/context.ts';
import { EXTENDED } from '../softfloat/format.ts';
import { fromInteger, roundedMagnitude, roundToIntegral } from '../softfloat/integer.ts';
import { round } from '../softfloat/round.ts';
import { DEFAULT_NAN, finite, FloatKind, infinity, ONE, zero } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { waiting } from './fpu.ts';
import type { Fpu } from './fpu.ts';
import { read32, read64, readInteger16, readInteger32 } from './load-store.ts';
import { binary, deliver, deliverUnderflow, noteDenormal, unary, unaryNan } from './operands.ts';

/** ST(0) times 2 to a power beyond this overflows or underflows whatever ST(0) is. */
const SCALE_LIMIT = 0x10000;

const OPERATIONS: Readonly<Record<string, BinaryOperation>> = {
  add,
  mul: multiply,
  sub: subtract,
  subr: (context, format, x, y) => subtract(context, format, y, x),
  div: divide,
  divr: (context, format, x, y) => divide(context, format, y, x),
};

/** Arithmetic helpers, by name. Forms: `_st0_sti`, `_sti_st0`, `p_sti_st0`, `_m32`, `_m64`, and `fi..._m16`, `fi..._m32`. */
export const ARITHMETIC: Readonly<Record<string, Helper>> = {
  ...Object.fromEntries(Object.entries(OPERATIONS).flatMap(([name, operation]) => forms(name, operation))),
  'x87.fsqrt': waiting(unary((fpu, x) => squareRoot(fpu.context, fpu.format, x))),
  'x87.frndint': waiting(unary((fpu, x) => roundToIntegral(fpu.context, fpu.context.rounding, x, false))),
  'x87.fscale': waiting(scale),
  'x87.fxtract': waiting(extract),
  'x87.fabs': waiting((fpu) => replaceSign(fpu, 0)),
  'x87.fchs': waiting((fpu) => replaceSign(fpu, 0x8000)),
  'x87.fld1': waiting((fpu) => fpu.load(ONE)),
  'x87.fldz': waiting((fpu) => fpu.load(zero(false))),
  'x87.fldl2t': constant(1, 0xd49a784bcd1b8afen, false),
  'x87.fldl2e': constant(0, 0xb8aa3b295c17f0bbn, true),
  'x87.fldpi': constant(1, 0xc90fdaa22168c234n, true),
  'x87.fldlg2': constant(-2, 0x9a209a84fbcff798n, true),
  'x87.fldln2': constant(-1, 0xb17217f7d1cf79abn, true),
};

function forms(name: string, operation: BinaryOperation): [string, Helper][] {
  const apply = (fpu: Fpu, x: Unpacked, y: Unpacked): Unpacked => operation(fpu.context, fpu.format, x, y);
  const registers = (toOperand: boolean, pops: boolean): Helper =>
    waiting((fpu) => {
      const destination = toOperand ? fpu.operand : 0;
      const source = toOperand ? 0 : fpu.operand;
      if (fpu.isEmpty(0) || fpu.isEmpty(fpu.operand)) deliverUnderflow(fpu, destination, pops);
      else binary(fpu, apply, fpu.read(destination), fpu.read(source), destination, pops);
    });
  const memory = (read: (s: StateView, a: number) => Unpacked): Helper =>
    waiting((fpu, a) => {
      if (fpu.isEmpty(0)) deliverUnderflow(fpu, 0, false);
      else binary(fpu, apply, fpu.read(0), read(fpu.s, a), 0, false);
    });
  return [
    [`x87.f${name}_st0_sti`, registers(false, false)],
    [`x87.f${name}_sti_st0`, registers(true, false)],
    [`x87.f${name}p_sti_st0`, registers(true, true)],
    [`x87.f${name}_m32`, memory(read32)],
    [`x87.f${name}_m64`, memory(read64)],
    [`x87.fi${name}_m16`, memory(readInteger16)],
    [`x87.fi${name}_m32`, memory(readInteger32)],
  ];
}

/** Pushes a constant. @param down - the significand cut off; @param nearestIsUp - the next one is nearer */
function constant(exponent: number, down: bigint, nearestIsUp: boolean): Helper {
  return waiting((fpu) => {
    const { rounding } = fpu.context;
    const up = rounding === Rounding.UP || (rounding === Rounding.NEAREST && nearestIsUp);
    fpu.load(finite(false, exponent, up ? down + 1n : down));
  });
}

function replaceSign(fpu: Fpu, flip: number): void {
  if (fpu.isEmpty(0)) {
    if (fpu.underflow()) fpu.write(0, DEFAULT_NAN);
    return;
  }
  const index = fpu.at(0) / 2 + 4;
  const signExponent = fpu.s.u16[index];
  fpu.s.u16[index] = flip === 0 ? signExponent & 0x7fff : signExponent ^ flip;
}

function scale(fpu: Fpu): void {
  if (fpu.isEmpty(0) || fpu.isEmpty(1)) deliverUnderflow(fpu, 0, false);
  else binary(fpu, scaled, fpu.read(0), fpu.read(1), 0, false);
}

function scaled(fpu: Fpu, x: Unpacked, y: Unpacked): Unpacked {
  if (y.kind === FloatKind.INFINITY) {
    if (y.negative) return x.kind === FloatKind.INFINITY ? invalid(fpu.context) : zero(x.negative);
    return x.kind === FloatKind.ZERO ? invalid(fpu.context) : infinity(x.negative);
  }
  if (x.kind !== FloatKind.FINITE) return x;
  const { magnitude, overflow } = roundedMagnitude(Rounding.ZERO, y);
  const by = overflow || magnitude > SCALE_LIMIT ? SCALE_LIMIT : Number(magnitude);
  return round(fpu.context, EXTENDED, x.negative, x.exponent + (y.negative ? -by : by), x.significand << 64n);
}

/** ST(0) becomes the exponent, then the significand is pushed. */
function extract(fpu: Fpu): void {
  if (fpu.isEmpty(0) || !fpu.isEmpty(-1)) {
    if (fpu.isEmpty(0) ? fpu.underflow() : fpu.overflow()) {
      fpu.write(0, DEFAULT_NAN);
      fpu.push(DEFAULT_NAN);
    }
    return;
  }
  const x = fpu.read(0);
  const [exponent, significand] = extracted(fpu, x);
  if (fpu.isBlocked()) return;
  deliver(fpu, exponent, 0, false);
  fpu.push(significand);
}

function extracted(fpu: Fpu, x: Unpacked): readonly [Unpacked, Unpacked] {
  const nan = unaryNan(fpu, x);
  if (nan !== undefined) return [nan, nan];
  if (x.kind === FloatKind.INFINITY) return [infinity(false), x];
  if (x.kind === FloatKind.ZERO) {
    fpu.context.flags |= FloatFlag.ZERO_DIVIDE;
    return [infinity(true), x];
  }
  noteDenormal(fpu, x);
  return [fromInteger(BigInt(x.exponent)), finite(x.negative, 0, x.significand)];
}
