// Random sequences of 5 to 30 instructions: where a flag is computed in one place and used in another, blocks begin
// and end, loops run, a block is rewritten while it runs. r15 and r14 address the data and stay as they are, so that
// most sequences run to their end. Flags that the manual leaves undefined are redefined before they can be seen.

import { createInstruction, decode, Decoded } from '../../src/engine-wasm/decode/decode.ts';
import { Immediate } from '../../src/engine-wasm/decode/row.ts';
import type { Row } from '../../src/engine-wasm/decode/row.ts';
import { bytesOf } from './addressing.ts';
import { RandomSource, seedOf } from './float-recorder/random-source.ts';
import { InputWriter } from './input.ts';
import { CODE_BYTES, DATA_BASE, Input, PAGE, WINDOW_BYTES } from './machine-layout.ts';
import { integer, lanes, quietFx } from './operands.ts';
import { NAMED_ROWS } from './row-list.ts';

/** A set of sequences of one kind. */
export interface SequenceGroup {
  readonly text: string;
  /** Rows that the instructions are of. */
  readonly rows: readonly Row[];
  readonly count: number;
}

const INTEGER =
  /^(ADD|OR|ADC|SBB|AND|SUB|XOR|CMP|TEST|INC|DEC|NOT|NEG|MUL|IMUL|RO[LR]|RC[LR]|SH[LR]|SAR|SH[LR]D|BT[SRC]?|BS[FR]|POPCNT|CRC32|SET.*|CMOV.*|MOV|MOVZX|MOVSX|MOVSXD|LEA|XCHG|XADD|CMPXCHG|CBW|CWD|BSWAP|LAHF|SAHF|CMC|CLC|STC)$/;
const UNDEFINED_FLAGS = /^(MUL|IMUL|RO[LR]|RC[LR]|SH[LR]|SAR|SH[LR]D|BS[FR])$/;
const SSE =
  /^(P(ADD|SUB|AND|OR|XOR|CMP|MUL|MAX|MIN|AVG|UNPCK|ACK|SHUF|ABS|SIGN|BLENDW|ALIGNR|MOVMSKB|TEST).*|MOV[AUHLDQ].*|UNPCK.*|SHUFP.|(ADD|SUB|MUL|DIV|MIN|MAX|SQRT|U?COMI)[SP][SD]|CVT.*)$/;

/** Not those that load states or control words, nor those that may differ in the last place. */
const X87 = /^F(?!LDCW|LDENV|RSTOR|NSAVE|NSTENV|SIN|COS|SINCOS|PTAN|PATAN|2XM1|YL2X|YL2XP1|BSTP|XSAVE|XRSTOR)/;

/** Registers that instructions may change: all but rsp, r14 and r15. */
const FREE = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13] as const;
const BASE = 15;
const INDEX = 14;
const RBP = 5;
const MIDDLE = DATA_BASE + PAGE;
const REACH = 240;

const integerRows = rowsOf((row, family) => family === 'integer' && INTEGER.test(row.mnemonic));
const sseRows = rowsOf((row, family) => /^sse4?$/.test(family) && SSE.test(row.mnemonic) && hasNoMmx(row));
const x87Rows = rowsOf((row, family) => family === 'x87' && X87.test(row.mnemonic));
const mmxRows = rowsOf((row, family) => family === 'mmx' && !row.mnemonic.startsWith('MASKMOV'));

/** All groups. */
export const SEQUENCE_GROUPS: readonly SequenceGroup[] = [
  ...Array.from({ length: 12 }, (_, n) => ({ text: `integer sequences ${n}`, rows: integerRows, count: 100 })),
  ...Array.from({ length: 4 }, (_, n) => ({
    text: `SSE sequences ${n}`,
    rows: [...sseRows, ...integerRows.slice(0, 60)],
    count: 100,
  })),
  ...Array.from({ length: 3 }, (_, n) => ({ text: `x87 sequences ${n}`, rows: x87Rows, count: 100 })),
  { text: 'MMX sequences', rows: mmxRows, count: 100 },
  { text: 'MMX and x87 sequences', rows: [...mmxRows, ...x87Rows], count: 100 },
];

function rowsOf(wanted: (row: Row, family: string) => boolean): Row[] {
  return NAMED_ROWS.filter(({ row, family }) => wanted(row, family)).map(({ row }) => row);
}

function hasNoMmx(row: Row): boolean {
  return !row.operands.some(({ kind }) => 'PQN'.includes(kind) && kind !== '');
}

/** The sequences of a group, `Input.SIZE` bytes each. */
export function sequencesOf({ text, rows, count }: SequenceGroup): Uint8Array {
  const random = new RandomSource(seedOf(text));
  const inputs = new Uint8Array(count * Input.SIZE);
  for (let n = 0; n < count; n++) {
    makeSequence(random, rows, new InputWriter(inputs.subarray(n * Input.SIZE, (n + 1) * Input.SIZE)));
  }
  return inputs;
}

