// The little machine that cases run in, on the real CPU and in the engine alike: which pages there are, and the
// bytes of a case's input and of its outcome. recorder/recorder.c has the same numbers.

/** Bytes of a page. */
export const PAGE = 4096;

/** Two executable and writable pages full of int3, in which the case's code stands; the page behind them is unmapped. */
export const CODE_BASE = 0x10000000;

/** A read-only page, in front of the data pages. */
export const READ_ONLY_BASE = 0x1000f000;

/** Two writable pages; the page behind them is unmapped. */
export const DATA_BASE = 0x10010000;

/** End of the data pages. */
export const DATA_END = DATA_BASE + 2 * PAGE;

/** Bases of the FS and GS segments. */
export const FS_BASE = BigInt(DATA_BASE - 0x1000000);

/** Base of the GS segment: so high that offsets to the data pages are negative. */
export const GS_BASE = 0x7fff_f000_0000n;

/** Selectors of a 64-bit Linux program, in encoding order: es cs ss ds fs gs. */
export const SELECTORS: readonly number[] = [0, 0x33, 0x2b, 0, 0, 0];

/** A byte of the read-only page. */
export function readOnlyByte(offset: number): number {
  return (offset * 167 + 13) & 0xff;
}

/** The parts of the data pages that a case loads and that are compared; all other bytes are 0. Offsets from `DATA_BASE`. */
export const WINDOWS: readonly { readonly offset: number; readonly size: number; readonly at: number }[] = [
  { offset: 0, size: 32, at: 0 },
  { offset: PAGE - 384, size: 768, at: 32 },
  { offset: 2 * PAGE - 64, size: 64, at: 800 },
];

/** Bytes of all windows together. */
export const WINDOW_BYTES = 864;

/** Most bytes of code. */
export const CODE_BYTES = 256;

/** Bytes of an FXSAVE image that the CPU defines. */
export const FX_BYTES = 416;

/** Offsets in an input. */
export const Input = {
  GPR: 0,
  RFLAGS: 128,
  CODE_OFFSET: 136,
  CODE_LENGTH: 140,
  CODE: 144,
  FX: 144 + CODE_BYTES,
  DATA: 144 + CODE_BYTES + FX_BYTES,
  SIZE: 144 + CODE_BYTES + FX_BYTES + WINDOW_BYTES,
} as const;

/** Offsets in an outcome. */
export const Outcome = {
  GPR: 0,
  RFLAGS: 128,
  RIP: 136,
  VECTOR: 144,
  ERROR: 148,
  ADDRESS: 152,
  FX: 160,
  DATA: 160 + FX_BYTES,
  SIZE: 160 + FX_BYTES + WINDOW_BYTES,
} as const;

/** Offsets in an FXSAVE image. Intel SDM vol. 1, table 10-2. */
export const Fx = {
  FCW: 0,
  FSW: 2,
  FTW: 4,
  FOP: 6,
  FIP: 8,
  FDP: 16,
  MXCSR: 24,
  MXCSR_MASK: 28,
  ST: 32,
  XMM: 160,
} as const;

/** Vector of the int3 that a case ends with when nothing else stops it. */
export const INT3_VECTOR = 3;
