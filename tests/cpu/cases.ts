// Generates the cases of every row of the instruction table: a row's text is the seed, so that its cases depend
// on nothing but the row and this generator. Every case is checked to decode to its row, or to be wrong on purpose.

import { createInstruction, decode, Decoded, MAX_INSTRUCTION_LENGTH } from '../../src/engine-wasm/decode/decode.ts';
import { Immediate } from '../../src/engine-wasm/decode/row.ts';
import type { Row } from '../../src/engine-wasm/decode/row.ts';
import { bytesOf, chooseAddress, encodeMemory } from './addressing.ts';
import type { MemoryEncoding } from './addressing.ts';
import { RandomSource, seedOf } from './float-recorder/random-source.ts';
import { InputWriter } from './input.ts';
import { CODE_BASE, DATA_BASE, DATA_END, Input, PAGE, WINDOW_BYTES } from './machine-layout.ts';
import { integer, lanes, mxcsr, quietFx, x87Memory, x87State } from './operands.ts';
import type { LaneKind } from './operands.ts';
import type { NamedRow } from './row-list.ts';
import { prepare } from './preparation.ts';
import { chooseShape, isSized, isString, operandBytes, rmOperand } from './shape.ts';
import type { Shape } from './shape.ts';

const ARITHMETIC_FLAGS = 0x8d5;
const DF = 0x400;
const TF = 0x100;
const QUIET_FX = quietFx();
const QUIET_DATA = Uint8Array.from({ length: WINDOW_BYTES }, (_, i) => (i * 29 + 7) & 0xff);

/** All cases of a row, `Input.SIZE` bytes each. */
export function casesOf({ row, text }: NamedRow): Uint8Array {
  const random = new RandomSource(seedOf(text));
  const count = countOf(row);
  const inputs = new Uint8Array(count * Input.SIZE);
  for (let n = 0; n < count; n++) {
    const bytes = inputs.subarray(n * Input.SIZE, (n + 1) * Input.SIZE);
    for (let attempt = 0; !makeCase(row, n, random, new InputWriter(bytes)); attempt++) {
      if (attempt > 50) throw new Error(`the generator cannot encode ${text}`);
      bytes.fill(0);
    }
  }
  return inputs;
}

/** Number of cases of a row: enough for each form to meet the edges of its operands. */
function countOf(row: Row): number {
  if (row.condition >= 0) return 40;
  if (/^(DIV|IDIV|SH[LR]D|RC[LR]|CMPXCHG|BT.?)$/.test(row.mnemonic)) return 200;
  if (isString(row)) return 240;
  if (isX87(row)) return 64;
  return isSized(row) ? 140 : 80;
}

function isX87(row: Row): boolean {
  return row.map === 0 && (row.opcode & 0xf8) === 0xd8;
}

/** What the row's SSE and memory operands hold. */
function laneKindOf(row: Row): LaneKind {
  const source = /^CVTT?(PS|SS|PD|SD)2/.exec(row.mnemonic)?.[1] ?? row.mnemonic;
  if (/^PCMP.STR/.test(row.mnemonic)) return 'text';
  if (/(PS|SS)$/.test(source)) return 'single';
  return /(PD|SD)$/.test(source) ? 'double' : 'integer';
}

