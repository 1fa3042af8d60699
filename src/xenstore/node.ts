// A store node as an immutable record, and the view through which operations see the tree. A node is never changed,
// only replaced, so a transaction keeps what it saw by keeping references, and nothing has to be copied or undone.

import type { Domid } from '../base/index.ts';
import type { StorePath } from './path.ts';
import type { Permissions } from './permissions.ts';

/** What a node holds. */
export interface NodeContent {
  /** Any bytes; never changed in place. */
  readonly value: Uint8Array;
  readonly permissions: Permissions;
  /** Names of the children, oldest first: the order in which DIRECTORY lists them. */
  readonly children: readonly string[];
}

/** A node of the tree. */
export interface StoreNode extends NodeContent {
  /** Number of the change that made this version; no two versions of any nodes share one. */
  readonly generation: number;
}

/** The tree as an operation sees it: the store itself, or the store through a transaction. */
export interface NodeView {
  /** The node, or undefined if there is none. */
  get(path: StorePath): StoreNode | undefined;
  /** Makes or replaces a node. The caller keeps the parent's list of children right. */
  put(path: StorePath, content: NodeContent): void;
  /** Removes one node. The caller keeps the parent's list of children right. */
  remove(path: StorePath): void;
  /** How many nodes a domain owns. */
  owned(domid: Domid): number;
  /** A node could not be made for lack of quota, after which the reference daemon lets no transaction take effect. */
  spoil(): void;
}

/** What a node costs before value, permissions and children are added. */
const NODE_HEADER_SIZE = 24;

const PERMISSION_SIZE = 8;

/** The value of a node that was made without one. */
export const NO_VALUE = new Uint8Array(0);

/** Bytes that a node counts for in the quota. */
export function nodeSizeBytes(node: NodeContent): number {
  return (
    NODE_HEADER_SIZE +
    PERMISSION_SIZE * node.permissions.length +
    node.value.length +
    node.children.reduce((sum, name) => sum + name.length + 1, 0)
  );
}
