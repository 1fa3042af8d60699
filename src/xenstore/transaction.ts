// A transaction: a private view of the tree that takes effect as a whole or not at all. What it looks at is kept as it
// was, what it changes stays in here until `commit`. If a node that it looked at has changed outside meanwhile, it fails
// with EAGAIN; looking includes looking for a node that is not there, and every change looks first.

import type { Domid } from '../base/index.ts';
import type { Outcome } from './errno.ts';
import type { NodeContent, NodeView, StoreNode } from './node.ts';
import { nodeSizeBytes } from './node.ts';
import type { StorePath } from './path.ts';
import type { Permissions } from './permissions.ts';
import type { Store } from './store.ts';

/** What one transaction may use up. */
export interface TransactionLimits {
  /** Nodes that it looks at or changes. */
  readonly nodes: number;
  /** Bytes of their paths, and of its own versions of them. */
  readonly bytes: number;
}

/** For domain 0. */
export const NO_LIMITS: TransactionLimits = { nodes: Infinity, bytes: Infinity };

/** A change that watches will be told of after the commit. */
export interface PendingChange {
  readonly path: StorePath;
  /** Only watches on this very node are told. */
  readonly exact: boolean;
  /** What the permissions were before the transaction; undefined if the node was not there. */
  readonly before: Permissions | undefined;
}

interface AccessedNode {
  readonly path: StorePath;
  /** What stood in the store when the transaction first looked. */
  readonly before: StoreNode | undefined;
  /** What stands there now, as the transaction sees it. */
  now: StoreNode | undefined;
  modified: boolean;
  watch: 'none' | 'exact' | 'subtree';
}

/** An open transaction. */
export class Transaction implements NodeView {
  readonly #store: Store;
  readonly #limits: TransactionLimits;
  readonly #accessed = new Map<StorePath, AccessedNode>();
  /** Nodes owned by a domain, in difference to the store. */
  readonly #ownedChange = new Map<Domid, number>();
  #bytes = 0;
  #overflowed = false;
  #spoilt = false;

  constructor(store: Store, limits: TransactionLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  get(path: StorePath): StoreNode | undefined {
    return this.#access(path)?.now;
  }

  put(path: StorePath, content: NodeContent): void {
    this.#replace(path, this.#store.stamp(content));
  }

  remove(path: StorePath): void {
    this.#replace(path, undefined);
  }

  owned(domid: Domid): number {
    return this.#store.owned(domid) + (this.#ownedChange.get(domid) ?? 0);
  }

  spoil(): void {
    this.#spoilt = true;
  }

  /** Notes that watches are to be told of a change; told once, however often it changed. */
  noteChange(path: StorePath, exact: boolean): void {
    const entry = this.#access(path);
    if (entry !== undefined && entry.watch !== 'subtree') {
      entry.watch = exact ? 'exact' : 'subtree';
    }
  }

  /** Tells, once, whether the last operation wanted more than the limits allow; its result is worthless then (ENOSPC). */
  takeOverflow(): boolean {
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  /**
   * Makes everything take effect.
   * @param ownerLimit - a domain's count of nodes at which the transaction fails, if it made any nodes
   * @returns the changes in the order in which their nodes were first looked at; or ENOMEM (`spoil` was called),
   *   ENOSPC (`ownerLimit`), EAGAIN (conflict). The transaction is over in any case.
   */
  commit(ownerLimit = Infinity): Outcome<PendingChange[]> {
    const accessed = [...this.#accessed.values()];
    if (this.#spoilt) {
      return 'ENOMEM';
    }
    const creates = accessed.some((entry) => entry.before === undefined && entry.now !== undefined);
    if (creates && [...this.#ownedChange.keys()].some((owner) => owner !== 0 && this.owned(owner) >= ownerLimit)) {
      return 'ENOSPC';
    }
    if (accessed.some((entry) => this.#store.get(entry.path)?.generation !== entry.before?.generation)) {
      return 'EAGAIN';
    }
    for (const { path, now, modified } of accessed) {
      if (modified && now !== undefined) {
        this.#store.put(path, now);
      } else if (modified) {
        this.#store.remove(path);
      }
    }
    return accessed
      .filter((entry) => entry.watch !== 'none')
      .map(({ path, watch, before }) => ({ path, exact: watch === 'exact', before: before?.permissions }));
  }

  #replace(path: StorePath, node: StoreNode | undefined): void {
    const entry = this.#access(path);
    const own = entry?.modified && entry.now ? nodeSizeBytes(entry.now) : 0;
    if (entry !== undefined && this.#spend((node ? nodeSizeBytes(node) : 0) - own)) {
      this.#count(entry.now, -1);
      this.#count(node, 1);
      entry.now = node;
      entry.modified = true;
    }
  }

  #access(path: StorePath): AccessedNode | undefined {
    const known = this.#accessed.get(path);
    if (known !== undefined) {
      return known;
    }
    if (!this.#spend(path.length, 1)) {
      return undefined;
    }
    const before = this.#store.get(path);
    const entry: AccessedNode = { path, before, now: before, modified: false, watch: 'none' };
    this.#accessed.set(path, entry);
    return entry;
  }

  /** Whether the limits allow this much more; if not, the transaction can only be dropped. */
  #spend(bytes: number, nodes = 0): boolean {
    if (this.#bytes + bytes > this.#limits.bytes || this.#accessed.size + nodes > this.#limits.nodes) {
      this.#overflowed = true;
      this.#spoilt = true;
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  #count(node: StoreNode | undefined, change: 1 | -1): void {
    if (node !== undefined) {
      const owner = node.permissions[0].domid;
      this.#ownedChange.set(owner, (this.#ownedChange.get(owner) ?? 0) + change);
    }
  }
}
