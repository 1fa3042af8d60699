// Names of store nodes: what is valid, what a relative name means, and the steps between parent and child.
// Guests send names as raw bytes; here they are text with one character per byte, and only `parsePath` makes a
// `StorePath` of one, so every name that reaches the tree is canonical. Source: Xen docs/misc/xenstore.txt.

import { XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from '../abi/index.ts';
import type { Brand, Domid } from '../base/index.ts';

/** A valid absolute name such as `/local/domain/1/name`, or the name of a special node such as `@releaseDomain`. */
export type StorePath = Brand<string, 'StorePath'>;

/** The node that all others are under. */
export const ROOT = '/' as StorePath; // valid by definition

/** Special node whose watches fire when a domain gets its connection. */
export const INTRODUCE_DOMAIN = '@introduceDomain' as StorePath; // valid by definition

/** Special node whose watches fire when a domain ends. */
export const RELEASE_DOMAIN = '@releaseDomain' as StorePath; // valid by definition

const VALID_NAME = /^[-/_@0-9A-Za-z]*$/;
const DOMAIN_DIRECTORY = /^\/local\/domain\/\d{1,5}\//;

/** The directory of a domain, which its relative names start from. */
export function domainPath(domid: Domid): StorePath {
  return `/local/domain/${domid}` as StorePath; // built from valid parts
}

/** What a name stands for: an absolute or special name is itself, a relative one continues `base`. Not validated. */
export function canonicalName(name: string, base: StorePath): string {
  return isRelative(name) ? `${base}/${name}` : name;
}

/** Tells whether a name is relative to the caller's own directory. */
export function isRelative(name: string): boolean {
  return !name.startsWith('/') && !name.startsWith('@');
}

/**
 * Makes a path of a name that a client sent.
 * @param name - any text; relative names continue `base`
 * @param special - whether names of special nodes (`@...`) are accepted
 * @returns undefined if the name is malformed or too long: the client gets EINVAL
 */
export function parsePath(name: string, base: StorePath, special = false): StorePath | undefined {
  const path = canonicalName(name, base);
  if (!path.startsWith('/') && !(special && path.startsWith('@'))) {
    return undefined;
  }
  if ((path.endsWith('/') && path !== '/') || path.includes('//') || !VALID_NAME.test(path)) {
    return undefined;
  }
  const localPart = path.length - (DOMAIN_DIRECTORY.exec(path)?.[0].length ?? 0);
  if (path.length > XENSTORE_ABS_PATH_MAX || localPart > XENSTORE_REL_PATH_MAX) {
    return undefined;
  }
  return path as StorePath; // just validated
}

/** The node above; the root is its own parent, and the parent of special nodes. */
export function parentOf(path: StorePath): StorePath {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? ROOT : (path.slice(0, slash) as StorePath); // a prefix of a valid path at a slash is valid
}

/** The last part of a path. */
export function nameOf(path: StorePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The path of a child by its name, which the parent's list of children holds. */
export function childOf(parent: StorePath, name: string): StorePath {
  return (parent === ROOT ? `/${name}` : `${parent}/${name}`) as StorePath; // both parts are valid
}

/** Tells whether `path` is `ancestor` or stands under it. Everything, special nodes too, stands under the root. */
export function isWithin(path: StorePath, ancestor: StorePath): boolean {
  if (ancestor === ROOT) {
    return true;
  }
  return path.startsWith(ancestor) && (path.length === ancestor.length || path[ancestor.length] === '/');
}
