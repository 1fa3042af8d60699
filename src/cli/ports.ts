// What the command line asks of the machine: start one domain, join its console to ours, learn how it ended.
// src/host implements it; the tests beside these files implement it with a scripted domain.

import type { EngineTier } from '../engine/index.ts';

/** What `--trace` can print. */
export const traceKinds = ['hypercall', 'trap', 'mmu', 'event', 'store'] as const;

/** One kind of event to print. */
export type TraceKind = (typeof traceKinds)[number];

/** What `--stats` takes; the first one is meant when nothing is said. */
export const statsForms = ['text', 'json'] as const;

/** How a profile is printed. */
export type StatsForm = (typeof statsForms)[number];

/** Code of the guest that is printed when the engine decodes or compiles it. */
export interface DumpConfig {
  /** The engine's records, or the WebAssembly that it makes of them. */
  readonly form: 'ir' | 'wasm';
  /** An address, or a symbol of the kernel and a distance from it in bytes. */
  readonly place: { readonly address: bigint } | { readonly symbol: string; readonly offset: number };
  /** Absent: standard error. */
  readonly file?: string;
}

/** The domain that `zendo run` is asked for. File names are as the user gave them. */
export interface RunConfig {
  /** Kernel image; absent: the default Debian image. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** Kernel command line; absent: the image's default. */
  readonly append?: string;
  /** A multiple of 4 KiB, above 0. Whether it is enough is the builder's business. */
  readonly memoryBytes: number;
  /** 1 to 32. */
  readonly vcpus: number;
  readonly name: string;
  readonly trace: ReadonlySet<TraceKind>;
  /** Absent: the engine's default. */
  readonly engineTier?: EngineTier;
  /** Measures where the time goes. Absent: nothing is measured. */
  readonly stats?: StatsForm;
  /** Absent: none. */
  readonly dumps?: readonly DumpConfig[];
}

/** Where a starting machine tells what it does. All of it goes to standard error. */
export interface RunReporter {
  /** Prints one line, without its line end. Quiet mode keeps these back, but never trace lines. */
  notice(line: string): void;
  /** Shows a passing state such as a progress bar in one line of the terminal; '' takes it away. */
  progress(line: string): void;
  /** Prints one line that `--trace` asked for. */
  trace(line: string): void;
}

/** How a domain ended. A fault of ours is no end: it rejects `RunningDomain.ended`. */
export type DomainEnd =
  | { readonly kind: 'poweroff' }
  | { readonly kind: 'reboot' }
  /** The guest said so, its watchdog ran out, or it did what no guest may. The report has several lines, with line ends. */
  | { readonly kind: 'crash'; readonly report: string }
  /** `destroy` was called. */
  | { readonly kind: 'destroyed' };

/** Takes console output. The bytes are the sink's to keep. The next call comes after the promise, if there is one. */
export type ConsoleSink = (bytes: Uint8Array) => void | Promise<void>;

/** A domain that has started. */
export interface RunningDomain {
  /** Settles once: with the end, or with the error when the fault was ours. */
  readonly ended: Promise<DomainEnd>;
  /** Types `bytes` into the console. A promise settles when there is room for more, or the domain has ended. */
  writeConsole(bytes: Uint8Array): void | Promise<void>;
  /** Sends all console output to `sink`, from the first byte on. Called once. All of it has been sunk when `ended` settles. */
  onConsole(sink: ConsoleSink): void;
  /** Asks the guest to power off. A guest may ignore it. */
  requestShutdown(): void;
  /** Where the time went so far: lines with line ends, or '' when there is nothing to tell. */
  profile(): Promise<string>;
  /** Ends the domain now and frees what it holds. May be called at any time, any number of times. */
  destroy(): Promise<void>;
}

/**
 * Builds and starts a domain. Rejects with a `VmmError` when the input is at fault; when `signal` fires it
 * rejects soon, and leaves nothing behind.
 */
export type StartDomain = (config: RunConfig, reporter: RunReporter, signal: AbortSignal) => Promise<RunningDomain>;
