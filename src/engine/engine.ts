// The engine port: what the hypervisor asks of a thing that executes guest code at CPL 3. One engine
// belongs to one pCPU. Everything here is synchronous and on the pCPU's thread.

import type { Maddr, Mfn, Vaddr } from '../base/index.ts';
import type { EngineCounters } from './counters.ts';
import type { CpuState } from './cpu-state.ts';
import type { ExitReason, ExitRecord } from './exit.ts';

/** What the engine asks of its surroundings while guest code runs. */
export interface EnginePorts {
  /** Time stamp counter: nanoseconds, as the guest's `rdtsc` reads them. Exact below 2^53. */
  readTsc(): number;
}

/** Kinds of access that a translation is asked for. */
export const Access = { READ: 0, WRITE: 1, EXECUTE: 2 } as const;

/** A value of `Access`. */
export type AccessKind = (typeof Access)[keyof typeof Access];

/** Registers of one vCPU, in the engine's keeping. */
export interface VcpuContext {
  /** The registers, wherever they are kept at the moment. Valid until the next `activate`, `enter` or `stepWithWritable`. */
  readonly state: CpuState;
}

/**
 * Executes guest code. Address translation uses KERNEL_ROOT or USER_ROOT of the vCPU state by
 * KERNEL_MODE: kernel mode reaches pages with and without the U bit, user mode only pages with U at
 * every level; W and NX hold in both. Accessed and dirty bits are set as hardware sets them.
 */
export interface Engine {
  readonly exit: ExitRecord;
  readonly counters: EngineCounters;

  /** Makes a context with all registers 0 and the FPU as after FNINIT, MXCSR 0x1f80. */
  createContext(): VcpuContext;
  /** Gives a context's storage back. */
  destroyContext(context: VcpuContext): void;

  /**
   * Says that a vCPU's turn begins: its registers move to where guest code finds them. `enter` does the same; to
   * say it early makes the translations before it cheap.
   */
  activate(context: VcpuContext): void;

  /**
   * Runs a vCPU until something needs the hypervisor. @hot
   * @param budget - number of instructions after which to stop, about
   */
  enter(context: VcpuContext, budget: number): ExitReason;

  /**
   * Executes one instruction of a vCPU with the page at `page` mapped writable to the frame `scratch`.
   * For emulation of stores to page tables that are mapped read-only: the caller copies the table to
   * `scratch` first and afterwards finds in it what the guest wanted to write.
   * @returns like `enter`; BUDGET when the instruction completed: then `exit.size` is the most bytes that it can have
   *   stored, in one piece; 0 when that is not known
   */
  stepWithWritable(context: VcpuContext, page: Vaddr, scratch: Mfn): ExitReason;

  /**
   * Machine address that a vCPU's access to `address` goes to, or -1 when it would fault.
   * Kernel-mode rules when `kernelMode`, user-mode rules otherwise. Sets accessed and dirty bits.
   */
  translate(context: VcpuContext, address: Vaddr, access: AccessKind, kernelMode: boolean): Maddr | -1;

  /** Forgets every cached translation of every vCPU. */
  flushTlb(): void;
  /**
   * Forgets every cached translation but those of the upper half of the address space in kernel mode. For a flush that
   * a guest asks for while nothing has changed there; an engine may forget more.
   */
  flushTlbLowerHalf(): void;
  /**
   * True when a translation that `flushTlbLowerHalf` keeps may have come through a page table in this frame, of whatever
   * level. An engine that does not know says true.
   */
  reachesUpperHalf(table: Mfn): boolean;
  /** Forgets the cached translations, of every vCPU and address, that let a frame be written. */
  flushWritesTo(frame: Mfn): void;
  /** Forgets the cached translations of one page. */
  flushTlbPage(page: Vaddr): void;

  /** True when decoded code of this frame exists: a write behind the engine's back must be followed by `invalidateCode`. */
  hasCode(frame: Mfn): boolean;
  /** Drops all decoded code of a frame. */
  invalidateCode(frame: Mfn): void;

  /** What this engine counted besides `counters`, if it was made to: by names for people, in the order to show them. */
  details(): Record<string, number>;

  /** L4 table with the hypervisor's own slots (256 to 271), which every guest sees in kernel mode, read-only. */
  setHypervisorRoot(root: Mfn): void;
}
