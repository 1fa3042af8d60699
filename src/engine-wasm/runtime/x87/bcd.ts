// fbld and fbstp: 18 packed decimal digits and a sign byte, 10 bytes. Intel SDM vol. 1, section 4.7.

import { FloatFlag } from '../softfloat/context.ts';
import { roundedMagnitude } from '../softfloat/integer.ts';
import { fromScaledInteger } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { waiting } from './fpu.ts';
import type { Fpu } from './fpu.ts';
import { storing } from './load-store.ts';

const DIGIT_BYTES = 9;
const SIGN_BYTE = 9;
const LIMIT = 10n ** 18n;

/** Packed decimal helpers, by name. */
export const BCD: Readonly<Record<string, Helper>> = {
  'x87.fbld': waiting((fpu, a) => fpu.load(readDecimal(fpu.s, a))),
  'x87.fbstp': waiting(storing(storeDecimal, true)),
};

/** A nibble above 9 counts as its value: the CPU does not check. */
function readDecimal(s: StateView, a: number): Unpacked {
  let magnitude = 0n;
  for (let i = DIGIT_BYTES - 1; i >= 0; i--) {
    const byte = s.u8[a + i];
    magnitude = magnitude * 100n + BigInt((byte >> 4) * 10 + (byte & 15));
  }
  const negative = (s.u8[a + SIGN_BYTE] & 0x80) !== 0;
  const value = fromScaledInteger(negative, magnitude, 0);
  return { ...value, negative };
}

function storeDecimal(fpu: Fpu, a: number, empty: boolean): void {
  const { context, s } = fpu;
  const x = fpu.read(0);
  const { magnitude, overflow, inexact, roundedUp } = roundedMagnitude(context.rounding, x);
  if (empty || overflow || magnitude >= LIMIT) {
    context.flags |= FloatFlag.INVALID;
    if (!fpu.isBlocked()) writeIndefinite(s, a);
    return;
  }
  if (inexact) context.flags |= FloatFlag.INEXACT;
  context.roundedUp = roundedUp;
  let rest = magnitude;
  for (let i = 0; i < DIGIT_BYTES; i++) {
    const pair = Number(rest % 100n);
    rest /= 100n;
    s.u8[a + i] = (Math.floor(pair / 10) << 4) | (pair % 10);
  }
  s.u8[a + SIGN_BYTE] = x.negative ? 0x80 : 0;
}

/** The packed decimal indefinite. Intel SDM vol. 1, table 4-4. */
function writeIndefinite(s: StateView, a: number): void {
  s.u8.fill(0, a, a + 7);
  s.u8[a + 7] = 0xc0;
  s.u8[a + 8] = 0xff;
  s.u8[a + 9] = 0xff;
}
