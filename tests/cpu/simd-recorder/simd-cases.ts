// Random machine states for the SIMD forms: operands that provoke, every kind of MXCSR for floating point
// with the default ones frequent (they take the fast paths), and an x87 unit in any state for MMX.

import type { FloatCase } from '../float-recorder/float-case.ts';
import { double, single } from '../float-recorder/float-operands.ts';
import type { RandomSource } from '../float-recorder/random-source.ts';
import type { SimdForm } from './simd-forms.ts';

const MXCSR_AT = 24;
const REGISTERS_AT = 32;
const XMM_AT = 160;
const MASKED = 0x1f80;
const FLAGS_BUT_PE = 0x1f;
const PE = 0x20;

/** A random case for a form. */
export function simdCase(random: RandomSource, form: SimdForm): FloatCase {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  fillX87(random, view);
  view.setUint32(MXCSR_AT, form.isFloat ? randomMxcsr(random) : MASKED, true);
  fillElements(random, form, view, XMM_AT, undefined);
  fillElements(random, form, view, XMM_AT + 16, XMM_AT);
  const memory = new Uint8Array(512);
  const source = new DataView(memory.buffer);
  for (let at = 0; at < 64; at += 16) fillElements(random, form, source, at, undefined);
  if (form.mnemonic === 'LDMXCSR') source.setUint32(0, random.u32() & (random.oneIn(6) ? 0x1ffff : 0xffff), true);
  if (form.mnemonic === 'FXRSTOR') fillImage(random, source);
  const rax = form.mnemonic.startsWith('PCMPESTR') ? randomLengths(random) : randomInteger(random);
  return { form, rax, rflags: random.u32() & 0x8d5, memory, image };
}

/** Any state: TOP, tags, sometimes a pending exception, MMX-like or real contents. */
function fillX87(random: RandomSource, view: DataView): void {
  const pending = random.oneIn(16);
  view.setUint16(0, pending ? 0x37e : 0x37f, true);
  view.setUint16(2, (random.below(8) << 11) | (random.u32() & 0x4700) | (pending ? 0x8081 : 0), true);
  view.setUint8(4, random.u32() & 0xff);
  view.setUint16(6, random.u32() & 0x7ff, true);
  view.setBigUint64(8, 0x1122334455n, true);
  view.setBigUint64(16, 0x5544332211n, true);
  for (let at = REGISTERS_AT; at < XMM_AT; at += 16) {
    view.setBigUint64(at, randomBits(random), true);
    view.setUint16(at + 8, random.u32() & 0xffff, true);
  }
}

function randomMxcsr(random: RandomSource): number {
  switch (random.below(4)) {
    case 0:
    case 1:
      return MASKED | PE | (random.u32() & random.u32() & FLAGS_BUT_PE);
    case 2:
      return MASKED | (random.u32() & random.u32() & FLAGS_BUT_PE);
    default: {
      const masks = random.oneIn(2) ? random.u32() & 0x3f : 0x3f;
      const modes = (random.oneIn(3) ? 1 << 15 : 0) | (random.oneIn(3) ? 1 << 6 : 0) | (random.below(4) << 13);
      return (random.u32() & random.u32() & masks) | (masks << 7) | modes;
    }
  }
}

function fillElements(
  random: RandomSource,
  form: SimdForm,
  view: DataView,
  at: number,
  near: number | undefined,
): void {
  for (let i = 0; i < 16; i += 8) {
    switch (form.element) {
      case 'single':
        for (const k of [at + i, at + i + 4]) {
          view.setUint32(
            k,
            randomSingle(random, near === undefined ? undefined : view.getUint32(near + k - at, true)),
            true,
          );
        }
        break;
      case 'double':
        view.setBigUint64(
          at + i,
          randomDouble(random, near === undefined ? undefined : view.getBigUint64(near + i, true)),
          true,
        );
        break;
      case 'int32':
      case 'int64':
        view.setBigUint64(at + i, randomInteger(random), true);
        break;
      default:
        view.setBigUint64(at + i, randomBits(random), true);
    }
  }
}

/** Three in eight are simple numbers, whose sums and products are exact. */
function randomSingle(random: RandomSource, near: number | undefined): number {
  if (random.below(8) >= 3) return single(random, near);
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, simpleNumber(random));
  return view.getUint32(0);
}

function randomDouble(random: RandomSource, near: bigint | undefined): bigint {
  if (random.below(8) >= 3) return double(random, near);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, simpleNumber(random));
  return view.getBigUint64(0);
}

function simpleNumber(random: RandomSource): number {
  return (random.below(200) - 100) / 2 ** random.below(4);
}

/** Small, large, and powers of two in all widths. */
function randomInteger(random: RandomSource): bigint {
  const wide = BigInt.asIntN(64, random.u64()) >> BigInt(random.below(64));
  const low = (random.u32() | 0) >> random.below(32);
  return BigInt.asUintN(64, random.oneIn(2) ? wide : (BigInt(random.u32()) << 32n) | BigInt(low >>> 0));
}

/** Lanes that are extreme, equal, small, or anything. */
function randomBits(random: RandomSource): bigint {
  switch (random.below(6)) {
    case 0:
      return BigInt(random.below(70));
    case 1:
      return bytes(random, [0x00, 0x7f, 0x80, 0xff]);
    case 2:
      return bytes(random, [0x00, 0x01, 0x61, 0x62, 0x63]);
    case 3:
      return bytes(random, [0x00, 0x80, 0xff]) & 0xff00ff00ff00ff00n;
    default:
      return random.u64();
  }
}

function bytes(random: RandomSource, choices: readonly number[]): bigint {
  let value = 0n;
  for (let n = 0; n < 8; n++) value = (value << 8n) | BigInt(random.pick(choices));
  return value;
}

/** The first length in bits 16 to 31, the second below: signed, in and out of range. */
function randomLengths(random: RandomSource): bigint {
  const one = (): number => (random.oneIn(4) ? random.u32() : random.below(41) - 20) & 0xffff;
  return BigInt(((one() << 16) | one()) >>> 0);
}

/** An image that fxrstor mostly accepts. */
function fillImage(random: RandomSource, view: DataView): void {
  const masks = 0x3f;
  view.setUint16(0, 0x340 | masks, true);
  view.setUint16(2, random.u32() & 0x7f00, true);
  view.setUint32(MXCSR_AT, random.oneIn(4) ? random.u32() : random.u32() & 0xffff, true);
}
