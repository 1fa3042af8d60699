// Starts the one domain of `zendo run` on a machine of its own: finds and unpacks its images, builds it,
// and watches it until it ends.

import { Shutdown } from '../abi/index.ts';
import { VmmError } from '../base/index.ts';
import type { EngineTier } from '../engine/index.ts';
import type { DumpRequest } from '../engine-wasm/index.ts';
import {
  freeBytes,
  type GuestImage,
  type Kallsyms,
  loadGuestImage,
  loadRamdisk,
  planLayout,
} from '../toolstack/index.ts';
import { crashText } from './crash-text.ts';
import { DumpOutput, type DumpTarget } from './dump-output.ts';
import { readHostFile } from './host-file.ts';
import { ensureDefaultGuest } from './images/debian.ts';
import { nodeDecompressor } from './images/decompress.ts';
import { checkSignedDigest } from './images/signed-digest.ts';
import { addressOfPlace, type CodePlace, readKernelSymbols } from './kernel-symbols.ts';
import { type HostedDomain, Machine } from './machine.ts';
import { profileText } from './profile-text.ts';
import { returnMemory } from './return-memory.ts';

const PAGE_SIZE = 4096;

/** What to run. File names are as the user gave them; without a kernel, the default Debian guest runs. */
export interface DomainConfig {
  readonly kernel?: string;
  readonly ramdisk?: string;
  readonly append?: string;
  readonly memoryBytes: number;
  readonly vcpus: number;
  readonly name: string;
  readonly trace: ReadonlySet<string>;
  /** How the engine runs guest code; absent: its default. */
  readonly engineTier?: EngineTier;
  /** Measures where the time goes, for `RunningDomain.profile`, which tells it in this form. */
  readonly stats?: StatsForm;
  /** Code to print when it is decoded or compiled. */
  readonly dumps?: readonly DumpConfig[];
}

/** A dump: the IR or the WebAssembly of a place in guest code, to standard error or to a file. */
export interface DumpConfig {
  readonly form: DumpRequest['form'];
  readonly place: CodePlace;
  readonly file?: string;
}

/** Forms of a profile: tables for people, or one line of JSON. */
export type StatsForm = 'text' | 'json';

/** Where a starting machine tells what it does. */
export interface StartReporter {
  notice(line: string): void;
  progress(line: string): void;
  trace(line: string): void;
}

/** How a domain ended. */
export type DomainEnd =
  | { readonly kind: 'poweroff' }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'crash'; readonly report: string }
  | { readonly kind: 'destroyed' };

/** Takes console output. */
export type OutputSink = (bytes: Uint8Array) => void | Promise<void>;

/**
 * Builds and starts a domain.
 * @returns rejects with VmmError when the input is at fault, with the signal's reason when that fires
 */
export async function startDomain(
  config: DomainConfig,
  reporter: StartReporter,
  signal: AbortSignal,
): Promise<RunningDomain> {
  const nrPages = Math.floor(config.memoryBytes / PAGE_SIZE);
  const failed = new AbortController();
  const requests = await dumpRequests(config, reporter, signal);
  const dumps = new DumpOutput((config.dumps ?? []).map(dumpTarget), reporter);
  // The thread takes about as long to start as the images to unpack, so both are done at once.
  const options = { ...config, dumps: requests, profiled: config.stats !== undefined };
  const starting = Machine.start(nrPages, options, {
    log: (line) => reporter.notice(line),
    trace: (line) => reporter.trace(line),
    dump: (request, text) => dumps.write(request, text),
  });
  const loading = loadGuest(config, reporter, AbortSignal.any([signal, failed.signal]));
  try {
    const [machine, guest] = await Promise.all([starting, loading]);
    const { name, vcpus } = config;
    const domain = await machine.create({ name, vcpus, nrPages, ...guest });
    guest.image.release();
    freeBytes(guest.module);
    returnMemory();
    signal.throwIfAborted();
    return new RunningDomain(machine, domain, guest.kernel, dumps, config.stats);
  } catch (error) {
    failed.abort();
    await loading.catch(() => undefined); // the first failure is the one to tell
    await starting.then(
      (machine) => machine.stop(),
      () => undefined,
    );
    throw error;
  }
}

/** What the engine is to print: symbols become addresses. @returns rejects with VmmError NO_SUCH_SYMBOL */
async function dumpRequests(
  config: DomainConfig,
  reporter: StartReporter,
  signal: AbortSignal,
): Promise<readonly DumpRequest[]> {
  const { dumps = [] } = config;
  const isNamed = dumps.some(({ place }) => 'symbol' in place);
  const kernel = isNamed ? (await findFiles(config, reporter, signal)).kernel : '';
  const symbols = isNamed ? await readKernelSymbols(kernel, signal) : undefined;
  return dumps.map(({ form, place }) => ({ form, address: addressOfPlace(place, kernel, symbols) }));
}

function dumpTarget({ form, place, file }: DumpConfig): DumpTarget {
  const at = 'address' in place ? `0x${place.address.toString(16)}` : place.symbol;
  return { name: `--dump-${form} ${at}`, ...(file !== undefined && { file }) };
}

/** What a domain is started with. */
interface Guest {
  /** The file's name. */
  readonly kernel: string;
  readonly image: GuestImage;
  readonly module: Uint8Array;
  readonly cmdline: string;
}

