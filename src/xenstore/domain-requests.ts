// The requests about domains: what anybody may ask, and how domain 0 connects and disconnects them; and CONTROL.
// The dispatcher has refused the privileged ones to guests before they get here. Numbers are read as C's atoi does.

import { domid } from '../base/index.ts';
import type { StoreErrno } from './errno.ts';
import { domainPath } from './path.ts';
import type { DomainRegistry, RequestContext, RequestHandler } from './request-context.ts';
import { printable } from './trace.ts';
import { leadingNumber, packStrings, unpackString, unpackStrings } from './wire.ts';

/** Stands for the caller's own domain. Source: Xen public/xen.h. */
const DOMID_SELF = 0x7ff0;

/** GET_DOMAIN_PATH: domid; answered with its directory, whether or not there is such a domain. */
export const getDomainPath: RequestHandler = (context) => {
  const text = unpackString(context.payload);
  if (text === undefined) {
    return 'EINVAL';
  }
  context.reply(packStrings([domainPath(domid(leadingNumber(text)))]));
  return undefined;
};

/** IS_DOMAIN_INTRODUCED: domid; answered with "T" or "F". */
export const isDomainIntroduced: RequestHandler = (context) => {
  const text = unpackString(context.payload);
  if (text === undefined) {
    return 'EINVAL';
  }
  const id = leadingNumber(text);
  const introduced = id === DOMID_SELF || context.services.domains.isIntroduced(domid(id));
  context.reply(packStrings([introduced ? 'T' : 'F']));
  return undefined;
};

/** INTRODUCE: domid, frame of its ring page, its event channel port. */
export const introduce: RequestHandler = (context) => {
  const [id, frame, port] = unpackStrings(context.payload);
  if (id === undefined || frame === undefined || port === undefined || leadingNumber(port) === 0) {
    return 'EINVAL';
  }
  const { domains } = context.services;
  return finish(context, domains.introduce(domid(leadingNumber(id)), leadingNumber(frame), leadingNumber(port)));
};

/** RELEASE: domid. */
export const release: RequestHandler = (context) => forDomain(context, (domains, id) => domains.release(domid(id)));

/** RESUME: domid. */
export const resume: RequestHandler = (context) => forDomain(context, (domains, id) => domains.resume(domid(id)));

/** SET_TARGET: domid, domid whose rights it gets. */
export const setTarget: RequestHandler = (context) => {
  const [id, target] = unpackStrings(context.payload);
  if (id === undefined || target === undefined) {
    return 'EINVAL';
  }
  const { domains } = context.services;
  return finish(context, domains.setTarget(domid(leadingNumber(id)), domid(leadingNumber(target))));
};

/** CONTROL: a command and its arguments; `print` puts a line into the log, `check` is accepted and does nothing. */
export const control: RequestHandler = (context) => {
  const [command, argument] = unpackStrings(context.payload);
  if (command === 'print' && argument !== undefined) {
    context.services.log.info(`store: ${printable(argument)}`);
  } else if (command !== 'check') {
    return 'EINVAL';
  }
  return finish(context, undefined);
};

function forDomain(
  context: RequestContext,
  operate: (domains: DomainRegistry, id: number) => StoreErrno | undefined,
): StoreErrno | undefined {
  const id = leadingNumber(unpackString(context.payload) ?? '');
  return id === 0 ? 'EINVAL' : finish(context, operate(context.services.domains, id));
}

function finish(context: RequestContext, errno: StoreErrno | undefined): StoreErrno | undefined {
  if (errno === undefined) {
    context.acknowledge();
  }
  return errno;
}
