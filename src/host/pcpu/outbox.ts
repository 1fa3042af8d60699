// What guests make a pCPU's thread tell domain 0, kept within bounds: a guest that notifies or prints in a loop
// must not fill the memory of the thread that domain 0 is on. Both sides keep one shared count of what was posted
// and not taken yet: the pCPU adds before it posts, domain 0 subtracts when it has dealt with a message.

import type { FromPcpu } from './protocol.ts';

/** What may be on its way, in bytes or thereabouts. */
export const OUTBOX_LIMIT: number = 1 << 20;

/** What a message costs besides its text. */
const MESSAGE_COST = 256;

/** How long a trace line or a dump waits for room before it looks again. */
const LOOK_AGAIN_MS = 100;

/** What a message counts for; 0 for those that answer domain 0 or happen once. */
export function outboxCost(message: FromPcpu): number {
  switch (message.kind) {
    case 'notify':
      return MESSAGE_COST;
    case 'console':
      return MESSAGE_COST + message.bytes.length;
    case 'log':
    case 'trace':
      return MESSAGE_COST + 2 * message.line.length;
    case 'dump':
      return MESSAGE_COST + 2 * message.text.length;
    case 'ready':
    case 'reply':
    case 'failed':
    case 'closed':
    case 'changed':
      return 0;
  }
}

/** The pCPU's end. */
export class Outbox {
  readonly #post: (message: FromPcpu) => void;
  readonly #underway: Int32Array;
  /** Notifications that wait for room, one for each channel however often it is notified. */
  readonly #waiting = new Map<string, FromPcpu>();

  /** @param underway - one shared i32, 0 at first */
  constructor(post: (message: FromPcpu) => void, underway: Int32Array) {
    this.#post = post;
    this.#underway = underway;
  }

  /** True when `flush` has something to do. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Sends what no guest can flood. */
  send(message: FromPcpu): void {
    const cost = outboxCost(message);
    if (cost > 0) Atomics.add(this.#underway, 0, cost);
    this.#post(message);
  }

  /** Sends a notification, at the latest when there is room again. */
  notify(message: FromPcpu & { kind: 'notify' }): void {
    if (this.#hasRoom()) this.send(message);
    else this.#waiting.set(`${message.domid}:${message.port}`, message);
  }

  /** Sends what may be lost. */
  offer(message: FromPcpu): void {
    if (this.#hasRoom()) this.send(message);
  }

  /** Sends what must not be lost: this thread waits until there is room. */
  insist(message: FromPcpu): void {
    for (let seen = this.#load(); seen >= OUTBOX_LIMIT; seen = this.#load()) {
      Atomics.wait(this.#underway, 0, seen, LOOK_AGAIN_MS);
    }
    this.send(message);
  }

  /** Sends the notifications that wait, as far as there is room. */
  flush(): void {
    for (const [channel, message] of this.#waiting) {
      if (!this.#hasRoom()) return;
      this.#waiting.delete(channel);
      this.send(message);
    }
  }

  #load(): number {
    return Atomics.load(this.#underway, 0);
  }

  #hasRoom(): boolean {
    return this.#load() < OUTBOX_LIMIT;
  }
}

/** Domain 0's end: a message has been dealt with. */
export function taken(underway: Int32Array, message: FromPcpu): void {
  const cost = outboxCost(message);
  if (cost === 0) return;
  Atomics.sub(underway, 0, cost);
  Atomics.notify(underway, 0);
}
