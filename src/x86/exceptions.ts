// Exception vectors. Intel SDM vol. 3A, table 6-1.

/** Exception vectors by mnemonic. */
export const Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** Bits of a page fault's error code. Intel SDM vol. 3A, figure 4-12. */
export const PageFaultError = {
  PRESENT: 1 << 0 /* P */,
  WRITE: 1 << 1 /* W/R */,
  USER: 1 << 2 /* U/S */,
  RESERVED: 1 << 3 /* RSVD */,
  FETCH: 1 << 4 /* I/D */,
} as const;

/** True for the exceptions that push an error code. */
export function hasErrorCode(vector: number): boolean {
  return vector === 8 || (vector >= 10 && vector <= 14) || vector === 17 || vector === 21;
}
