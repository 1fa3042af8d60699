// Standard input as the guest's keyboard. A terminal is put into raw mode, so that every key reaches the guest, and put back in
// order however the run ends; anything else is read to its end, which is no error. Used by run.ts.

import { VmmError } from '../base/index.ts';
import { KeyFilter } from './key-filter.ts';
import type { FilteredKeys } from './key-filter.ts';
import type { World } from './world.ts';

/** Typed bytes that a guest has not read. A terminal's own queue holds less. */
const MAX_TYPED_BYTES = 64 * 1024;

/** Who takes what is typed. */
export interface KeyboardPorts {
  /** A promise settles when there is room for more. */
  send(bytes: Uint8Array): void | Promise<void>;
  /** The user wants the run to end. */
  end(by: NonNullable<FilteredKeys['end']>): void;
  /** Reading failed; the error names the cause and what to do. */
  failed(error: VmmError): void;
}

/** Reads standard input from `open` to `close`. */
export class Keyboard {
  readonly #world: World;
  readonly #ports: KeyboardPorts;
  readonly #filter = new KeyFilter();
  readonly #onData = (bytes: Uint8Array): void => this.#take(bytes);
  #state: 'closed' | 'open' = 'closed';
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #draining = false;

  constructor(world: World, ports: KeyboardPorts) {
    this.#world = world;
    this.#ports = ports;
    // A stream's error event needs a listener for as long as the stream lives.
    world.stdin.on('error', (error: Error) => {
      if (this.#state === 'open') {
        ports.failed(unusable(error));
      }
    });
  }

  /** True if keys go to the guest one by one, Ctrl-C among them. */
  get isRaw(): boolean {
    return this.#state === 'open' && this.#world.stdin.isTTY === true;
  }

  /** Starts to read, unless it does already. @throws VmmError TERMINAL_UNUSABLE */
  open(): void {
    if (this.#state === 'open') {
      return;
    }
    const { stdin } = this.#world;
    if (stdin.isTTY === true) {
      try {
        stdin.setRawMode?.(true);
      } catch (cause) {
        throw unusable(cause);
      }
    }
    this.#state = 'open';
    stdin.on('data', this.#onData);
    stdin.resume();
  }

  /** Stops to read and gives the terminal back as it was. May be called at any time, any number of times. */
  close(): void {
    if (this.#state === 'closed') {
      return;
    }
    this.#state = 'closed';
    const { stdin } = this.#world;
    stdin.off('data', this.#onData);
    stdin.pause();
    if (stdin.isTTY === true) {
      try {
        stdin.setRawMode?.(false);
      } catch {
        // The terminal is gone: there is nothing left to put in order.
      }
    }
  }

  /** Takes the terminal again after a stop, during which the shell had it. */
  reopen(): void {
    if (this.isRaw) {
      this.#world.stdin.setRawMode?.(false); // raw mode is set only when it is thought to be off
      this.#world.stdin.setRawMode?.(true);
    }
  }

  /** Tells that the guest printed something. */
  noteOutput(): void {
    this.#filter.noteOutput();
  }

  #take(bytes: Uint8Array): void {
    const keys: FilteredKeys = this.isRaw ? this.#filter.filter(bytes, this.#world.nowMs()) : { toGuest: bytes };
    this.#enqueue(keys.toGuest);
    if (keys.end !== undefined) {
      this.#ports.end(keys.end);
    }
  }

  /** A terminal is always read on, for the keys that end the run; a file or a pipe waits for the guest. */
  #enqueue(bytes: Uint8Array): void {
    if (bytes.length === 0 || (this.isRaw && this.#queuedBytes + bytes.length > MAX_TYPED_BYTES)) {
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (!this.isRaw) {
      this.#world.stdin.pause();
    }
    if (!this.#draining) {
      void this.#drain();
    }
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
      await this.#ports.send(bytes);
      this.#queuedBytes -= bytes.length;
    }
    this.#draining = false;
    if (this.#state === 'open') {
      this.#world.stdin.resume();
    }
  }
}

function unusable(cause: unknown): VmmError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new VmmError('TERMINAL_UNUSABLE', `standard input cannot be read (${reason}): try again with </dev/null`, {
    cause,
  });
}
