// A guest's connection to the store: takes requests out of its ring piece by piece, hands each complete one on, and puts
// replies and watch events into the ring as far as they fit. A guest that breaks the protocol or its ring indices is
// not listened to any more; everything it had is dropped and the reason stands in its page.

import type { XenstoreError } from '../abi/index.ts';
import { XENSTORE_ERROR, XENSTORE_PAYLOAD_MAX, XENSTORE_RING_SIZE, XSD_SOCKMSG_SIZE } from '../abi/index.ts';
import type { Clock, Domid, Logger, SharedPage } from '../base/index.ts';
import { Cause } from './cause.ts';
import { OutQueue } from './out-queue.ts';
import type { StorePath } from './path.ts';
import { domainPath } from './path.ts';
import type { Subject } from './permissions.ts';
import type { StoreQuota } from './quota.ts';
import { StoreRing } from './ring.ts';
import type { StoreTracer } from './trace.ts';
import { traceLine } from './trace.ts';
import type { Transaction } from './transaction.ts';
import type { Watch, Watcher } from './watches.ts';
import type { MessageHeader } from './wire.ts';
import { decodeHeader } from './wire.ts';

/** What a connection needs from around it. */
export interface ConnectionPorts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly trace?: StoreTracer | undefined;
  /** Raises the event channel that the guest listens to for its store connection. */
  readonly notify: () => void;
  /** There may be something to do: `step` should be called until it finds nothing. */
  readonly wake: () => void;
}

/** A complete request of a guest. */
export interface Request {
  readonly header: MessageHeader;
  readonly payload: Uint8Array;
  /** Held by the reply and by each event that the request leads to; undefined for domain 0. */
  readonly cause: Cause | undefined;
}

/** A client that speaks the wire protocol, as the requests' handlers see it. */
export interface Client extends Watcher {
  readonly transactions: Map<number, Transaction>;
  /** The id of the next transaction; ids that are in use are skipped. */
  nextTransactionId: number;
}

/** The connection of one domain. */
export class RingConnection implements Client {
  readonly domid: Domid;
  readonly base: StorePath;
  readonly watches: Watch[] = [];
  readonly transactions = new Map<number, Transaction>();
  nextTransactionId = 1;
  /** Domain whose rights this one has besides its own. */
  target: Domid | undefined;
  readonly #ring: StoreRing;
  readonly #ports: ConnectionPorts;
  readonly #quota: StoreQuota;
  readonly #out: OutQueue;
  readonly #headerBytes = new Uint8Array(XSD_SOCKMSG_SIZE);
  /** Of the request that comes in: its header if complete, the payload so far, and how many bytes the incomplete part has. */
  #header: MessageHeader | undefined;
  #payload: Uint8Array = new Uint8Array(0);
  #received = 0;
  #outstanding = 0;
  #broken = false;
  #owesNotice = false;
  #droppedEvents = false;

  constructor(domid: Domid, page: SharedPage, quota: StoreQuota, ports: ConnectionPorts) {
    this.domid = domid;
    this.base = domainPath(domid);
    this.#ring = new StoreRing(page);
    this.#quota = quota;
    this.#ports = ports;
    this.#out = new OutQueue(quota.unreadEventBytes);
  }

  get subject(): Subject {
    return { domid: this.domid, privileged: this.domid === 0, target: this.target };
  }

  /** Whether the guest broke the rules and is not listened to. */
  get broken(): boolean {
    return this.#broken;
  }

  /**
   * Goes on by one request in and one message out, or by as much of them as is there and fits.
   * @param handle - called with a request that is complete; must reply exactly once
   * @returns false if there was nothing to do
   */
  step(handle: (request: Request) => void): boolean {
    const read = this.#readSome(handle);
    const wrote = this.#writeSome();
    return read || wrote;
  }

  /** Notifies the guest if the steps since the last call gave it a reason to look. */
  settle(): void {
    if (this.#owesNotice) {
      this.#owesNotice = false;
      this.#ports.notify();
    }
  }

  /** Queues the reply to a request. */
  reply(request: Request, type: number, payload: Uint8Array): void {
    this.#out.pushReply(type, request.header.reqId, request.header.txId, payload, request.cause);
  }

