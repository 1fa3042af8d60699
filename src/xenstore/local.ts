// The store for domain 0's own components (toolstack, backends): typed calls instead of messages, no permission checks, no
// quota. Names may be relative to `/local/domain/0`. Watch handlers run later, through the server's `defer` port, never
// inside a call; each sees the store as it is when it runs. Made by `StoreServer.openLocal`.

import { bug, domid, VmmError } from '../base/index.ts';
import type { Cause } from './cause.ts';
import type { StoreErrno } from './errno.ts';
import { failed } from './errno.ts';
import type { OperationContext } from './operations.ts';
import { makeNode, removeNode, setNodePermissions, writeNode } from './operations.ts';
import type { StorePath } from './path.ts';
import { domainPath, parsePath } from './path.ts';
import type { Subject } from './permissions.ts';
import { formatPermission, parsePermissions } from './permissions.ts';
import type { RequestServices } from './request-context.ts';
import { changeSink, fireCommitted } from './request-context.ts';
import { NO_LIMITS, Transaction } from './transaction.ts';
import type { Watch, Watcher } from './watches.ts';
import { addWatch, removeWatch, watchedName } from './watches.ts';

/** The server, as far as clients inside domain 0 touch it. */
export interface LocalServices extends Pick<RequestServices, 'store' | 'quota' | 'fire'> {
  readonly watchers: Set<Watcher>;
  /** Sends what waits to be sent to guests. */
  readonly run: () => void;
  readonly defer: (task: () => void) => void;
}

const SUBJECT: Subject = { domid: domid(0), privileged: true };
const BASE = domainPath(SUBJECT.domid);

/** Reading and writing nodes. A malformed name throws a VmmError with code `STORE_EINVAL`. */
abstract class NodeAccess {
  /** The node's value as UTF-8 text; undefined if there is no such node. */
  read(name: string): string | undefined {
    const bytes = this.readBytes(name);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  /** The node's value; undefined if there is no such node. Not to be changed. */
  readBytes(name: string): Uint8Array | undefined {
    return this.context().view.get(pathOf(name))?.value;
  }

  /** Names of the node's children, oldest first; undefined if there is no such node. */
  directory(name: string): readonly string[] | undefined {
    return this.context().view.get(pathOf(name))?.children;
  }

  /** The node's permissions such as `['n0', 'r1']`; undefined if there is no such node. */
  permissions(name: string): readonly string[] | undefined {
    return this.context()
      .view.get(pathOf(name))
      ?.permissions.map((permission) => formatPermission(permission));
  }

  /** Sets the node's value; makes it and those above as needed. Text is stored as UTF-8. */
  write(name: string, value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value.slice();
    this.#change(name, writeNode(this.context(), pathOf(name), bytes));
  }

  /** Makes the node, and those above as needed, if it is not there. */
  mkdir(name: string): void {
    this.#change(name, makeNode(this.context(), pathOf(name)));
  }

  /** Removes the node and everything under it, if it is there. */
  rm(name: string): void {
    const errno = removeNode(this.context(), pathOf(name));
    this.#change(name, errno === 'ENOENT' ? undefined : errno);
  }

  /** Replaces the node's permissions: the owner with what others may do, then single domains, such as `['n0', 'r1']`. */
  setPermissions(name: string, permissions: readonly string[]): void {
    const parsed = parsePermissions(permissions);
    if (parsed === undefined) {
      throw new VmmError(
        'STORE_EINVAL',
        `'${permissions.join(' ')}' are no permissions; use entries such as n0 r1 w2 b3`,
      );
    }
    this.#change(name, setNodePermissions(this.context(), pathOf(name), parsed));
  }

  protected abstract context(): OperationContext;
  protected abstract changed(): void;

  #change(name: string, errno: StoreErrno | undefined): void {
    if (errno !== undefined) {
      throw new VmmError(`STORE_${errno}`, `store node '${name}' cannot be changed (${errno})`);
    }
    this.changed();
  }
}

/** A transaction of one of domain 0's components. */
export class LocalTransaction extends NodeAccess {
  readonly #services: LocalServices;
  readonly #transaction: Transaction;
  #open = true;

  /** Made by `LocalStore.begin`. */
  constructor(services: LocalServices) {
    super();
    this.#services = services;
    this.#transaction = new Transaction(services.store, NO_LIMITS);
  }

