// An engine without instructions: it translates addresses as the engine port says, with a TLB that
// forgets nothing unless it is told to, and runs whatever function a test gives it as "guest code". For
// tests of the hypervisor; the eager TLB shows every flush that the hypervisor forgets.

import { maddr, type Maddr, type Mfn, type Vaddr, vaddr } from '../../src/base/index.ts';
import {
  Access,
  type AccessKind,
  Cpu,
  CPU_STATE_SIZE,
  CpuState,
  createEngineCounters,
  createExitRecord,
  type Engine,
  type EngineCounters,
  Exit,
  type ExitReason,
  type ExitRecord,
  type VcpuContext,
} from '../../src/engine/index.ts';
import type { MachineMemory } from '../../src/machine/index.ts';
import { frameOfPte, PageFaultError, Pte, PteHi, tableIndex, Vector } from '../../src/x86/index.ts';

/** Slots of an L4 table that the hypervisor's root stands for. */
const FIRST_HYPERVISOR_SLOT = 256;
const LAST_HYPERVISOR_SLOT = 271;

/** One cached translation. */
interface TlbEntry {
  readonly page: number;
  readonly frame: number;
  readonly access: AccessKind;
}

/** What the fake engine runs as guest code. */
export type GuestCode = (context: VcpuContext, engine: FakeEngine) => ExitReason;

/** The engine port for tests. */
export class FakeEngine implements Engine {
  readonly exit: ExitRecord = createExitRecord();
  readonly counters: EngineCounters = createEngineCounters();
  /** Frames that `hasCode` answers true for. */
  readonly codeFrames: Set<number> = new Set();
  /** What `enter` runs. */
  code: GuestCode = () => this.#exitWith(Exit.BUDGET);
  /** The one instruction that `stepWithWritable` runs. */
  instruction: GuestCode = () => this.#exitWith(Exit.BUDGET);

  readonly #memory: MachineMemory;
  readonly #tlb: Map<VcpuContext, Map<string, TlbEntry>> = new Map();
  /** What `reachesUpperHalf` says true for; undefined: everything. */
  upperHalfTables: Set<Mfn> | undefined = undefined;
  #hypervisorRoot: number | undefined = undefined;
  /** Page that a step may write although its entry says no, and the frame the writes go to. */
  #override: { page: number; frame: number } | undefined = undefined;

  constructor(memory: MachineMemory) {
    this.#memory = memory;
  }

  createContext(): VcpuContext {
    const context = { state: new CpuState(new ArrayBuffer(CPU_STATE_SIZE), 0) };
    this.#tlb.set(context, new Map());
    return context;
  }

  destroyContext(context: VcpuContext): void {
    this.#tlb.delete(context);
  }

  activate(): void {}

  details(): Record<string, number> {
    return {};
  }

  enter(context: VcpuContext, budget: number): ExitReason {
    this.counters.instructions += budget;
    this.exit.reason = this.code(context, this);
    return this.exit.reason;
  }

  stepWithWritable(context: VcpuContext, page: Vaddr, scratch: Mfn): ExitReason {
    this.#override = { page: page - (page % 4096), frame: scratch };
    this.exit.reason = this.instruction(context, this);
    this.#override = undefined;
    return this.exit.reason;
  }

