// What the command line uses of the process it runs in. main.ts passes the real things, tests pass scripted streams.

import type { Readable, Writable } from 'node:stream';

/** Standard input: a stream, and a terminal if `isTTY`. */
export type InputStream = Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };

/** Standard output or standard error. */
export type OutputStream = Writable & { readonly isTTY?: boolean };

/** Signals that end a run, that tell that the process goes on after a stop, or that ask for the profile. */
export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGCONT' | 'SIGUSR2';

/** The process around a command. */
export interface World {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Calls `listener` for each `signal` from now on, instead of what the system does with it. */
  onSignal(signal: SignalName, listener: () => void): void;
  /** Milliseconds since a fixed start; never goes back. */
  nowMs(): number;
  /** Calls `action` once after `ms`, unless the returned function was called before. */
  after(ms: number, action: () => void): () => void;
}
