// What the handlers of requests work with: one request of one client, and the parts of the server that it touches.
// A handler answers exactly once with `reply` or `acknowledge`, or returns the errno that the dispatcher answers with.

import type { Domid, Logger } from '../base/index.ts';
import type { Cause } from './cause.ts';
import type { Client } from './connection.ts';
import type { StoreErrno } from './errno.ts';
import type { OperationContext } from './operations.ts';
import type { StoreQuota } from './quota.ts';
import type { Store } from './store.ts';
import type { PendingChange, Transaction } from './transaction.ts';
import { describeChange } from './watches.ts';
import type { Change } from './watches.ts';

/** The domains that have a connection, as requests of domain 0 manage them. */
export interface DomainRegistry {
  /** Whether a domain has been introduced; domain 0 always has. */
  isIntroduced(domid: Domid): boolean;
  /** Connects a domain by the frame and event channel that domain 0 named; EINVAL if it cannot be done. */
  introduce(domid: Domid, frame: number, port: number): StoreErrno | undefined;
  /** Ends a domain's connection; ENOENT if it has none. */
  release(domid: Domid): StoreErrno | undefined;
  /** A domain that had shut down runs again; ENOENT if it has no connection. */
  resume(domid: Domid): StoreErrno | undefined;
  /** Gives a domain the rights of another one besides its own; ENOENT if one has no connection. */
  setTarget(domid: Domid, target: Domid): StoreErrno | undefined;
}

/** The server, as far as requests touch it. */
export interface RequestServices {
  readonly store: Store;
  readonly quota: StoreQuota;
  readonly log: Logger;
  readonly domains: DomainRegistry;
  /** Tells watches of a change. */
  fire(change: Change, cause: Cause | undefined): void;
}

/** One request while it is handled. */
export interface RequestContext {
  readonly services: RequestServices;
  readonly client: Client;
  readonly payload: Uint8Array;
  readonly cause: Cause | undefined;
  /** The transaction that the request is part of. */
  readonly transaction: Transaction | undefined;
  /** Answers with a payload. */
  reply(payload: Uint8Array): void;
  /** Answers that it is done. */
  acknowledge(): void;
}

/** Does what a request asks for. */
export type RequestHandler = (context: RequestContext) => StoreErrno | undefined;

/** How the request's operations see and change the tree. */
export function operationContext(context: RequestContext): OperationContext {
  const { services, client, transaction, cause } = context;
  return {
    view: transaction ?? services.store,
    subject: client.subject,
    quota: services.quota,
    changed: changeSink(services, transaction, cause),
  };
}

/** Where changes go: watches are told at once, or after the commit of the transaction they are part of. */
export function changeSink(
  services: Pick<RequestServices, 'store' | 'fire'>,
  transaction: Transaction | undefined,
  cause: Cause | undefined,
): OperationContext['changed'] {
  return (path, exact, before) => {
    if (transaction === undefined) {
      services.fire(describeChange(services.store, path, exact, before), cause);
    } else {
      transaction.noteChange(path, exact);
    }
  };
}

/** Tells watches of what a transaction changed. */
export function fireCommitted(
  services: Pick<RequestServices, 'store' | 'fire'>,
  changes: readonly PendingChange[],
  cause: Cause | undefined,
): void {
  for (const { path, exact, before } of changes) {
    services.fire(describeChange(services.store, path, exact, before), cause);
  }
}
