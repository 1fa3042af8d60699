// The packed form of an IR operation: 16 bytes in memory 0. The decoder's lowering writes records, the
// interpreter runs them, the compiler reads them back, the printer shows them.

/** Byte offsets in a record. */
export const Rec = {
  /** Number of the operation. u16 */
  OPCODE: 0,
  /** Offset in the code page of the guest instruction that the record belongs to. u16 */
  RIP: 2,
  /** Operand fields: slots (byte offsets in the vCPU state), or small numbers. u16 each */
  A: 4,
  B: 6,
  /** Immediate or displacement. i32 */
  IMM: 8,
  C: 12,
  D: 14,
  /** In control records without C and D: the record to go on with, as an address in memory 0; 0 when not known yet. u32 */
  LINK: 12,
} as const;

/** Bytes of a record. */
export const RECORD_SIZE = 16;

/** One of the four operand fields. */
export type Field = 'a' | 'b' | 'c' | 'd';

/** Byte offset of each operand field in a record. */
export const FIELD_OFFSET: Readonly<Record<Field, number>> = { a: Rec.A, b: Rec.B, c: Rec.C, d: Rec.D };
