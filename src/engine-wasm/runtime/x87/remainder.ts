// fprem and fprem1. C2 says that another round is needed; when it is clear, C0, C3 and C1 are bits 2, 1 and 0 of
// the quotient. Precision control has no say. Intel SDM vol. 2A, FPREM and FPREM1.

import { invalid } from '../softfloat/arithmetic.ts';
import { EXTENDED } from '../softfloat/format.ts';
import { remainderStep } from '../softfloat/remainder.ts';
import { round } from '../softfloat/round.ts';
import { FloatKind } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper } from '../state.ts';
import { waiting } from './fpu.ts';
import type { Fpu } from './fpu.ts';
import { Fsw } from './fsw.ts';
import { binary, deliverUnderflow, noteDenormal } from './operands.ts';

/** Remainder helpers, by name. */
export const REMAINDER: Readonly<Record<string, Helper>> = {
  'x87.fprem': waiting((fpu) => remainder(fpu, false)),
  'x87.fprem1': waiting((fpu) => remainder(fpu, true)),
};

function remainder(fpu: Fpu, nearest: boolean): void {
  fpu.setCodes(Fsw.C2, 0);
  if (fpu.isEmpty(0) || fpu.isEmpty(1)) deliverUnderflow(fpu, 0, false);
  else binary(fpu, (one, x, y) => step(one, x, y, nearest), fpu.read(0), fpu.read(1), 0, false);
}

function step(fpu: Fpu, x: Unpacked, y: Unpacked, nearest: boolean): Unpacked {
  if (x.kind === FloatKind.INFINITY || y.kind === FloatKind.ZERO) return invalid(fpu.context);
  noteDenormal(fpu, x);
  noteDenormal(fpu, y);
  if (fpu.isBlocked()) return x; // the condition codes stay, too
  if (x.kind === FloatKind.ZERO || y.kind === FloatKind.INFINITY) {
    fpu.setCodes(Fsw.C0 | Fsw.C2 | Fsw.C3, 0);
    return x;
  }
  const { remainder: result, quotient, incomplete } = remainderStep(x, y, nearest);
  fpu.setCodes(
    Fsw.C0 | Fsw.C2 | Fsw.C3,
    incomplete ? Fsw.C2 : ((quotient & 4) !== 0 ? Fsw.C0 : 0) | ((quotient & 2) !== 0 ? Fsw.C3 : 0),
  );
  fpu.c1 = (quotient & 1) !== 0;
  if (result.kind !== FloatKind.FINITE) return result;
  return round(fpu.context, EXTENDED, result.negative, result.exponent, result.significand << 64n);
}
