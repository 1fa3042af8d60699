// A whole hypervisor on an engine without instructions: domains whose "guest code" is a function of the
// test. For tests of hypercalls, traps, events, grants, time and scheduling. Every domain starts with one
// address space in which virtual page n is its frame n, tables read-only, the rest writable.

import { type Domid, mfn, vaddr } from '../../src/base/index.ts';
import { Access, Cpu, type Engine, Exit, type ExitReason, Gpr, type VcpuContext } from '../../src/engine/index.ts';
import { type Control, Hypervisor, type TraceKind } from '../../src/hypervisor/index.ts';
import { createMachineMemory, FrameAllocator, FrameTable, type MachineMemory } from '../../src/machine/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { createStepEngine } from './step-engine.ts';

/** Pages of a domain's address space with a fixed use. */
export const Page = {
  L4: 0,
  L3: 1,
  L2: 2,
  L1: 3,
  ARGS: 4,
  STACK: 5,
  CODE: 6,
  DATA: 7,
  USER_L4: 8,
  INFO: 9,
  SPARE: 10,
} as const;

/** Flags of page-table entries. */
const P = 1;
const RW = 2;
const U = 4;

/** syscall; jmp to itself */
const SYSCALL_LOOP = [0x0f, 0x05, 0xeb, 0xfe] as const;

/** Top of the kernel stack that a domain starts with. */
export const STACK_TOP = (Page.STACK + 1) * 4096;

/** What a guest does when it is entered: returns why it stopped. */
export type GuestStep = (guest: GuestVcpu) => ExitReason;

/** What happened outside the hypervisor. */
export interface WorldLog {
  readonly notified: string[];
  readonly closed: string[];
  readonly changed: number[];
  readonly console: string[];
  readonly trace: string[];
}

/** A vCPU as its guest code sees it. */
export class GuestVcpu {
  readonly world: HypervisorWorld;
  readonly context: VcpuContext;

  constructor(world: HypervisorWorld, context: VcpuContext) {
    this.world = world;
    this.context = context;
  }

  get kernelMode(): boolean {
    return this.context.state.readU32(Cpu.KERNEL_MODE) !== 0;
  }

  get(register: keyof typeof Gpr): bigint {
    return this.context.state.gpr[Gpr[register]] ?? 0n;
  }

  set(register: keyof typeof Gpr, value: bigint | number): void {
    this.context.state.gpr[Gpr[register]] = BigInt.asUintN(64, BigInt(value));
  }

  /** Machine address of a page-mapped byte, kernel rights. */
  at(address: number): number {
    const to = this.world.anyEngine.translate(this.context, vaddr(address), Access.READ, true);
    if (to < 0) throw new Error(`0x${address.toString(16)} is not mapped`);
    return to;
  }

  readU64(address: number): bigint {
    return this.world.memory.view.getBigUint64(this.at(address), true);
  }

  readU32(address: number): number {
    return this.world.memory.view.getUint32(this.at(address), true);
  }

  writeU64(address: number, value: bigint | number): void {
    this.world.memory.view.setBigUint64(this.at(address), BigInt.asUintN(64, BigInt(value)), true);
  }

  writeU32(address: number, value: number): void {
    this.world.memory.view.setUint32(this.at(address), value, true);
  }

  writeU16(address: number, value: number): void {
    this.world.memory.view.setUint16(this.at(address), value, true);
  }

  /** What the `syscall` instruction does; returns its exit. */
  syscall(): ExitReason {
    if (this.world.isRealEngine) return Exit.SYSCALL;
    const { state } = this.context;
    state.rip += 2n;
    state.gpr[Gpr.RCX] = state.rip;
    state.gpr[Gpr.R11] = BigInt(state.rflags);
    return Exit.SYSCALL;
  }

  /** Issues a hypercall; its result is in rax when the guest is entered again. */
  hypercall(number: number, ...args: (bigint | number)[]): ExitReason {
    this.set('RAX', number);
    for (const [i, register] of (['RDI', 'RSI', 'RDX', 'R10', 'R8', 'R9'] as const).entries())
      this.set(register, args[i] ?? 0);
    return this.syscall();
  }
}

/** What differs between machines. */
interface WorldOptions {
  readonly nrFrames?: number;
  readonly trace?: readonly TraceKind[];
  readonly realEngine?: boolean;
  readonly profiled?: boolean;
  /** Time that each look at the clock takes. */
  readonly nsPerLook?: number;
}

/** The machine. */
export class HypervisorWorld {
  readonly memory: MachineMemory;
  readonly frames: FrameTable;
  /** The engine, unless it is the real one. */
  readonly engine: FakeEngine;
  /** The engine in use. */
  readonly anyEngine: Engine;
  /** True when guest code of a test only prepares registers for the real engine to run `syscall` with. */
  readonly isRealEngine: boolean;
  readonly hypervisor: Hypervisor;
  readonly control: Control;
  readonly log: WorldLog = { notified: [], closed: [], changed: [], console: [], trace: [] };
  /** Frames of each domain by page. */
  readonly mfns: Map<Domid, Uint32Array> = new Map();
  /** First frame of each domain's grant table. */
  readonly grantFrames: Map<Domid, number> = new Map();
  /** Guest code of each domain. */
  readonly code: Map<Domid, GuestStep> = new Map();
  /** First error that guest code threw. */
  #failure: Error | undefined = undefined;
  readonly #sharedInfo: Map<Domid, number> = new Map();
  nowNs = 1_000_000;
  /** Time that each entry of guest code takes. */
  nsPerEntry = 1000;

