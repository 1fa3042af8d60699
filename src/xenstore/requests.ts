// Which handler a request goes to, and the checks that come before it, in the reference daemon's order: the type is known,
// the client is allowed to send it, the transaction exists. Every request gets exactly one answer.

import type { XsdError } from '../abi/index.ts';
import { XENSTORE_PAYLOAD_MAX, XS_TYPE } from '../abi/index.ts';
import type { RingConnection, Request } from './connection.ts';
import {
  control,
  getDomainPath,
  introduce,
  isDomainIntroduced,
  release,
  resume,
  setTarget,
} from './domain-requests.ts';
import { directory, directoryPart, getPerms, mkdir, read, rm, setPerms, write } from './node-requests.ts';
import type { RequestHandler, RequestServices } from './request-context.ts';
import { resetWatches, transactionEnd, transactionStart, unwatch, watch } from './session-requests.ts';
import { packStrings } from './wire.ts';

interface RequestKind {
  readonly handler: RequestHandler;
  /** Only for domain 0; others get EACCES. */
  readonly privileged?: true;
  /** The transaction id in the header means nothing. */
  readonly ignoresTransaction?: true;
}

const KINDS: ReadonlyMap<number, RequestKind> = new Map<number, RequestKind>([
  [XS_TYPE.XS_CONTROL, { handler: control, privileged: true }],
  [XS_TYPE.XS_DIRECTORY, { handler: directory }],
  [XS_TYPE.XS_READ, { handler: read }],
  [XS_TYPE.XS_GET_PERMS, { handler: getPerms }],
  [XS_TYPE.XS_WATCH, { handler: watch, ignoresTransaction: true }],
  [XS_TYPE.XS_UNWATCH, { handler: unwatch, ignoresTransaction: true }],
  [XS_TYPE.XS_TRANSACTION_START, { handler: transactionStart }],
  [XS_TYPE.XS_TRANSACTION_END, { handler: transactionEnd }],
  [XS_TYPE.XS_INTRODUCE, { handler: introduce, privileged: true }],
  [XS_TYPE.XS_RELEASE, { handler: release, privileged: true }],
  [XS_TYPE.XS_GET_DOMAIN_PATH, { handler: getDomainPath }],
  [XS_TYPE.XS_WRITE, { handler: write }],
  [XS_TYPE.XS_MKDIR, { handler: mkdir }],
  [XS_TYPE.XS_RM, { handler: rm }],
  [XS_TYPE.XS_SET_PERMS, { handler: setPerms }],
  [XS_TYPE.XS_IS_DOMAIN_INTRODUCED, { handler: isDomainIntroduced, privileged: true }],
  [XS_TYPE.XS_RESUME, { handler: resume, privileged: true }],
  [XS_TYPE.XS_SET_TARGET, { handler: setTarget, privileged: true }],
  [XS_TYPE.XS_RESET_WATCHES, { handler: resetWatches }],
  [XS_TYPE.XS_DIRECTORY_PART, { handler: directoryPart }],
]);

/** Handles a request of any type with any payload, and answers it. */
export function handleRequest(services: RequestServices, client: RingConnection, request: Request): void {
  const { type, txId } = request.header;
  const fail = (errno: XsdError): void => client.reply(request, XS_TYPE.XS_ERROR, packStrings([errno]));
  const kind = KINDS.get(type);
  if (kind === undefined) {
    return fail('ENOSYS');
  }
  if (kind.privileged && !client.subject.privileged) {
    return fail('EACCES');
  }
  const transaction = kind.ignoresTransaction || txId === 0 ? undefined : client.transactions.get(txId);
  if (transaction === undefined && txId !== 0 && !kind.ignoresTransaction) {
    return fail('ENOENT');
  }
  const reply = (payload: Uint8Array): void => {
    if (transaction?.takeOverflow()) {
      fail('ENOSPC');
    } else if (payload.length > XENSTORE_PAYLOAD_MAX) {
      fail('E2BIG');
    } else {
      client.reply(request, type, payload);
    }
  };
  const { payload, cause } = request;
  const acknowledge = (): void => reply(packStrings(['OK']));
  const errno = kind.handler({ services, client, payload, cause, transaction, reply, acknowledge });
  if (errno !== undefined) {
    fail(transaction?.takeOverflow() ? 'ENOSPC' : errno);
  }
  return undefined;
}
