// Hands out free machine frames, one at a time or as runs. Single frames come out scattered on
// purpose: a guest, or our own code, that confuses pfn and mfn fails at once.

import { bug, mfn, type Mfn, type Random } from '../base/index.ts';

/** Allocator over a fixed range of frames. */
export class FrameAllocator {
  readonly #free: Uint32Array;
  readonly #slotOf: Int32Array;
  #nrFree = 0;
  readonly #first: number;
  readonly #random: Random;

  /** Makes frames `first` to `end - 1` free. */
  constructor(first: number, end: number, random: Random) {
    this.#first = first;
    this.#free = Uint32Array.from({ length: end - first }, (_, index) => first + index);
    this.#slotOf = Int32Array.from(this.#free.keys());
    this.#random = random;
    this.#nrFree = end - first;
  }

  /** Number of frames that can still be allocated. */
  get nrFree(): number {
    return this.#nrFree;
  }

  /** Takes one random free frame; undefined when there is none. Its contents are whatever they were. */
  allocate(): Mfn | undefined {
    if (this.#nrFree === 0) return undefined;
    const frame = this.#free[this.#random.nextU32() % this.#nrFree];
    return frame === undefined ? bug('free list shorter than its count') : this.#take(frame);
  }

  /**
   * Takes `count` adjacent frames, lowest first free run; undefined when there is no such run.
   * @param alignment - the first frame's number is a multiple of it
   */
  allocateRun(count: number, alignment = 1): Mfn | undefined {
    let run = 0;
    for (let index = 0; index < this.#slotOf.length; index++) {
      const startsRun = run > 0 || (this.#first + index) % alignment === 0;
      run = this.#slotOf[index] === -1 || !startsRun ? 0 : run + 1;
      if (run < count) continue;
      const base = this.#first + index - count + 1;
      for (let i = 0; i < count; i++) this.#take(base + i);
      return mfn(base);
    }
    return undefined;
  }

  /** Gives a frame back. */
  free(frame: Mfn): void {
    const index = frame - this.#first;
    if (this.#slotOf[index] !== -1) bug(`frame ${frame} freed twice`);
    this.#slotOf[index] = this.#nrFree;
    this.#free[this.#nrFree++] = frame;
  }

  #take(frame: number): Mfn {
    const slot = this.#slotOf[frame - this.#first] ?? -1;
    if (slot < 0) bug(`frame ${frame} is not free`);
    const last = this.#free[--this.#nrFree] ?? bug('free list shorter than its count');
    this.#free[slot] = last;
    this.#slotOf[last - this.#first] = slot;
    this.#slotOf[frame - this.#first] = -1;
    return mfn(frame);
  }
}
