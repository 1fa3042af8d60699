// Joins what a domain prints to whoever listens: the console ring's output, which waits in the guest
// when nobody listens yet, and what the guest wrote to the hypervisor's console, which cannot wait and is
// kept up to a bound. The latter goes on by whole lines, so that the two do not mix within a line.

import type { ConsoleSink } from '../backends/index.ts';

/** Bytes for the hypervisor's console that are kept while the sink is busy; more are dropped. */
const KEPT_BYTES = 1 << 20;

/** After so long a line goes on without its end: it may be a prompt. */
const LINE_WAIT_MS = 50;
const NEWLINE = 10;

/** One domain's output. */
export class ConsoleOutput {
  #sink: ConsoleSink | undefined;
  #attached: () => void = () => undefined;
  readonly #waiting = new Promise<void>((resolve) => (this.#attached = resolve));
  /** Settles when everything handed over so far has been sunk. */
  #done: Promise<void> = this.#waiting;
  #keptBytes = 0;
  /** Output for the hypervisor's console that waits for the end of a line on either side. */
  readonly #lines: Uint8Array[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** The ring's output so far ends with a line. */
  #atLineStart = true;

  /** Sends all output to `sink`, from the first byte on. Once. */
  attach(sink: ConsoleSink): void {
    this.#sink = sink;
    this.#attached();
  }

  /** Takes output; the next is to come when the promise settles. */
  write(bytes: Uint8Array): Promise<void> {
    this.#send(bytes);
    this.#atLineStart = bytes.at(-1) === NEWLINE;
    if (this.#atLineStart) this.#sendLines();
    return this.#done;
  }

  /** Takes output from a source that cannot wait. */
  writeNow(bytes: Uint8Array): void {
    if (this.#keptBytes + bytes.length > KEPT_BYTES) return;
    this.#keptBytes += bytes.length;
    this.#lines.push(bytes);
    if (this.#atLineStart && bytes.at(-1) === NEWLINE) this.#sendLines();
    else this.#timer ??= setTimeout(() => this.#sendLines(), LINE_WAIT_MS);
  }

  /** Settles when everything taken so far has been sunk; at once when nobody ever listened. */
  async drain(): Promise<void> {
    this.#sendLines();
    if (this.#sink !== undefined) await this.#done;
  }

  /** Hands on what waits for the hypervisor's console. */
  #sendLines(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const bytes of this.#lines.splice(0)) {
      this.#send(bytes);
      void this.#done.then(() => (this.#keptBytes -= bytes.length));
    }
  }

  #send(bytes: Uint8Array): void {
    this.#done = this.#done.then(() => this.#sink?.(bytes));
  }
}
