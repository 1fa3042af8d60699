// What a floating point operation is done under and what it leaves behind: rounding mode, exception
// masks and the exceptions raised. Bit places are those shared by the x87 status and control words and
// by MXCSR, so that both front ends move them without translation. Intel SDM vol. 1, section 8.1 and 10.2.3.

/** Exception flags; the masks in FCW stand at the same places, those in MXCSR 7 bits higher. */
export const FloatFlag = {
  INVALID: 1 << 0, // IE
  DENORMAL: 1 << 1, // DE
  ZERO_DIVIDE: 1 << 2, // ZE
  OVERFLOW: 1 << 3, // OE
  UNDERFLOW: 1 << 4, // UE
  INEXACT: 1 << 5, // PE
} as const;

/** Exceptions found by looking at the operands, before anything is computed: IE, DE, ZE. */
export const PRE_COMPUTATION = FloatFlag.INVALID | FloatFlag.DENORMAL | FloatFlag.ZERO_DIVIDE;

/** All six exceptions. */
export const ALL_FLAGS = 0x3f;

/** Rounding control as FCW and MXCSR encode it. */
export const Rounding = { NEAREST: 0, DOWN: 1, UP: 2, ZERO: 3 } as const;

/** The environment of one operation. Front ends make one for each instruction. */
export class FloatContext {
  /** One of `Rounding`. */
  readonly rounding: number;
  /** Masked exceptions, at their flags' places. */
  readonly masks: number;
  /** Bias added to, or taken from, the exponent of an unmasked underflow or overflow; x87 stores such results. */
  readonly exponentWrap: number;
  /** Masked underflow gives zero (MXCSR.FTZ). */
  readonly flushToZero: boolean;
  /** Exceptions raised so far. */
  flags = 0;
  /** The last rounding moved the magnitude up; x87 reports it as C1. */
  roundedUp = false;

  constructor(rounding: number, masks: number, exponentWrap: number, flushToZero: boolean) {
    this.rounding = rounding;
    this.masks = masks;
    this.exponentWrap = exponentWrap;
    this.flushToZero = flushToZero;
  }
}
