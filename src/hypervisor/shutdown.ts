// The end of a domain's life, as far as the guest is concerned: its vCPUs stop for good and domain 0 is told why.

import type { Domain } from './domain.ts';
import type { Pcpu } from './pcpu.ts';
import { refreshDomain } from './schedule/blocking.ts';

/** Stops a domain with a `Shutdown` reason. The first reason counts. */
export function shutDown(pcpu: Pcpu, domain: Domain, reason: number): void {
  if (domain.shutdownReason !== undefined) return;
  domain.shutdownReason = reason;
  refreshDomain(pcpu, domain);
  pcpu.notifications.domainChanged(domain.domid);
}
