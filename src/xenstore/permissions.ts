// Who may do what with a store node. A node has a list of entries: the first names the owner, who may do everything,
// and what everybody else may do; the others say what single domains may do. Domain 0 may do everything.
// Source: Xen docs/misc/xenstore.txt and the behaviour of the reference daemon.

import type { Domid } from '../base/index.ts';
import { domid } from '../base/index.ts';

/** Rights on a node, as bits. */
export const Access = { NONE: 0, READ: 1, WRITE: 2, OWNER: 4 } as const;

/** One entry: what `domid` may do. In the first entry: the owner, and what those without an entry may do. */
export interface Permission {
  readonly domid: Domid;
  /** `Access.NONE`, `READ`, `WRITE` or both. */
  readonly access: number;
}

/** The entries of a node; the first one is always there. */
export type Permissions = readonly [Permission, ...Permission[]];

/** On whose behalf something is done. */
export interface Subject {
  readonly domid: Domid;
  /** Domain 0 and its components: no permission check, no quota. */
  readonly privileged: boolean;
  /** Domain whose rights this one has besides its own (SET_TARGET). */
  readonly target?: Domid | undefined;
}

/** What `subject` may do with a node that has these permissions, as `Access` bits. */
export function accessOf(subject: Subject, permissions: Permissions): number {
  const [owner, ...others] = permissions;
  if (subject.privileged || actsFor(subject, owner.domid)) {
    return Access.READ | Access.WRITE | Access.OWNER;
  }
  return (others.find((entry) => actsFor(subject, entry.domid)) ?? owner).access;
}

/** Permissions of a node that `creator` makes under one with these: the same, but an unprivileged creator owns it. */
export function inheritPermissions(parent: Permissions, creator: Subject): Permissions {
  const [owner, ...others] = parent;
  return creator.privileged ? parent : [{ domid: creator.domid, access: owner.access }, ...others];
}

/** Permissions without the entries that name a domain which is gone; its nodes are removed, so it owns none. */
export function withoutDomain(permissions: Permissions, gone: Domid): Permissions {
  const [owner, ...others] = permissions;
  return others.some((entry) => entry.domid === gone)
    ? [owner, ...others.filter((entry) => entry.domid !== gone)]
    : permissions;
}

/** Writes an entry the way the protocol does: `n0`, `r1`, `w2`, `b3`. */
export function formatPermission({ domid, access }: Permission): string {
  return `${'nrwb'[access & (Access.READ | Access.WRITE)]}${domid}`;
}

/** Reads an entry; undefined if it is malformed. */
export function parsePermission(text: string): Permission | undefined {
  const match = /^([nrwb])(\d{1,5})$/.exec(text);
  if (match?.[1] === undefined) {
    return undefined;
  }
  return { access: 'nrwb'.indexOf(match[1]), domid: domid(Number(match[2])) };
}

/** Reads a list of entries; undefined if it is empty or an entry is malformed. */
export function parsePermissions(texts: readonly string[]): Permissions | undefined {
  const [owner, ...others] = texts.map((text) => parsePermission(text));
  return owner !== undefined && others.every((entry) => entry !== undefined) ? [owner, ...others] : undefined;
}

function actsFor(subject: Subject, domid: Domid): boolean {
  return domid === subject.domid || domid === subject.target;
}