/** Builds one case; false when it came out as another row's. */
function makeCase(row: Row, n: number, random: RandomSource, c: InputWriter): boolean {
  const shape = chooseShape(row, n, random);
  const kind = laneKindOf(row);
  fillState(row, random, c, kind);
  const reg = random.below(row.operands.some((o) => o.kind === 'S') ? 6 : 16);
  const rm = random.below(16);
  const operand = rmOperand(row);
  const size =
    operand === undefined ? 0 : row.mnemonic.startsWith('FX') ? 512 : operandBytes(operand, shape.operandSize, shape.w);
  const memorySize = /^(FN?SAVE|FRSTOR)$/.test(row.mnemonic) ? 108 : row.mnemonic.endsWith('ENV') ? 28 : size;
  const address = shape.isMemory ? chooseAddress(random, memorySize) : 0n;

  const pinned = new Set<number>();
  let memory: Uint8Array | undefined = memoryBytes(row, random, kind, memorySize);
  const prepared = prepare({ row, shape, random, c, reg, rm, memory, pinned });
  memory = prepared.memory ?? memory;

  let rex = (shape.w ? 8 : 0) | (shape.rex ? 0x40 : 0);
  const tail: number[] = [];
  let encoding: MemoryEncoding | undefined;
  let opcode = row.opcode;
  if (row.hasModrm) {
    let modrm = row.extension >= 0 ? row.extension << 3 : (reg & 7) << 3;
    if (row.extension < 0) rex |= (reg & 8) >> 1;
    if (shape.isMemory) {
      const addressSize = fitsAddressSize(address, shape) ? shape.addressSize : 64;
      if (addressSize !== shape.addressSize) shape.prefixes.splice(shape.prefixes.indexOf(0x67), 1);
      encoding = encodeMemory(random, c, address, addressSize, shape.segment, pinned);
      modrm |= encoding.modrm;
      rex |= encoding.rex;
      tail.push(...encoding.tail);
      if (memory !== undefined) c.poke(address, memory);
    } else {
      modrm |= 0xc0 | (rm & 7);
      rex |= (rm & 8) >> 3;
      if (row.modrm >= 0) modrm = row.modrm + random.below(row.nrModrms);
    }
    tail.unshift(modrm);
  } else if (row.nrOpcodes === 8) {
    opcode += rm & 7;
    rex |= (rm & 8) >> 3;
  }
  const withImmediate = immediate(row, shape, random, prepared.immediate, tail);
  const head = [...shape.prefixes, ...(rex === 0 ? [] : [rex | 0x40])];
  if (rex !== 0 && random.oneIn(40)) head.push(...(head.length > 1 ? [head.shift() ?? 0] : [])); // REX in front of another prefix: ignored
  const body = [...[[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][row.map]!, opcode, ...tail]; // map is 0 to 3
  if (random.oneIn(200)) while (head.length + body.length <= MAX_INSTRUCTION_LENGTH) head.unshift(0x2e);
  const code = [...head, ...body];
  place(random, c, code, prepared.nearEnd === true);
  patchRelative(row, random, c, encoding, tail.length, withImmediate);
  return decodesTo(row, shape, c);
}

function fillState(row: Row, random: RandomSource, c: InputWriter, kind: LaneKind): void {
  for (let r = 0; r < 16; r++) c.setGpr(r, random.oneIn(2) ? integer(random) : random.u64());
  c.rflags = (random.u32() & ARITHMETIC_FLAGS) | (random.oneIn(3) ? DF : 0) | (random.oneIn(64) ? TF : 0);
  c.setData(QUIET_DATA);
  c.setFx(QUIET_FX);
  const kinds = row.operands.map((o) => o.kind).join('');
  const usesMmx = /[PQN]/.test(kinds) || row.mnemonic === 'EMMS';
  const usesSse = /[VWU]/.test(kinds) || /^(FX|LDMXCSR|STMXCSR)/.test(row.mnemonic);
  if (usesMmx || isX87(row) || row.opcode === 0x9b || /^(FX|FWAIT)/.test(row.mnemonic)) x87State(random, c);
  if (usesMmx)
    for (let i = 0; i < 8; i++)
      c.setSt(
        i,
        new DataView(lanes(random, kind).buffer).getBigUint64(0, true),
        random.oneIn(2) ? 0xffff : random.below(0x10000),
      );
  if (!usesSse && !usesMmx) return;
  let near = lanes(random, kind);
  for (let r = 0; r < 16; r++) {
    const bytes = lanes(random, random.oneIn(8) ? 'integer' : kind, near);
    if (random.oneIn(4)) near = bytes;
    c.setXmm(r, bytes);
  }
  c.mxcsr = mxcsr(random, kind === 'single' || kind === 'double' || row.mnemonic.startsWith('CVT'));
}

function memoryBytes(row: Row, random: RandomSource, kind: LaneKind, size: number): Uint8Array {
  if (isX87(row) || size > 16) return x87Memory(random, row.mnemonic, size);
  if (row.operands.some((o) => 'WQUVP'.includes(o.kind) && o.kind !== '')) return lanes(random, kind).subarray(0, size);
  return Uint8Array.from(bytesOf(integer(random), 8).concat(bytesOf(integer(random), 8))).subarray(0, size);
}

function fitsAddressSize(address: bigint, shape: Shape): boolean {
  return shape.addressSize === 64 || (address < 1n << 32n && shape.segment !== 5);
}

/** Appends the immediate; returns its size. */
function immediate(row: Row, shape: Shape, random: RandomSource, wanted: bigint | undefined, tail: number[]): number {
  const sizes: Readonly<Record<number, number>> = {
    [Immediate.NONE]: 0,
    [Immediate.IB]: 1,
    [Immediate.IW]: 2,
    [Immediate.IZ]: shape.operandSize === 16 ? 2 : 4,
    [Immediate.IV]: shape.operandSize >> 3,
    [Immediate.IW_IB]: 3,
    [Immediate.MOFFS]: shape.addressSize >> 3,
    [Immediate.ID]: 4,
  };
  const size = sizes[row.immediate] ?? 0;
  tail.push(...bytesOf(wanted ?? integer(random), size));
  return size;
}

/** Puts the code somewhere in the code pages: sometimes across their border, or running out of them. */
function place(random: RandomSource, c: InputWriter, code: readonly number[], nearEnd: boolean): void {
  let offset = 256 + random.below(PAGE - 600);
  const choice = random.below(32);
  if (choice === 0) offset = PAGE - random.below(code.length);
  if (choice === 1) offset = PAGE - code.length;
  if (choice === 2 || nearEnd) offset = 2 * PAGE - code.length;
  if (random.oneIn(200) && code.length > 1) {
    // the rest of the instruction would be on the unmapped page
    const kept = 1 + random.below(code.length - 1);
    c.setCode(2 * PAGE - kept, code.slice(0, kept));
    return;
  }
  c.setCode(offset, code);
}

/** Fills in displacements that depend on where the instruction ends: rip-relative operands and branch targets. */
function patchRelative(
  row: Row,
  random: RandomSource,
  c: InputWriter,
  encoding: MemoryEncoding | undefined,
  tailLength: number,
  immediateSize: number,
): void {
  const { code } = c;
  const end = c.rip + code.length;
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  if (encoding?.ripRelative === true && tailLength >= immediateSize + 4 && code.length > immediateSize + 5) {
    const at = code.length - immediateSize - 4;
    view.setInt32(at, (view.getInt32(at, true) - end) | 0, true);
  }
  const isRelative = row.operands.some((o) => o.kind === 'J');
  if (!isRelative || immediateSize !== 4 || code.length < 5) return;
  view.setInt32(code.length - 4, (branchTarget(random) - end) | 0, true);
}

/** Where a branch goes: a code page mostly; a page that cannot be executed or is not there, sometimes. */
function branchTarget(random: RandomSource): number {
  switch (random.below(16)) {
    case 0:
      return DATA_BASE + random.below(PAGE);
    case 1:
      return DATA_END + random.below(PAGE);
    default:
      return CODE_BASE + random.below(2 * PAGE);
  }
}

function decodesTo(row: Row, shape: Shape, c: InputWriter): boolean {
  const instruction = createInstruction();
  const padded = new Uint8Array(32).fill(0xcc);
  padded.set(c.code);
  const length = c.code.length;
  const runsOut = c.rip + length === CODE_BASE + 2 * PAGE;
  const result = decode(padded, 0, Math.min(length, 32), 0, instruction);
  if (result === Decoded.TOO_LONG) return length > MAX_INSTRUCTION_LENGTH;
  if (result === Decoded.NEEDS_MORE) return runsOut;
  if (result === Decoded.UNDEFINED) return shape.badLock;
  return instruction.row === row && instruction.length === length;
}
