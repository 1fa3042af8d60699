// The store's daemon: the tree, the connections of the guests and the clients inside domain 0. Built once per machine by the
// composition root. Guests reach it through their ring pages (`connect`, `kick`), domain 0's components through `openLocal`.
// All work is done in turns, one request in and one message out for each connection, so no guest can hold up another.

import type { Clock, Domid, Logger, SharedPage } from '../base/index.ts';
import { bug, domid } from '../base/index.ts';
import type { Cause } from './cause.ts';
import { RingConnection } from './connection.ts';
import type { StoreErrno } from './errno.ts';
import { LocalStore } from './local.ts';
import type { LocalServices } from './local.ts';
import { removeTree } from './operations.ts';
import type { StorePath } from './path.ts';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN, ROOT } from './path.ts';
import { withoutDomain } from './permissions.ts';
import type { StoreQuota } from './quota.ts';
import { DEFAULT_QUOTA } from './quota.ts';
import type { DomainRegistry, RequestServices } from './request-context.ts';
import { changeSink } from './request-context.ts';
import { handleRequest } from './requests.ts';
import { DOMAIN_0_ONLY, Store } from './store.ts';
import type { StoreTracer } from './trace.ts';
import type { Change, Watcher } from './watches.ts';
import { describeChange, fireWatches } from './watches.ts';

/** What the store needs from around it. */
export interface StorePorts {
  readonly log: Logger;
  readonly clock: Clock;
  /** Runs a task soon, after other work that waits has had its turn (`setImmediate`, not a microtask). */
  readonly defer: (task: () => void) => void;
  /** Takes a line for each message between guests and the store. */
  readonly trace?: StoreTracer;
  /** Finds what an INTRODUCE request names; undefined if there is no such frame or port. Absent: such requests fail. */
  readonly mapDomain?: (domid: Domid, frame: number, port: number) => DomainLink | undefined;
}

/** How the store reaches a guest. */
export interface DomainLink {
  /** The guest's store page. */
  readonly page: SharedPage;
  /** Raises the guest's store event channel. */
  readonly notify: () => void;
}

const DOMAIN_0 = domid(0);

/** How long a turn may take; then other work gets its turn. */
const TURN_NS = 5e6;

/** Steps in one turn at most. */
const STEPS_PER_TURN = 256;

/** The store daemon. */
export class StoreServer implements DomainRegistry {
  readonly #ports: StorePorts;
  readonly #quota: StoreQuota;
  readonly #store = new Store();
  readonly #watchers = new Set<Watcher>();
  readonly #connections = new Map<Domid, RingConnection>();
  readonly #shutDown = new Set<Domid>();
  readonly #services: RequestServices & LocalServices;
  /** Connections that may have something to do. */
  readonly #ready = new Set<RingConnection>();
  #running = false;

