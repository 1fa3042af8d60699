// One of the two equal machines that a program runs in: an engine, its memory, two vCPUs. Everything that happens to
// it from outside is a method here, and depends on nothing but the arguments and the machine's state.

import { mfn, vaddr } from '../../../src/base/index.ts';
import {
  Cpu,
  type CpuState,
  type Engine,
  type EngineTier,
  type ExitReason,
  Gpr,
  Rflags,
  type VcpuContext,
} from '../../../src/engine/index.ts';
import { createEngine, type EngineOptions } from '../../../src/engine-wasm/index.ts';
import { createMachineMemory, type MachineMemory } from '../../../src/machine/index.ts';
import { Pte, PteHi, tableIndex } from '../../../src/x86/index.ts';
import { addressOfPage, BASE, Frame, NOWHERE, NR_PAGES, PAGE, Page, properMapping } from './layout.ts';

const TABLE = Pte.PRESENT | Pte.WRITABLE | Pte.USER;
const NR_LEVELS = 4;
const TIME = 0x1_2345_6789;

/** Frames of a mode's tables: L4, L3, L2, L1. */
function tables(kernelMode: boolean): readonly number[] {
  const first = Frame.TABLES + (kernelMode ? 0 : NR_LEVELS);
  return [first, first + 1, first + 2, first + 3];
}

/** A machine. */
export class Machine {
  readonly memory: MachineMemory = createMachineMemory(Frame.COUNT);
  readonly engine: Engine;
  readonly vcpus: readonly VcpuContext[];
  /** Memory that is compared: all but the engine's own frame. */
  readonly compared: Uint8Array = this.memory.u8.subarray(Frame.TABLES * PAGE);
  /** The vCPU that runs. */
  current = 0;

  constructor(tier: EngineTier, options: EngineOptions = {}) {
    this.engine = createEngine(this.memory, { readTsc: () => TIME }, mfn(Frame.SCRATCH), tier, options);
    this.vcpus = [this.engine.createContext(), this.engine.createContext()];
  }

  /** The running vCPU. */
  get vcpu(): VcpuContext {
    return this.vcpus[this.current]!; // 0 or 1
  }

  /** Registers of the running vCPU. */
  get state(): CpuState {
    return this.vcpu.state;
  }

  get kernelMode(): boolean {
    return this.state.readU32(Cpu.KERNEL_MODE) !== 0;
  }

  /** Makes the machine as at the beginning of a program. @param contents - of all frames but the page tables */
  reset(contents: Uint8Array, states: readonly Uint8Array[]): void {
    this.memory.u8.fill(0);
    this.memory.u8.set(contents);
    for (let frame = 0; frame < Frame.COUNT; frame++) this.engine.invalidateCode(mfn(frame));
    for (const kernelMode of [true, false]) {
      const chain = tables(kernelMode);
      for (let level = NR_LEVELS; level > 1; level--) {
        const at = (chain[NR_LEVELS - level] ?? 0) * PAGE + 8 * tableIndex(BASE, level);
        this.memory.view.setUint32(at, (chain[NR_LEVELS - level + 1] ?? 0) * PAGE + TABLE, true);
      }
      for (let page = 0; page < NR_PAGES; page++)
        if (page !== Page.LAZY_LOW && page !== Page.LAZY_HIGH) this.mend(page, kernelMode);
    }
    this.engine.flushTlb();
    this.current = 0;
    this.vcpus.forEach(({ state }, n) => {
      const bytes = states[n];
      if (bytes !== undefined) state.bytes.set(bytes);
      state.writeU32(Cpu.KERNEL_ROOT, (tables(true)[0] ?? 0) * PAGE);
      state.writeU32(Cpu.USER_ROOT, (tables(false)[0] ?? 0) * PAGE);
    });
  }

  /** Machine address of the L1 entry of a page. */
  entry(page: number, kernelMode: boolean): number {
    return (tables(kernelMode)[NR_LEVELS - 1] ?? 0) * PAGE + 8 * (tableIndex(BASE, 1) + page);
  }

  /** Maps a page as it should be, if it is one that can be mapped. @returns false when nothing has changed by that */
  mend(page: number, kernelMode: boolean): boolean {
    const mapping = properMapping(page, kernelMode);
    if (mapping === undefined) return false;
    const at = this.entry(page, kernelMode);
    const { view } = this.memory;
    const before = view.getUint32(at, true);
    const highBefore = view.getUint32(at + 4, true);
    const marks = before & (Pte.ACCESSED | Pte.DIRTY);
    const after = (mapping.frame * PAGE) | mapping.flags | marks;
    const high = mapping.noExecute ? PteHi.NO_EXECUTE : 0;
    if (before === after && highBefore === high) return false;
    this.setEntry(page, kernelMode, after, high);
    return true;
  }

  /** Writes an L1 entry, and has the page flushed. */
  setEntry(page: number, kernelMode: boolean, lo: number, hi: number): void {
    const at = this.entry(page, kernelMode);
    this.memory.view.setUint32(at, lo, true);
    this.memory.view.setUint32(at + 4, hi >>> 0, true);
    this.engine.flushTlbPage(vaddr(addressOfPage(page)));
  }

  /** Runs one instruction. @returns BUDGET when it has completed */
  step(): ExitReason {
    if ((this.state.readU32(Cpu.FLAG_SYSTEM) & Rflags.TF) !== 0) return this.engine.enter(this.vcpu, 1);
    return this.engine.stepWithWritable(this.vcpu, vaddr(NOWHERE), mfn(Frame.EMULATION));
  }

  /** Writes to a frame behind the engine's back, and says so. */
  writeFrame(frame: number, offset: number, bytes: Uint8Array): void {
    if (this.engine.hasCode(mfn(frame))) this.engine.invalidateCode(mfn(frame));
    this.memory.u8.set(bytes, frame * PAGE + offset);
  }

  /** Contents of a frame, a copy. */
  contents(frame: number): Uint8Array {
    return this.memory.u8.slice(frame * PAGE, (frame + 1) * PAGE);
  }

  /** Frame that an L1 entry names, present or not. */
  frameOf(page: number): number {
    return (this.memory.view.getUint32(this.entry(page, this.kernelMode), true) >>> 12) % Frame.COUNT;
  }

  /** Gives a page another frame, with the rights that it has. */
  remap(page: number, frame: number): void {
    const at = this.entry(page, this.kernelMode);
    const flags = (this.memory.view.getUint32(at, true) & (PAGE - 1)) | Pte.PRESENT;
    this.setEntry(page, this.kernelMode, frame * PAGE + flags, 0);
  }

  /** Clears the accessed and dirty bits of all tables. */
  clearAccessed(): void {
    const { view } = this.memory;
    const end = (Frame.TABLES + 2 * NR_LEVELS) * PAGE;
    for (let at = Frame.TABLES * PAGE; at < end; at += 8) {
      const entry = view.getUint32(at, true);
      if (entry !== 0) view.setUint32(at, entry & ~(Pte.ACCESSED | Pte.DIRTY), true);
    }
    this.engine.flushTlb();
  }

  /** Puts control somewhere. */
  goTo(address: number): void {
    this.state.rip = BigInt(address);
  }

  /** Sets a general register by name. */
  set(register: keyof typeof Gpr, value: bigint): void {
    this.state.gpr[Gpr[register]] = BigInt.asUintN(64, value);
  }
}
