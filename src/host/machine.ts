// A machine with one pCPU and what serves its domains on this side: the store and the consoles. Joins the
// events of the pCPU's thread to them. `start-domain.ts` builds domains on it.

import { randomInt, randomUUID } from 'node:crypto';

import { GnttabReserved } from '../abi/index.ts';
import { ConsoleBackend } from '../backends/index.ts';
import { type Clock, type Domid, domid, type Logger, type Port, port, sharedPage, VmmError } from '../base/index.ts';
import type { EngineTier } from '../engine/index.ts';
import type { DumpRequest } from '../engine-wasm/index.ts';
import type { CreatedDomain } from '../hypervisor/index.ts';
import { FRAME_SIZE, MAX_FRAMES } from '../machine/index.ts';
import { type BuiltDomain, type GuestImage, buildDomain } from '../toolstack/index.ts';
import { createDomainNodes, type LocalStore, StoreServer } from '../xenstore/index.ts';
import { ConsoleOutput } from './console-output.ts';
import { PcpuThread } from './pcpu/pcpu-thread.ts';

/** Frames that a domain needs beside its own, however large it is, and its pages for which it needs one more. */
const OVERHEAD_FRAMES = 512;
const PAGES_PER_OVERHEAD_FRAME = 256;
const MIB_PAGES = 256;

/** Frames of machine memory that a domain of `nrPages` needs beside its own: tables, shared frames, m2p. */
function overheadFrames(nrPages: number): number {
  return OVERHEAD_FRAMES + Math.ceil(nrPages / PAGES_PER_OVERHEAD_FRAME);
}

/** MiB of the largest domain: machine memory has 32-bit addresses. */
const MAX_DOMAIN_MIB = Math.floor(
  ((MAX_FRAMES - OVERHEAD_FRAMES) * PAGES_PER_OVERHEAD_FRAME) / (PAGES_PER_OVERHEAD_FRAME + 1) / MIB_PAGES,
);

/** Bytes of console output that the store says are kept. */
const CONSOLE_LIMIT_BYTES = 1 << 20;
const TICK_MS = 1000;
const MAX_SEED = 2 ** 31;

/** How a machine runs. */
export interface MachineOptions {
  readonly trace: ReadonlySet<string>;
  /** Measures where the time goes. */
  readonly profiled?: boolean;
  /** Code to print when it is decoded or compiled. */
  readonly dumps?: readonly DumpRequest[];
  /** How the engine runs guest code; absent: its default. */
  readonly engineTier?: EngineTier;
}

/** What a machine tells. */
export interface MachineReporter {
  log(line: string): void;
  trace(line: string): void;
  /** Prints lines of a dump. @param request - index in `MachineOptions.dumps` */
  dump(request: number, text: string): void;
}

/** What a domain is to be made of. */
export interface DomainSpec {
  readonly name: string;
  readonly nrPages: number;
  readonly vcpus: number;
  readonly cmdline: string;
  readonly image: GuestImage;
  readonly module: Uint8Array;
}

/** A domain of the machine, as domain 0 holds it. */
export interface HostedDomain {
  readonly domid: Domid;
  readonly uuid: string;
  readonly output: ConsoleOutput;
  readonly console: ConsoleBackend;
  readonly storePort: Port;
  readonly consolePort: Port;
  /** Called when the domain shut down or crashed. */
  onChange: () => void;
}

/** One machine. */
export class Machine {
  readonly pcpu: PcpuThread;
  readonly #store: StoreServer;
  readonly #local: LocalStore;
  readonly #log: Logger;
  readonly #domains: Map<Domid, HostedDomain>;
  readonly #ticker: NodeJS.Timeout;
  /** Called when the pCPU's thread fails: a bug of ours. */
  onFailure: (error: Error) => void = () => undefined;