function makeSequence(random: RandomSource, rows: readonly Row[], c: InputWriter): void {
  for (let r = 0; r < 16; r++) c.setGpr(r, integer(random));
  c.setGpr(4, BigInt(MIDDLE - 8 * random.below(8)));
  c.setGpr(BASE, BigInt(MIDDLE + random.below(64) - 32) & ~15n);
  c.setGpr(INDEX, BigInt(random.below(3)));
  c.rflags = random.u32() & 0x8d5;
  c.setFx(quietFx());
  for (let r = 0; r < 16; r++) c.setXmm(r, lanes(random, random.pick(['single', 'double', 'integer'] as const)));
  c.mxcsr = 0x1f80;
  c.setX87(0x037f, 0, random.oneIn(2) ? 0 : 0xe0);
  c.setData(Uint8Array.from({ length: WINDOW_BYTES }, () => random.below(256)));

  const writer = new SequenceWriter(random, rows);
  const length = 5 + random.below(26);
  while (writer.count < length && writer.code.length < CODE_BYTES - 60) writer.add();
  // across the border of the pages, sometimes
  const offset = random.oneIn(6) ? PAGE - 1 - random.below(writer.code.length) : 64 + random.below(2048);
  c.setCode(offset, writer.code);
}

/** Appends instructions to a sequence. */
class SequenceWriter {
  readonly code: number[] = [];
  count = 0;
  readonly #random: RandomSource;
  readonly #rows: readonly Row[];
  readonly #instruction = createInstruction();

  constructor(random: RandomSource, rows: readonly Row[]) {
    this.#random = random;
    this.#rows = rows;
  }

