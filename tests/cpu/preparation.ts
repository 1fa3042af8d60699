// Operands that an instruction takes without naming them, or that must fit together: stacks, string pointers,
// counts, dividends, comparands, branch targets. One function per group of mnemonics.

import type { Row } from '../../src/engine-wasm/decode/row.ts';
import { bytesOf, chooseAddress } from './addressing.ts';
import type { RandomSource } from './float-recorder/random-source.ts';
import type { InputWriter } from './input.ts';
import { CODE_BASE, DATA_BASE, DATA_END, FS_BASE, GS_BASE, PAGE } from './machine-layout.ts';
import { integer } from './operands.ts';
import { isString } from './shape.ts';
import type { Shape } from './shape.ts';

/** What is known of the case so far. */
export interface Draft {
  readonly row: Row;
  readonly shape: Shape;
  readonly random: RandomSource;
  readonly c: InputWriter;
  readonly reg: number;
  /** Register of the r/m operand, when it is one, or of the opcode. */
  readonly rm: number;
  /** Contents of the memory operand. */
  readonly memory: Uint8Array;
  /** Registers that must keep their values. */
  readonly pinned: Set<number>;
}

/** What a preparation asks of the encoder. */
export interface Prepared {
  readonly immediate?: bigint;
  /** Replaces the contents of the memory operand. */
  readonly memory?: Uint8Array;
  /** The code should be at the end of the code pages. */
  readonly nearEnd?: boolean;
}

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
const MIDDLE = DATA_BASE + PAGE;
const POPF_FLAGS = 0x200cd5 | 0x4000;

/** Sets up the implicit operands of a case. */
export function prepare(draft: Draft): Prepared {
  const { row, random, c, pinned, shape } = draft;
  const { mnemonic } = row;
  if (isString(row)) return prepareString(draft);
  if (/^(PUSH|POP|PUSHF|POPF|ENTER|LEAVE|CALL|RET|JMP)$/.test(mnemonic)) return prepareStack(draft);
  if (/^I?DIV$/.test(mnemonic)) return prepareDivision(draft);
  if (/^(LOOP|JRCXZ)/.test(mnemonic)) {
    const count = random.pick([0n, 1n, 2n, 0x100000000n, 0x100000001n, 0x1234567800000000n, integer(random)]);
    c.setGpr(RCX, count);
    return row.mnemonic === 'JRCXZ' ? {} : { immediate: BigInt(random.below(128)) }; // never back to itself
  }
  if (/^(RO|RC|SH|SA)[LR]D?$/.test(mnemonic)) {
    const width = draft.row.operands[0]?.size === 'b' ? 8 : shape.operandSize;
    const count = BigInt(
      random.pick([
        0,
        1,
        2,
        7,
        8,
        9,
        15,
        16,
        17,
        width - 1,
        width,
        width + 1,
        31,
        32,
        33,
        63,
        64,
        65,
        random.below(256),
      ]),
    );
    if (row.operands.some(({ text }) => text === 'CL')) {
      c.setGpr(RCX, (c.gpr(RCX) & ~0xffn) | count);
      pinned.add(RCX);
    }
    return { immediate: count };
  }
  if (mnemonic.startsWith('CMPXCHG')) return prepareExchange(draft);
  if (/^BT.?$/.test(mnemonic) && shape.isMemory && row.immediate === 0) {
    const bit = random.oneIn(6) ? integer(random) : BigInt(random.below(512) - 256);
    c.setGpr(draft.reg, bit);
    pinned.add(draft.reg);
    return {};
  }
  if (mnemonic === 'XLAT') {
    c.setGpr(RBX, offsetOf(chooseAddress(random, 1), draft) - (c.gpr(RAX) & 0xffn));
    if (shape.addressSize === 32) c.setGpr(RBX, (c.gpr(RBX) & 0xffffffffn) | (random.u64() << 32n));
    return {};
  }
  if (mnemonic.startsWith('MASKMOV')) {
    c.setGpr(RDI, offsetOf(chooseAddress(random, mnemonic === 'MASKMOVQ' ? 8 : 16), draft));
    return {};
  }
  if (mnemonic.startsWith('PCMPESTR')) {
    for (const r of [RAX, RDX]) c.setGpr(r, random.oneIn(4) ? integer(random) : BigInt(random.below(40) - 20));
    pinned.add(RAX).add(RDX);
  }
  if (row.operands.some(({ kind }) => kind === 'O'))
    return { immediate: offsetOf(chooseAddress(random, shape.operandSize >> 3), draft) };
  if (/^(LDMXCSR|FXRSTOR|FLDCW|FLDENV|FRSTOR)$/.test(mnemonic)) return { memory: stateImage(draft) };
  return {};
}

