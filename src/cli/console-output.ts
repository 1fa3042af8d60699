// Standard output as the guest's screen: exactly the console's bytes, in order, no faster than the reader takes them. Used by
// run.ts, which hands `write` to the domain as its sink.

import { VmmError } from '../base/index.ts';
import type { OutputStream } from './world.ts';

const NEWLINE = 0x0a;

/** Why nothing more can be written. A reader that left is no error: `head` does that. */
export type OutputFailure = { readonly kind: 'reader-left' } | { readonly kind: 'error'; readonly error: VmmError };

/** Writes to one stream for as long as it works, and drops what comes after. */
export class ConsoleOutput {
  readonly #stream: OutputStream;
  #working = true;
  #atLineStart = true;
  #waiting: (() => void)[] = [];

  /** @param onFailure - called once, when the stream fails */
  constructor(stream: OutputStream, onFailure: (failure: OutputFailure) => void) {
    this.#stream = stream;
    stream.on('drain', () => this.#wake());
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#working) {
        this.#working = false;
        onFailure(describe(error));
      }
      this.#wake();
    });
  }

  /** Tells that somebody else begins a new line on the same terminal. @returns whether the guest was within one */
  leaveLine(): boolean {
    const withinLine = !this.#atLineStart;
    this.#atLineStart = true;
    return withinLine;
  }

  /** @returns a promise if the reader is behind; it settles when there is room */
  write(bytes: Uint8Array): void | Promise<void> {
    if (!this.#working || bytes.length === 0) {
      return undefined;
    }
    this.#atLineStart = bytes.at(-1) === NEWLINE;
    return this.#stream.write(bytes) ? undefined : this.#woken();
  }

  /** Settles when the reader has everything, or is gone. */
  async flush(): Promise<void> {
    while (this.#working && this.#stream.writableLength > 0) {
      await this.#woken();
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) {
      resolve();
    }
  }
}

function describe(error: NodeJS.ErrnoException): OutputFailure {
  if (error.code === 'EPIPE') {
    return { kind: 'reader-left' };
  }
  const message = `standard output cannot be written (${error.message}): send it elsewhere and try again`;
  return { kind: 'error', error: new VmmError('OUTPUT_FAILED', message, { cause: error }) };
}
