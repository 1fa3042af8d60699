// Event channel operations of a domain: binding, closing, sending. Used by the hypercall and by domain
// 0's control interface. Every number that comes from a guest is checked here. Results are negated errnos.
// Domain 0 has no port table: a channel to it is named by the guest's end alone.
// Source: behaviour of EVTCHNOP_*, Xen public/event_channel.h.

import { Errno, NR_VIRQS, Virq } from '../../abi/index.ts';
import { type Domid, domid, port } from '../../base/index.ts';
import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { clearPending, raise, unmask } from './delivery.ts';
import { PortState } from './port-table.ts';

/** Domain identifier of domain 0. */
export const DOMAIN0: Domid = domid(0);

/** Sets a port aside for a peer. @returns the port or -ENOSPC */
export function allocateUnbound(domain: Domain, remote: number): number {
  const local = domain.ports.allocate();
  if (local === undefined) return -Errno.ENOSPC;
  domain.ports.bind(local, PortState.UNBOUND, remote, 0, 0);
  return local;
}

/** Connects a new port to one that `remote` has set aside for this domain. @returns the local port or an error */
export function bindInterdomain(domain: Domain, remote: Domain, remotePort: number): number {
  if (remote.ports.state(remotePort) !== PortState.UNBOUND) return -Errno.EINVAL;
  if (remote.ports.remoteDomid(remotePort) !== domain.domid) return -Errno.EINVAL;
  const local = domain.ports.allocate();
  if (local === undefined) return -Errno.ENOSPC;
  domain.ports.bind(local, PortState.INTERDOMAIN, remote.domid, remotePort, 0);
  remote.ports.bind(port(remotePort), PortState.INTERDOMAIN, domain.domid, local, remote.ports.vcpu(remotePort));
  return local;
}

/** Connects domain 0 to a port that the guest has set aside for it. @returns 0 or -EINVAL */
export function bindToDomain0(domain: Domain, local: number): number {
  if (domain.ports.state(local) !== PortState.UNBOUND) return -Errno.EINVAL;
  if (domain.ports.remoteDomid(local) !== DOMAIN0) return -Errno.EINVAL;
  domain.ports.bind(port(local), PortState.INTERDOMAIN, DOMAIN0, 0, domain.ports.vcpu(local));
  return 0;
}

/** True for the virtual interrupts that each vCPU has its own of. */
function isPerVcpu(virq: number): boolean {
  return (
    virq === Virq.VIRQ_TIMER || virq === Virq.VIRQ_DEBUG || virq === Virq.VIRQ_XENOPROF || virq === Virq.VIRQ_XENPMU
  );
}

/** Binds a virtual interrupt of a vCPU. @returns the port, -EINVAL, -ENOENT, -EEXIST or -ENOSPC */
export function bindVirq(domain: Domain, virq: number, vcpuId: number): number {
  if (virq >= NR_VIRQS || (!isPerVcpu(virq) && vcpuId !== 0)) return -Errno.EINVAL;
  const vcpu = domain.vcpus[vcpuId];
  if (vcpu === undefined) return -Errno.ENOENT;
  if (vcpu.virqPort[virq] !== 0) return -Errno.EEXIST;
  const local = domain.ports.allocate();
  if (local === undefined) return -Errno.ENOSPC;
  domain.ports.bind(local, PortState.VIRQ, domain.domid, virq, vcpuId);
  vcpu.virqPort[virq] = local;
  return local;
}

/** Makes a port that interrupts a vCPU of the same domain. @returns the port, -ENOENT or -ENOSPC */
export function bindIpi(domain: Domain, vcpuId: number): number {
  if (domain.vcpus[vcpuId] === undefined) return -Errno.ENOENT;
  const local = domain.ports.allocate();
  if (local === undefined) return -Errno.ENOSPC;
  domain.ports.bind(local, PortState.IPI, domain.domid, 0, vcpuId);
  return local;
}

