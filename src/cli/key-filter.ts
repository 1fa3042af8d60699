// Decides which keys of a terminal in raw mode are for us. Everything goes to the guest but two ways to end the run:
// Ctrl-], the escape key that users of `xl console` know, and Ctrl-C pressed twice in a row. Used by terminal.ts.

/** Ctrl-]. */
const ESCAPE_KEY = 0x1d;
const CTRL_C = 0x03;
/** Two Ctrl-C further apart are two separate ones, unless the guest is silent. */
const DOUBLE_PRESS_MS = 1000;

/** What to do with some typed bytes: pass them on, and perhaps end the run. */
export interface FilteredKeys {
  /** A view of the bytes that were given. */
  readonly toGuest: Uint8Array;
  readonly end?: 'escape' | 'interrupt';
}

/**
 * Remembers the last Ctrl-C. Two in a row end the run when they come within a second of each other, or when the guest printed
 * nothing in between: then it does not react to the first.
 */
export class KeyFilter {
  /** Time of the Ctrl-C before this key; -Infinity when the key before was another one. */
  #lastInterruptMs = -Infinity;
  #silentSinceInterrupt = false;

  /** Tells that the guest printed something. */
  noteOutput(): void {
    this.#silentSinceInterrupt = false;
  }

  /** @param nowMs - time of any clock that does not go back */
  filter(bytes: Uint8Array, nowMs: number): FilteredKeys {
    for (const [i, byte] of bytes.entries()) {
      if (byte === ESCAPE_KEY) {
        return { toGuest: bytes.subarray(0, i), end: 'escape' };
      }
      if (byte !== CTRL_C) {
        this.#lastInterruptMs = -Infinity;
        this.#silentSinceInterrupt = false;
        continue;
      }
      if (nowMs - this.#lastInterruptMs <= DOUBLE_PRESS_MS || this.#silentSinceInterrupt) {
        return { toGuest: bytes.subarray(0, i), end: 'interrupt' };
      }
      this.#lastInterruptMs = nowMs;
      this.#silentSinceInterrupt = true;
    }
    return { toGuest: bytes };
  }
}
