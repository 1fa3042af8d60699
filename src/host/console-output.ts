// Joins what a domain prints to whoever listens: the console ring's output, which waits in the guest
// when nobody listens yet, and what the guest wrote to the hypervisor's console, which cannot wait and is
// kept up to a bound.

import type { ConsoleSink } from '../backends/index.ts';

/** Bytes for the hypervisor's console that are kept while the sink is busy; more are dropped. */
const KEPT_BYTES = 1 << 20;

/** One domain's output. */
export class ConsoleOutput {
  #sink: ConsoleSink | undefined;
  #attached: () => void = () => undefined;
  readonly #waiting = new Promise<void>((resolve) => (this.#attached = resolve));
  /** Settles when everything handed over so far has been sunk. */
  #done: Promise<void> = this.#waiting;
  #keptBytes = 0;

  /** Sends all output to `sink`, from the first byte on. Once. */
  attach(sink: ConsoleSink): void {
    this.#sink = sink;
    this.#attached();
  }

  /** Takes output; the next is to come when the promise settles. */
  write(bytes: Uint8Array): Promise<void> {
    this.#done = this.#done.then(() => this.#sink?.(bytes));
    return this.#done;
  }

  /** Takes output from a source that cannot wait. */
  writeNow(bytes: Uint8Array): void {
    if (this.#keptBytes + bytes.length > KEPT_BYTES) return;
    this.#keptBytes += bytes.length;
    void this.write(bytes).then(() => (this.#keptBytes -= bytes.length));
  }

  /** Settles when everything taken so far has been sunk; at once when nobody ever listened. */
  async drain(): Promise<void> {
    if (this.#sink !== undefined) await this.#done;
  }
}
