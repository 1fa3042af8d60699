// Kinds of string instruction: the `a` field of `string` records.

/** String instructions. */
export const StringOp = { MOVS: 0, STOS: 1, LODS: 2, SCAS: 3, CMPS: 4 } as const;
