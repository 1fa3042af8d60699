// Text of a decoded instruction, from the same table that it was decoded with: for traces, dumps and
// golden tests. Intel syntax, as GNU objdump writes it. Not for hot paths.

import { GENERAL_REGISTER_NAMES, SEGMENT_REGISTER_NAMES } from '../../x86/index.ts';
import type { Instruction } from './instruction.ts';
import type { Operand, Row } from './row.ts';

const NAMES_8 = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
const NAMES_8_WITHOUT_REX = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
const POINTERS: Readonly<Record<number, string>> = {
  8: 'BYTE PTR ',
  16: 'WORD PTR ',
  32: 'DWORD PTR ',
  48: 'FWORD PTR ',
  64: 'QWORD PTR ',
  80: 'TBYTE PTR ',
  128: 'XMMWORD PTR ',
};
const FIXED_SIZES: Readonly<Record<string, number>> = {
  b: 8,
  w: 16,
  d: 32,
  ss: 32,
  q: 64,
  sd: 64,
  t: 80,
  x: 128,
  dq: 128,
  ps: 128,
  pd: 128,
};

/** Mnemonics that objdump spells by operand size: 16, 32, 64 bits. */
const BY_SIZE: Readonly<Record<string, readonly [string, string, string]>> = {
  CBW: ['cbw', 'cwde', 'cdqe'],
  CWD: ['cwd', 'cdq', 'cqo'],
  IRET: ['iretw', 'iret', 'iretq'],
  PUSHF: ['pushfw', 'pushf', 'pushf'],
  POPF: ['popfw', 'popf', 'popf'],
};

const STRINGS = ['MOVS', 'STOS', 'LODS', 'SCAS', 'CMPS', 'INS', 'OUTS'];

/**
 * Text of an instruction.
 * @param i - as `decode` filled it, with result OK
 * @param page - address of the code page that `i.offset` counts from, for jump targets; a number below 2^53
 */
export function disassemble(i: Instruction, page: number | bigint = 0): string {
  const { row } = i;
  if (isNop(i)) return `${prefixText(i)}nop`;
  const operands = row.operands.map((operand) => operandText(i, operand, page));
  if (row.mnemonic === 'XLAT') operands.push(`BYTE PTR ${segmentText(i) || 'ds:'}[${addressName(i, 3)}]`);
  const text = `${prefixText(i)}${mnemonicText(i)} ${operands.join(',')}`;
  return text.trimEnd();
}

/** The row of `xchg` with opcode 90 and no other register. */
function isNop(i: Instruction): boolean {
  return i.row.mnemonic === 'XCHG' && i.opcode === 0x90 && i.opcodeReg === 0;
}

function prefixText(i: Instruction): string {
  const lock = i.lock ? 'lock ' : '';
  if (i.repeat === 0 || !STRINGS.includes(i.row.mnemonic)) return lock;
  const compares = i.row.mnemonic === 'SCAS' || i.row.mnemonic === 'CMPS';
  return `${lock}${i.repeat === 0xf2 ? 'repnz' : compares ? 'repz' : 'rep'} `;
}

function mnemonicText(i: Instruction): string {
  const bySize = BY_SIZE[i.row.mnemonic];
  if (bySize !== undefined) return bySize[i.operandSize === 16 ? 0 : i.operandSize === 32 ? 1 : 2];
  if (i.row.mnemonic === 'MOV' && i.operandSize === 64 && (i.opcode & 0xf8) === 0xb8 && i.map === 0) return 'movabs';
  if (i.row.mnemonic === 'JRCXZ' && i.addressSize === 32) return 'jecxz';
  return i.row.mnemonic.toLowerCase();
}

function operandText(i: Instruction, operand: Operand, page: number | bigint): string {
  const size = operandSize(i, operand);
  switch (operand.kind) {
    case 'E':
    case 'R':
    case 'M':
      return i.isMemory ? memoryText(i, size) : registerName(i.rm, size, i.rex);
    case 'G':
      return registerName(i.reg, size, i.rex);
    case 'Z':
      return registerName(i.opcodeReg, size, i.rex);
    case 'V':
      return `xmm${i.reg}`;
    case 'W':
    case 'U':
      return i.isMemory ? memoryText(i, size) : `xmm${i.rm}`;
    case 'P':
      return `mm${i.reg & 7}`;
    case 'Q':
    case 'N':
      return i.isMemory ? memoryText(i, size) : `mm${i.rm & 7}`;
    case 'S':
      return SEGMENT_REGISTER_NAMES[i.reg & 7] ?? '?';
    case 'C':
      return `cr${i.reg}`;
    case 'D':
      return `dr${i.reg}`;
    case 'ST':
      return `st(${i.modrm & 7})`;
    case 'I':
      return immediateText(i, operand, size);
    case 'J':
      return hex(BigInt.asUintN(64, BigInt(page) + BigInt(i.next + i.imm)));
    case 'O':
      return `${segmentText(i) || 'ds:'}${hex((BigInt(i.immHi >>> 0) << 32n) | BigInt(i.imm >>> 0))}`;
    case 'X':
      return `${POINTERS[size]}${segmentText(i) || 'ds:'}[${addressName(i, 6)}]`;
    case 'Y':
      return `${POINTERS[size]}es:[${addressName(i, 7)}]`;
    default:
      return fixedText(i, operand);
  }
}

