// A machine with direct paging, a fake engine and domains whose guests are driven by hand: for tests of
// memory management. Every domain starts with one small address space in which page n is its frame n.

import { Errno } from '../../src/abi/index.ts';
import { Domain } from '../../src/hypervisor/domain.ts';
import { GuestAccess } from '../../src/hypervisor/guest-access.ts';
import { CONTINUE, HypercallArgs, type HypercallHandler } from '../../src/hypervisor/hypercall/arguments.ts';
import { DirectPaging } from '../../src/hypervisor/mm/direct-paging.ts';
import { SILENT_TRACER } from '../../src/hypervisor/ports.ts';
import { Vcpu } from '../../src/hypervisor/vcpu.ts';
import { type Domid, domid, type Mfn, mfn, pfn, vaddr } from '../../src/base/index.ts';
import { Access, Cpu, Exit } from '../../src/engine/index.ts';
import { createMachineMemory, FrameAllocator, FrameTable, type MachineMemory } from '../../src/machine/index.ts';
import { PageFaultError } from '../../src/x86/index.ts';
import { FakeEngine } from './fake-engine.ts';

/** Frames with a part in a new domain's address space. */
export const Boot = { L4: 0, L3: 1, L2: 2, L1: 3, ARGS: 4, FIRST_FREE: 5 } as const;

/** Present, in a page-table entry. */
export const P = 1;

/** Writable, in a page-table entry. */
export const RW = 2;

/** Reachable from user mode, in a page-table entry. */
export const U = 4;

/** An argument or a word: a number below 2^53, or its low and high half. */
export type Word = number | readonly [lo: number, hi: number];

/** A domain of the world. */
export class TestDomain {
  readonly domain: Domain;
  readonly vcpu: Vcpu;
  /** Its first frames, by page. */
  readonly mfns: Uint32Array;
  readonly #world: PagingWorld;

  constructor(world: PagingWorld, domain: Domain, vcpu: Vcpu, mfns: Uint32Array) {
    this.#world = world;
    this.domain = domain;
    this.vcpu = vcpu;
    this.mfns = mfns;
  }

  /** Frame of page `n`. */
  mfn(n: number): Mfn {
    return mfn(this.mfns[n] ?? 0);
  }

  /** Writes words to the argument page through its mapping. False when it is not mapped any more. */
  writeArgs(words: readonly Word[]): boolean {
    for (const [i, word] of words.entries()) {
      const to = this.#world.engine.translate(this.vcpu.context, vaddr(Boot.ARGS * 4096 + 8 * i), Access.WRITE, true);
      if (to < 0) return false;
      const [lo, hi] = halves(word);
      this.#world.memory.u32[to / 4] = lo;
      this.#world.memory.u32[to / 4 + 1] = hi;
    }
    return true;
  }

  /** One hypercall, continued until it ends; at most `tries` times. */
  call(handler: HypercallHandler, args: readonly Word[], tries = 10_000): number {
    const record = new HypercallArgs();
    for (const [i, word] of args.entries()) record.u32.set(halves(word), 2 * i);
    let result: number = CONTINUE;
    for (let i = 0; i < tries && result === CONTINUE; i++) result = handler(this.vcpu, record);
    return result;
  }

