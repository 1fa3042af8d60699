// The tree of store nodes: a map from path to node, the count of changes and the nodes that each domain owns.
// Knows nothing of permissions, watches or clients. Owned by `StoreServer`, changed through src/xenstore/operations.ts.

import type { Domid } from '../base/index.ts';
import { domid } from '../base/index.ts';
import type { NodeContent, NodeView, StoreNode } from './node.ts';
import { NO_VALUE } from './node.ts';
import type { StorePath } from './path.ts';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN, ROOT } from './path.ts';
import type { Permissions } from './permissions.ts';
import { Access } from './permissions.ts';

/** Permissions that keep everybody but domain 0 out. */
export const DOMAIN_0_ONLY: Permissions = [{ domid: domid(0), access: Access.NONE }];

/** All nodes. Starts with the root and the two special nodes, readable by domain 0 only. */
export class Store implements NodeView {
  readonly #nodes = new Map<StorePath, StoreNode>();
  readonly #owned = new Map<Domid, number>();
  #generation = 0;

  constructor() {
    for (const path of [ROOT, INTRODUCE_DOMAIN, RELEASE_DOMAIN]) {
      this.put(path, { value: NO_VALUE, permissions: DOMAIN_0_ONLY, children: [] });
    }
  }

  get(path: StorePath): StoreNode | undefined {
    return this.#nodes.get(path);
  }

  put(path: StorePath, content: NodeContent): void {
    this.#count(this.#nodes.get(path), -1);
    const node = this.stamp(content);
    this.#nodes.set(path, node);
    this.#count(node, 1);
  }

  remove(path: StorePath): void {
    this.#count(this.#nodes.get(path), -1);
    this.#nodes.delete(path);
  }

  owned(domid: Domid): number {
    return this.#owned.get(domid) ?? 0;
  }

  /** Nothing to do: an operation changes the store as a whole or not at all. */
  spoil(): void {}

  /** Gives content the number of a new change. */
  stamp({ value, permissions, children }: NodeContent): StoreNode {
    this.#generation += 1;
    return { value, permissions, children, generation: this.#generation };
  }

  /** All nodes with their paths, in no particular order; the tree may be changed meanwhile. */
  entries(): [StorePath, StoreNode][] {
    return [...this.#nodes];
  }

  #count(node: StoreNode | undefined, change: 1 | -1): void {
    if (node !== undefined) {
      const owner = node.permissions[0].domid;
      const count = this.owned(owner) + change;
      if (count === 0) {
        this.#owned.delete(owner);
      } else {
        this.#owned.set(owner, count);
      }
    }
  }
}