/** Chooses the vCPU that a port notifies. @returns 0, -ENOENT or -EINVAL */
export function bindVcpu(domain: Domain, at: number, vcpuId: number): number {
  if (domain.vcpus[vcpuId] === undefined) return -Errno.ENOENT;
  switch (domain.ports.state(at)) {
    case PortState.UNBOUND:
    case PortState.INTERDOMAIN:
      domain.ports.setVcpu(at, vcpuId);
      return 0;
    case PortState.VIRQ:
      if (isPerVcpu(domain.ports.remotePort(at))) return -Errno.EINVAL;
      domain.ports.setVcpu(at, vcpuId);
      return 0;
    case PortState.FREE:
    case PortState.IPI:
      return -Errno.EINVAL;
  }
}

/** Gives a port up. The other end of a connection becomes unbound. @returns 0 or -EINVAL */
export function closePort(pcpu: Pcpu, domain: Domain, at: number): number {
  const state = domain.ports.state(at);
  if (state === PortState.FREE) return -Errno.EINVAL;
  if (state === PortState.VIRQ) {
    for (const vcpu of domain.vcpus) {
      const virq = domain.ports.remotePort(at);
      if (vcpu.virqPort[virq] === at) vcpu.virqPort[virq] = 0;
    }
  }
  if (state === PortState.INTERDOMAIN) closeRemote(pcpu, domain, at);
  domain.ports.release(at);
  clearPending(pcpu, domain, at);
  return 0;
}

function closeRemote(pcpu: Pcpu, domain: Domain, at: number): void {
  const remoteDomid = domid(domain.ports.remoteDomid(at));
  if (remoteDomid === DOMAIN0) {
    pcpu.notifications.closed(domain.domid, port(at));
    return;
  }
  const remote = pcpu.domains.get(remoteDomid);
  if (remote === undefined) return;
  const remotePort = domain.ports.remotePort(at);
  remote.ports.bind(port(remotePort), PortState.UNBOUND, domain.domid, 0, remote.ports.vcpu(remotePort));
}

/** Domain 0 gives up its end of a channel: the guest's port becomes unbound. */
export function closeByDomain0(domain: Domain, at: number): number {
  if (domain.ports.state(at) !== PortState.INTERDOMAIN || domain.ports.remoteDomid(at) !== DOMAIN0)
    return -Errno.EINVAL;
  domain.ports.bind(port(at), PortState.UNBOUND, DOMAIN0, 0, domain.ports.vcpu(at));
  return 0;
}

/** Notifies the other end of a channel. @returns 0 or -EINVAL. @hot */
export function send(pcpu: Pcpu, domain: Domain, at: number): number {
  switch (domain.ports.state(at)) {
    case PortState.INTERDOMAIN: {
      const remoteDomid = domid(domain.ports.remoteDomid(at));
      if (remoteDomid === DOMAIN0) {
        pcpu.notifications.notify(domain.domid, port(at));
        return 0;
      }
      const remote = pcpu.domains.get(remoteDomid);
      if (remote !== undefined) raise(pcpu, remote, domain.ports.remotePort(at));
      return 0;
    }
    case PortState.IPI:
      raise(pcpu, domain, at);
      return 0;
    case PortState.UNBOUND:
      return 0; // nobody listens yet
    case PortState.FREE:
    case PortState.VIRQ:
      return -Errno.EINVAL;
  }
}

/** Domain 0 notifies a guest. @returns 0 or -EINVAL */
export function sendFromDomain0(pcpu: Pcpu, domain: Domain, at: number): number {
  if (domain.ports.state(at) !== PortState.INTERDOMAIN || domain.ports.remoteDomid(at) !== DOMAIN0)
    return -Errno.EINVAL;
  raise(pcpu, domain, at);
  return 0;
}

/** Raises a virtual interrupt of a vCPU, if it is bound. @hot */
export function raiseVirq(pcpu: Pcpu, vcpu: Vcpu, virq: number): void {
  const at = vcpu.virqPort[virq] ?? 0;
  if (at !== 0) raise(pcpu, vcpu.domain, at);
}

/** Unmasks a port. @returns 0 or -EINVAL */
export function unmaskPort(pcpu: Pcpu, domain: Domain, at: number): number {
  if (domain.ports.state(at) === PortState.FREE) return -Errno.EINVAL;
  unmask(pcpu, domain, at);
  return 0;
}

/** Closes all ports of a domain: EVTCHNOP_reset, and the end of a domain. */
export function closeAllPorts(pcpu: Pcpu, domain: Domain): void {
  for (let at = 1; at < domain.ports.capacity; at++) closePort(pcpu, domain, at);
}
