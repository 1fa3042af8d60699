// The page that a guest shares with the store: a ring of request bytes, a ring of response bytes, their indices. The
// guest is hostile and runs on another thread: each of its indices is read once per step and its distance checked, bytes
// are copied out once, and our own indices are kept here, so what the guest writes over them does not matter.
// Layout: src/abi/xs-wire.ts. Atomics order our copies against the index that publishes them.

import type { XenstoreError } from '../abi/index.ts';
import {
  XENSTORE_CONNECTION,
  XENSTORE_DOMAIN_INTERFACE,
  XENSTORE_ERROR,
  XENSTORE_RING_SIZE,
  XENSTORE_SERVER_FEATURE,
} from '../abi/index.ts';
import type { SharedPage } from '../base/index.ts';

/** The store's side of a guest's ring page. */
export class StoreRing {
  readonly #page: SharedPage;
  #reqCons = 0;
  #rspProd = 0;

  /** Takes the page over: both rings become empty and the guest learns what the store can do. */
  constructor(page: SharedPage) {
    this.#page = page;
    this.reset();
  }

  /** Empties both rings and clears the error. Only while the guest does not use them. */
  reset(): void {
    this.#reqCons = 0;
    this.#rspProd = 0;
    for (const field of ['req_cons', 'req_prod', 'rsp_cons', 'rsp_prod'] as const) {
      this.#store(field, 0);
    }
    this.#store('error', XENSTORE_ERROR.NONE);
    this.#store('server_features', XENSTORE_SERVER_FEATURE.ERROR);
    this.#store('connection', XENSTORE_CONNECTION.CONNECTED);
  }

  /** Tells the guest why it is not listened to any more. */
  setError(error: XenstoreError): void {
    this.#store('error', error);
  }

  /** Bytes of requests that wait; undefined if the guest's index cannot be. */
  unread(): number | undefined {
    return this.#distance(this.#load('req_prod'), this.#reqCons);
  }

  /** Bytes of responses that still fit; undefined if the guest's index cannot be. */
  space(): number | undefined {
    const used = this.#distance(this.#rspProd, this.#load('rsp_cons'));
    return used === undefined ? undefined : XENSTORE_RING_SIZE - used;
  }

  /**
   * Copies the next bytes of requests out of the ring.
   * @param length - at most what `unread` told
   */
  read(into: Uint8Array, offset: number, length: number): void {
    const start = this.#reqCons % XENSTORE_RING_SIZE;
    const first = Math.min(length, XENSTORE_RING_SIZE - start);
    const base = XENSTORE_DOMAIN_INTERFACE.req;
    into.set(this.#page.bytes.subarray(base + start, base + start + first), offset);
    into.set(this.#page.bytes.subarray(base, base + length - first), offset + first);
    this.#reqCons = (this.#reqCons + length) >>> 0;
    this.#store('req_cons', this.#reqCons);
  }

  /**
   * Copies bytes of responses into the ring.
   * @param length - at most what `space` told
   */
  write(from: Uint8Array, offset: number, length: number): void {
    const start = this.#rspProd % XENSTORE_RING_SIZE;
    const first = Math.min(length, XENSTORE_RING_SIZE - start);
    const base = XENSTORE_DOMAIN_INTERFACE.rsp;
    this.#page.bytes.set(from.subarray(offset, offset + first), base + start);
    this.#page.bytes.set(from.subarray(offset + first, offset + length), base);
    this.#rspProd = (this.#rspProd + length) >>> 0;
    this.#store('rsp_prod', this.#rspProd);
  }

  #distance(producer: number, consumer: number): number | undefined {
    const distance = (producer - consumer) >>> 0;
    return distance <= XENSTORE_RING_SIZE ? distance : undefined;
  }

  #load(field: keyof typeof XENSTORE_DOMAIN_INTERFACE): number {
    return Atomics.load(this.#page.words, XENSTORE_DOMAIN_INTERFACE[field] / 4) >>> 0;
  }

  #store(field: keyof typeof XENSTORE_DOMAIN_INTERFACE, value: number): void {
    Atomics.store(this.#page.words, XENSTORE_DOMAIN_INTERFACE[field] / 4, value);
  }
}
