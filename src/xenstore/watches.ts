// Watches: who wants to be told of which changes, and telling them. A watch on a node is told of changes to the node and
// to everything under it, but only if the watcher may read the changed node or its parent, or could before the change.
// The path in an event has the form in which the watch was registered: relative stays relative.

import type { StoreErrno } from './errno.ts';
import type { NodeView } from './node.ts';
import type { StorePath } from './path.ts';
import { canonicalName, isRelative, isWithin, parentOf, parsePath } from './path.ts';
import type { Permissions, Subject } from './permissions.ts';
import { Access, accessOf } from './permissions.ts';
import type { Cause } from './cause.ts';

/** A registered watch. */
export interface Watch {
  readonly path: StorePath;
  /** Chosen by the watcher, handed back in each event; any characters but NUL. */
  readonly token: string;
  /** How many characters of a changed node's path to leave out in events: the directory that relative names start from. */
  readonly skip: number;
}

/** A client with its watches. */
export interface Watcher {
  readonly subject: Subject;
  /** The directory that its relative names start from. */
  readonly base: StorePath;
  readonly watches: Watch[];
  /**
   * Takes an event for later delivery. Never fails and never calls back.
   * @param path - as the watcher knows it
   * @param cause - the guest's request that led to it; undefined if domain 0 did
   */
  event(path: string, token: string, cause: Cause | undefined): void;
}

/** A change that watches are to be told of. */
export interface Change {
  readonly path: StorePath;
  /** Only watches on this very node are told. */
  readonly exact: boolean;
  /** Lists of permissions; who may read by any of them may know of the change. */
  readonly readers: readonly Permissions[];
}

/**
 * Describes a change to a node that is in `view` now, or was there before the transaction whose end this is. Of a node that a
 * transaction made and removed again nobody may know.
 */
export function describeChange(view: NodeView, path: StorePath, exact: boolean, before?: Permissions): Change {
  const now = view.get(path)?.permissions;
  const candidates = [before, now, now && view.get(parentOf(path))?.permissions];
  return { path, exact, readers: candidates.filter((permissions) => permissions !== undefined) };
}

/** Tells every watch that covers a change and whose watcher may know of it. */
export function fireWatches(watchers: Iterable<Watcher>, change: Change, cause: Cause | undefined): void {
  for (const watcher of watchers) {
    if (watcher.watches.length > 0 && mayKnow(watcher.subject, change)) {
      for (const watch of watcher.watches) {
        if (change.exact ? change.path === watch.path : isWithin(change.path, watch.path)) {
          watcher.event(change.path.slice(watch.skip), watch.token, cause);
        }
      }
    }
  }
}

/**
 * Registers a watch. The caller acknowledges it and then sends a first event with `watchedName`, which tells the watcher to look.
 * @param limit - watches beyond which no further one is accepted
 * @returns the watch; EINVAL (malformed path), EEXIST (same path and token), E2BIG (`limit`)
 */
export function addWatch(watcher: Watcher, name: string, token: string, limit: number): Watch | StoreErrno {
  const path = parsePath(name, watcher.base, true);
  if (path === undefined) {
    return 'EINVAL';
  }
  if (watcher.watches.some((watch) => watch.path === path && watch.token === token)) {
    return 'EEXIST';
  }
  if (watcher.watches.length > limit) {
    return 'E2BIG';
  }
  const watch = { path, token, skip: isRelative(name) ? watcher.base.length + 1 : 0 };
  watcher.watches.push(watch);
  return watch;
}

/** Takes a watch back; ENOENT if there is none with this path and token. */
export function removeWatch(watcher: Watcher, name: string, token: string): StoreErrno | undefined {
  const path = canonicalName(name, watcher.base);
  const index = watcher.watches.findIndex((watch) => watch.path === path && watch.token === token);
  if (index < 0) {
    return 'ENOENT';
  }
  watcher.watches.splice(index, 1);
  return undefined;
}

/** The watched node's name in the form in which the watch was registered. */
export function watchedName(watch: Watch): string {
  return watch.path.slice(watch.skip);
}

function mayKnow(subject: Subject, { readers }: Change): boolean {
  return readers.some((permissions) => (accessOf(subject, permissions) & Access.READ) !== 0);
}