  /** Makes all changes take effect. Returns false, and drops them, if the nodes used have changed meanwhile: start anew. */
  commit(): boolean {
    this.abort();
    const changes = this.#transaction.commit();
    if (failed(changes)) {
      return false;
    }
    fireCommitted(this.#services, changes, undefined);
    this.#services.run();
    return true;
  }

  /** Drops all changes. */
  abort(): void {
    if (!this.#open) {
      bug('store: a transaction is used after its end');
    }
    this.#open = false;
  }

  protected override context(): OperationContext {
    if (!this.#open) {
      bug('store: a transaction is used after its end');
    }
    const { quota } = this.#services;
    const changed = changeSink(this.#services, this.#transaction, undefined);
    return { view: this.#transaction, subject: SUBJECT, quota, changed };
  }

  protected override changed(): void {}
}

/** What a watch handler is told: the changed node's name, relative if the watch was. */
export type WatchHandler = (name: string) => void;

/** A watch of one of domain 0's components. */
export interface LocalWatch {
  /** Ends the watch; its handler is not called any more. */
  unwatch(): void;
}

interface LocalEvent {
  readonly name: string;
  readonly token: string;
  readonly cause: Cause | undefined;
}

/** The store as one of domain 0's components uses it. */
export class LocalStore extends NodeAccess implements Watcher {
  readonly subject = SUBJECT;
  readonly base: StorePath = BASE;
  readonly watches: Watch[] = [];
  readonly #services: LocalServices;
  readonly #handlers = new Map<string, WatchHandler>();
  /** By what they say, so that equal events are one. */
  readonly #events = new Map<string, LocalEvent>();
  #nextToken = 1;
  #scheduled = false;

  constructor(services: LocalServices) {
    super();
    this.#services = services;
    services.watchers.add(this);
  }

  /** Calls `handler` once soon, and then after each change of the node or anything under it. */
  watch(name: string, handler: WatchHandler): LocalWatch {
    const token = String(this.#nextToken);
    this.#nextToken += 1;
    const watch = addWatch(this, name, token, Infinity);
    if (failed(watch)) {
      throw malformed(name);
    }
    this.#handlers.set(token, handler);
    this.event(watchedName(watch), token, undefined);
    return {
      unwatch: () => {
        this.#handlers.delete(token);
        removeWatch(this, name, token);
      },
    };
  }

  /** Does `body` as one transaction: all of it takes effect at once, or nothing if it throws. */
  transaction<T>(body: (transaction: LocalTransaction) => T): T {
    const transaction = this.begin();
    const result = body(transaction);
    if (!transaction.commit()) {
      bug('store: a transaction that nothing came between had a conflict');
    }
    return result;
  }

  /** Opens a transaction that may stay open while other work is done; it can then fail. */
  begin(): LocalTransaction {
    return new LocalTransaction(this.#services);
  }

  /** Ends all watches of this client. */
  close(): void {
    this.#services.watchers.delete(this);
    this.watches.length = 0;
    this.#handlers.clear();
    this.#deliver();
  }

  event(name: string, token: string, cause: Cause | undefined): void {
    const key = `${name}\0${token}`;
    if (!this.#events.has(key)) {
      cause?.hold();
      this.#events.set(key, { name, token, cause });
      this.#schedule();
    }
  }

  protected override context(): OperationContext {
    const { store, quota } = this.#services;
    return { view: store, subject: SUBJECT, quota, changed: changeSink(this.#services, undefined, undefined) };
  }

  protected override changed(): void {
    this.#services.run();
  }

  #schedule(): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#services.defer(() => {
        this.#scheduled = false;
        this.#deliver();
      });
    }
  }

  /** Delivers the events that wait now; what the handlers cause waits for the next time. */
  #deliver(): void {
    const events = [...this.#events.values()];
    this.#events.clear();
    for (const event of events) {
      event.cause?.release();
    }
    this.#services.run();
    for (const [index, { name, token }] of events.entries()) {
      try {
        this.#handlers.get(token)?.(name);
      } catch (error) {
        for (const event of events.slice(index + 1)) {
          this.event(event.name, event.token, undefined);
        }
        throw error;
      }
    }
  }
}

function pathOf(name: string): StorePath {
  const path = parsePath(name, BASE, true);
  if (path === undefined) {
    throw malformed(name);
  }
  return path;
}

function malformed(name: string): VmmError {
  return new VmmError(
    'STORE_EINVAL',
    `'${name}' is no valid name of a store node; use letters, digits, '-', '_', '@' and single slashes`,
  );
}