  constructor(ports: StorePorts, quota: StoreQuota = DEFAULT_QUOTA) {
    this.#ports = ports;
    this.#quota = quota;
    this.#services = {
      store: this.#store,
      quota,
      log: ports.log,
      domains: this,
      fire: (change, cause) => this.#fire(change, cause),
      run: () => this.#run(),
      defer: ports.defer,
      watchers: this.#watchers,
    };
    const local = this.openLocal();
    local.write('/tool/xenstored', '');
    local.write('/local/domain/0/domid', '0');
    local.write('/local/domain/0/name', 'Domain-0');
    local.close();
  }

  /** Makes a client for one of domain 0's components. Its relative names start from `/local/domain/0`. */
  openLocal(): LocalStore {
    return new LocalStore(this.#services);
  }

  /**
   * Connects a domain through its store page, whose rings become empty. Fires `@introduceDomain`.
   * The domain must not be connected yet.
   */
  connect(domid: Domid, { page, notify }: DomainLink): void {
    if (this.#connections.has(domid)) {
      bug(`store: domain ${domid} is connected twice`);
    }
    const { log, clock, trace } = this.#ports;
    const wake = (): void => {
      this.#ready.add(connection);
    };
    const connection: RingConnection = new RingConnection(domid, page, this.#quota, {
      log,
      clock,
      trace,
      notify,
      wake,
    });
    this.#connections.set(domid, connection);
    this.#watchers.add(connection);
    this.#announce(INTRODUCE_DOMAIN);
    this.#run();
  }

  /** The domain's store event channel was raised, or may have been: looks at its rings. */
  kick(domid: Domid): void {
    const connection = this.#connections.get(domid);
    if (connection !== undefined) {
      this.#ready.add(connection);
      this.#run();
    }
  }

  /**
   * Ends a domain's connection, when the domain is gone: its watches and transactions end, the nodes that it owns are removed
   * with all that is under them, its entries leave other nodes' permissions. Fires `@releaseDomain`. Nothing if it has none.
   */
  disconnect(domid: Domid): void {
    this.release(domid);
    this.#run();
  }

  /** A domain has shut down but still exists: fires `@releaseDomain`, once until `resume`. */
  announceShutdown(domid: Domid): void {
    if (this.#connections.has(domid) && !this.#shutDown.has(domid)) {
      this.#shutDown.add(domid);
      this.#announce(RELEASE_DOMAIN);
      this.#run();
    }
  }

  /** To be called about once a second: drops overdue events, and looks at all rings in case a notification was lost. */
  tick(): void {
    for (const connection of this.#connections.values()) {
      connection.expire();
      this.#ready.add(connection);
    }
    this.#run();
  }

  isIntroduced(domid: Domid): boolean {
    return domid === DOMAIN_0 || this.#connections.has(domid);
  }

  introduce(domid: Domid, frame: number, port: number): StoreErrno | undefined {
    const link = this.isIntroduced(domid) ? undefined : this.#ports.mapDomain?.(domid, frame, port);
    if (link === undefined) {
      return 'EINVAL';
    }
    this.connect(domid, link);
    return undefined;
  }

  release(domid: Domid): StoreErrno | undefined {
    const connection = this.#connections.get(domid);
    if (connection === undefined) {
      return 'ENOENT';
    }
    this.#connections.delete(domid);
    this.#watchers.delete(connection);
    this.#shutDown.delete(domid);
    connection.close();
    this.#ready.delete(connection);
    for (const other of this.#connections.values()) {
      if (other.target === domid) {
        other.target = undefined;
      }
    }
    this.#forgetDomain(domid);
    this.#announce(RELEASE_DOMAIN);
    return undefined;
  }

  resume(domid: Domid): StoreErrno | undefined {
    this.#shutDown.delete(domid);
    return this.#connections.has(domid) ? undefined : 'ENOENT';
  }

  setTarget(domid: Domid, target: Domid): StoreErrno | undefined {
    const connection = this.#connections.get(domid);
    if (connection === undefined || !this.#connections.has(target)) {
      return 'ENOENT';
    }
    connection.target = target;
    return undefined;
  }

  /** Lets every connection that is ready go on until none can, or the turn is over. */
  #run(): void {
    if (this.#running) {
      return;
    }
    const touched = new Set<RingConnection>();
    this.#running = true;
    try {
      const end = this.#ports.clock.nowNs() + TURN_NS;
      let steps = 0;
      // One that is still ready goes to the end of the set, so this loop takes turns.
      for (const connection of this.#ready) {
        touched.add(connection);
        this.#step(connection);
        steps += 1;
        if (steps === STEPS_PER_TURN || this.#ports.clock.nowNs() >= end) {
          break;
        }
      }
    } finally {
      this.#running = false;
    }
    for (const connection of touched) {
      connection.settle();
    }
    if (this.#ready.size > 0) {
      this.#ports.defer(() => this.#run());
    }
  }

  #step(connection: RingConnection): void {
    this.#ready.delete(connection);
    if (connection.step((request) => handleRequest(this.#services, connection, request))) {
      this.#ready.add(connection);
    }
  }

  #fire(change: Change, cause: Cause | undefined): void {
    fireWatches(this.#watchers, change, cause);
  }

  #announce(special: StorePath): void {
    this.#fire(describeChange(this.#store, special, true), undefined);
  }

  #forgetDomain(domid: Domid): void {
    const context = {
      view: this.#store,
      subject: { domid: DOMAIN_0, privileged: true },
      quota: this.#quota,
      changed: changeSink(this.#services, undefined, undefined),
    };
    for (const [path, { permissions }] of this.#store.entries()) {
      const removable = path.startsWith('/') && path !== ROOT;
      if (removable && permissions[0].domid === domid && this.#store.get(path) !== undefined) {
        removeTree(context, path);
      }
    }
    for (const [path, node] of this.#store.entries()) {
      const owned = node.permissions[0].domid === domid; // then it is the root or a special node
      const permissions = owned ? DOMAIN_0_ONLY : withoutDomain(node.permissions, domid);
      if (permissions !== node.permissions) {
        this.#store.put(path, { ...node, permissions });
      }
    }
  }
}
