// Addresses of guest code that the hypervisor enters: exception handlers and callbacks. An address is
// kept as two u32 halves, so that building a bounce frame needs no BigInt.

import { TrapInfoFlag } from '../abi/index.ts';

/** One registered callback of a vCPU. */
export class EntryPoint {
  /** Low half of the address. */
  lo = 0;
  /** High half of the address. */
  hi = 0;
  /** Whether events are masked when it is entered. */
  maskEvents = false;
  readonly #changed: () => void;

  /** @param changed - called after every change */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Registers an address that the caller has found canonical; 0 takes the registration back. */
  set(lo: number, hi: number, maskEvents: boolean): void {
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
    this.maskEvents = maskEvents;
    this.#changed();
  }

  /** True when an address is registered. */
  get isSet(): boolean {
    return (this.lo | this.hi) !== 0;
  }
}

/** The exception handlers of a vCPU, by vector; what set_trap_table fills. */
export class TrapTable {
  /** Low halves of the addresses. */
  readonly lo: Uint32Array = new Uint32Array(256);
  /** High halves of the addresses. */
  readonly hi: Uint32Array = new Uint32Array(256);
  /** `TrapInfoFlag` bits. */
  readonly flags: Uint8Array = new Uint8Array(256);
  /** Code selectors as registered, RPL 3. Handlers run on the flat 64-bit segment all the same. */
  readonly cs: Uint16Array = new Uint16Array(256);
  readonly #changed: () => void;

  /** @param changed - called after every change */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Sets one entry; the address has been found canonical. */
  set(vector: number, flags: number, cs: number, lo: number, hi: number): void {
    this.lo[vector] = lo;
    this.hi[vector] = hi;
    this.flags[vector] = flags;
    this.cs[vector] = cs;
    this.#changed();
  }

  /** True when a handler is registered. @hot */
  isSet(vector: number): boolean {
    return ((this.lo[vector] ?? 0) | (this.hi[vector] ?? 0)) !== 0;
  }

  /** Privilege level from which `int n` may name this vector. */
  dpl(vector: number): number {
    return (this.flags[vector] ?? 0) & TrapInfoFlag.DPL;
  }

  /** Forgets all handlers. */
  clear(): void {
    this.lo.fill(0);
    this.hi.fill(0);
    this.flags.fill(0);
    this.cs.fill(0);
    this.#changed();
  }
}
