// Taking a domain apart. It stops at once; its channels close, its mappings of others' frames end, and its
// frames come back in slices. A frame that a backend or another domain still maps stays until that ends.

import { VCPU_INFO_SIZE } from '../abi/index.ts';
import type { Domain } from './domain.ts';
import { closeAllPorts } from './event/operations.ts';
import { endUse } from './grant/use.ts';
import { addressIn } from './memory-management.ts';
import type { Pcpu } from './pcpu.ts';
import { refreshDomain } from './schedule/blocking.ts';

/** Frames that one step gives back at most. */
const FRAMES_PER_STEP = 16384;

/** Begins the end of a domain. May be called again. */
export function beginDestroy(pcpu: Pcpu, domain: Domain): void {
  if (domain.dying) return;
  domain.dying = true;
  refreshDomain(pcpu, domain);
  closeAllPorts(pcpu, domain);
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
  const freed = pcpu.mm.relinquish(domain, FRAMES_PER_STEP);
  if (!freed) return false;
  for (const [handle, mapping] of domain.grants.mappings()) {
    const granter = pcpu.domains.get(mapping.granter);
    if (granter !== undefined) endUse(pcpu, granter, mapping.ref, mapping.writable);
    domain.grants.removeMapping(handle);
  }
  if (domain.grants.active.size > 0) return false;
  for (const vcpu of domain.vcpus) pcpu.engine.destroyContext(vcpu.context);
  pcpu.domains.delete(domain.domid);
  pcpu.notifications.domainChanged(domain.domid);
  return true;
}