  translate(context: VcpuContext, address: Vaddr, access: AccessKind, kernelMode: boolean): Maddr | -1 {
    const offset = address % 4096;
    const page = address - offset;
    if (access === Access.WRITE && this.#override?.page === page) return maddr(this.#override.frame * 4096 + offset);
    const entries = this.#tlb.get(context);
    const key = `${page} ${access} ${kernelMode}`;
    const hit = entries?.get(key);
    if (hit !== undefined) return maddr(hit.frame * 4096 + offset);
    const frame = this.#walk(context, page, access, kernelMode);
    if (frame < 0) return -1;
    entries?.set(key, { page, frame, access });
    return maddr(frame * 4096 + offset);
  }

  flushTlb(): void {
    this.counters.tlbFlushes++;
    for (const entries of this.#tlb.values()) entries.clear();
  }

  flushTlbLowerHalf(): void {
    this.counters.tlbLowerFlushes++;
    for (const entries of this.#tlb.values()) entries.clear();
  }

  reachesUpperHalf(table: Mfn): boolean {
    return this.upperHalfTables === undefined || this.upperHalfTables.has(table);
  }

  flushWritesTo(frame: Mfn): void {
    for (const entries of this.#tlb.values())
      for (const [key, entry] of entries)
        if (entry.frame === frame && entry.access === Access.WRITE) entries.delete(key);
  }

  flushTlbPage(page: Vaddr): void {
    const start = page - (page % 4096);
    for (const entries of this.#tlb.values())
      for (const [key, entry] of entries) if (entry.page === start) entries.delete(key);
  }

  hasCode(frame: Mfn): boolean {
    return this.codeFrames.has(frame);
  }

  invalidateCode(frame: Mfn): void {
    if (this.codeFrames.delete(frame)) this.counters.invalidatedFrames++;
  }

  setHypervisorRoot(root: Mfn): void {
    this.#hypervisorRoot = root;
  }

  /** Stores to guest memory in the context's mode, as a guest's `mov` does. */
  store(context: VcpuContext, address: number, bytes: readonly number[]): boolean {
    for (const [i, byte] of bytes.entries()) {
      const kernel = context.state.readU32(Cpu.KERNEL_MODE) !== 0;
      const to = this.translate(context, vaddr(address + i), Access.WRITE, kernel);
      if (to < 0) {
        this.fault(address + i, PageFaultError.WRITE);
        return false;
      }
      this.#memory.u8[to] = byte;
    }
    return true;
  }

  /** Fills the exit record with a page fault and returns its reason. */
  fault(address: number, errorCode: number): ExitReason {
    this.exit.vector = Vector.PF;
    this.exit.errorCode = errorCode;
    this.exit.faultAddress = BigInt(address);
    return this.#exitWith(Exit.EXCEPTION);
  }

  /** Frames that a cached translation lets a guest write to. */
  *writableFrames(): Iterable<number> {
    for (const entries of this.#tlb.values())
      for (const entry of entries.values()) if (entry.access === Access.WRITE) yield entry.frame;
  }

  #exitWith(reason: ExitReason): ExitReason {
    this.exit.reason = reason;
    return reason;
  }

  #walk(context: VcpuContext, page: number, access: AccessKind, kernelMode: boolean): number {
    const slot = tableIndex(page, 4);
    const ofHypervisor = slot >= FIRST_HYPERVISOR_SLOT && slot <= LAST_HYPERVISOR_SLOT;
    const own = context.state.readU32(kernelMode ? Cpu.KERNEL_ROOT : Cpu.USER_ROOT) / 4096;
    let frame = ofHypervisor ? (kernelMode ? this.#hypervisorRoot : undefined) : own;
    if (frame === undefined || frame === 0) return -1;
    if (ofHypervisor && access === Access.WRITE) return -1;
    const path: number[] = [];
    for (let level = 4; level >= 1; level--) {
      const at = frame * 1024 + tableIndex(page, level) * 2;
      const lo = this.#memory.u32[at] ?? 0;
      const hi = this.#memory.u32[at + 1] ?? 0;
      if ((lo & Pte.PRESENT) === 0) return -1;
      if (access === Access.WRITE && (lo & Pte.WRITABLE) === 0) return -1;
      if (access === Access.EXECUTE && (hi & PteHi.NO_EXECUTE) !== 0) return -1;
      if (!kernelMode && (lo & Pte.USER) === 0) return -1;
      path.push(at);
      frame = frameOfPte(lo, hi);
    }
    for (const [depth, at] of path.entries()) {
      const dirty = depth === 3 && access === Access.WRITE ? Pte.DIRTY : 0;
      this.#memory.u32[at] = (this.#memory.u32[at] ?? 0) | Pte.ACCESSED | dirty;
    }
    return frame;
  }
}