/** Finds, reads and unpacks the images, and checks that the domain can hold them. */
async function loadGuest(config: DomainConfig, reporter: StartReporter, signal: AbortSignal): Promise<Guest> {
  const { kernel, ramdisk, append } = await findFiles(config, reporter, signal);
  const { memoryBytes } = config;
  const file = await readHostFile(kernel, 'kernel', signal);
  checkSignedDigest(kernel, file);
  const image = await loadGuestImage(kernel, file, nodeDecompressor);
  const module =
    ramdisk === undefined
      ? new Uint8Array()
      : await loadRamdisk(ramdisk, await readHostFile(ramdisk, 'ramdisk', signal), nodeDecompressor, memoryBytes);
  planLayout(image, {
    moduleBytes: module.length,
    nrPages: Math.floor(memoryBytes / PAGE_SIZE),
    cmdline: append,
  });
  signal.throwIfAborted();
  return { kernel, image, module, cmdline: append };
}

interface Files {
  readonly kernel: string;
  readonly ramdisk: string | undefined;
  readonly append: string;
}

async function findFiles(config: DomainConfig, reporter: StartReporter, signal: AbortSignal): Promise<Files> {
  if (config.kernel !== undefined)
    return { kernel: config.kernel, ramdisk: config.ramdisk, append: config.append ?? '' };
  const guest = await ensureDefaultGuest({ progress: (line) => reporter.progress(line), signal });
  return { kernel: guest.kernel, ramdisk: config.ramdisk ?? guest.ramdisk, append: config.append ?? guest.append };
}

/** A domain that has started, and its machine. */
export class RunningDomain {
  readonly #machine: Machine;
  readonly #domain: HostedDomain;
  readonly #kernel: string;
  readonly #dumps: DumpOutput;
  readonly #stats: StatsForm | undefined;
  #settle: (end: DomainEnd) => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;
  #stopping: Promise<void> | undefined;
  /** Settles once: with the end, or with an error when the fault was ours. */
  readonly ended: Promise<DomainEnd>;

  constructor(machine: Machine, domain: HostedDomain, kernel: string, dumps: DumpOutput, stats: StatsForm | undefined) {
    this.#machine = machine;
    this.#domain = domain;
    this.#kernel = kernel;
    this.#dumps = dumps;
    this.#stats = stats;
    this.ended = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
    });
    this.ended.catch(() => undefined); // whoever listens sees it; nobody listening is no reason to die
    machine.onFailure = (error) =>
      this.#fail(new VmmError('PCPU_FAILED', `the pCPU failed: ${error.message}`, { cause: error }));
    domain.onChange = () =>
      void this.#changed().catch((error: unknown) =>
        this.#fail(error instanceof Error ? error : new Error(String(error))),
      );
    machine.pcpu.tell('unpause', domain.domid);
  }

  /** Types bytes into the console. A promise settles when there is room for more. */
  writeConsole(bytes: Uint8Array): void | Promise<void> {
    return this.#domain.console.input(bytes);
  }

  /** Sends all console output to `sink`, from the first byte on. Once. */
  onConsole(sink: OutputSink): void {
    this.#domain.output.attach(sink);
  }

  /** Asks the guest to power off. */
  requestShutdown(): void {
    this.#machine.requestShutdown(this.#domain);
  }

  /** Where the time went so far, with a line end; '' when `stats` was not asked for, or the pCPU is gone. */
  async profile(): Promise<string> {
    if (this.#stats === undefined || this.#stopping !== undefined) return '';
    const report = await this.#machine.pcpu.call('profile');
    if (report === undefined) return '';
    return this.#stats === 'json' ? `${JSON.stringify(report)}\n` : profileText(report);
  }

  /** Ends the domain and its machine. */
  destroy(): Promise<void> {
    this.#settle({ kind: 'destroyed' });
    this.#stopping ??= this.#machine.stop().then(() => this.#dumps.close());
    return this.#stopping;
  }

  async #changed(): Promise<void> {
    const info = await this.#machine.pcpu.call('domainInfo', this.#domain.domid);
    if (info?.shutdownReason === undefined) return;
    await this.#domain.console.drain();
    await this.#domain.output.drain();
    this.#settle(await this.#end(info.shutdownReason));
  }

  async #end(reason: number): Promise<DomainEnd> {
    switch (reason) {
      case Shutdown.SHUTDOWN_poweroff:
        return { kind: 'poweroff' };
      case Shutdown.SHUTDOWN_reboot:
        return { kind: 'reboot' };
      case Shutdown.SHUTDOWN_crash:
        return { kind: 'crash', report: await this.#crashReport() };
      case Shutdown.SHUTDOWN_watchdog:
        return { kind: 'crash', report: 'the watchdog that the guest set has run out\n' };
      default:
        return { kind: 'crash', report: `the guest stopped with shutdown code ${reason}, which nobody asked it for\n` };
    }
  }

  async #crashReport(): Promise<string> {
    const report = await this.#machine.pcpu.call('crashReport', this.#domain.domid);
    if (report === undefined) return 'the guest reported that it crashed\n';
    return crashText(report, await this.#symbols());
  }

  /** The kernel's own symbols; none when its file is gone meanwhile or has none. */
  async #symbols(): Promise<Kallsyms | undefined> {
    try {
      return await readKernelSymbols(this.#kernel, AbortSignal.timeout(10_000));
    } catch {
      return undefined; // the report stands without names
    }
  }
}
