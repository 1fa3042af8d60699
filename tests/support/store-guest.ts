// A scripted guest of the store: writes requests into its ring page and reads replies and events from it, the way a
// frontend does, but step by step under the test's control. Used by the tests of src/xenstore.

import { XENSTORE_DOMAIN_INTERFACE, XENSTORE_RING_SIZE, XS_TYPE } from '../../src/abi/index.ts';
import { domid, sharedPage } from '../../src/base/index.ts';
import type { Clock, Domid, Logger, SharedPage } from '../../src/base/index.ts';
import { StoreServer } from '../../src/xenstore/index.ts';
import type { StorePorts, StoreQuota } from '../../src/xenstore/index.ts';

/** A message as the guest sees it. */
export interface GuestMessage {
  /** Name of the type without `XS_`, or its number. */
  readonly type: string;
  readonly reqId: number;
  readonly txId: number;
  /** One character per byte. */
  readonly payload: string;
}

/** A store server with everything around it under the test's control. */
export interface StoreWorld {
  readonly server: StoreServer;
  /** Lines of the log. */
  readonly log: string[];
  /** Lines of the trace. */
  readonly trace: string[];
  /** Called after each line of the trace, to play a guest that acts meanwhile on its own thread. */
  onTrace: () => void;
  /** The time; tests move it. */
  readonly clock: Clock & { ns: number };
  /** Runs what was deferred, and what that deferred, until nothing is left. */
  readonly settle: () => void;
}

/** Builds a store server for a test. */
export function storeWorld(quota?: StoreQuota, mapDomain?: StorePorts['mapDomain']): StoreWorld {
  const tasks: (() => void)[] = [];
  const log: string[] = [];
  const trace: string[] = [];
  const logger: Logger = { info: (line) => log.push(line), warn: (line) => log.push(line) };
  const clock = { ns: 0, nowNs: (): number => clock.ns, wallClockMs: (): number => clock.ns / 1e6 };
  const server: StoreServer = new StoreServer(
    {
      log: logger,
      clock,
      defer: (task) => tasks.push(task),
      trace: (id, line) => {
        trace.push(`d${id} ${line}`);
        world.onTrace();
      },
      ...(mapDomain === undefined ? {} : { mapDomain }),
    },
    quota,
  );
  const settle = (): void => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      task();
    }
  };
  const world: StoreWorld = { server, log, trace, clock, settle, onTrace: () => {} };
  settle();
  return world;
}

/** The frontend of one domain. */
export class StoreGuest {
  readonly domid: Domid;
  readonly page: SharedPage = sharedPage(new SharedArrayBuffer(4096), 0);
  /** How often the store notified it. */
  notified = 0;
  readonly #server: StoreServer;
  #received: number[] = [];
  #nextReqId = 1;

  /** Makes the guest; `connect` makes it known to the store. */
  constructor(server: StoreServer, id: number) {
    this.#server = server;
    this.domid = domid(id);
  }

  /** Connects it. */
  connect(): this {
    this.#server.connect(this.domid, { page: this.page, notify: () => (this.notified += 1) });
    return this;
  }

  /** Value of a field of the ring page. */
  field(name: keyof typeof XENSTORE_DOMAIN_INTERFACE): number {
    return Atomics.load(this.page.words, XENSTORE_DOMAIN_INTERFACE[name] / 4) >>> 0;
  }

  /** Overwrites a field of the ring page. */
  setField(name: keyof typeof XENSTORE_DOMAIN_INTERFACE, value: number): void {
    Atomics.store(this.page.words, XENSTORE_DOMAIN_INTERFACE[name] / 4, value | 0);
  }

  /** Notifies the store. */
  kick(): void {
    this.#server.kick(this.domid);
  }

  /** Puts bytes into the request ring as far as they fit, without notifying; returns how many. */
  put(bytes: Uint8Array): number {
    const start = this.field('req_prod');
    const room = XENSTORE_RING_SIZE - ((start - this.field('req_cons')) >>> 0);
    const count = Math.min(room, bytes.length);
    for (let i = 0; i < count; i++) {
      this.page.bytes[XENSTORE_DOMAIN_INTERFACE.req + ((start + i) % XENSTORE_RING_SIZE)] = bytes[i]!; // below length
    }
    this.setField('req_prod', start + count);
    return count;
  }

  /** Takes what is in the response ring, without notifying. */
  take(): void {
    const end = this.field('rsp_prod');
    let at = this.field('rsp_cons');
    for (; at !== end; at = (at + 1) >>> 0) {
      this.#received.push(this.page.bytes[XENSTORE_DOMAIN_INTERFACE.rsp + (at % XENSTORE_RING_SIZE)]!); // masked
    }
    this.setField('rsp_cons', at);
  }

  /** The complete messages among what was taken. */
  messages(): GuestMessage[] {
    const messages: GuestMessage[] = [];
    while (this.#received.length >= 16) {
      const view = new DataView(Uint8Array.from(this.#received.slice(0, 16)).buffer);
      const length = view.getUint32(12, true);
      if (this.#received.length < 16 + length) {
        break;
      }
      const payload = String.fromCharCode(...this.#received.slice(16, 16 + length));
      this.#received = this.#received.slice(16 + length);
      const [type, reqId, txId] = [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)];
      messages.push({ type: typeName(type), reqId, txId, payload });
    }
    return messages;
  }

  /** Sends bytes and takes what comes back until nothing moves any more. */
  exchange(bytes: Uint8Array): GuestMessage[] {
    const messages: GuestMessage[] = [];
    let rest = bytes;
    for (let moved = true; moved;) {
      const before = [this.field('req_cons'), this.field('rsp_prod'), rest.length].join(' ');
      rest = rest.subarray(this.put(rest));
      this.kick();
      this.take();
      messages.push(...this.messages());
      moved = before !== [this.field('req_cons'), this.field('rsp_prod'), rest.length].join(' ');
    }
    return messages;
  }

  /** Sends one request and gives everything that comes back: the reply, and events before and after it. */
  send(type: keyof typeof XS_TYPE | number, payload: string, txId = 0): GuestMessage[] {
    return this.exchange(request(type, payload, txId, this.#nextReqId++));
  }

  /** Sends one request and gives its reply as `TYPE payload`, with NUL as a space at the end left out. */
  ask(type: keyof typeof XS_TYPE | number, payload: string, txId = 0): string {
    const reply = this.send(type, payload, txId).find((message) => message.type !== 'WATCH_EVENT');
    return reply === undefined ? 'no reply' : show(reply);
  }
}

/** A request as bytes. */
export function request(type: keyof typeof XS_TYPE | number, payload: string, txId = 0, reqId = 1): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, typeof type === 'number' ? type : XS_TYPE[type], true);
  view.setUint32(4, reqId, true);
  view.setUint32(8, txId, true);
  view.setUint32(12, payload.length, true);
  bytes.set(
    Uint8Array.from(payload, (character) => character.charCodeAt(0)),
    16,
  );
  return bytes;
}

/** A message as `TYPE payload` with `|` for each NUL. */
export function show({ type, payload }: GuestMessage): string {
  return `${type} ${payload.replaceAll('\0', '|')}`;
}

function typeName(type: number): string {
  const entry = Object.entries(XS_TYPE).find(([, value]) => value === type);
  return entry === undefined ? String(type) : entry[0].replace('XS_', '');
}
