// Runs guest kernels in this process: hypervisor, real engine and domain builder, no thread and no domain 0
// but a reader of consoles. Time is made of instructions, so a run is the same every time.

import { GnttabReserved, XENCONS_INTERFACE, XENCONS_OUT_SIZE } from '../../src/abi/index.ts';
import { type Domid, maddr, mfn, type Mfn, type Port } from '../../src/base/index.ts';
import type { Engine } from '../../src/engine/index.ts';
import { createEngine } from '../../src/engine-wasm/index.ts';
import { type CrashReport, Hypervisor, type TraceKind } from '../../src/hypervisor/index.ts';
import { createMachineMemory, FrameAllocator, FrameTable, type MachineMemory } from '../../src/machine/index.ts';
import { type BuiltDomain, buildDomain } from '../../src/toolstack/index.ts';
import { readGuestImage } from '../../src/toolstack/image/guest-image.ts';
import { requestedTier } from './engine-tier.ts';

/** Nanoseconds that one instruction takes, unless said otherwise, and that one look at the clock takes. */
const NS_PER_INSTRUCTION = 10;
const NS_PER_LOOK = 50;

/** Guest time between looks at the domains. */
const SLICE_NS = 1_000_000;

/** Frames of the machine: two small domains and the hypervisor's own. */
const NR_FRAMES = 4096;

/** Pages of a domain: the first mapping of 4 MiB, and some that are in no table. */
const NR_PAGES = 1056;

/** Grants of the pages that domain 0 uses as long as a domain exists. */
const RINGS = [GnttabReserved.GNTTAB_RESERVED_CONSOLE, GnttabReserved.GNTTAB_RESERVED_XENSTORE] as const;

/** How a domain is to be made. */
export interface DomainOptions {
  readonly nrPages?: number;
  /** Frames that it may own; those it starts with unless said otherwise. */
  readonly maxFrames?: number;
  readonly maxVcpus?: number;
  readonly cmdline?: string;
  readonly module?: Uint8Array;
}

/** A domain that was started, and what became of it. */
export interface GuestDomain {
  readonly domid: Domid;
  readonly mfns: Uint32Array;
  readonly built: BuiltDomain;
  /** First frame of its grant table. */
  readonly grantFrame: number;
  /** What it printed. */
  console: string;
}

/** How a machine is to be made. */
export interface MachineOptions {
  readonly nrFrames?: number;
  /** Seed of the order in which frames are given out. */
  readonly seed?: number;
  readonly trace?: readonly TraceKind[];
  readonly nsPerInstruction?: number;
  /** Called for console_io, in the middle of the hypercall, instead of the audit that kernels ask for with it. */
  readonly onConsoleIo?: (domid: Domid, text: string) => void;
}

/** A machine for guest kernels. */
export class GuestMachine {
  readonly memory: MachineMemory;
  readonly frames: FrameTable;
  readonly hypervisor: Hypervisor;
  readonly domains: GuestDomain[] = [];
  /** Lines of audits that a kernel asked for, or that were made at the end. */
  readonly auditLines: string[] = [];
  /** Lines of the hypervisor's log and trace. */
  readonly log: string[] = [];
  nrAudits = 0;
  #nowNs = 1_000_000_000;
  readonly #engine: Engine;
  readonly #options: MachineOptions;