  private constructor(pcpu: PcpuThread, store: StoreServer, log: Logger, domains: Map<Domid, HostedDomain>) {
    this.pcpu = pcpu;
    this.#store = store;
    this.#local = store.openLocal();
    this.#log = log;
    this.#domains = domains;
    // A guest whose notification went astray is looked at again.
    this.#ticker = setInterval(() => {
      store.tick();
      for (const domain of domains.values()) domain.console.kick();
    }, TICK_MS);
  }

  /** Starts a machine with room for one domain of `nrPages`. @returns rejects with VmmError NO_MEMORY */
  static async start(nrPages: number, options: MachineOptions, reporter: MachineReporter): Promise<Machine> {
    const { trace, profiled = false, dumps = [], engineTier } = options;
    if (nrPages > MAX_DOMAIN_MIB * MIB_PAGES) {
      throw new VmmError(
        'NO_MEMORY',
        `a domain can have ${MAX_DOMAIN_MIB} MiB of memory at most, not ${nrPages / MIB_PAGES} MiB: give it less (--memory)`,
      );
    }
    const log: Logger = { info: (line) => reporter.log(line), warn: (line) => reporter.log(line) };
    const clock: Clock = { nowNs: () => Math.floor(performance.now() * 1e6), wallClockMs: () => Date.now() };
    const store = new StoreServer({
      log,
      clock,
      defer: (task) => setImmediate(task),
      ...(trace.has('store') ? { trace: (id: Domid, line: string) => reporter.trace(`store d${id} ${line}`) } : {}),
    });
    const domains = new Map<Domid, HostedDomain>();
    const made: { machine?: Machine } = {};
    const pcpu = await PcpuThread.start(
      nrPages + overheadFrames(nrPages),
      { seed: randomInt(1, MAX_SEED), trace: [...trace], profiled, dumps, engineTier },
      {
        notify: (id, guestPort) => {
          const domain = domains.get(id);
          if (guestPort === domain?.storePort) store.kick(id);
          if (guestPort === domain?.consolePort) domain.console.kick();
        },
        changed: (id) => domains.get(id)?.onChange(),
        console: (id, bytes) => domains.get(id)?.output.writeNow(bytes),
        log: (line) => reporter.log(line),
        trace: (line) => reporter.trace(line),
        dump: (request, text) => reporter.dump(request, text),
        failed: (error) => made.machine?.onFailure(error),
      },
    );
    made.machine = new Machine(pcpu, store, log, domains);
    return made.machine;
  }

  /** Makes a domain, paused. @returns rejects with VmmError when it cannot be built from what it is given */
  async create(spec: DomainSpec): Promise<HostedDomain> {
    const { pcpu } = this;
    const created = await pcpu.call('createDomain', { name: spec.name, maxVcpus: spec.vcpus, maxFrames: spec.nrPages });
    const mfns = await pcpu.call('populate', created.domid, 0, spec.nrPages);
    const storePort = port(await pcpu.call('allocatePort', created.domid));
    const consolePort = port(await pcpu.call('allocatePort', created.domid));
    const built = buildDomain(
      { mfns, frame: (frame) => pcpu.memory.frame(frame), sharedInfo: created.sharedInfo, storePort, consolePort },
      spec.image,
      { module: spec.module, cmdline: spec.cmdline },
    );
    await pcpu.call('grantReserved', created.domid, built.consoleMfn, built.storeMfn);
    await this.#holdRings(created.domid);
    await this.#startVcpu(created, built);
    const domain = this.#serve(created, built, spec);
    this.#domains.set(created.domid, domain);
    return domain;
  }

  /** Asks a guest to power off. */
  requestShutdown(domain: HostedDomain): void {
    this.#local.write(`/local/domain/${domain.domid}/control/shutdown`, 'poweroff');
  }

  /** Ends the machine and everything on it. */
  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    for (const domain of this.#domains.values()) domain.console.destroy();
    this.#domains.clear();
    await this.pcpu.stop();
  }

  /**
   * Begins domain 0's use of the ring pages before the guest runs. Without it the guest could give a page back, or make a
   * page table of it, and have the store and the console write there for it.
   */
  async #holdRings(id: Domid): Promise<void> {
    for (const ref of [GnttabReserved.GNTTAB_RESERVED_CONSOLE, GnttabReserved.GNTTAB_RESERVED_XENSTORE]) {
      const mapped = await this.pcpu.call('mapGrant', id, ref, true);
      if (mapped < 0) throw new Error(`the ring page of domain ${id} in grant ${ref} cannot be mapped (${mapped})`);
    }
  }

  async #startVcpu(created: CreatedDomain, built: BuiltDomain): Promise<void> {
    const { pcpu } = this;
    const pinned = await pcpu.call('pinTable', created.domid, built.l4, 4);
    const context = { rip: built.entry, rsp: built.stackTopVaddr, rsi: built.startInfoVaddr, root: built.l4 };
    const started = pinned === 0 ? await pcpu.call('setInitialContext', created.domid, context) : pinned;
    if (started !== 0) throw new Error(`the first page tables of domain ${created.domid} are refused (${started})`);
  }

  #serve(created: CreatedDomain, built: BuiltDomain, spec: DomainSpec): HostedDomain {
    const id = domid(created.domid);
    const { buffer } = this.pcpu.memory.memory;
    const uuid = randomUUID();
    createDomainNodes(this.#local, {
      domid: id,
      name: spec.name,
      uuid,
      onlineVcpus: spec.vcpus,
      maxVcpus: spec.vcpus,
      maxMemoryKib: spec.nrPages * (FRAME_SIZE / 1024),
      targetMemoryKib: spec.nrPages * (FRAME_SIZE / 1024),
      storePort: built.storePort,
      storeFrame: built.storeMfn,
      consolePort: built.consolePort,
      consoleFrame: built.consoleMfn,
      consoleLimitBytes: CONSOLE_LIMIT_BYTES,
      osType: spec.image.guestOs ?? 'unknown',
      startTimeS: Math.floor(Date.now() / 1000),
    });
    this.#store.connect(id, {
      page: sharedPage(buffer, built.storeMfn * FRAME_SIZE),
      notify: () => this.pcpu.tell('sendEvent', id, built.storePort),
    });
    const output = new ConsoleOutput();
    const console = new ConsoleBackend({
      page: sharedPage(buffer, built.consoleMfn * FRAME_SIZE),
      notify: () => this.pcpu.tell('sendEvent', id, built.consolePort),
      sink: (bytes) => output.write(bytes),
      log: this.#log,
      defer: (task) => setImmediate(task),
      name: `console of domain ${id}`,
    });
    console.start();
    return {
      domid: id,
      uuid,
      output,
      console,
      storePort: built.storePort,
      consolePort: built.consolePort,
      onChange: () => undefined,
    };
  }
}
