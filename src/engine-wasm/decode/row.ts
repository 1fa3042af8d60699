// A row of the instruction table, and the parser that turns its text into fields. The text format is
// described in `table.ts`. Rows are parsed once, when the table is loaded.

import { bug } from '../../base/index.ts';

/** What follows the opcode and ModRM bytes. */
export const Immediate = {
  NONE: 0,
  /** One byte, sign-extended. */
  IB: 1,
  /** Two bytes. */
  IW: 2,
  /** Two bytes with a 16-bit operand size, else four, sign-extended. */
  IZ: 3,
  /** Two, four or eight bytes by operand size. */
  IV: 4,
  /** Two bytes, then one (enter). */
  IW_IB: 5,
  /** An address of 8 bytes, or 4 with a 32-bit address size. */
  MOFFS: 6,
  /** Four bytes whatever the operand size. */
  ID: 7,
} as const;

/** A value of `Immediate`. */
export type ImmediateKind = (typeof Immediate)[keyof typeof Immediate];

/** How the operand size is found. */
export const SizeRule = {
  /** 32; 16 with prefix 66; 64 with REX.W. */
  NORMAL: 0,
  /** 64; 16 with prefix 66 (push, pop). */
  DEFAULT64: 1,
  /** 64 always (near branches). */
  FORCE64: 2,
} as const;

/** A value of `SizeRule`. */
export type SizeRuleKind = (typeof SizeRule)[keyof typeof SizeRule];

/** Class of the mandatory prefix: what an opcode is looked up by. */
export const PrefixClass = { NONE: 0, P66: 1, PF3: 2, PF2: 3 } as const;

/** One operand of a row, in the notation of Intel SDM vol. 2D, appendix A.2. */
export interface Operand {
  /** The whole text, as `Ev` or `AL`. */
  readonly text: string;
  /** Addressing method letter; `Z` is the register in the opcode's low bits, `ST` an x87 register, empty a fixed register or number. */
  readonly kind: string;
  /** Size letters; empty when there are none. */
  readonly size: string;
}

/** One encoding. */
export interface Row {
  /** Place in `ROWS`; 0 is no instruction. */
  readonly id: number;
  /** Upper case; conditions are spelled out (`JNE`). */
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  /** Condition 0 to 15 of a `cc` row, else -1. */
  readonly condition: number;
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** Number of opcodes from `opcode` on: 8 for `+r` rows. */
  readonly nrOpcodes: 1 | 8;
  /** Bit n set: valid for prefix class n. */
  readonly prefixes: number;
  /** True when the row names its prefix class, so that it goes before rows that do not. */
  readonly namesPrefix: boolean;
  /** Required REX.W, or -1. */
  readonly w: -1 | 0 | 1;
  readonly hasModrm: boolean;
  /** Required ModRM reg field, or -1. */
  readonly extension: number;
  /** Required whole ModRM byte (first of `nrModrms`), or -1. */
  readonly modrm: number;
  readonly nrModrms: 1 | 8;
  /** ModRM must name memory (1) or a register (2); 0 when either will do. */
  readonly mod: 0 | 1 | 2;
  readonly immediate: ImmediateKind;
  readonly sizeRule: SizeRuleKind;
  /** The lock prefix is allowed when the ModRM operand is memory. */
  readonly lockable: boolean;
  /** Valid in 64-bit mode. */
  readonly in64: boolean;
  /** Valid in 32-bit mode, which no decoder uses yet. */
  readonly in32: boolean;
}

/** A row before it has its number. */
export type RowFields = Omit<Row, 'id'>;

/** Spelling of the 16 conditions, in encoding order. */
export const CONDITION_NAMES = [
  'O',
  'NO',
  'B',
  'AE',
  'E',
  'NE',
  'BE',
  'A',
  'S',
  'NS',
  'P',
  'NP',
  'L',
  'GE',
  'LE',
  'G',
] as const;

const ALL_PREFIXES = 0b1111;
const PREFIX_MARKS: Readonly<Record<string, number>> = { NP: 0b0001, '66': 0b0010, F3: 0b0100, F2: 0b1000 };

const IMMEDIATES: Readonly<Record<string, ImmediateKind>> = {
  ib: Immediate.IB,
  iw: Immediate.IW,
  id: Immediate.ID,
  iz: Immediate.IZ,
  iv: Immediate.IV,
  cb: Immediate.IB,
  cz: Immediate.IZ,
  mo: Immediate.MOFFS,
};

const MARKS: ReadonlySet<string> = new Set(['', 'lock', 'd64', 'f64', 'only64', 'only32', 'mem', 'reg']);

/** Parses one line of a table; a `+cc` line gives 16 rows. */
export function parseRow(line: string): RowFields[] {
  const [encoding = '', operation = '', marks = ''] = line.trim().split(/ {2,}/);
  const space = operation.indexOf(' ');
  const mnemonic = space < 0 ? operation : operation.slice(0, space);
  const operands =
    space < 0
      ? []
      : operation
          .slice(space + 1)
          .split(',')
          .map(parseOperand);
  if (mnemonic === '') bug(`an instruction table row has no mnemonic: ${line}`);
  const row = withOperands(parseEncoding(encoding, line), mnemonic, operands, marks.split(' '), line);
  if (!encoding.includes('+cc')) return [row];
  return CONDITION_NAMES.map((name, condition) => ({
    ...row,
    mnemonic: mnemonic.replace('cc', name),
    opcode: row.opcode + condition,
    condition,
  }));
}

