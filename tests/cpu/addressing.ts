// Chooses where a memory operand lies and how the instruction addresses it: the ModRM, SIB and displacement bytes,
// and the registers that make the address come out. Registers that already have a purpose keep their values.

import type { RandomSource } from './float-recorder/random-source.ts';
import type { InputWriter } from './input.ts';
import { DATA_BASE, DATA_END, FS_BASE, GS_BASE, PAGE, READ_ONLY_BASE } from './machine-layout.ts';

const MIDDLE = DATA_BASE + PAGE;
const WINDOW_START = MIDDLE - 384;
const WINDOW_SIZE = 768;
const MARGIN = 64;
const MASK64 = (1n << 64n) - 1n;
const MASK32 = (1n << 32n) - 1n;

/** ModRM (without the reg field), SIB and displacement, with the REX bits they need. */
export interface MemoryEncoding {
  readonly modrm: number;
  /** SIB, if any, and displacement. */
  readonly tail: number[];
  /** REX.X and REX.B in their places. */
  readonly rex: number;
  /** The displacement (the last 4 bytes of `tail`) is relative to the end of the instruction; it holds the address itself. */
  readonly ripRelative: boolean;
}

/** An address of a string operand, a stack or another operand of `size` bytes. Some of them fault. */
export function chooseAddress(random: RandomSource, size: number, canFault = true): bigint {
  if (size > 256)
    return BigInt(WINDOW_START + 16 * random.below((WINDOW_SIZE - size) / 16) + (random.oneIn(12) ? 8 : 0));
  switch (canFault ? random.below(40) : 40) {
    case 0:
      return BigInt(DATA_END + random.below(64));
    case 1:
    case 2:
      return BigInt(DATA_END - random.below(Math.max(size, 1)));
    case 3:
    case 4:
      return BigInt(READ_ONLY_BASE + random.below(PAGE - size));
    case 5:
      return BigInt(DATA_BASE - random.below(Math.max(size, 1)));
    case 6:
      return random.pick([0x8000_0000_0000n, 0x4000_0000_0000_0000n, 0xffff_7fff_ffff_fff0n]) + BigInt(random.below(8));
    case 7:
      return BigInt(READ_ONLY_BASE - 1 - random.below(Math.max(size, 1)));
    case 8:
      return BigInt(DATA_END - 64 + random.below(Math.max(64 - size, 1)));
    case 9:
    case 10:
    case 11:
      return BigInt(MIDDLE - random.below(Math.max(size, 1)));
    default: {
      const address = WINDOW_START + MARGIN + random.below(WINDOW_SIZE - 2 * MARGIN - size);
      return BigInt(random.oneIn(4) || size === 0 ? address : address - (address % alignmentOf(size)));
    }
  }
}

/** Encodes an operand at a linear address. @param pinned - registers that must keep their values; chosen ones are added */
export function encodeMemory(
  random: RandomSource,
  c: InputWriter,
  linear: bigint,
  addressSize: 32 | 64,
  segment: 0 | 4 | 5,
  pinned: Set<number>,
): MemoryEncoding {
  const offset = (linear - (segment === 4 ? FS_BASE : segment === 5 ? GS_BASE : 0n)) & MASK64;
  const mask = addressSize === 32 ? MASK32 : MASK64;
  const absolute = addressSize === 32 ? BigInt.asIntN(32, offset) : BigInt.asIntN(64, offset);
  const fits = absolute >= -(1n << 31n) && absolute < 1n << 31n;
  const mode = random.below(12);
  if (mode === 0 && fits) return { modrm: 0x04, tail: [0x25, ...bytesOf(absolute, 4)], rex: 0, ripRelative: false };
  if (mode === 1 && fits) return { modrm: 0x05, tail: bytesOf(absolute, 4), rex: 0, ripRelative: true };

  const set = (register: number, value: bigint): void => {
    const high = addressSize === 32 ? random.u64() & ~MASK32 : 0n;
    c.setGpr(register, (value & mask) | high);
    pinned.add(register);
  };
  const hasIndex = mode >= 6;
  const hasBase = !hasIndex || mode >= 7 || !fits;
  let displacement = randomDisplacement(random);
  if (!hasBase) displacement = BigInt(random.u32() | 0);
  let rest = offset;
  let index = 4;
  const scale = random.below(4);
  if (hasIndex) {
    do index = random.below(16);
    while (index === 4);
    if (!pinned.has(index) && hasBase) set(index, random.oneIn(2) ? random.u64() : BigInt(random.below(256)));
    if (!hasBase) {
      // the index times the scale must be reached exactly
      const step = BigInt(1 << scale);
      displacement = BigInt.asIntN(32, displacement - ((displacement - absolute) % step));
      if (pinned.has(index)) displacement = absolute - BigInt.asIntN(64, c.gpr(index) << BigInt(scale));
      else set(index, (absolute - displacement) / step);
      if (displacement < -(1n << 31n) || displacement >= 1n << 31n)
        return encodeMemory(random, c, linear, addressSize, segment, pinned);
      return {
        modrm: 0x04,
        tail: [(scale << 6) | ((index & 7) << 3) | 5, ...bytesOf(displacement, 4)],
        rex: (index & 8) >> 2,
        ripRelative: false,
      };
    }
    rest -= c.gpr(index) << BigInt(scale);
  }
  const base = random.below(16);
  if (pinned.has(base)) {
    displacement = addressSize === 32 ? BigInt.asIntN(32, rest - c.gpr(base)) : BigInt.asIntN(64, rest - c.gpr(base));
    if (displacement < -(1n << 31n) || displacement >= 1n << 31n)
      return encodeMemory(random, c, linear, addressSize, segment, pinned);
  } else {
    set(base, rest - displacement);
  }
  const needsSib = hasIndex || (base & 7) === 4 || random.oneIn(12);
  const size = displacementSize(random, displacement, base);
  const sib = needsSib ? [(scale << 6) | ((index & 7) << 3) | (base & 7)] : [];
  return {
    modrm: (size === 0 ? 0 : size === 1 ? 0x40 : 0x80) | (needsSib ? 4 : base & 7),
    tail: [...sib, ...bytesOf(displacement, size)],
    rex: ((base & 8) >> 3) | ((index & 8) >> 2),
    ripRelative: false,
  };
}

/** Little-endian bytes of a value. */
export function bytesOf(value: bigint, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function alignmentOf(size: number): number {
  return size >= 16 ? 16 : size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
}

function randomDisplacement(random: RandomSource): bigint {
  switch (random.below(4)) {
    case 0:
      return 0n;
    case 1:
      return BigInt((random.u32() << 24) >> 24);
    case 2:
      return BigInt(random.below(4096) - 2048);
    default:
      return BigInt(random.u32() | 0);
  }
}

function displacementSize(random: RandomSource, displacement: bigint, base: number): 0 | 1 | 4 {
  if (random.oneIn(8)) return 4;
  if (displacement === 0n && (base & 7) !== 5) return 0;
  return displacement >= -128n && displacement < 128n ? 1 : 4;
}
