// What waits to be put into a guest's response ring. Bounded whatever the guest does: replies by the limit on outstanding
// requests, events by a limit on their bytes, and an event that already waits is not queued twice.

import { XS_TYPE, XSD_SOCKMSG_SIZE } from '../abi/index.ts';
import type { Cause } from './cause.ts';
import { encodeMessage, packStrings } from './wire.ts';

/** A message on its way to a guest. */
export interface OutMessage {
  readonly type: number;
  /** Header and payload. */
  readonly bytes: Uint8Array;
  /** How many of the bytes are in the ring already. */
  written: number;
  readonly cause: Cause | undefined;
  /** What it says, if it is an event: equal events are one. */
  readonly event: string | undefined;
  readonly queuedAtNs: number;
}

/** The messages that one guest has not been sent yet. */
export class OutQueue {
  readonly #maxEventBytes: number;
  #messages: OutMessage[] = [];
  readonly #events = new Set<string>();
  #eventBytes = 0;

  /** @param maxEventBytes - most bytes of events that may wait */
  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  /** The message to go on with. */
  get head(): OutMessage | undefined {
    return this.#messages[0];
  }

  /** Adds a reply that echoes the request's ids. */
  pushReply(type: number, reqId: number, txId: number, payload: Uint8Array, cause: Cause | undefined): void {
    const bytes = encodeMessage(type, reqId, txId, payload);
    cause?.hold();
    this.#messages.push({ type, bytes, written: 0, cause, event: undefined, queuedAtNs: 0 });
  }

  /**
   * Adds a watch event, unless an equal one waits already.
   * @returns false if it was dropped, for want of room or because it is too long for a message
   */
  pushEvent(path: string, token: string, cause: Cause | undefined, nowNs: number, maxPayload: number): boolean {
    const event = `${path}\0${token}`;
    if (this.#events.has(event)) {
      return true;
    }
    const payload = packStrings([path, token]);
    const size = XSD_SOCKMSG_SIZE + payload.length;
    if (payload.length > maxPayload || this.#eventBytes + size > this.#maxEventBytes) {
      return false;
    }
    const bytes = encodeMessage(XS_TYPE.XS_WATCH_EVENT, 0, 0, payload);
    cause?.hold();
    this.#events.add(event);
    this.#eventBytes += size;
    this.#messages.push({ type: XS_TYPE.XS_WATCH_EVENT, bytes, written: 0, cause, event, queuedAtNs: nowNs });
    return true;
  }

  /** Takes the head away, which the guest has been sent. */
  shift(): void {
    const message = this.#messages.shift();
    if (message !== undefined) {
      this.#forget(message);
    }
  }

  /** Drops the events that another guest caused, none of which is sent yet, and that have waited since `beforeNs` or longer. */
  dropStale(beforeNs: number): number {
    const stale = this.#messages.filter(
      ({ cause, event, queuedAtNs, written }) =>
        cause !== undefined && event !== undefined && written === 0 && queuedAtNs <= beforeNs,
    );
    if (stale.length > 0) {
      const dropped = new Set(stale);
      this.#messages = this.#messages.filter((message) => !dropped.has(message));
      stale.forEach((message) => this.#forget(message));
    }
    return stale.length;
  }

  /** Drops everything. */
  clear(): void {
    const messages = this.#messages;
    this.#messages = [];
    messages.forEach((message) => this.#forget(message));
  }

  #forget(message: OutMessage): void {
    if (message.event !== undefined) {
      this.#events.delete(message.event);
      this.#eventBytes -= message.bytes.length;
    }
    message.cause?.release();
  }
}
