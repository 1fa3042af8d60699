// Bits of the x87 status word and fields of the control word. Intel SDM vol. 1, figures 8-4 and 8-6.

/** Status word. The six exception flags are `FloatFlag`. */
export const Fsw = {
  SF: 1 << 6, // stack fault
  ES: 1 << 7, // error summary: an unmasked exception is pending
  C0: 1 << 8,
  C1: 1 << 9,
  C2: 1 << 10,
  TOP_SHIFT: 11,
  TOP: 7 << 11,
  C3: 1 << 14,
  B: 1 << 15, // busy: follows ES
} as const;

/** Control word. The low six bits are exception masks at the places of `FloatFlag`. */
export const Fcw = {
  /** Always reads as 1. */
  FIXED: 1 << 6,
  PRECISION_SHIFT: 8,
  ROUNDING_SHIFT: 10,
  /** Bits that can be written; bit 12 is the 80287's infinity control and has no effect. */
  WRITABLE: 0x1f3f,
  /** After fninit. */
  INITIAL: 0x037f,
} as const;
