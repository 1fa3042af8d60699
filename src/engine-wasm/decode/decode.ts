// The decoder: bytes to the fields of an `Instruction`, driven by the tables of `table.ts`. 64-bit mode.
// It never reads outside the range it is given, whatever the bytes are. Called by the block builder, the
// disassembler and tests.

import type { Instruction } from './instruction.ts';
import { Immediate, PrefixClass, SizeRule } from './row.ts';
import { DISPATCH, dispatchIndex, GROUP, GROUP_SIZE, GROUPS, ROWS } from './table.ts';

/** How decoding ended. */
export const Decoded = {
  OK: 0,
  /** No such instruction: #UD. */
  UNDEFINED: 1,
  /** Longer than 15 bytes: #GP(0). */
  TOO_LONG: 2,
  /** The range ends before the instruction does. */
  NEEDS_MORE: 3,
} as const;

/** A value of `Decoded`. */
export type DecodedKind = (typeof Decoded)[keyof typeof Decoded];

/** Most bytes of an instruction. Intel SDM vol. 2A, section 2.3.11. */
export const MAX_INSTRUCTION_LENGTH = 15;

/** A new instruction object, to be reused for every `decode`. */
export function createInstruction(): Instruction {
  return {
    row: ROWS[0],
    offset: 0,
    length: 0,
    next: 0,
    map: 0,
    opcode: 0,
    operandSize: 32,
    addressSize: 64,
    rex: false,
    rexW: false,
    lock: false,
    repeat: 0,
    operandSizePrefix: false,
    segment: 0,
    isMemory: false,
    reg: 0,
    rm: 0,
    modrm: 0,
    opcodeReg: 0,
    base: -1,
    index: -1,
    scale: 0,
    displacement: 0,
    ripRelative: false,
    imm: 0,
    immHi: 0,
    imm2: 0,
  };
}

/**
 * Decodes one instruction. @hot
 * @param bytes - where the code is; it is not read at or beyond `end`
 * @param start - index of the first byte
 * @param end - index behind the last byte that may be read
 * @param offset - offset of the first byte in its code page
 * @param i - overwritten; complete when the result is OK. For UNDEFINED and TOO_LONG only `offset`, `length` and `next` are good
 */
export function decode(bytes: Uint8Array, start: number, end: number, offset: number, i: Instruction): DecodedKind {
  const limit = end - start > MAX_INSTRUCTION_LENGTH ? start + MAX_INSTRUCTION_LENGTH : end;
  const short = limit - start === MAX_INSTRUCTION_LENGTH ? Decoded.TOO_LONG : Decoded.NEEDS_MORE;
  i.offset = offset;
  i.length = 1;
  i.next = offset + 1;
  let at = decodePrefixes(bytes, start, limit, i);
  if (at < 0) return short;
  const rex = i.rex ? bytes[at - 1] : 0;

  if (at >= limit) return short;
  let opcode = bytes[at++];
  let map = 0;
  if (opcode === 0x0f) {
    if (at >= limit) return short;
    opcode = bytes[at++];
    map = 1;
    if (opcode === 0x38 || opcode === 0x3a) {
      map = opcode === 0x38 ? 2 : 3;
      if (at >= limit) return short;
      opcode = bytes[at++];
    }
  }
  i.map = map;
  i.opcode = opcode;
  i.opcodeReg = (opcode & 7) | ((rex & 1) << 3);

  const prefixClass =
    i.repeat === 0xf3
      ? PrefixClass.PF3
      : i.repeat === 0xf2
        ? PrefixClass.PF2
        : i.operandSizePrefix
          ? PrefixClass.P66
          : PrefixClass.NONE;
  let id = DISPATCH[dispatchIndex(map, opcode, prefixClass, (rex >> 3) & 1)];
  i.isMemory = false;
  if ((id & GROUP) !== 0) {
    if (at >= limit) return short;
    const modrm = bytes[at];
    id = GROUPS[(id & ~GROUP) * GROUP_SIZE + (modrm >= 0xc0 ? modrm - 0xc0 + 8 : (modrm >> 3) & 7)];
    if (id === 0) return Decoded.UNDEFINED;
    at = decodeModrm(bytes, at, limit, rex, i);
    if (at < 0) return short;
  }
  if (id === 0) return Decoded.UNDEFINED;
  const row = ROWS[id];
  i.row = row;

  const mandatory66 = row.namesPrefix && prefixClass === PrefixClass.P66;
  if (row.sizeRule === SizeRule.FORCE64) i.operandSize = 64;
  else if (i.rexW) i.operandSize = 64;
  else if (i.operandSizePrefix && !mandatory66) i.operandSize = 16;
  else i.operandSize = row.sizeRule === SizeRule.DEFAULT64 ? 64 : 32;

  if (row.immediate !== Immediate.NONE) {
    at = decodeImmediate(bytes, at, limit, i);
    if (at < 0) return short;
  }
  i.length = at - start;
  i.next = offset + i.length;
  if (i.lock && !(row.lockable && i.isMemory)) return Decoded.UNDEFINED;
  return Decoded.OK;
}

