// How the six arithmetic flags are kept: a result that three of them derive from, and an auxiliary
// word with the others. Every flag-setting operation stores both; nothing needs to know which
// operation it was. Used by the interpreter, the compiler and the vCPU state view.
//
//   ZF = result == 0          SF = (result < 0) ^ SIGN_DELTA       PF = even parity of (low byte of result ^ PARITY_DELTA)
//   CF, AF, OF = their RFLAGS bits in the auxiliary word
//
// The two deltas are 0 after every operation of the arithmetic unit; only a load of RFLAGS
// (popf, sahf, iret) sets them, to express combinations that no result has.

/** RFLAGS bits. Intel SDM vol. 1, section 3.4.3. */
export const Rflags = {
  CF: 1 << 0,
  FIXED: 1 << 1,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
} as const;

/** CF, PF, AF, ZF, SF and OF. */
export const ARITHMETIC_FLAGS = Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.OF;

/** Fields of the auxiliary flag word beside CF, AF and OF, which stand at their RFLAGS places. */
export const FlagAux = {
  /** Inverts the sign that the result has. */
  SIGN_DELTA: 1 << 7,
  /** Position of the byte that is XORed into the result's low byte before its parity is taken. */
  PARITY_DELTA_SHIFT: 16,
} as const;

/**
 * Arithmetic flags in their RFLAGS places, from the two stored words.
 * @param resultLo - low half of the stored result
 * @param resultHi - high half of the stored result
 * @param aux - the auxiliary word
 */
export function arithmeticFlags(resultLo: number, resultHi: number, aux: number): number {
  let parity = (resultLo ^ (aux >>> FlagAux.PARITY_DELTA_SHIFT)) & 0xff;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  const zero = (resultLo | resultHi) === 0 ? Rflags.ZF : 0;
  const sign = ((resultHi >>> 24) ^ aux) & Rflags.SF;
  return (aux & (Rflags.CF | Rflags.AF | Rflags.OF)) | ((parity & 1) === 0 ? Rflags.PF : 0) | zero | sign;
}

/** The low half of a stored result that has the ZF of `rflags`; the high half is 0. */
export function resultOfFlags(rflags: number): number {
  return (rflags & Rflags.ZF) !== 0 ? 0 : 1;
}

/** The auxiliary word that, with `resultOfFlags`, stands for the arithmetic flags of `rflags`. */
export function auxOfFlags(rflags: number): number {
  const evenParity = (rflags & Rflags.ZF) !== 0; // result 0 has even parity, result 1 has odd
  const wantsEven = (rflags & Rflags.PF) !== 0;
  const delta = evenParity === wantsEven ? 0 : 1;
  return (
    (rflags & (Rflags.CF | Rflags.AF | Rflags.OF)) |
    ((rflags & Rflags.SF) !== 0 ? FlagAux.SIGN_DELTA : 0) |
    (delta << FlagAux.PARITY_DELTA_SHIFT)
  );
}