  /** mmu_update with one request. */
  update(table: number, slot: number, value: Word, command = 0, tries?: number): number {
    if (!this.writeArgs([table * 4096 + slot * 8 + command, value])) return -1000;
    return this.call(this.#world.paging.mmuUpdate, [Boot.ARGS * 4096, 1, 0, 0x7ff0], tries);
  }

  /** mmuext_op with one operation. */
  extended(command: number, arg1: Word, arg2: Word = 0, tries?: number): number {
    if (!this.writeArgs([command, arg1, arg2])) return -1000;
    return this.call(this.#world.paging.mmuextOp, [Boot.ARGS * 4096, 1, 0, 0x7ff0], tries);
  }

  /** update_va_mapping of page `n`. */
  map(n: number, value: Word, flags = 0): number {
    return this.call(this.#world.paging.updateVaMapping, [n * 4096, value, flags]);
  }

  /** A store of the guest's kernel, with emulation as for a page fault. False when the fault is the guest's. */
  store(address: number, bytes: readonly number[]): boolean {
    const { engine, paging } = this.#world;
    if (engine.store(this.vcpu.context, address, bytes)) return true;
    const at = vaddr(Number(engine.exit.faultAddress));
    engine.instruction = (context) => (engine.store(context, address, bytes) ? Exit.BUDGET : Exit.EXCEPTION);
    return paging.handlePageFault(this.vcpu, at, PageFaultError.PRESENT | PageFaultError.WRITE);
  }
}

/** The machine. */
export class PagingWorld {
  readonly memory: MachineMemory;
  readonly frames: FrameTable;
  readonly allocator: FrameAllocator;
  readonly engine: FakeEngine;
  readonly paging: DirectPaging;
  readonly domains: Map<Domid, Domain> = new Map();

  constructor(nrFrames = 512, workPerHypercall?: number) {
    this.memory = createMachineMemory(nrFrames);
    this.frames = new FrameTable(nrFrames);
    let state = 12345;
    const random = { nextU32: () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8 };
    this.allocator = new FrameAllocator(1, nrFrames, random);
    this.engine = new FakeEngine(this.memory);
    const access = new GuestAccess(this.memory, this.engine);
    const { memory, frames, allocator, engine, domains } = this;
    const ports = { memory, frames, allocator, engine, domains, access, tracer: SILENT_TRACER };
    this.paging = new DirectPaging(ports, workPerHypercall);
  }

  /** Makes a domain with `nrFrames` frames, at most 512, and an address space that maps them all; the page tables read-only. */
  addDomain(id: number, nrFrames = 32, maxFrames: number = nrFrames + 16): TestDomain {
    const domain = new Domain(domid(id), `d${id}`, { maxVcpus: 2, maxFrames });
    this.domains.set(domain.domid, domain);
    domain.sharedInfo = this.paging.allocateShared(domain) ?? mfn(0);
    const mfns = new Uint32Array(nrFrames);
    this.paging.populate(domain, pfn(0), mfns);
    const vcpu = new Vcpu(domain, 0, this.engine.createContext());
    vcpu.context.state.writeU32(Cpu.KERNEL_MODE, 1);
    domain.vcpus.push(vcpu);
    const test = new TestDomain(this, domain, vcpu, mfns);
    for (let level = 4; level > 1; level--) this.raw(test.mfn(4 - level), 0, entry(test.mfn(5 - level), P | RW | U));
    for (let n = 0; n < nrFrames; n++)
      this.raw(test.mfn(Boot.L1), n, entry(test.mfn(n), n <= Boot.L1 ? P | U : P | RW | U));
    let result = -Errno.ERESTART;
    while (result === -Errno.ERESTART) result = this.paging.setRoots(vcpu, test.mfn(Boot.L4), 0);
    if (result !== 0) throw new Error(`cannot load the first root: ${result}`);
    return test;
  }

  /** Writes an entry behind everybody's back. */
  raw(table: number, slot: number, value: Word): void {
    this.memory.u32.set(halves(value), table * 1024 + slot * 2);
  }

  /** An entry as its halves. */
  read(table: number, slot: number): [number, number] {
    return [this.memory.u32[table * 1024 + slot * 2] ?? 0, this.memory.u32[table * 1024 + slot * 2 + 1] ?? 0];
  }

  /** The audit, and what a cached translation may not do: one line for each fault found. */
  check(): string[] {
    const lines = this.paging.audit();
    for (const frame of this.engine.writableFrames()) {
      const type = this.frames.type[frame] ?? 0;
      if (type >= 1 && type <= 5 && this.frames.typeCount[frame] !== 0) {
        lines.push(`a cached translation makes frame ${frame} of type ${type} writable`);
      }
    }
    return lines;
  }
}

/** A page-table entry. @param hi - flags in the high half */
export function entry(frame: number, flags: number, hi = 0): [number, number] {
  return [(frame * 4096 + flags) >>> 0, (hi + Math.floor(frame / 0x100000)) >>> 0];
}

function halves(word: Word): readonly [number, number] {
  return typeof word === 'number' ? [word >>> 0, Math.floor(word / 0x100000000)] : word;
}
