// fnstenv, fldenv, fnsave and frstor: the 28-byte environment of 32 and 64-bit operand size and the 14-byte one
// of 16-bit size (prefix 66), each with or without the 80 bytes of the registers. Slot `a` is the first byte
// of the image: loaded whole before, stored back whole after. Segment selectors are stored as 0, as on CPUs
// that say so (CPUID leaf 7 EBX bit 13). Intel SDM vol. 1, figures 8-9 to 8-12.

import { Cpu } from '../../../engine/index.ts';
import { unpack80 } from '../softfloat/codec.ts';
import { ALL_FLAGS } from '../softfloat/context.ts';
import { FloatKind } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { initialise, isPending, setControlWord } from './control.ts';
import { MATH_FAULT, registerOffset, updateErrorSummary } from './fpu.ts';

/** Bytes of an environment by operand size, and of what fnsave stores. */
export const EnvironmentSize = { LONG: 28, SHORT: 14, REGISTERS: 80 } as const;

/** Bytes of one register in an fnsave image. */
const REGISTER_SIZE = 10;

/** Environment helpers, by name. */
export const ENVIRONMENT: Readonly<Record<string, Helper>> = {
  'x87.fnstenv': (s, a) => storeEnvironment(s, a, false),
  'x87.fnstenv_16': (s, a) => storeEnvironment(s, a, true),
  'x87.fldenv': (s, a) => loadEnvironment(s, a, false),
  'x87.fldenv_16': (s, a) => loadEnvironment(s, a, true),
  'x87.fnsave': (s, a) => save(s, a, false),
  'x87.fnsave_16': (s, a) => save(s, a, true),
  'x87.frstor': (s, a) => restore(s, a, false),
  'x87.frstor_16': (s, a) => restore(s, a, true),
};

/** The tag word with two bits a register that fnstenv stores. Intel SDM vol. 1, section 8.1.7. */
function fullTagWord(s: StateView): number {
  let tags = 0;
  for (let register = 0; register < 8; register++) tags |= tagOf(s, register) << (2 * register);
  return tags;
}

/** Valid 0, zero 1, special 2, empty 3. */
function tagOf(s: StateView, register: number): number {
  if ((s.u8[Cpu.FTW] & (1 << register)) === 0) return 3;
  const at = Cpu.X87 + 16 * register;
  const x = unpack80(s.u64[at / 8], s.u16[at / 2 + 4]);
  if (x.kind === FloatKind.ZERO) return 1;
  return x.kind === FloatKind.FINITE && !x.denormal ? 0 : 2;
}

function storeEnvironment(s: StateView, a: number, short: boolean): number {
  const { view } = s;
  const step = short ? 2 : 4;
  const upper = short ? 0 : 0xffff0000; // reserved halves read as ones
  const words = [s.u16[Cpu.FCW / 2], s.u16[Cpu.FSW / 2], fullTagWord(s)];
  words.forEach((word, i) => {
    if (short) view.setUint16(a + i * step, word, true);
    else view.setUint32(a + i * step, (upper | word) >>> 0, true);
  });
  const instruction = s.u32[Cpu.FIP / 4];
  const data = s.u32[Cpu.FDP / 4];
  if (short) {
    view.setUint16(a + 6, instruction & 0xffff, true);
    view.setUint16(a + 8, 0, true);
    view.setUint16(a + 10, data & 0xffff, true);
    view.setUint16(a + 12, 0, true);
  } else {
    view.setUint32(a + 12, instruction, true);
    view.setUint32(a + 16, s.u16[Cpu.FOP / 2] << 16, true);
    view.setUint32(a + 20, data, true);
    view.setUint32(a + 24, 0xffff0000, true);
  }
  s.u16[Cpu.FCW / 2] |= ALL_FLAGS;
  updateErrorSummary(s);
  return 0;
}

function loadEnvironment(s: StateView, a: number, short: boolean): number {
  if (isPending(s)) return MATH_FAULT;
  const { view } = s;
  const step = short ? 2 : 4;
  setControlWord(s, view.getUint16(a, true));
  s.u16[Cpu.FSW / 2] = view.getUint16(a + step, true);
  const tags = view.getUint16(a + 2 * step, true);
  let inUse = 0;
  for (let register = 0; register < 8; register++) if (((tags >> (2 * register)) & 3) !== 3) inUse |= 1 << register;
  s.u8[Cpu.FTW] = inUse;
  s.u64[Cpu.FIP / 8] = BigInt(short ? view.getUint16(a + 6, true) : view.getUint32(a + 12, true));
  s.u64[Cpu.FDP / 8] = BigInt(short ? view.getUint16(a + 10, true) : view.getUint32(a + 20, true));
  s.u16[Cpu.FOP / 2] = short ? 0 : view.getUint16(a + 18, true) & 0x7ff;
  updateErrorSummary(s);
  return 0;
}

function save(s: StateView, a: number, short: boolean): number {
  const registers = a + (short ? EnvironmentSize.SHORT : EnvironmentSize.LONG);
  storeEnvironment(s, a, short);
  for (let i = 0; i < 8; i++) {
    const at = registerOffset(s, i);
    s.u8.copyWithin(registers + REGISTER_SIZE * i, at, at + REGISTER_SIZE);
  }
  initialise(s);
  return 0;
}

function restore(s: StateView, a: number, short: boolean): number {
  const fault = loadEnvironment(s, a, short);
  if (fault !== 0) return fault;
  const registers = a + (short ? EnvironmentSize.SHORT : EnvironmentSize.LONG);
  for (let i = 0; i < 8; i++) {
    const from = registers + REGISTER_SIZE * i;
    s.u8.copyWithin(registerOffset(s, i), from, from + REGISTER_SIZE);
  }
  return 0;
}
