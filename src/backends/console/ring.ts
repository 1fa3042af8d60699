// The console's ring page, seen from domain 0: takes the guest's output, gives it input. Stateless: all four indices are in
// the page, so that a guest which starts anew with fresh indices is simply followed. Nonsense in them harms only the guest
// that wrote it: each index is read once, distances are bounded by the ring, positions are masked. Layout: src/abi/console.ts.

import { XENCONS_IN_SIZE, XENCONS_INTERFACE, XENCONS_OUT_SIZE } from '../../abi/index.ts';
import type { SharedPage } from '../../base/index.ts';

/** Domain 0's side of a console page. */
export class ConsoleRing {
  readonly #page: SharedPage;

  constructor(page: SharedPage) {
    this.#page = page;
  }

  /** Takes all output that is there, at most one ring full. Undefined if the indices cannot be; then nothing is touched. */
  takeOutput(): Uint8Array<ArrayBuffer> | undefined {
    const cons = this.#load('out_cons');
    const length = (this.#load('out_prod') - cons) >>> 0;
    if (length > XENCONS_OUT_SIZE) {
      return undefined;
    }
    const bytes = new Uint8Array(length);
    const start = cons % XENCONS_OUT_SIZE;
    const first = Math.min(length, XENCONS_OUT_SIZE - start);
    const ring = this.#page.bytes.subarray(XENCONS_INTERFACE.out, XENCONS_INTERFACE.out + XENCONS_OUT_SIZE);
    bytes.set(ring.subarray(start, start + first));
    bytes.set(ring.subarray(0, length - first), first);
    if (length > 0) {
      this.#store('out_cons', cons + length);
    }
    return bytes;
  }

  /** Gives the guest as much of `bytes` as there is room for and returns how much. Undefined if the indices cannot be. */
  giveInput(bytes: Uint8Array): number | undefined {
    const prod = this.#load('in_prod');
    const used = (prod - this.#load('in_cons')) >>> 0;
    if (used > XENCONS_IN_SIZE) {
      return undefined;
    }
    const length = Math.min(bytes.length, XENCONS_IN_SIZE - used);
    const start = prod % XENCONS_IN_SIZE;
    const first = Math.min(length, XENCONS_IN_SIZE - start);
    const ring = this.#page.bytes.subarray(XENCONS_INTERFACE.in, XENCONS_INTERFACE.in + XENCONS_IN_SIZE);
    ring.set(bytes.subarray(0, first), start);
    ring.set(bytes.subarray(first, length));
    if (length > 0) {
      this.#store('in_prod', prod + length);
    }
    return length;
  }

  #load(field: keyof typeof XENCONS_INTERFACE): number {
    return Atomics.load(this.#page.words, XENCONS_INTERFACE[field] / 4) >>> 0;
  }

  #store(field: keyof typeof XENCONS_INTERFACE, value: number): void {
    Atomics.store(this.#page.words, XENCONS_INTERFACE[field] / 4, value | 0);
  }
}