/** Operand size in bits; 0 when it has none. */
function operandSize(i: Instruction, operand: Operand): number {
  const { size } = operand;
  if (size === 'v') return i.operandSize;
  if (size === 'z') return i.operandSize === 16 ? 16 : 32;
  if (size === 'y') return i.rexW ? 64 : 32;
  if (size === 'p') return i.operandSize === 16 ? 32 : i.operandSize === 32 ? 48 : 80;
  return FIXED_SIZES[size] ?? 0;
}

function fixedText(i: Instruction, operand: Operand): string {
  if (operand.text === 'rAX') return registerName(0, i.operandSize, true);
  if (operand.text === 'ST0') return 'st';
  if (operand.text === 'eAX') return i.operandSize === 16 ? 'ax' : 'eax';
  return operand.text.toLowerCase();
}

function registerName(n: number, size: number, rex: boolean): string {
  if (size === 8) return n >= 8 ? `r${n}b` : (rex ? NAMES_8 : NAMES_8_WITHOUT_REX)[n];
  if (n >= 8) return `r${n}${size === 16 ? 'w' : size === 32 ? 'd' : ''}`;
  const name = GENERAL_REGISTER_NAMES[n];
  return size === 64 || size === 0 ? name : size === 32 ? `e${name.slice(1)}` : name.slice(1);
}

/** A register as part of an address. */
function addressName(i: Instruction, n: number): string {
  return registerName(n, i.addressSize, true);
}

function segmentText(i: Instruction): string {
  return i.segment === 0 ? '' : i.segment === 4 ? 'fs:' : 'gs:';
}

function memoryText(i: Instruction, size: number): string {
  const start = `${POINTERS[size] ?? ''}${segmentText(i)}`;
  if (!i.ripRelative && i.base < 0 && i.index < 0) {
    const address = i.addressSize === 32 ? BigInt(i.displacement >>> 0) : BigInt.asUintN(64, BigInt(i.displacement));
    return `${start}${i.segment === 0 ? 'ds:' : ''}${hex(address)}`;
  }
  const parts: string[] = [];
  if (i.ripRelative) parts.push(i.addressSize === 32 ? 'eip' : 'rip');
  else if (i.base >= 0) parts.push(addressName(i, i.base));
  if (i.index >= 0) parts.push(`${addressName(i, i.index)}*${2 ** i.scale}`);
  const hasDisplacement = i.modrm >> 6 !== 0 || i.base < 0;
  const sign = i.displacement < 0 ? '-' : '+';
  return `${start}[${parts.join('+')}${hasDisplacement ? sign + hex(BigInt(Math.abs(i.displacement))) : ''}]`;
}

/** Immediates are extended to the size of the first operand; ports, counts and the like are bytes. */
function immediateText(i: Instruction, operand: Operand, size: number): string {
  const { row } = i;
  const [first] = row.operands;
  if (row.mnemonic === 'ENTER' && operand !== first) return hex(BigInt(i.imm2));
  if (row.mnemonic === 'PUSH') return hex(BigInt.asUintN(i.operandSize, BigInt(i.imm)));
  if (first?.size === 'v' || first?.text === 'rAX') {
    if (size === 8 && !isArithmetic(row)) return hex(BigInt(i.imm & 0xff));
    const isWide = operand.size === 'v' && i.operandSize === 64;
    const value = isWide ? (BigInt(i.immHi) << 32n) | BigInt(i.imm >>> 0) : BigInt(i.imm);
    return hex(BigInt.asUintN(i.operandSize, value));
  }
  return hex(BigInt.asUintN(size === 16 ? 16 : 8, BigInt(i.imm)));
}

/** True when a byte immediate is a number that is sign-extended, not a count or a selector. */
function isArithmetic(row: Row): boolean {
  return row.map === 0 && (row.opcode === 0x83 || row.opcode === 0x6b);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