  constructor(options: MachineOptions = {}) {
    this.#options = options;
    const nrFrames = options.nrFrames ?? NR_FRAMES;
    this.memory = createMachineMemory(nrFrames);
    this.frames = new FrameTable(nrFrames);
    let seed = options.seed ?? 1;
    const random = { nextU32: () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8 };
    const allocator = new FrameAllocator(1, nrFrames, random);
    const scratch = allocator.allocate() ?? mfn(0);
    this.#engine = createEngine(this.memory, { readTsc: () => this.#time() }, scratch, requestedTier());
    const traced = new Set<TraceKind>(options.trace);
    const keep = (line: string): void => void this.log.push(line);
    this.hypervisor = new Hypervisor({
      memory: this.memory,
      frames: this.frames,
      allocator,
      engine: this.#engine,
      clock: { nowNs: () => this.#look(), wallClockMs: () => 1_700_000_000_000 },
      random,
      logger: { info: keep, warn: keep },
      console: { write: (domid, bytes) => this.#consoleIo(domid, bytes) },
      notifications: {
        notify: (domid, port) => this.#notified(domid, port),
        closed() {},
        domainChanged() {},
      },
      tracer: {
        hypercall: traced.has('hypercall'),
        trap: traced.has('trap'),
        mmu: traced.has('mmu'),
        event: traced.has('event'),
        line: (_kind, text) => keep(text),
      },
    });
  }

  /** Builds a domain and lets it run when the machine does. */
  start(file: Uint8Array<ArrayBuffer>, options: DomainOptions = {}): GuestDomain {
    const { control } = this.hypervisor;
    const nrPages = options.nrPages ?? NR_PAGES;
    const { domid, sharedInfo, grantFrame } = control.createDomain({
      name: `guest${this.domains.length}`,
      maxVcpus: options.maxVcpus ?? 1,
      maxFrames: options.maxFrames ?? nrPages,
    });
    const mfns = control.populate(domid, 0, nrPages);
    const storePort = control.allocatePort(domid) as Port; // positive for a new domain
    const consolePort = control.allocatePort(domid) as Port; // positive for a new domain
    const built = buildDomain(
      { mfns, frame: (frame: Mfn) => this.memory.frame(frame), sharedInfo: maddr(sharedInfo), storePort, consolePort },
      readGuestImage('test kernel', file),
      { module: options.module ?? new Uint8Array(), cmdline: options.cmdline ?? '' },
    );
    control.grantReserved(domid, built.consoleMfn, built.storeMfn);
    for (const ref of RINGS)
      if (control.mapGrant(domid, ref, true) < 0) throw new Error(`ring ${ref} cannot be mapped`);
    const context = { rip: built.entry, rsp: built.stackTopVaddr, rsi: built.startInfoVaddr, root: built.l4 };
    const pinned = control.pinTable(domid, built.l4, 4);
    const started = control.setInitialContext(domid, context);
    if (pinned !== 0 || started !== 0) throw new Error(`the domain cannot start: pin ${pinned}, context ${started}`);
    control.unpause(domid);
    const guest = { domid, mfns, built, grantFrame, console: '' };
    this.domains.push(guest);
    return guest;
  }

  /**
   * Runs until every domain has ended, nothing can happen any more, or `limitNs` of guest time are over.
   * @returns how it ended
   */
  run(limitNs: number): 'ended' | 'stuck' | 'limit' {
    const end = this.#time() + limitNs;
    while (this.#time() < end) {
      const outcome = this.hypervisor.run(this.#time() + SLICE_NS);
      for (const guest of this.domains) this.#drain(guest);
      if (this.domains.every((guest) => this.shutdownReason(guest) !== undefined)) return 'ended';
      if (!outcome.idle) continue;
      if (outcome.wakeAtNs === Infinity) return 'stuck';
      this.#nowNs += Math.max(0, Math.min(outcome.wakeAtNs, end) - this.#time());
    }
    return 'limit';
  }

  /** Reason of a domain's end; undefined while it lives. */
  shutdownReason(guest: GuestDomain): number | undefined {
    return this.hypervisor.control.domainInfo(guest.domid)?.shutdownReason;
  }

  /** Report of a domain's crash. */
  crashReport(guest: GuestDomain): CrashReport | undefined {
    return this.hypervisor.control.crashReport(guest.domid);
  }

  /** Counts all frames; what disagrees is added to `auditLines`. */
  audit(when: string): void {
    this.nrAudits++;
    for (const line of this.hypervisor.audit()) this.auditLines.push(`${when}: ${line}`);
  }

  /** Takes a domain apart. @returns false when others still hold frames of it, and it has to be called again */
  destroy(guest: GuestDomain): boolean {
    const { control } = this.hypervisor;
    const dying = control.domainInfo(guest.domid)?.dying ?? true;
    if (!dying) for (const ref of RINGS) control.unmapGrant(guest.domid, ref, true);
    for (let tries = 0; tries < 100; tries++) {
      if (!control.destroy(guest.domid)) continue;
      const place = this.domains.indexOf(guest);
      if (place >= 0) this.domains.splice(place, 1);
      return true;
    }
    return false;
  }

  /** Takes all domains apart. @returns how many could not be */
  destroyAll(): number {
    for (const guest of [...this.domains, ...this.domains]) this.destroy(guest);
    this.audit('after the end of all domains');
    return this.domains.length;
  }

  /** Frames that nobody owns. */
  get nrFreeFrames(): number {
    return this.hypervisor.control.nrFreeFrames();
  }

  /** What the hypervisor says of its own mistakes. */
  get bugs(): string[] {
    return this.log.filter((line) => line.startsWith('bug of the hypervisor'));
  }

  #time(): number {
    return this.#nowNs + this.#engine.counters.instructions * (this.#options.nsPerInstruction ?? NS_PER_INSTRUCTION);
  }

  #look(): number {
    this.#nowNs += NS_PER_LOOK;
    return this.#time();
  }

  #consoleIo(domid: Domid, bytes: Uint8Array): void {
    const text = new TextDecoder().decode(bytes.slice());
    if (this.#options.onConsoleIo !== undefined) this.#options.onConsoleIo(domid, text);
    else if (text === 'audit') this.audit('during the run');
    else this.log.push(`console_io: ${text}`);
  }

  #notified(domid: Domid, port: Port): void {
    const guest = this.domains.find((candidate) => candidate.domid === domid && candidate.built.consolePort === port);
    if (guest !== undefined) this.#drain(guest);
  }

  /** Empties a console's ring. */
  #drain(guest: GuestDomain): void {
    const ring = guest.built.consoleMfn * 4096;
    const { view, u8 } = this.memory;
    const prod = view.getUint32(ring + XENCONS_INTERFACE.out_prod, true);
    let cons = view.getUint32(ring + XENCONS_INTERFACE.out_cons, true);
    for (let left = XENCONS_OUT_SIZE; cons !== prod && left > 0; left--) {
      guest.console += String.fromCharCode(u8[ring + XENCONS_INTERFACE.out + (cons % XENCONS_OUT_SIZE)] ?? 0);
      cons = (cons + 1) >>> 0;
    }
    view.setUint32(ring + XENCONS_INTERFACE.out_cons, cons, true);
  }
}
