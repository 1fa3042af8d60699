// What a program begins with: the contents of all frames and the registers of both vCPUs.

import { Cpu, CPU_STATE_SIZE, CpuState, Gpr } from '../../../src/engine/index.ts';
import { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { double, extended, single } from '../../cpu/float-recorder/float-operands.ts';
import { integer, lanes } from '../../cpu/operands.ts';
import { ANCHOR, Frame, FS_BASE, GS_BASE, INDEX, PAGE, stackTop, Table } from './layout.ts';
import type { Image, Program } from './program.ts';

const ALL_MASKED = 0x1f80;
const FCW_AFTER_FNINIT = 0x37f;
const DEFINED_FLAGS = 0x8d5;
const INTERRUPT_FLAG = 0x202;

/** Contents of machine memory, without page tables. */
export function contentsOf({ seed, deepest }: Program, image: Image): Uint8Array {
  const random = new RandomSource(seed ^ 0xda7a);
  const bytes = new Uint8Array(Frame.COUNT * PAGE);
  const view = new DataView(bytes.buffer);
  for (let at = Frame.DATA * PAGE; at < Frame.EMULATION * PAGE; at += 16) fill(random, view, at);
  bytes.set(image.code, Frame.CODE * PAGE);
  const tables = Frame.JUMP_TABLES * PAGE;
  bytes.fill(0, tables, tables + PAGE);
  bytes.set(image.tables, tables + Table.TARGETS);
  for (let n = 0; n < Table.NR_COUNTERS; n++) {
    view.setUint32(tables + Table.COUNTERS + 4 * n, random.below(random.oneIn(4) ? deepest : 40), true);
  }
  for (let n = 0; n < 16; n++) {
    view.setUint32(tables + Table.MXCSR + 4 * n, mxcsr(random), true);
    view.setUint32(tables + Table.FCW + 4 * n, controlWord(random), true);
  }
  for (const at of [Table.FX, Table.FX + 512, Table.ENVIRONMENT]) {
    for (let n = 0; n < 512; n += 16) fill(random, view, tables + at + n);
    view.setUint32(tables + at, controlWord(random), true);
    if (at !== Table.ENVIRONMENT) view.setUint32(tables + at + 24, mxcsr(random), true);
  }
  return bytes;
}

/** State block of a vCPU. */
export function stateOf(seed: number, vcpu: number, image: Image): Uint8Array {
  const state = new CpuState(new ArrayBuffer(CPU_STATE_SIZE), 0);
  const random = new RandomSource(seed + 0x1234 * (vcpu + 1));
  fillRegisters(state, random);
  state.gpr[Gpr.RSP] = BigInt(stackTop(vcpu));
  state.rip = BigInt(image.entries[vcpu % image.entries.length] ?? 0);
  state.writeU32(Cpu.KERNEL_MODE, random.below(2));
  state.writeU64(Cpu.FS_BASE, FS_BASE);
  state.writeU64(Cpu.GS_BASE, GS_BASE);
  for (let n = 0; n < 6; n++) state.selector[n] = random.pick([0, 0x2b, 0x33, 0xe02b]);
  return state.bytes;
}

/** Gives random values to all registers but rip, the stack pointer and what belongs to the mode. */
export function fillRegisters(state: CpuState, random: RandomSource): void {
  const view = new DataView(state.bytes.buffer, state.bytes.byteOffset, CPU_STATE_SIZE);
  for (let r = 0; r < 16; r++) if (r !== Gpr.RSP) state.gpr[r] = integer(random);
  state.gpr[Gpr.R15] = BigInt(ANCHOR);
  state.gpr[Gpr.R14] = BigInt(INDEX);
  state.rflags = (random.u32() & DEFINED_FLAGS) | INTERRUPT_FLAG;
  for (let r = 0; r < 16; r++)
    state.bytes.set(lanes(random, random.pick(['single', 'double', 'integer'])), Cpu.XMM + 16 * r);
  for (let r = 0; r < 8; r++) {
    const [significand, signExponent] = extended(random);
    view.setBigUint64(Cpu.X87 + 16 * r, significand, true);
    view.setUint16(Cpu.X87 + 16 * r + 8, signExponent, true);
  }
  view.setUint16(Cpu.FCW, random.oneIn(3) ? controlWord(random) : FCW_AFTER_FNINIT, true);
  view.setUint16(Cpu.FSW, random.below(8) << 11, true);
  view.setUint8(Cpu.FTW, random.pick([0, 0xff, random.below(256)]));
  state.writeU32(Cpu.MXCSR, random.oneIn(3) ? mxcsr(random) : ALL_MASKED);
}

function mxcsr(random: RandomSource): number {
  return random.oneIn(4) ? random.u32() & 0xffff : (random.u32() & 0xe07f) | ALL_MASKED;
}

function controlWord(random: RandomSource): number {
  return (random.u32() & 0xf40) | (random.oneIn(4) ? random.below(64) : 0x3f);
}

/** 16 bytes of integers or floating-point numbers. */
function fill(random: RandomSource, view: DataView, at: number): void {
  switch (random.below(4)) {
    case 0:
      for (let n = 0; n < 16; n += 4) view.setUint32(at + n, single(random), true);
      break;
    case 1:
      for (let n = 0; n < 16; n += 8) view.setBigUint64(at + n, double(random), true);
      break;
    default:
      for (let n = 0; n < 16; n += 8) view.setBigUint64(at + n, integer(random), true);
  }
}