/** Reads all prefixes; returns the index behind them or -1 when the range ends. A REX prefix counts only when it is the last. */
function decodePrefixes(bytes: Uint8Array, start: number, limit: number, i: Instruction): number {
  i.addressSize = 64;
  i.lock = false;
  i.repeat = 0;
  i.operandSizePrefix = false;
  i.segment = 0;
  i.rex = false;
  i.rexW = false;
  for (let at = start; at < limit; at++) {
    const byte = bytes[at];
    switch (byte) {
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        break; // es, cs, ss and ds have base 0 in 64-bit mode
      case 0x64:
        i.segment = 4;
        break;
      case 0x65:
        i.segment = 5;
        break;
      case 0x66:
        i.operandSizePrefix = true;
        break;
      case 0x67:
        i.addressSize = 32;
        break;
      case 0xf0:
        i.lock = true;
        break;
      case 0xf2:
        i.repeat = 0xf2;
        break;
      case 0xf3:
        i.repeat = 0xf3;
        break;
      default:
        if ((byte & 0xf0) !== 0x40) return at;
        i.rex = true;
        i.rexW = (byte & 8) !== 0;
        continue;
    }
    i.rex = false;
    i.rexW = false;
  }
  return -1;
}

/** Reads ModRM, SIB and displacement; returns the index behind them or -1 when the range ends. */
function decodeModrm(bytes: Uint8Array, start: number, limit: number, rex: number, i: Instruction): number {
  let at = start;
  const modrm = bytes[at++];
  const mod = modrm >> 6;
  const low = modrm & 7;
  i.modrm = modrm;
  i.reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
  i.rm = low | ((rex & 1) << 3);
  i.isMemory = mod !== 3;
  i.base = -1;
  i.index = -1;
  i.scale = 0;
  i.displacement = 0;
  i.ripRelative = false;
  if (mod === 3) return at;

  let wide = mod === 2;
  if (low === 4) {
    if (at >= limit) return -1;
    const sib = bytes[at++];
    const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index !== 4) {
      i.index = index;
      i.scale = sib >> 6;
    }
    if (mod === 0 && (sib & 7) === 5) wide = true;
    else i.base = (sib & 7) | ((rex & 1) << 3);
  } else if (mod === 0 && low === 5) {
    wide = true;
    i.ripRelative = true;
  } else {
    i.base = i.rm;
  }

  if (mod === 1) {
    if (at >= limit) return -1;
    i.displacement = (bytes[at++] << 24) >> 24;
  } else if (wide) {
    if (at + 4 > limit) return -1;
    i.displacement = read32(bytes, at);
    at += 4;
  }
  return at;
}

/** Reads the immediate that the row asks for; returns the index behind it or -1 when the range ends. */
function decodeImmediate(bytes: Uint8Array, start: number, limit: number, i: Instruction): number {
  let size = 0;
  switch (i.row.immediate) {
    case Immediate.IB:
      size = 1;
      break;
    case Immediate.IW:
      size = 2;
      break;
    case Immediate.ID:
      size = 4;
      break;
    case Immediate.IZ:
      size = i.operandSize === 16 ? 2 : 4;
      break;
    case Immediate.IV:
      size = i.operandSize >> 3;
      break;
    case Immediate.IW_IB:
      size = 3;
      break;
    case Immediate.MOFFS:
      size = i.addressSize >> 3;
      break;
    default:
      break;
  }
  if (start + size > limit) return -1;
  i.immHi = 0;
  i.imm2 = 0;
  if (size === 1) {
    i.imm = (bytes[start] << 24) >> 24;
  } else if (size === 4) {
    i.imm = read32(bytes, start);
  } else if (size === 8) {
    i.imm = read32(bytes, start);
    i.immHi = read32(bytes, start + 4);
  } else {
    i.imm = ((bytes[start] | (bytes[start + 1] << 8)) << 16) >> 16;
    if (size === 3) i.imm2 = bytes[start + 2];
  }
  return start + size;
}

function read32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
