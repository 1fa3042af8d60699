// Taking a domain apart. It stops at once; its channels close, its mappings of others' frames end, and its
// frames come back in slices. A frame that a backend or another domain still maps stays until that ends.

import { VCPU_INFO_SIZE } from '../abi/index.ts';
import type { Domain } from './domain.ts';
import { closeAllPorts } from './event/operations.ts';
import { forgetUse } from './grant/use.ts';
import { addressIn } from './memory-management.ts';
import type { Pcpu } from './pcpu.ts';
import { refreshDomain } from './schedule/blocking.ts';

/** Page-table entries and frames that one step looks at, about. */
const WORK_PER_STEP = 1 << 18;

/** Begins the end of a domain. May be called again. */
export function beginDestroy(pcpu: Pcpu, domain: Domain): void {
  if (domain.dying) return;
  domain.dying = true;
  refreshDomain(pcpu, domain);
  closeAllPorts(pcpu, domain);
  // The frames of the table go back while others may still use its grants: nobody marks entries in them any more.
  domain.grants.frames.length = 0;
  for (const vcpu of domain.vcpus) {
    vcpu.down = true;
    if (vcpu.infoFrame !== undefined) {
      // The engine and we stop writing to the guest's frame before it can be reused.
      pcpu.mm.putFrame(vcpu.infoFrame, true);
      vcpu.infoFrame = undefined;
      vcpu.infoAddress = addressIn(domain.sharedInfo, vcpu.id * VCPU_INFO_SIZE);
    }
    pcpu.mm.releaseVcpu(vcpu);
  }
}

/** Goes on with the end of a domain. @returns true when nothing is left and its number is free again */
export function continueDestroy(pcpu: Pcpu, domain: Domain): boolean {
  if (!pcpu.mm.relinquish(domain, WORK_PER_STEP)) return false;
  // Its page tables are gone, and with them the references that its mappings held.
  for (const [handle, mapping] of domain.grants.mappings()) {
    const granter = pcpu.domains.get(mapping.granter);
    if (granter !== undefined && granter !== domain) forgetUse(pcpu, granter, mapping.ref, mapping.writable);
    domain.grants.removeMapping(handle);
  }
  // Its frames are gone, so whoever still has a handle to one of its grants has overwritten the mapping.
  for (const other of pcpu.domains.values()) {
    for (const [handle, mapping] of other.grants.mappings()) {
      if (mapping.granter === domain.domid) other.grants.removeMapping(handle);
    }
  }
  for (const vcpu of domain.vcpus) pcpu.engine.destroyContext(vcpu.context);
  pcpu.domains.delete(domain.domid);
  pcpu.notifications.domainChanged(domain.domid);
  return true;
}