  constructor(options: WorldOptions = {}) {
    const nrFrames = options.nrFrames ?? 1024;
    this.memory = createMachineMemory(nrFrames);
    this.frames = new FrameTable(nrFrames);
    let seed = 12345;
    const random = { nextU32: () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8 };
    this.engine = new FakeEngine(this.memory);
    this.engine.code = (context) => this.#enter(context);
    this.isRealEngine = options.realEngine ?? false;
    const step = (context: VcpuContext): ExitReason => this.#enter(context);
    this.anyEngine = this.isRealEngine ? createStepEngine(this.memory, () => this.nowNs, step) : this.engine;
    const { log } = this;
    const traced = new Set<TraceKind>(options.trace);
    this.hypervisor = new Hypervisor({
      memory: this.memory,
      frames: this.frames,
      allocator: new FrameAllocator(this.isRealEngine ? 2 : 1, nrFrames, random),
      engine: this.anyEngine,
      clock: {
        nowNs: () => (this.nowNs += options.nsPerLook ?? 0),
        wallClockMs: () => 1_700_000_000_000 + this.nowNs / 1e6,
      },
      random,
      profiled: options.profiled ?? false,
      logger: { info() {}, warn() {} },
      console: { write: (domid, bytes) => log.console.push(`${domid}:${new TextDecoder().decode(bytes.slice())}`) },
      notifications: {
        notify: (domid, port) => log.notified.push(`${domid}:${port}`),
        closed: (domid, port) => log.closed.push(`${domid}:${port}`),
        domainChanged: (domid) => log.changed.push(domid),
      },
      tracer: {
        hypercall: traced.has('hypercall'),
        trap: traced.has('trap'),
        mmu: traced.has('mmu'),
        event: traced.has('event'),
        line: (_kind, text) => log.trace.push(text),
      },
    });
    this.control = this.hypervisor.control;
  }

  /** Makes a domain with an address space, ready to run `code`, not paused. */
  addDomain(code: GuestStep, options: { maxVcpus?: number; nrPages?: number } = {}): Domid {
    const nrPages = options.nrPages ?? 24;
    const { domid, sharedInfo, grantFrame } = this.control.createDomain({
      name: 'test',
      maxVcpus: options.maxVcpus ?? 1,
      maxFrames: nrPages + 8,
    });
    this.#sharedInfo.set(domid, sharedInfo);
    this.grantFrames.set(domid, grantFrame);
    const mfns = this.control.populate(domid, 0, nrPages);
    this.mfns.set(domid, mfns);
    this.code.set(domid, code);
    for (const root of [Page.L4, Page.USER_L4]) this.raw(mfns[root], 0, mfns[Page.L3], P | RW | U);
    this.raw(mfns[Page.L3], 0, mfns[Page.L2], P | RW | U);
    this.raw(mfns[Page.L2], 0, mfns[Page.L1], P | RW | U);
    const tables = new Set<number>([Page.L4, Page.L3, Page.L2, Page.L1, Page.USER_L4]);
    for (let n = 0; n < nrPages; n++) this.raw(mfns[Page.L1], n, mfns[n], tables.has(n) ? P | U : P | RW | U);
    if (this.isRealEngine) this.memory.u8.set(SYSCALL_LOOP, (mfns[Page.CODE] ?? 0) * 4096);
    const result = this.control.setInitialContext(domid, {
      rip: BigInt(Page.CODE * 4096),
      rsp: BigInt(STACK_TOP),
      rsi: 0n,
      root: mfns[Page.L4] ?? 0,
    });
    if (result !== 0) throw new Error(`setInitialContext: ${result}`);
    this.control.unpause(domid);
    return domid;
  }

  /** Machine frame of a page of a domain. */
  frame(domid: Domid, page: number): number {
    return mfn(this.mfns.get(domid)?.[page] ?? 0);
  }

  /** Machine address of a domain's shared information page. */
  sharedInfo(domid: Domid): number {
    return this.#sharedInfo.get(domid) ?? 0;
  }

  /** Lets time pass until `nowNs + ns`, running whoever can run and skipping idle time. */
  run(ns: number): void {
    const end = this.nowNs + ns;
    while (this.nowNs < end) {
      const outcome = this.hypervisor.run(end);
      // The hypervisor takes a failed assertion of guest code for a bug of its own and goes on.
      if (this.#failure !== undefined) throw this.#failure;
      if (!outcome.idle) return;
      this.nowNs = Math.min(end, Math.max(this.nowNs + 1, outcome.wakeAtNs));
    }
  }

  /** Writes a page-table entry behind everybody's back. */
  raw(table: number | undefined, slot: number, frame: number | undefined, flags: number): void {
    this.memory.view.setBigUint64((table ?? 0) * 4096 + slot * 8, BigInt((frame ?? 0) * 4096 + flags), true);
  }

  #enter(context: VcpuContext): ExitReason {
    this.nowNs += this.nsPerEntry;
    const root = Math.floor(context.state.readU32(Cpu.KERNEL_ROOT) / 4096);
    const owner = this.frames.owner[root] as Domid; // every root belongs to a domain
    const step = this.code.get(owner);
    if (step === undefined) return Exit.BUDGET;
    try {
      return step(new GuestVcpu(this, context));
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }
}

/** Guest code that does one step of a list at each entry, and then nothing for ever. */
export function script(...steps: GuestStep[]): GuestStep {
  let next = 0;
  return (guest) => {
    const step = steps[next];
    next++;
    return step === undefined ? Exit.BUDGET : step(guest);
  };
}
