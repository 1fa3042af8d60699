// What can be done with the tree, once for every client: guests over their rings and domain 0's components. Each operation
// works on a view (the store or a transaction), checks the subject's permissions and quota, and notes what watches are
// to be told. Which errno, and which check comes first, is the reference daemon's.

import type { Outcome, StoreErrno } from './errno.ts';
import { failed } from './errno.ts';
import type { NodeContent, NodeView, StoreNode } from './node.ts';
import { NO_VALUE, nodeSizeBytes } from './node.ts';
import type { StorePath } from './path.ts';
import { childOf, nameOf, parentOf, ROOT } from './path.ts';
import type { Permissions, Subject } from './permissions.ts';
import { Access, accessOf, inheritPermissions } from './permissions.ts';
import type { StoreQuota } from './quota.ts';

/** On whose behalf and on what an operation works, and where changes are noted. */
export interface OperationContext {
  readonly view: NodeView;
  readonly subject: Subject;
  readonly quota: StoreQuota;
  /**
   * Notes a change for watches, before it is made if it is a removal.
   * @param exact - only watches on this very node are told
   * @param before - permissions that the node had before they were changed
   */
  readonly changed: (path: StorePath, exact: boolean, before?: Permissions) => void;
}

/**
 * Finds a node that the subject may use with all of `access`.
 * @returns the node; ENOENT if there is none, EACCES if it may not be used or the subject may not know whether it is there
 *   (it has none of `access` on the closest node above)
 */
export function findNode(context: OperationContext, path: StorePath, access: number): Outcome<StoreNode> {
  const { view, subject } = context;
  const node = view.get(path);
  if (node !== undefined && (accessOf(subject, node.permissions) & access) === access) {
    return node;
  }
  const closest = view.get(closestAbove(view, path));
  const mayKnow = closest !== undefined && (accessOf(subject, closest.permissions) & access) !== 0;
  return mayKnow && node === undefined ? 'ENOENT' : 'EACCES';
}

/** Sets a node's value; makes the node, and those above that are missing, if it is not there. */
export function writeNode(context: OperationContext, path: StorePath, value: Uint8Array): StoreErrno | undefined {
  const node = findNode(context, path, Access.WRITE);
  if (node === 'ENOENT') {
    return createNode(context, path, value);
  }
  return failed(node) ? node : replaceNode(context, path, { ...node, value });
}

/** Makes a node without a value, and those above that are missing. Does nothing if it is there. */
export function makeNode(context: OperationContext, path: StorePath): StoreErrno | undefined {
  const node = findNode(context, path, Access.WRITE);
  if (node === 'ENOENT') {
    return createNode(context, path, NO_VALUE);
  }
  return failed(node) ? node : undefined;
}

/** Removes a node and everything under it, whoever owns that. A node that is not there is fine if its parent is. */
export function removeNode(context: OperationContext, path: StorePath): StoreErrno | undefined {
  const { view } = context;
  const node = findNode(context, path, Access.WRITE);
  if (failed(node)) {
    return node === 'ENOENT' && view.get(parentOf(path)) !== undefined ? undefined : node;
  }
  if (path === ROOT) {
    return 'EINVAL';
  }
  removeTree(context, path);
  return undefined;
}

/** Removes a node that is there, and everything under it, without any check. Watches are told of the lowest nodes first. */
export function removeTree(context: OperationContext, path: StorePath): void {
  const { view } = context;
  removeBelow(context, path);
  context.changed(path, false);
  view.remove(path);
  const parent = view.get(parentOf(path));
  if (parent !== undefined) {
    const name = nameOf(path);
    view.put(parentOf(path), { ...parent, children: parent.children.filter((child) => child !== name) });
  }
}

/** Replaces a node's permissions. Only the owner may, and only domain 0 may make another domain the owner. */
export function setNodePermissions(
  context: OperationContext,
  path: StorePath,
  permissions: Permissions,
): StoreErrno | undefined {
  const node = findNode(context, path, Access.WRITE | Access.OWNER);
  if (failed(node)) {
    return node;
  }
  if (!context.subject.privileged && permissions[0].domid !== node.permissions[0].domid) {
    return 'EPERM';
  }
  return replaceNode(context, path, { ...node, permissions }, node.permissions);
}

function replaceNode(
  context: OperationContext,
  path: StorePath,
  content: NodeContent,
  before?: Permissions,
): StoreErrno | undefined {
  if (isTooBig(context, content)) {
    return 'ENOSPC';
  }
  context.view.put(path, content);
  context.changed(path, false, before);
  return undefined;
}

function createNode(context: OperationContext, path: StorePath, value: Uint8Array): StoreErrno | undefined {
  const { view, subject, quota } = context;
  const missing = [path];
  let topPath = parentOf(path);
  let top = view.get(topPath);
  while (top === undefined) {
    if (topPath === ROOT) {
      return 'EACCES'; // the view refused to show the root; it is spoilt
    }
    missing.push(topPath);
    topPath = parentOf(topPath);
    top = view.get(topPath);
  }
  const permissions = inheritPermissions(top.permissions, subject);
  const made = missing.map((at, index): [StorePath, NodeContent] => {
    const child = missing[index - 1];
    return [at, { value: child ? NO_VALUE : value, permissions, children: child ? [nameOf(child)] : [] }];
  });
  const owned = view.owned(subject.domid);
  const refused = made.some(
    ([, node], index) => (!subject.privileged && owned + index >= quota.nodes) || isTooBig(context, node),
  );
  const parent = { ...top, children: [...top.children, nameOf(missing.at(-1) ?? path)] };
  if (refused || isTooBig(context, parent)) {
    view.spoil();
    return 'ENOSPC';
  }
  for (const [at, node] of made) {
    view.put(at, node);
  }
  view.put(topPath, parent);
  context.changed(path, false);
  return undefined;
}

function isTooBig({ subject, quota }: OperationContext, node: NodeContent): boolean {
  return !subject.privileged && nodeSizeBytes(node) >= quota.nodeSizeBytes;
}

function removeBelow(context: OperationContext, path: StorePath): void {
  for (const name of context.view.get(path)?.children ?? []) {
    const child = childOf(path, name);
    removeBelow(context, child);
    context.changed(child, true);
    context.view.remove(child);
  }
}

function closestAbove(view: NodeView, path: StorePath): StorePath {
  let above = parentOf(path);
  while (view.get(above) === undefined && above !== ROOT) {
    above = parentOf(above);
  }
  return above;
}
