// A machine without a hypervisor: an engine, page tables written by hand, code as bytes. For tests of
// the engine alone.

import { mfn, vaddr } from '../../src/base/index.ts';
import {
  Cpu,
  type Engine,
  type EngineTier,
  Exit,
  type ExitReason,
  Gpr,
  type VcpuContext,
} from '../../src/engine/index.ts';
import { createEngine, type EngineOptions } from '../../src/engine-wasm/index.ts';
import { createMachineMemory, FRAME_SIZE, type MachineMemory } from '../../src/machine/index.ts';
import { requestedTier } from './engine-tier.ts';
import { Pte, tableIndex } from '../../src/x86/index.ts';

/** Where `BareMachine.code` puts code. */
export const CODE = 0x10000000;
/** Where tests have data mapped. */
export const DATA = 0x20000000;

const SCRATCH = 1;
/** Frame of the L4 table. */
export const ROOT = 2;
const FIRST_FREE = 3;
const FULL = Pte.PRESENT | Pte.WRITABLE | Pte.USER;

/** An engine with one vCPU. */
export class BareMachine {
  readonly memory: MachineMemory;
  readonly engine: Engine;
  readonly vcpu: VcpuContext;
  #nextFrame = FIRST_FREE;

  constructor(nrFrames = 1024, tier: EngineTier | undefined = requestedTier(), options: EngineOptions = {}) {
    this.memory = createMachineMemory(nrFrames);
    this.engine = createEngine(this.memory, { readTsc: () => 0x1_2345_6789 }, mfn(SCRATCH), tier, options);
    this.vcpu = this.engine.createContext();
    const { state } = this.vcpu;
    state.rflags = 0x202;
    state.writeU32(Cpu.KERNEL_MODE, 1);
    state.writeU32(Cpu.KERNEL_ROOT, ROOT * FRAME_SIZE);
    state.writeU32(Cpu.USER_ROOT, ROOT * FRAME_SIZE);
  }

  /** A frame that nothing uses yet. */
  allocate(): number {
    return this.#nextFrame++;
  }

  /** Maps the page of a lower-half address. @returns the frame */
  map(address: number, flags: number = FULL, frame = this.allocate()): number {
    this.memory.view.setUint32(this.entry(address), frame * FRAME_SIZE + flags, true);
    this.engine.flushTlbPage(vaddr(address));
    return frame;
  }

  /** Machine address of the L1 entry of an address; tables are made as needed. */
  entry(address: number): number {
    let table = ROOT;
    for (let level = 4; level > 1; level--) {
      const at = table * FRAME_SIZE + 8 * tableIndex(address, level);
      if (this.memory.view.getUint32(at, true) === 0)
        this.memory.view.setUint32(at, this.allocate() * FRAME_SIZE + FULL, true);
      table = Math.floor(this.memory.view.getUint32(at, true) / FRAME_SIZE);
    }
    return table * FRAME_SIZE + 8 * tableIndex(address, 1);
  }

  /** Maps a page of code at `address` and points rip at it. @param hex - bytes, blanks allowed */
  code(hex: string, address = CODE): number {
    const page = address - (address % FRAME_SIZE);
    const frame = this.map(page);
    this.memory.u8.set(Buffer.from(hex.replace(/\s/g, ''), 'hex'), frame * FRAME_SIZE + (address - page));
    this.vcpu.state.rip = BigInt(address);
    return frame;
  }

  /** Sets general registers by name. */
  set(registers: Partial<Record<keyof typeof Gpr, bigint>>): void {
    for (const [name, value] of Object.entries(registers)) {
      this.vcpu.state.gpr[Gpr[name as keyof typeof Gpr]] = value; // the type of the argument has no other names
    }
  }

  get(register: keyof typeof Gpr): bigint {
    return this.vcpu.state.gpr[Gpr[register]] ?? 0n;
  }

  /** Runs until something other than the budget stops it. */
  run(limit = 100): ExitReason {
    for (let round = 0; round < limit; round++) {
      const reason = this.engine.enter(this.vcpu, 10_000);
      if (reason !== Exit.BUDGET) return reason;
    }
    return Exit.BUDGET;
  }
}
