// The last part of a console's output, for those who look later, and the live output for those who look now. Stands between
// a `ConsoleBackend` and its viewers: it is the backend's sink, and as slow as the slowest viewer that asks to be waited for.

import type { ConsoleSink } from './ports.ts';

/** Console output with its viewers. */
export class ConsoleBuffer {
  readonly #kept: Uint8Array;
  #total = 0;
  readonly #viewers = new Set<ConsoleSink>();

  /** @param capacityBytes - how much of the end of the output is kept */
  constructor(capacityBytes: number) {
    this.#kept = new Uint8Array(capacityBytes);
  }

  /** Bytes of output since the start, kept or not. */
  get totalBytes(): number {
    return this.#total;
  }

  /** The end of the output, as much of it as is kept. */
  contents(): Uint8Array {
    const length = Math.min(this.#total, this.#kept.length);
    const end = this.#kept.length === 0 ? 0 : this.#total % this.#kept.length;
    const bytes = new Uint8Array(length);
    if (length === this.#kept.length) {
      bytes.set(this.#kept.subarray(end));
      bytes.set(this.#kept.subarray(0, end), length - end);
    } else {
      bytes.set(this.#kept.subarray(0, length));
    }
    return bytes;
  }

  /** Takes output; the sink to give to a backend. */
  readonly write: ConsoleSink = (bytes) => {
    const capacity = this.#kept.length;
    const tail = bytes.subarray(Math.max(0, bytes.length - capacity));
    if (capacity > 0) {
      const start = (this.#total + bytes.length - tail.length) % capacity;
      const first = Math.min(tail.length, capacity - start);
      this.#kept.set(tail.subarray(0, first), start);
      this.#kept.set(tail.subarray(first));
    }
    this.#total += bytes.length;
    const busy = [...this.#viewers].map((viewer) => viewer(bytes)).filter((promise) => promise !== undefined);
    return busy.length === 0 ? undefined : Promise.all(busy).then(() => undefined);
  };

  /**
   * Shows a viewer what is kept, and from then on all output as it comes.
   * @returns ends it
   */
  attach(viewer: ConsoleSink): () => void {
    const ordered = inOrder(viewer);
    const contents = this.contents();
    if (contents.length > 0) {
      void ordered(contents); // what comes next waits for it in `ordered`
    }
    this.#viewers.add(ordered);
    return () => {
      this.#viewers.delete(ordered);
    };
  }
}

/** A viewer that is not called before it has settled its last call. */
function inOrder(viewer: ConsoleSink): ConsoleSink {
  let last: Promise<void> | undefined;
  return (bytes) => {
    const busy = last === undefined ? viewer(bytes) : last.then(() => viewer(bytes));
    if (busy !== undefined) {
      const mine = busy.then(() => {
        if (last === mine) {
          last = undefined;
        }
      });
      last = mine;
    }
    return last;
  };
}
