// Events to domain 0, made few: however often a guest notifies a channel, domain 0 hears of it at most twice
// in one run of the pCPU, once at once and once at the end if there was more. A guest cannot flood the
// thread that domain 0 is on, and no notification is lost.

import { domid, type Domid, port, type Port } from '../../base/index.ts';
import type { NotificationSink } from '../ports.ts';

/** More than there are ports in a domain. */
const PORTS = 4096;

/** A sink that thins notifications out before it hands them on. */
export class Domain0Events implements NotificationSink {
  readonly #sink: NotificationSink;
  /** Channels that domain 0 was told of in this run. */
  readonly #told: Set<number> = new Set();
  /** Those of them that were notified again since. */
  readonly #again: Set<number> = new Set();

  constructor(sink: NotificationSink) {
    this.#sink = sink;
  }

  /** @hot */
  notify(id: Domid, at: Port): void {
    const channel = id * PORTS + at;
    if (this.#told.has(channel)) {
      this.#again.add(channel);
      return;
    }
    this.#told.add(channel);
    this.#sink.notify(id, at);
  }

  closed(id: Domid, at: Port): void {
    this.#sink.closed(id, at);
  }

  domainChanged(id: Domid): void {
    this.#sink.domainChanged(id);
  }

  /** Ends a run: tells domain 0 of what it was not told again, and starts anew. */
  endRun(): void {
    if (this.#told.size === 0) return;
    for (const channel of this.#again) this.#sink.notify(domid(Math.floor(channel / PORTS)), port(channel % PORTS));
    this.#told.clear();
    this.#again.clear();
  }
}
