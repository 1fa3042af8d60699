// Hypercalls that a guest domain may name but not use.

import { Errno } from '../../abi/index.ts';

/** For domain 0 only. */
export function notPermitted(): number {
  return -Errno.EPERM;
}

/** A known call that this hypervisor does not offer, to anyone or to this kind of guest. */
export function notOffered(): number {
  return -Errno.ENOSYS;
}