function parseOperand(text: string): Operand {
  if (text === 'STi') return { text, kind: 'ST', size: 'i' };
  const size = text.slice(1);
  // fixed registers and numbers have no lower-case letters behind their first one, or no letter at all
  const isFixed = !'CDEGIJMNOPQRSUVWXYZ'.includes(text[0] ?? '-') || size !== size.toLowerCase() || /\d/.test(size);
  return isFixed ? { text, kind: '', size: '' } : { text, kind: text[0] ?? '', size };
}

type Encoding = Pick<
  Row,
  | 'map'
  | 'opcode'
  | 'nrOpcodes'
  | 'prefixes'
  | 'namesPrefix'
  | 'w'
  | 'hasModrm'
  | 'extension'
  | 'modrm'
  | 'nrModrms'
  | 'mod'
  | 'immediate'
>;

function parseEncoding(encoding: string, line: string): Encoding {
  const e: { -readonly [K in keyof Encoding]: Encoding[K] } = {
    map: 0,
    opcode: -1,
    nrOpcodes: 1,
    prefixes: 0,
    namesPrefix: false,
    w: -1,
    hasModrm: false,
    extension: -1,
    modrm: -1,
    nrModrms: 1,
    mod: 0,
    immediate: Immediate.NONE,
  };
  const tokens = encoding.split(' ');
  let at = 0;
  for (; PREFIX_MARKS[tokens[at] ?? ''] !== undefined; at++) e.prefixes |= PREFIX_MARKS[tokens[at] ?? ''] ?? 0;
  if (tokens[at] === 'W0' || tokens[at] === 'W1') e.w = tokens[at++] === 'W0' ? 0 : 1;
  if (tokens[at] === '0F') {
    const next = tokens[at + 1] ?? '';
    e.map = next === '38' && tokens.length > at + 2 ? 2 : next === '3A' ? 3 : 1;
    at += e.map === 1 ? 1 : 2;
  }
  for (; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    const immediate = IMMEDIATES[token];
    if (immediate !== undefined) {
      e.immediate = e.immediate === Immediate.IW && immediate === Immediate.IB ? Immediate.IW_IB : immediate;
    } else if (token[0] === '/') {
      e.hasModrm = true;
      if (token !== '/r') e.extension = '01234567'.indexOf(token.slice(1));
      if (token.length !== 2 || (token !== '/r' && e.extension < 0))
        bug(`an instruction table row has an unknown token ${token}: ${line}`);
    } else {
      const byte = hexByte(token);
      const suffix = token.slice(2);
      if (byte < 0 || !['', '+r', '+i', '+cc'].includes(suffix))
        bug(`an instruction table row has an unknown token ${token}: ${line}`);
      if (e.opcode < 0) {
        e.opcode = byte;
        if (suffix === '+r') e.nrOpcodes = 8;
      } else {
        e.modrm = byte;
        if (byte < 0xc0) bug(`a fixed ModRM byte must have mod 3: ${line}`);
        e.hasModrm = true;
        if (suffix === '+i') e.nrModrms = 8;
      }
    }
  }
  if (e.opcode < 0) bug(`an instruction table row has no opcode: ${line}`);
  e.namesPrefix = e.prefixes !== 0;
  if (!e.namesPrefix) e.prefixes = ALL_PREFIXES;
  return e;
}

/** Value of the two hexadecimal digits that a token begins with, or -1. */
function hexByte(token: string): number {
  const digits = '0123456789ABCDEF';
  const high = digits.indexOf(token[0] ?? '-');
  const low = digits.indexOf(token[1] ?? '-');
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function withOperands(
  e: Encoding,
  mnemonic: string,
  operands: readonly Operand[],
  marks: readonly string[],
  line: string,
): RowFields {
  let { mod } = e;
  for (const operand of operands) {
    if (operand.kind === 'M') mod = 1;
    if (operand.kind === 'R' || operand.kind === 'N' || operand.kind === 'U') mod = 2;
  }
  if (e.modrm >= 0) mod = 2;
  for (const mark of marks) if (!MARKS.has(mark)) bug(`an instruction table row has an unknown mark ${mark}: ${line}`);
  if (marks.includes('mem')) mod = 1;
  if (marks.includes('reg')) mod = 2;
  return {
    ...e,
    mod,
    mnemonic,
    operands,
    condition: -1,
    sizeRule: marks.includes('d64') ? SizeRule.DEFAULT64 : marks.includes('f64') ? SizeRule.FORCE64 : SizeRule.NORMAL,
    lockable: marks.includes('lock'),
    in64: !marks.includes('only32'),
    in32: !marks.includes('only64'),
  };
}
