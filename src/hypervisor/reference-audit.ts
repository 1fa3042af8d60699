// References to frames that are held outside memory management, for its audit: registered vcpu_info frames,
// and grants that a backend of domain 0 uses. A guest's mapping of a grant holds its references itself.

import { DOMAIN0 } from './event/operations.ts';
import type { AuditPorts } from './mm/audit.ts';
import type { Pcpu } from './pcpu.ts';

/** What the audit of memory management has to know of the rest. */
export function auditReferences(pcpu: Pcpu): AuditPorts {
  return {
    references(report) {
      for (const domain of pcpu.domains.values()) {
        for (const vcpu of domain.vcpus) if (vcpu.infoFrame !== undefined) report(vcpu.infoFrame, true);
        for (const active of domain.grants.active.values()) {
          if (active.grantee !== DOMAIN0) continue;
          for (let i = 0; i < active.readers; i++) report(active.frame, false);
          for (let i = 0; i < active.writers; i++) report(active.frame, true);
        }
      }
    },
    isGranted(mapper, frame, writable) {
      for (const domain of pcpu.domains.values()) {
        if (domain.domid !== mapper) continue;
        for (const [, mapping] of domain.grants.mappings()) {
          if (mapping.frame === frame && (mapping.writable || !writable)) return true;
        }
      }
      return false;
    },
  };
}