/** Offset of a linear address in the segment of the shape. */
function offsetOf(linear: bigint, { shape }: Draft): bigint {
  return BigInt.asUintN(64, linear - (shape.segment === 4 ? FS_BASE : shape.segment === 5 ? GS_BASE : 0n));
}

function prepareString(draft: Draft): Prepared {
  const { row, shape, random, c } = draft;
  const size = row.operands.some((o) => o.size === 'b') ? 1 : shape.operandSize >> 3;
  const repeats = shape.prefixes.includes(0xf2) || shape.prefixes.includes(0xf3);
  const span = size * 8;
  let source = chooseAddress(random, span);
  const target = chooseAddress(random, span);
  if (random.oneIn(4)) source = target + BigInt(random.below(17) - 8); // overlapping
  if (shape.addressSize === 32 && shape.segment === 5) source = 0x7000_0000_0000n; // cannot be reached
  c.setGpr(RSI, offsetOf(source, draft));
  c.setGpr(RDI, target);
  if (repeats) c.setGpr(RCX, BigInt(random.pick([0, 1, 2, 3, 5, 8, 13, 40])));
  if (shape.addressSize === 32) {
    for (const r of [RCX, RSI, RDI])
      c.setGpr(r, (c.gpr(r) & 0xffffffffn) | (random.oneIn(2) ? random.u64() << 32n : 0n));
  }
  if (/^(CMPS|SCAS)$/.test(row.mnemonic)) {
    // equal for some elements
    const element = bytesOf(random.oneIn(2) ? c.gpr(RAX) : integer(random), size);
    const same = Uint8Array.from({ length: span * 2 }, (_, i) => element[i % size] ?? 0);
    c.poke(target - BigInt(span), same);
    c.poke(source - BigInt(span), same);
    if (random.oneIn(2)) c.poke(target + BigInt((random.below(7) - 3) * size), Uint8Array.of(random.below(256)));
    if (random.oneIn(2))
      c.setGpr(
        RAX,
        element.reduce(
          (value, byte, i) => value | (BigInt(byte) << BigInt(8 * i)),
          c.gpr(RAX) & (size === 8 ? 0n : -1n << BigInt(8 * size)),
        ),
      );
  }
  return {};
}

function prepareStack(draft: Draft): Prepared {
  const { row, shape, random, c, pinned } = draft;
  const { mnemonic } = row;
  const bytes = shape.operandSize >> 3;
  const pops = /^(POP|POPF|RET|LEAVE)$/.test(mnemonic);
  let stack = chooseAddress(random, 16);
  if (stack === BigInt(DATA_END) || random.oneIn(24))
    stack = BigInt(random.pick([DATA_END, DATA_BASE, DATA_BASE + 4, DATA_BASE + 1, MIDDLE, MIDDLE + 4]));
  c.setGpr(RSP, stack);
  pinned.add(RSP);
  if (mnemonic === 'LEAVE') c.setGpr(RBP, stack);
  else if (mnemonic === 'ENTER') c.setGpr(RBP, BigInt(MIDDLE + random.below(256) - 128));
  if (mnemonic === 'LEAVE') c.setGpr(RSP, random.u64());
  if (mnemonic === 'POPF')
    c.poke(
      stack,
      Uint8Array.from(
        bytesOf(BigInt(random.u32() & POPF_FLAGS) | (random.u64() & (bytes === 8 ? 0n : ~0xffffn)), bytes),
      ),
    );
  else if (mnemonic === 'RET') c.poke(stack, Uint8Array.from(bytesOf(target(random), 8)));
  else if (pops) c.poke(stack, Uint8Array.from(bytesOf(integer(random), 8)));
  if (/^(CALL|JMP)$/.test(mnemonic)) {
    const to = target(random);
    if (row.hasModrm && !shape.isMemory && draft.rm !== RSP) c.setGpr(draft.rm, to);
    return { memory: Uint8Array.from(bytesOf(to, 8)) };
  }
  if (mnemonic === 'ENTER')
    return {
      immediate: BigInt(
        random.pick([0, 8, 16, 100, 65535, random.below(65536)]) | (random.pick([0, 0, 1, 2, 3, 31, 33, 255]) << 16),
      ),
    };
  return {};
}

