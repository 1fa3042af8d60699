// Operand values for the case generator: general registers, memory operands, SSE and x87 state. A mixture of
// edges and random bits, suited to what the row computes with.

import { double, extended, single } from './float-recorder/float-operands.ts';
import type { RandomSource } from './float-recorder/random-source.ts';
import type { InputWriter } from './input.ts';
import { FX_BYTES, Fx } from './machine-layout.ts';

/** What the lanes of an SSE or memory operand hold. */
export type LaneKind = 'single' | 'double' | 'integer' | 'text';

const WIDTHS = [8, 16, 32, 64] as const;

/** A 64-bit value: an edge of some width, or random. */
export function integer(random: RandomSource): bigint {
  const width = BigInt(random.pick(WIDTHS));
  switch (random.below(10)) {
    case 0:
      return 0n;
    case 1:
      return 1n;
    case 2:
      return (1n << 64n) - 1n;
    case 3:
      return 1n << BigInt(random.below(64));
    case 4:
      return 1n << (width - 1n);
    case 5:
      return (1n << (width - 1n)) - 1n;
    case 6:
      return BigInt(random.below(300));
    case 7:
      return BigInt.asUintN(64, -BigInt(random.below(300)));
    default:
      return random.u64();
  }
}

/** 16 bytes of lanes. @param near - an operand that the lanes are often close to */
export function lanes(random: RandomSource, kind: LaneKind, near?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const other = near === undefined ? undefined : new DataView(near.buffer, near.byteOffset, 16);
  if (kind === 'single') {
    for (let at = 0; at < 16; at += 4) view.setUint32(at, single(random, other?.getUint32(at, true)), true);
  } else if (kind === 'double') {
    for (let at = 0; at < 16; at += 8) view.setBigUint64(at, double(random, other?.getBigUint64(at, true)), true);
  } else if (kind === 'text') {
    const letters = random.pick([2, 3, 6]);
    for (let at = 0; at < 16; at++) bytes[at] = random.oneIn(16) ? 0 : 0x60 + random.below(letters);
    if (random.oneIn(2)) bytes.fill(0, random.below(17));
  } else {
    integerLanes(random, bytes, near);
  }
  return bytes;
}

function integerLanes(random: RandomSource, bytes: Uint8Array, near?: Uint8Array): void {
  const size = random.pick([1, 2, 4, 8]);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < 16; at += 8) view.setBigUint64(at, random.u64(), true);
  if (random.oneIn(4)) return;
  for (let at = 0; at < 16; at += size) {
    const choice = random.below(7);
    const last = at + size - 1;
    if (choice === 0) bytes.fill(0, at, at + size);
    if (choice === 1 || choice === 2) bytes.fill(0xff, at, at + size);
    if (choice === 2) bytes[last] = 0x7f;
    if (choice === 3) bytes.fill(0, at, at + size);
    if (choice === 3) bytes[last] = 0x80;
    if (choice === 4 && near !== undefined) bytes.set(near.subarray(at, at + size), at);
  }
}

/** A value for MXCSR. @param floating - the instruction computes with it */
export function mxcsr(random: RandomSource, floating: boolean): number {
  const sticky = random.oneIn(3) ? random.u32() & 0x3f : 0;
  if (!floating || random.oneIn(3)) return 0x1f80 | sticky;
  const masks = random.oneIn(3) ? random.u32() & 0x1f80 : 0x1f80;
  const flush = random.oneIn(3) ? random.u32() & 0x8040 : 0;
  return masks | flush | (random.below(4) << 13) | sticky;
}

/** The FPU and SSE state of cases that are not about it: everything has a value, so that damage shows. */
export function quietFx(): Uint8Array {
  const image = new Uint8Array(FX_BYTES);
  const view = new DataView(image.buffer);
  for (let at = Fx.XMM; at < FX_BYTES; at++) image[at] = (at * 73 + 41) & 0xff;
  for (let i = 0; i < 8; i++) {
    view.setBigUint64(Fx.ST + 16 * i, (1n << 63n) | BigInt(i * 0x123456789), true);
    view.setUint16(Fx.ST + 16 * i + 8, 0x3ff0 + i, true);
  }
  view.setUint16(Fx.FCW, 0x37f, true);
  view.setUint16(Fx.FSW, 0x1800, true);
  view.setUint8(Fx.FTW, 0xf8);
  view.setUint32(Fx.MXCSR, 0x1f80, true);
  return image;
}

/** Fills the x87 state. @param mostlyMasked - exceptions are masked and none is pending, mostly */
export function x87State(random: RandomSource, c: InputWriter): void {
  const masks = random.oneIn(4) ? random.u32() & 0x3f : 0x3f;
  const fcw = masks | 0x40 | (random.pick([3, 3, 3, 2, 0, 1]) << 8) | (random.below(4) << 10);
  const top = random.below(8);
  const flags = random.u32() & 0x3f & (random.oneIn(30) ? 0x3f : fcw);
  let tags = 0;
  if (random.oneIn(8)) tags = random.u32() & 0xff;
  else for (let i = 2 + random.below(7); i > 0; i--) tags |= 1 << ((top + i - 1) & 7);
  c.setX87(fcw, (top << 11) | (random.u32() & 0x4700) | flags | (random.oneIn(4) ? 0x40 : 0), tags);
  let near = extended(random);
  for (let i = 0; i < 8; i++) {
    const value = i === 0 ? near : extended(random, near);
    if (random.oneIn(3)) near = value;
    c.setSt(i, value[0], value[1]);
  }
}

/** Contents of a memory operand of an x87 or state instruction, by mnemonic. */
export function x87Memory(random: RandomSource, mnemonic: string, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(size, 16));
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 8 <= bytes.length; at += 8) view.setBigUint64(at, random.u64(), true);
  if (mnemonic === 'FBLD') {
    const digits = random.below(19);
    for (let i = 0; i < 9; i++)
      bytes[i] = ((2 * i + 1 < digits ? random.below(10) : 0) << 4) | (2 * i < digits ? random.below(10) : 0);
    bytes[9] = random.pick([0, 0x80]);
  } else if (mnemonic.startsWith('FI')) {
    view.setBigUint64(0, integer(random), true);
  } else if (size === 4) {
    view.setUint32(0, single(random), true);
  } else if (size === 8) {
    view.setBigUint64(0, double(random), true);
  } else if (size === 10) {
    const [significand, signExponent] = extended(random);
    view.setBigUint64(0, significand, true);
    view.setUint16(8, signExponent, true);
  }
  return bytes;
}