  event(path: string, token: string, cause: Cause | undefined): void {
    if (this.#broken) {
      return;
    }
    const queued = this.#out.pushEvent(path, token, cause, this.#ports.clock.nowNs(), XENSTORE_PAYLOAD_MAX);
    if (!queued && !this.#droppedEvents) {
      this.#droppedEvents = true;
      this.#ports.log.warn(`store: domain ${this.domid} does not read its watch events; more of them are dropped`);
    }
    this.#ports.wake();
  }

  /** Drops events that hold up other guests for too long. */
  expire(): void {
    this.#out.dropStale(this.#ports.clock.nowNs() - this.#quota.eventTimeoutMs * 1e6);
  }

  /** Forgets watches and transactions. */
  resetSession(): void {
    this.watches.length = 0;
    this.transactions.clear();
  }

  /** Drops everything; the connection must not be used any more. */
  close(): void {
    this.#broken = true;
    this.resetSession();
    this.#out.clear();
    this.#header = undefined;
    this.#payload = new Uint8Array(0);
  }

  #readSome(handle: (request: Request) => void): boolean {
    if (this.#broken || this.#outstanding >= this.#quota.outstandingRequests) {
      return false;
    }
    const unread = this.#ring.unread();
    if (unread === undefined) {
      return this.#giveUp(XENSTORE_ERROR.RINGIDX, 'request ring index out of range');
    }
    if (unread === 0) {
      return false;
    }
    let taken = 0;
    if (this.#header === undefined) {
      taken = this.#take(this.#headerBytes, unread);
      if (this.#received === XSD_SOCKMSG_SIZE) {
        const header = decodeHeader(this.#headerBytes);
        if (header.length > XENSTORE_PAYLOAD_MAX) {
          return this.#giveUp(XENSTORE_ERROR.PROTO, `request of ${header.length} bytes`);
        }
        this.#header = header;
        this.#payload = new Uint8Array(header.length);
        this.#received = 0;
      }
    }
    const header = this.#header;
    if (header !== undefined) {
      taken += this.#take(this.#payload, unread - taken);
      if (this.#received === header.length) {
        this.#header = undefined;
        this.#received = 0;
        this.#handOn(header, this.#payload, handle);
      }
    }
    return true;
  }

  /** Moves bytes of the incomplete part from the ring; a guest that waits for room in a full ring must learn of it. */
  #take(into: Uint8Array, available: number): number {
    const length = Math.min(into.length - this.#received, available);
    this.#ring.read(into, this.#received, length);
    this.#received += length;
    const left = this.#ring.unread();
    if (left !== undefined && left + length >= XENSTORE_RING_SIZE) {
      this.#owesNotice = true;
    }
    return length;
  }

  #handOn(header: MessageHeader, payload: Uint8Array, handle: (request: Request) => void): void {
    this.#ports.trace?.(this.domid, traceLine('IN', header.type, payload));
    if (this.domid === 0) {
      handle({ header, payload, cause: undefined });
      return;
    }
    this.#outstanding += 1;
    const cause = new Cause(() => {
      this.#outstanding -= 1;
      this.#ports.wake();
    });
    handle({ header, payload, cause });
  }

  #writeSome(): boolean {
    const message = this.#out.head;
    if (message === undefined || this.#broken) {
      return false;
    }
    const space = this.#ring.space();
    if (space === undefined) {
      return this.#giveUp(XENSTORE_ERROR.RINGIDX, 'response ring index out of range');
    }
    if (space === 0) {
      return false;
    }
    const length = Math.min(space, message.bytes.length - message.written);
    this.#ring.write(message.bytes, message.written, length);
    message.written += length;
    this.#owesNotice = true;
    if (message.written === message.bytes.length) {
      this.#ports.trace?.(this.domid, traceLine('OUT', message.type, message.bytes.subarray(XSD_SOCKMSG_SIZE)));
      this.#out.shift();
    }
    return true;
  }

  #giveUp(error: XenstoreError, reason: string): false {
    this.#ports.log.warn(`store: domain ${this.domid} broke the protocol (${reason}); it is not listened to any more`);
    this.#ring.setError(error);
    this.close();
    return false;
  }
}
