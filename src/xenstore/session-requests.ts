// The requests that concern the client's own session: watches, transactions, and RESET_WATCHES which ends them all.

import { failed } from './errno.ts';
import type { RequestHandler } from './request-context.ts';
import { fireCommitted } from './request-context.ts';
import { NO_LIMITS, Transaction } from './transaction.ts';
import { addWatch, removeWatch, watchedName } from './watches.ts';
import { packStrings, unpackString, unpackStrings } from './wire.ts';

/** WATCH: path, token. A first event follows the acknowledgement. */
export const watch: RequestHandler = (context) => {
  const { client, services, payload } = context;
  const [name, token, ...rest] = unpackStrings(payload);
  if (name === undefined || token === undefined || rest.length > 0) {
    return 'EINVAL';
  }
  const added = addWatch(client, name, token, client.subject.privileged ? Infinity : services.quota.watches);
  if (failed(added)) {
    return added;
  }
  context.acknowledge();
  client.event(watchedName(added), token, undefined);
  return undefined;
};

/** UNWATCH: path, token. */
export const unwatch: RequestHandler = (context) => {
  const [name, token, ...rest] = unpackStrings(context.payload);
  if (name === undefined || token === undefined || rest.length > 0) {
    return 'EINVAL';
  }
  const errno = removeWatch(context.client, name, token);
  if (errno === undefined) {
    context.acknowledge();
  }
  return errno;
};

/** TRANSACTION_START: answered with the id of a new transaction. EBUSY inside one, ENOSPC if the client has too many. */
export const transactionStart: RequestHandler = (context) => {
  const { client, services } = context;
  if (context.transaction !== undefined) {
    return 'EBUSY';
  }
  const { privileged } = client.subject;
  if (!privileged && client.transactions.size > services.quota.transactions) {
    return 'ENOSPC';
  }
  while (client.nextTransactionId === 0 || client.transactions.has(client.nextTransactionId)) {
    client.nextTransactionId = (client.nextTransactionId + 1) >>> 0;
  }
  const id = client.nextTransactionId;
  client.nextTransactionId = (id + 1) >>> 0;
  const { nodesPerTransaction: nodes, bytesPerTransaction: bytes } = services.quota;
  client.transactions.set(id, new Transaction(services.store, privileged ? NO_LIMITS : { nodes, bytes }));
  context.reply(packStrings([String(id)]));
  return undefined;
};

/** TRANSACTION_END: "T" to make it take effect, "F" to drop it. ENOENT outside one, EAGAIN on a conflict. */
export const transactionEnd: RequestHandler = (context) => {
  const { client, services, transaction, payload } = context;
  const verdict = unpackString(payload);
  if (verdict !== 'T' && verdict !== 'F') {
    return 'EINVAL';
  }
  if (transaction === undefined) {
    return 'ENOENT';
  }
  for (const [id, open] of client.transactions) {
    if (open === transaction) {
      client.transactions.delete(id);
    }
  }
  if (verdict === 'T') {
    const changes = transaction.commit(client.subject.privileged ? Infinity : services.quota.nodes);
    if (failed(changes)) {
      return changes;
    }
    fireCommitted(services, changes, context.cause);
  }
  context.acknowledge();
  return undefined;
};

/** RESET_WATCHES: forgets the client's watches and transactions, as a guest wants that has just started anew. */
export const resetWatches: RequestHandler = (context) => {
  context.client.watches.length = 0;
  context.client.transactions.clear();
  context.acknowledge();
  return undefined;
};
