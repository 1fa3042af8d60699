// The requests that read and change nodes: DIRECTORY, DIRECTORY_PART, READ, WRITE, MKDIR, RM, GET_PERMS, SET_PERMS.
// Each takes its payload apart and does one operation of src/xenstore/operations.ts.

import { XENSTORE_PAYLOAD_MAX } from '../abi/index.ts';
import type { Outcome, StoreErrno } from './errno.ts';
import { failed } from './errno.ts';
import type { StoreNode } from './node.ts';
import type { OperationContext } from './operations.ts';
import { findNode, makeNode, removeNode, setNodePermissions, writeNode } from './operations.ts';
import type { StorePath } from './path.ts';
import { parsePath } from './path.ts';
import { Access, formatPermission, parsePermissions } from './permissions.ts';
import type { RequestContext, RequestHandler } from './request-context.ts';
import { operationContext } from './request-context.ts';
import { leadingNumber, packStrings, unpackString, unpackStrings } from './wire.ts';

/** DIRECTORY: path; answered with names of the children. E2BIG if they do not fit in one message. */
export const directory: RequestHandler = (context) => {
  const node = readable(context, unpackString(context.payload));
  if (failed(node)) {
    return node;
  }
  context.reply(packStrings(node.children));
  return undefined;
};

/**
 * DIRECTORY_PART: path, byte offset; answered with the generation, names from that offset on as far as they fit, and an empty
 * name if these are the last. A client that sees another generation in a later part starts again.
 */
export const directoryPart: RequestHandler = (context) => {
  const [name, offsetText, ...rest] = unpackStrings(context.payload);
  if (offsetText === undefined || rest.length > 0) {
    return 'EINVAL';
  }
  const node = readable(context, name);
  if (failed(node)) {
    return node;
  }
  const list = packStrings(node.children);
  const generation = packStrings([String(node.generation)]);
  const offset = Math.min(leadingNumber(offsetText), list.length);
  const room = XENSTORE_PAYLOAD_MAX - generation.length - 1; // the empty name at the end takes one byte
  const end = list.length - offset <= room ? list.length : list.lastIndexOf(0, offset + room - 1) + 1;
  const atEnd = end === list.length;
  const payload = new Uint8Array(generation.length + (end - offset) + (atEnd ? 1 : 0));
  payload.set(generation);
  payload.set(list.subarray(offset, end), generation.length);
  context.reply(payload);
  return undefined;
};

/** READ: path; answered with the value's bytes. */
export const read: RequestHandler = (context) => {
  const node = readable(context, unpackString(context.payload));
  if (failed(node)) {
    return node;
  }
  context.reply(node.value);
  return undefined;
};

/** GET_PERMS: path; answered with its entries as text. */
export const getPerms: RequestHandler = (context) => {
  const node = readable(context, unpackString(context.payload), context.client.subject.privileged);
  if (failed(node)) {
    return node;
  }
  context.reply(packStrings(node.permissions.map((permission) => formatPermission(permission))));
  return undefined;
};

/** WRITE: path, then the value's bytes without any terminator. */
export const write: RequestHandler = (context) => {
  const nul = context.payload.indexOf(0);
  const name = unpackStrings(context.payload)[0];
  return change(context, name, (operation, path) => writeNode(operation, path, context.payload.slice(nul + 1)));
};

/** MKDIR: path. */
export const mkdir: RequestHandler = (context) => change(context, unpackString(context.payload), makeNode);

/** RM: path. */
export const rm: RequestHandler = (context) => change(context, unpackString(context.payload), removeNode);

/** SET_PERMS: path, entries. */
export const setPerms: RequestHandler = (context) => {
  const [name, ...entries] = unpackStrings(context.payload);
  const { privileged } = context.client.subject;
  if (!privileged && entries.length > context.services.quota.permissionsPerNode) {
    return 'ENOSPC';
  }
  const permissions = parsePermissions(entries);
  if (permissions === undefined || name === undefined) {
    return 'EINVAL';
  }
  if (name.startsWith('@') && !privileged) {
    return 'EACCES';
  }
  return change(context, name, (operation, path) => setNodePermissions(operation, path, permissions), privileged);
};

function readable(context: RequestContext, name: string | undefined, special = false): Outcome<StoreNode> {
  const path = name === undefined ? undefined : parsePath(name, context.client.base, special);
  return path === undefined ? 'EINVAL' : findNode(operationContext(context), path, Access.READ);
}

function change(
  context: RequestContext,
  name: string | undefined,
  operate: (operation: OperationContext, path: StorePath) => StoreErrno | undefined,
  special = false,
): StoreErrno | undefined {
  const path = name === undefined ? undefined : parsePath(name, context.client.base, special);
  if (path === undefined) {
    return 'EINVAL';
  }
  const errno = operate(operationContext(context), path);
  if (errno === undefined) {
    context.acknowledge();
  }
  return errno;
}
