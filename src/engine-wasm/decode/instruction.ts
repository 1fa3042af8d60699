// A decoded guest instruction: prefixes, ModRM and immediates, before it has a meaning. One object is
// reused for every instruction; a lowering function reads it and keeps nothing of it.

import type { Row } from './row.ts';

/** Fields of a decoded instruction. */
export interface Instruction {
  /** The encoding's row of the instruction table. */
  row: Row;
  /** Offset of the first byte in its code page. */
  offset: number;
  /** Bytes, 1 to 15. */
  length: number;
  /** Offset behind the last byte, relative to the same page; may be 4096 or more. */
  next: number;

  /** Opcode map: 0 one-byte, 1 0F, 2 0F 38, 3 0F 3A. */
  map: number;
  opcode: number;
  /** Effective operand size in bits: 16, 32 or 64. */
  operandSize: 16 | 32 | 64;
  /** Effective address size in bits. */
  addressSize: 32 | 64;
  /** True when any REX prefix is there: byte registers 4 to 7 are spl, bpl, sil, dil. */
  rex: boolean;
  rexW: boolean;
  lock: boolean;
  /** The last of F2 and F3, else 0. */
  repeat: 0 | 0xf2 | 0xf3;
  /** True when the 66 prefix is there. */
  operandSizePrefix: boolean;
  /** Segment override that matters in 64-bit mode: 0, 4 (FS) or 5 (GS). */
  segment: 0 | 4 | 5;

  /** ModRM mod field is not 3: the r/m operand is in memory. */
  isMemory: boolean;
  /** ModRM reg field with REX.R, 0 to 15; the low 3 bits are an opcode extension where the row says so. */
  reg: number;
  /** ModRM r/m field with REX.B, 0 to 15, when it is a register. */
  rm: number;
  /** The whole ModRM byte. */
  modrm: number;
  /** Register in the low 3 opcode bits with REX.B (push, pop, mov r,imm, bswap, xchg). */
  opcodeReg: number;

  /** Base register 0 to 15, or -1 for none. */
  base: number;
  /** Index register 0 to 15, or -1 for none. */
  index: number;
  /** Shift of the index, 0 to 3. */
  scale: number;
  /** Sign-extended displacement. */
  displacement: number;
  ripRelative: boolean;

  /** Immediate, sign-extended to i32 (low half for 64-bit immediates and moffs). */
  imm: number;
  /** High half of a 64-bit immediate or moffs. */
  immHi: number;
  /** Second immediate (enter). */
  imm2: number;
}
