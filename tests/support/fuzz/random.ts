// Random numbers from a seed, the same on every machine: xorshift32. Used by the fuzz tests, which print
// the seed.

/** A source of random numbers. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** u32 */
  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** u64 */
  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** An integer from 0 to `end - 1`. */
  below(end: number): number {
    return this.u32() % end;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of the values. */
  pick<T>(values: ArrayLike<T>): T {
    return values[this.below(values.length)] as T; // the index is in the list, which is not empty
  }
}
