// Counts of things that take time, by a small number: how often, how long altogether, how long at most.

/** What a profile tells of one kind of thing. */
export interface ProfileRow {
  readonly name: string;
  readonly count: number;
  /** Host time, all of it and the longest single one. */
  readonly ns: number;
  readonly longestNs: number;
}

/** Counts for the numbers from 0 to `size` - 1. */
export class Tally {
  readonly #counts: Float64Array;
  readonly #ns: Float64Array;
  readonly #longest: Float64Array;

  constructor(size: number) {
    this.#counts = new Float64Array(size);
    this.#ns = new Float64Array(size);
    this.#longest = new Float64Array(size);
  }

  /** Counts one that took `ns`. @hot */
  add(index: number, ns: number): void {
    this.#counts[index]!++; // callers keep within the size
    this.#ns[index]! += ns; // as above
    if (ns > (this.#longest[index] ?? 0)) this.#longest[index] = ns;
  }

  /** Everything that happened, what took most time first. */
  rows(name: (index: number) => string): ProfileRow[] {
    const rows: ProfileRow[] = [];
    for (const [index, count] of this.#counts.entries()) {
      if (count === 0) continue;
      rows.push({ name: name(index), count, ns: this.#ns[index] ?? 0, longestNs: this.#longest[index] ?? 0 });
    }
    return rows.sort((a, b) => b.ns - a.ns);
  }
}
