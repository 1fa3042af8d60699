// What all of memory management shares on one pCPU: the frame table, the machine-to-phys table, the TLB
// flush clock, the work left for the hypercall at hand, and the page tables that wait to be taken apart.
// It holds state and the few operations on it; the rules are functions in the files beside it.

import { bug, type Mfn } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import { addressOf, type FrameTable, type MachineMemory, OWNER_XEN } from '../../machine/index.ts';
import type { Domain } from '../domain.ts';
import { GuestBuffer } from '../guest-access.ts';
import type { Descriptor } from '../memory-management.ts';
import type { Pcpu } from '../pcpu.ts';
import { MachineToPhys } from './machine-to-phys.ts';

/**
 * Work that one hypercall may do before it asks to be continued, in page-table entries looked at. About
 * half a millisecond: a guest cannot hold the pCPU longer.
 */
const WORK_PER_HYPERCALL = 1 << 16;

/** Place in the passes over the frame table that take a domain's memory apart. */
export interface TeardownPass {
  /** 0: page tables, 1: allocations. */
  number: 0 | 1;
  /** Next frame to look at. */
  frame: number;
}

/** What memory management needs of its pCPU. */
export type MemoryPorts = Pick<Pcpu, 'memory' | 'frames' | 'allocator' | 'engine' | 'access' | 'domains' | 'tracer'>;

/** State of memory management. */
export class MemoryState {
  readonly pcpu: MemoryPorts;
  readonly memory: MachineMemory;
  readonly frames: FrameTable;
  readonly engine: Engine;
  readonly m2p: MachineToPhys;
  /** Of a page table that is PARTIAL or DEMOTING: number of its first entries whose references are held. */
  readonly progress: Uint16Array;
  /** Frame of the hypervisor's that an emulated store goes to. */
  readonly scratch: Mfn;
  /** Frame of the hypervisor's with the page table as it was before an emulated store. */
  readonly original: Mfn;
  /** Counts TLB flushes; compared with `flushStamp` of a frame. Starts above the stamps of fresh frames. */
  flushClock = 1;
  /** Entries that may still be looked at before the hypercall is to be continued. */
  budget = 0;
  /** A base pointer was loaded or a flush asked for in the batch at hand; done at its end. */
  flushWanted = false;
  /** A page table behind kernel mode's upper half has changed since the last flush of everything, in a way that cached translations do not follow. */
  upperHalfStale = true;
  /** Copy of the request at hand. */
  readonly request: GuestBuffer = new GuestBuffer(128);
  /** Copy of one small thing of the guest's. */
  readonly word: GuestBuffer = new GuestBuffer(8);
  /** The one record of descriptor look-ups and checks. */
  readonly descriptor: Descriptor = { lo: 0, hi: 0 };
  /** Page tables of all domains that wait to be taken apart. */
  nrDemoting = 0;
  readonly #workPerHypercall: number;
  readonly #demoting: Map<Domain, number[]> = new Map();
  readonly #teardown: Map<Domain, TeardownPass> = new Map();

  /** @param workPerHypercall - see `WORK_PER_HYPERCALL`; tests make it small */
  constructor(pcpu: MemoryPorts, workPerHypercall: number = WORK_PER_HYPERCALL) {
    this.pcpu = pcpu;
    this.#workPerHypercall = workPerHypercall;
    this.memory = pcpu.memory;
    this.frames = pcpu.frames;
    this.engine = pcpu.engine;
    this.progress = new Uint16Array(pcpu.frames.nrFrames);
    this.m2p = new MachineToPhys(pcpu.memory, pcpu.frames.nrFrames, (count) => this.#takeOwnFrames(count));
    this.scratch = this.#takeOwnFrames(1);
    this.original = this.#takeOwnFrames(1);
    pcpu.engine.setHypervisorRoot(this.m2p.root);
  }

  /** Grants a new hypercall, or a new slice of a long operation, its share of work. @hot */
  startWork(): void {
    this.budget = this.#workPerHypercall;
  }

  /** Forgets all cached translations. @hot */
  flushTlb(): void {
    this.upperHalfStale = false;
    this.engine.flushTlb();
    this.flushClock = (this.flushClock + 1) >>> 0;
  }

  /**
   * Carries out a flush that a guest has asked for. Where nothing has changed for the kernel's own half, forgetting its
   * translations would only bring the same ones back; the flush clock stands still then, because only a flush of
   * everything is one that isolation can rely on. See `table-changes.ts`. @hot
   */
  flushForGuest(): void {
    if (this.upperHalfStale) this.flushTlb();
    else this.engine.flushTlbLowerHalf();
  }

  /** Forgets cached translations that let a frame be written. The clock stays: nothing else has been forgotten. @hot */
  flushWritesTo(frame: number): void {
    this.engine.flushWritesTo(frame as Mfn); // callers have checked it against the frame table
  }

  /** Tells the engine that a frame was written behind its back. @hot */
  noteWrite(frame: number): void {
    const written = frame as Mfn; // callers have checked it against the frame table
    if (this.engine.hasCode(written)) this.engine.invalidateCode(written);
  }

  /** Stack of a domain's page tables that wait to be taken apart; the last one is next. */
  demoting(domain: Domain): number[] {
    let stack = this.#demoting.get(domain);
    if (stack === undefined) {
      stack = [];
      this.#demoting.set(domain, stack);
    }
    return stack;
  }

  /** How far taking apart a domain's memory has come. */
  teardown(domain: Domain): TeardownPass {
    let pass = this.#teardown.get(domain);
    if (pass === undefined) {
      pass = { number: 0, frame: 0 };
      this.#teardown.set(domain, pass);
    }
    return pass;
  }

  /** Forgets a domain whose last frame is gone. */
  forget(domain: Domain): void {
    this.#demoting.delete(domain);
    this.#teardown.delete(domain);
  }

  /** Takes adjacent zeroed frames for the hypervisor itself. */
  #takeOwnFrames(count: number): Mfn {
    const first = this.pcpu.allocator.allocateRun(count) ?? bug('machine memory is too small for the hypervisor');
    for (let i = 0; i < count; i++) {
      this.frames.owner[first + i] = OWNER_XEN;
      this.frames.refCount[first + i] = 1;
    }
    this.memory.u8.fill(0, addressOf(first), addressOf(first) + count * 4096);
    return first;
  }
}
