// A process for the command line that is made of plain streams and a clock that only the test moves.

import { PassThrough } from 'node:stream';
import type { SignalName, World } from '../../src/cli/world.ts';

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
}

/** A `World` whose outputs can be read and whose signals and time the test controls. */
export class ScriptedWorld implements World {
  readonly stdin: PassThrough & { isTTY?: boolean; setRawMode?(on: boolean): void } = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  /** Every switch of the terminal's mode. */
  readonly rawModes: boolean[] = [];
  readonly #listeners = new Map<SignalName, () => void>();
  readonly #timers = new Set<Timer>();
  #nowMs = 0;

  /** Makes standard input a terminal. */
  withTerminal(): this {
    this.stdin.isTTY = true;
    this.stdin.setRawMode = (on) => void this.rawModes.push(on);
    return this;
  }

  onSignal(signal: SignalName, listener: () => void): void {
    this.#listeners.set(signal, listener);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, action: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, action };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  raise(signal: SignalName): void {
    this.#listeners.get(signal)?.();
  }

  /** Moves the clock and runs what is due. */
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs)) {
      this.#timers.delete(timer);
      timer.action();
    }
  }

  /** Lets everything happen that needs no time to pass. */
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  readStdout(): string {
    return text(this.stdout);
  }

  readStderr(): string {
    return text(this.stderr);
  }
}

function text(stream: PassThrough): string {
  const bytes: unknown = stream.read();
  return bytes instanceof Buffer ? bytes.toString('latin1') : '';
}