  /** Appends one construct. */
  add(): void {
    switch (this.#random.below(24)) {
      case 0:
        return this.#loop();
      case 1:
      case 2:
      case 3:
        return this.#skip();
      case 4:
        return this.#stack();
      case 5:
        return this.#call();
      case 6:
        return this.#string();
      case 7:
        return this.#rewrite();
      default:
        this.code.push(...this.#plain());
    }
  }

  /** dec; jnz back over a few instructions. */
  #loop(): void {
    const counter = this.#random.pick([8, 9, 10] as const);
    this.code.push(0x41, 0xb8 | (counter & 7), ...bytesOf(BigInt(1 + this.#random.below(4)), 4));
    const body: number[] = [];
    for (let n = 1 + this.#random.below(3); n > 0; n--) body.push(...this.#plain([counter]));
    body.push(0x41, 0xff, 0xc8 | (counter & 7)); // dec
    this.code.push(...body, 0x75, -(body.length + 2) & 0xff);
    this.count += 3;
  }

  /** A conditional jump over an instruction or two. */
  #skip(): void {
    const body = this.#plain();
    if (this.#random.oneIn(2)) body.push(...this.#plain());
    const condition = this.#random.below(16);
    if (this.#random.oneIn(3)) this.code.push(0x0f, 0x80 | condition, ...bytesOf(BigInt(body.length), 4));
    else this.code.push(0x70 | condition, body.length);
    this.code.push(...body);
    this.count++;
  }

  /** push, pushf or push imm; an instruction; pop. */
  #stack(): void {
    const target = this.#random.pick(FREE);
    const pop = target >= 8 ? [0x41, 0x58 | (target & 7)] : [0x58 | target];
    const source = this.#random.below(8);
    const push = this.#random.pick([[0x50 | source], [0x41, 0x50 | source], [0x6a, this.#random.below(256)], [0x9c]]);
    this.code.push(...push, ...this.#plain(), ...pop);
    this.count += 2;
  }

  /** call over an instruction, to a routine of one that returns to it; then on. */
  #call(): void {
    const inner = this.#plain();
    const after = this.#plain();
    // call routine; after; jmp over; routine: inner; ret
    this.code.push(0xe8, ...bytesOf(BigInt(after.length + 2), 4), ...after, 0xeb, inner.length + 1, ...inner, 0xc3);
    this.count += 3;
  }

  /** A repeated string instruction inside the data. */
  #string(): void {
    const lea = (register: number): number[] => [
      0x49,
      0x8d,
      0x87 | (register << 3),
      ...bytesOf(BigInt(this.#random.below(128) - 64), 4),
    ];
    const opcode = this.#random.pick([0xa4, 0xa5, 0xa6, 0xaa, 0xab, 0xac, 0xae]);
    const repeat = this.#random.pick([0xf3, 0xf2]);
    const w = this.#random.oneIn(3) ? [0x48] : [];
    this.code.push(...lea(6), ...lea(7), 0xb9, ...bytesOf(BigInt(this.#random.below(9)), 4));
    if (this.#random.oneIn(4)) this.code.push(0xfd, repeat, ...w, opcode, 0xfc); // std .. cld
    else this.code.push(repeat, ...w, opcode);
    this.count += 4;
  }

  /** Overwrites a later byte of the sequence: a nop becomes another instruction of one byte. */
  #rewrite(): void {
    const between = this.#random.oneIn(2) ? this.#plain() : [];
    const byte = this.#random.pick([0xf8, 0xf9, 0xf5, 0x98, 0x99, 0x9f, 0x9e, 0x91]);
    // movb $byte, between.length(%rip)
    this.code.push(0xc6, 0x05, ...bytesOf(BigInt(between.length), 4), byte, ...between, 0x90);
    this.count += 2;
  }

  /** An instruction of one of the rows; behind it a test when it leaves flags undefined. */
  #plain(kept: readonly number[] = []): number[] {
    for (;;) {
      const row = this.#random.pick(this.#rows);
      const code = this.#encode(row);
      if (code === undefined || !this.#isGood(row, code, kept)) continue;
      this.count++;
      if (!UNDEFINED_FLAGS.test(row.mnemonic)) return code;
      const register = this.#random.below(8);
      return [...code, 0x85, 0xc0 | (register << 3) | register]; // test r,r
    }
  }

  #encode(row: Row): number[] | undefined {
    const random = this.#random;
    if (/M[qx]/.test(row.operands[0]?.text ?? '') && row.mnemonic.startsWith('CMPXCHG')) return undefined;
    const reg = random.pick(FREE);
    const rm = random.pick(FREE);
    const isMemory = row.hasModrm && row.mod !== 2 && (row.mod === 1 || random.oneIn(3));
    let rex = row.w === 1 || (row.w < 0 && random.oneIn(3)) ? 0x48 : random.oneIn(4) ? 0x40 : 0;
    const prefixes: number[] = [];
    const classes = [0, 1, 2, 3].filter((n) => ((row.prefixes >> n) & 1) !== 0);
    const prefixClass = row.namesPrefix ? random.pick(classes) : random.oneIn(6) ? 1 : 0;
    if (prefixClass > 0) prefixes.push([0, 0x66, 0xf3, 0xf2][prefixClass] ?? 0);
    const tail: number[] = [];
    let opcode = row.opcode;
    if (row.hasModrm) {
      const middle = row.extension >= 0 ? row.extension : reg & 7;
      if (row.extension < 0 && reg >= 8) rex |= 0x44;
      if (isMemory) {
        const displacement = (random.below(2 * REACH) - REACH) & (random.oneIn(4) ? -1 : -16);
        rex |= 0x41;
        if (random.oneIn(4)) {
          rex |= 0x42;
          tail.push(0x84 | (middle << 3), (random.below(4) << 6) | ((INDEX & 7) << 3) | (BASE & 7));
        } else {
          tail.push(0x87 | (middle << 3));
        }
        tail.push(...bytesOf(BigInt(displacement), 4));
      } else if (row.modrm >= 0) {
        tail.push(row.modrm + random.below(row.nrModrms));
      } else {
        if (rm >= 8) rex |= 0x41;
        tail.push(0xc0 | (middle << 3) | (rm & 7));
      }
    } else if (row.nrOpcodes === 8) {
      opcode += rm & 7;
      if (rm >= 8) rex |= 0x41;
    }
    const operandSize = (rex & 8) !== 0 ? 64 : prefixClass === 1 && !row.namesPrefix ? 16 : 32;
    tail.push(...bytesOf(integer(random), immediateBytes(row, operandSize)));
    return [
      ...prefixes,
      ...(rex === 0 ? [] : [rex]),
      ...(row.map === 1 ? [0x0f] : row.map === 2 ? [0x0f, 0x38] : row.map === 3 ? [0x0f, 0x3a] : []),
      opcode,
      ...tail,
    ];
  }

  /** Decodes to its row, and leaves alone what must stay: addressing registers, the stack pointer, loop counters. */
  #isGood(row: Row, code: number[], kept: readonly number[]): boolean {
    const i = this.#instruction;
    const bytes = Uint8Array.from(code);
    if (decode(bytes, 0, bytes.length, 0, i) !== Decoded.OK || i.row !== row || i.length !== code.length) return false;
    const first = row.operands[0]?.text ?? '';
    if (row.immediate === Immediate.MOFFS) return false;
    // a bit offset in a register reaches anywhere
    if (/^BT.?$/.test(row.mnemonic) && i.isMemory && row.immediate === Immediate.NONE) return false;
    if (/^(Eb|Gb|Zb)$/.test(first) && !i.rex && [i.reg, i.rm, i.opcodeReg].some((r) => r >= 4)) return false; // names ah, not sp; but keep it simple
    if ([i.opcodeReg, i.isMemory ? 0 : i.rm, i.reg].some((r) => kept.includes(r))) return false;
    return !(i.isMemory && i.base !== BASE && i.base !== RBP);
  }
}

function immediateBytes(row: Row, operandSize: number): number {
  switch (row.immediate) {
    case Immediate.IB:
      return 1;
    case Immediate.IZ:
      return operandSize === 16 ? 2 : 4;
    case Immediate.IV:
      return operandSize >> 3;
    default:
      return 0;
  }
}