/** Target of an indirect branch or return. */
function target(random: RandomSource): bigint {
  switch (random.below(16)) {
    case 0:
      return BigInt(DATA_BASE + random.below(64));
    case 1:
      return BigInt(DATA_END + random.below(64));
    case 2:
      return random.pick([0x8000_0000_0000n, 0xffff_7fff_ffff_ffffn, 0x1234_5678_9abc_def0n]);
    default:
      return BigInt(CODE_BASE + random.below(2 * PAGE));
  }
}

/** Mostly a dividend whose quotient fits. */
function prepareDivision(draft: Draft): Prepared {
  const { row, shape, random, c, rm, memory, pinned } = draft;
  const width = row.operands[0]?.size === 'b' ? 8 : shape.operandSize;
  const bits = BigInt(width);
  const signed = row.mnemonic === 'IDIV';
  pinned.add(RAX).add(RDX);
  if (random.oneIn(4)) return {};
  let divisor = BigInt.asUintN(width, random.oneIn(8) ? 0n : integer(random) >> BigInt(random.below(width)));
  if (signed && divisor >> (bits - 1n) !== 0n) divisor >>= 1n;
  let quotient = BigInt.asUintN(width, integer(random) >> BigInt(random.below(width)));
  if (signed && quotient >> (bits - 1n) !== 0n && !random.oneIn(8)) quotient >>= 1n;
  const rest = divisor === 0n ? 0n : random.u64() % divisor;
  let dividend = quotient * divisor + rest;
  if (signed && random.oneIn(2)) dividend = -dividend;
  if (signed && random.oneIn(2)) divisor = -divisor;
  const low = dividend & ((1n << bits) - 1n);
  const high = (dividend >> bits) & ((1n << bits) - 1n);
  if (width === 8) c.setGpr(RAX, (c.gpr(RAX) & ~0xffffn) | (high << 8n) | low);
  else {
    const rest64 = ~((1n << bits) - 1n);
    c.setGpr(RAX, (c.gpr(RAX) & rest64) | low);
    c.setGpr(RDX, (c.gpr(RDX) & rest64) | high);
  }
  if (shape.isMemory) return { memory: Uint8Array.from(bytesOf(divisor, memory.length)) };
  if (rm !== RAX && rm !== RDX) c.setGpr(rm, divisor);
  return {};
}

/** The comparand equals the destination half the time. */
function prepareExchange({ row, shape, random, c, rm, memory, pinned }: Draft): Prepared {
  pinned.add(RAX);
  if (row.mnemonic === 'CMPXCHG') {
    if (random.oneIn(2)) return {};
    if (!shape.isMemory) c.setGpr(rm, c.gpr(RAX));
    return { memory: Uint8Array.from(bytesOf(c.gpr(RAX), memory.length)) };
  }
  pinned.add(RDX).add(RBX).add(RCX);
  if (random.oneIn(2)) return {};
  const half = memory.length / 2;
  const bytes = [...bytesOf(c.gpr(RAX), half), ...bytesOf(c.gpr(RDX), half)];
  if (random.oneIn(6)) bytes[random.below(bytes.length)]! ^= 1; // the index is in range
  return { memory: Uint8Array.from(bytes) };
}

/** Control words that can be loaded, mostly. */
function stateImage({ row, random, memory }: Draft): Uint8Array {
  const image = Uint8Array.from(memory);
  const view = new DataView(image.buffer);
  const fcw = (random.u32() & 0xf3f) | 0x40 | (random.oneIn(2) ? 0x3f : 0);
  if (row.mnemonic === 'LDMXCSR') view.setUint32(0, random.oneIn(8) ? random.u32() : random.u32() & 0xffff, true);
  if (row.mnemonic === 'FLDCW') view.setUint16(0, fcw, true);
  if (row.mnemonic === 'FXRSTOR') {
    view.setUint16(0, fcw, true);
    view.setUint32(24, random.oneIn(8) ? random.u32() : random.u32() & 0xffff, true);
  } else if (row.mnemonic !== 'LDMXCSR' && row.mnemonic !== 'FLDCW') {
    view.setUint32(0, fcw, true);
  }
  return image;
}
