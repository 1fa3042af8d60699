// Rules that x87 instructions share: which NaN comes out, when the denormal exception is raised, how an
// operation with one or two register operands runs through its checks. Intel SDM vol. 1, table 4-7 and section 8.5.

import { FloatFlag } from '../softfloat/context.ts';
import { invalid } from '../softfloat/arithmetic.ts';
import { DEFAULT_NAN, FloatKind, isNan, quieted } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Fpu } from './fpu.ts';

/** Raises DE for a denormal operand, unless a graver exception was found. */
export function noteDenormal(fpu: Fpu, x: Unpacked): void {
  if (x.denormal && (fpu.context.flags & (FloatFlag.INVALID | FloatFlag.ZERO_DIVIDE)) === 0) {
    fpu.context.flags |= FloatFlag.DENORMAL;
  }
}

/** Result of an operation on one operand that is a NaN or unsupported; undefined when it is neither. */
export function unaryNan(fpu: Fpu, x: Unpacked): Unpacked | undefined {
  if (x.kind === FloatKind.UNSUPPORTED) return invalid(fpu.context);
  if (!isNan(x)) return undefined;
  if (x.kind === FloatKind.SIGNALLING_NAN) fpu.context.flags |= FloatFlag.INVALID;
  return quieted(x);
}

/** Result of an operation with a NaN or unsupported operand; undefined when there is none. */
function binaryNan(fpu: Fpu, x: Unpacked, y: Unpacked): Unpacked | undefined {
  if (x.kind === FloatKind.UNSUPPORTED || y.kind === FloatKind.UNSUPPORTED) return invalid(fpu.context);
  const nanX = isNan(x);
  const nanY = isNan(y);
  if (!nanX && !nanY) return undefined;
  const signallingX = x.kind === FloatKind.SIGNALLING_NAN;
  const signallingY = y.kind === FloatKind.SIGNALLING_NAN;
  if (signallingX || signallingY) fpu.context.flags |= FloatFlag.INVALID;
  if (!nanY) return quieted(x);
  if (!nanX) return quieted(y);
  if (signallingX !== signallingY) return signallingX ? y : x;
  if (x.significand !== y.significand) return quieted(x.significand > y.significand ? x : y);
  return quieted(x.negative ? y : x);
}

/** Replaces ST(0) by `operation(ST(0))`. */
export function unary(operation: (fpu: Fpu, x: Unpacked) => Unpacked): (fpu: Fpu) => void {
  return (fpu) => {
    if (fpu.isEmpty(0)) {
      if (fpu.underflow()) fpu.write(0, DEFAULT_NAN);
      return;
    }
    const x = fpu.read(0);
    const nan = unaryNan(fpu, x);
    const result = nan ?? operation(fpu, x);
    if (nan === undefined) noteDenormal(fpu, x);
    if (!fpu.isBlocked()) fpu.write(0, result);
  };
}

/** Replaces ST(`destination`) by `operation(x, y)`, where neither is a NaN; pops when asked. */
export function binary(
  fpu: Fpu,
  operation: (fpu: Fpu, x: Unpacked, y: Unpacked) => Unpacked,
  x: Unpacked,
  y: Unpacked,
  destination: number,
  pops: boolean,
): void {
  const nan = binaryNan(fpu, x, y);
  const result = nan ?? operation(fpu, x, y);
  if (nan === undefined) {
    noteDenormal(fpu, x);
    noteDenormal(fpu, y);
  }
  deliver(fpu, result, destination, pops);
}

/** Writes a result unless an unmasked exception forbids it. */
export function deliver(fpu: Fpu, result: Unpacked, destination: number, pops: boolean): void {
  if (fpu.isBlocked()) return;
  fpu.write(destination, result);
  if (pops) fpu.pop();
}

/** Raises a stack underflow; masked: the default NaN becomes the result. */
export function deliverUnderflow(fpu: Fpu, destination: number, pops: boolean): void {
  if (fpu.underflow()) deliver(fpu, DEFAULT_NAN, destination, pops);
}
