// The one place where the end of a run is decided. Many things may want it, at the same time: the first one decides the
// outcome, a later one means that the user has no patience left.

/** How a run ended, and what is to be said about it. */
export interface Outcome {
  readonly status: number;
  /** The guest came to its end by itself: its last output is waited for. */
  readonly natural?: boolean;
  /** One line for whoever does not run quietly. */
  readonly notice?: string;
  /** Several lines, with line ends. */
  readonly report?: string;
  /** The line that names an error. */
  readonly line?: string;
}

/** Collects the wishes to end. */
export class Ending {
  readonly #first = Promise.withResolvers<Outcome>();
  readonly #again = Promise.withResolvers<void>();
  #requests = 0;

  /** Settles with the outcome of the first request. */
  get first(): Promise<Outcome> {
    return this.#first.promise;
  }

  /** Settles on the second request. */
  get again(): Promise<void> {
    return this.#again.promise;
  }

  get isRequested(): boolean {
    return this.#requests > 0;
  }

  request(outcome: Outcome): void {
    this.#requests += 1;
    if (this.#requests === 1) {
      this.#first.resolve(outcome);
    } else {
      this.#again.resolve();
    }
  }
}
