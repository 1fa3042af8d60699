// The domain arguments of the memory hypercalls: whose page tables and whose frames. A guest has no
// privilege over other domains, so all this finds is itself, memory-mapped I/O, or the right error.
// Behaviour: Xen 4.17, get_pg_owner and the default access rules.

import { DomidReserved, Errno } from '../../abi/index.ts';
import { domid } from '../../base/index.ts';
import type { Domain } from '../domain.ts';
import type { MemoryState } from './memory-state.ts';

/** The frames are the domain's own. */
export const OWN_FRAMES = 0;

/** The frames are those of devices, of which there are none. */
export const DEVICE_FRAMES = 1;

/**
 * Whose frames a hypercall is about.
 * @param id - guest-controlled; the low 16 bits count
 * @returns `OWN_FRAMES`, `DEVICE_FRAMES`, -ESRCH (no such domain; its own number is none either), or -EPERM
 */
export function frameOwner(mm: MemoryState, domain: Domain, id: number): number {
  const owner = id & 0xffff;
  if (owner === DomidReserved.DOMID_SELF) return OWN_FRAMES;
  if (owner === DomidReserved.DOMID_IO) return DEVICE_FRAMES;
  if (owner === domain.domid) return -Errno.ESRCH;
  return owner === 0 || mm.pcpu.domains.has(domid(owner)) ? -Errno.EPERM : -Errno.ESRCH;
}

/**
 * Whether a domain argument of memory_op names the domain itself, by DOMID_SELF or by number.
 * @returns 0, -ESRCH (no such domain), or -EPERM
 */
export function checkSelf(mm: MemoryState, domain: Domain, id: number): number {
  const named = id & 0xffff;
  if (named === DomidReserved.DOMID_SELF || named === domain.domid) return 0;
  return named === 0 || mm.pcpu.domains.has(domid(named)) ? -Errno.EPERM : -Errno.ESRCH;
}
