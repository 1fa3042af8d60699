// event_channel_op: decodes the requests; what they do is in `src/hypervisor/event`. A guest may only
// name its own ports. Source: Xen public/event_channel.h.

import {
  DomidReserved,
  Errno,
  EVTCHN_ALLOC_UNBOUND,
  EVTCHN_BIND_INTERDOMAIN,
  EVTCHN_BIND_IPI,
  EVTCHN_BIND_VCPU,
  EVTCHN_BIND_VIRQ,
  EVTCHN_PORT,
  EVTCHN_STATUS,
  EVTCHN_STATUS_SIZE,
  EvtchnOp,
  EvtchnStat,
} from '../../../abi/index.ts';
import { domid, type Vaddr } from '../../../base/index.ts';
import type { Domain } from '../../domain.ts';
import {
  allocateUnbound,
  bindInterdomain,
  bindIpi,
  bindVcpu,
  bindVirq,
  closeAllPorts,
  closePort,
  send,
  unmaskPort,
} from '../../event/operations.ts';
import { PortState } from '../../event/port-table.ts';
import type { GuestBuffer } from '../../guest-access.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { HypercallArgs } from '../arguments.ts';

/** event_channel_op(cmd, arg) */
export function eventChannelOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const { domain } = vcpu;
  const address = args.vaddr(1);
  const { request } = pcpu;
  switch (args.int(0)) {
    case EvtchnOp.EVTCHNOP_alloc_unbound:
      return binding(pcpu, vcpu, address, 8, EVTCHN_ALLOC_UNBOUND.port, () => allocUnbound(domain, request));
    case EvtchnOp.EVTCHNOP_bind_interdomain:
      return binding(pcpu, vcpu, address, 12, EVTCHN_BIND_INTERDOMAIN.local_port, () => connect(pcpu, domain, request));
    case EvtchnOp.EVTCHNOP_bind_virq:
      return binding(pcpu, vcpu, address, 12, EVTCHN_BIND_VIRQ.port, () =>
        bindVirq(domain, request.lo(EVTCHN_BIND_VIRQ.virq), request.lo(EVTCHN_BIND_VIRQ.vcpu)),
      );
    case EvtchnOp.EVTCHNOP_bind_ipi:
      return binding(pcpu, vcpu, address, 8, EVTCHN_BIND_IPI.port, () =>
        bindIpi(domain, request.lo(EVTCHN_BIND_IPI.vcpu)),
      );
    case EvtchnOp.EVTCHNOP_status:
      return status(pcpu, vcpu, address);
    case EvtchnOp.EVTCHNOP_bind_vcpu:
      if (!pcpu.access.copyIn(vcpu, address, request, 8)) return -Errno.EFAULT;
      return bindVcpu(domain, request.lo(EVTCHN_BIND_VCPU.port), request.lo(EVTCHN_BIND_VCPU.vcpu));
    case EvtchnOp.EVTCHNOP_reset:
      return reset(pcpu, vcpu, address);
    case EvtchnOp.EVTCHNOP_bind_pirq:
      return -Errno.EPERM;
    case EvtchnOp.EVTCHNOP_close:
    case EvtchnOp.EVTCHNOP_send:
    case EvtchnOp.EVTCHNOP_unmask:
      return onPort(pcpu, vcpu, args.int(0), pcpu.access.readU32(vcpu, address));
    default:
      return -Errno.ENOSYS; // the FIFO interface is not offered
  }
}

/** Operations that take nothing but a port. @hot */
function onPort(pcpu: Pcpu, vcpu: Vcpu, command: number, port: number): number {
  if (port < 0) return -Errno.EFAULT;
  switch (command) {
    case EvtchnOp.EVTCHNOP_close:
      return closePort(pcpu, vcpu.domain, port);
    case EvtchnOp.EVTCHNOP_send:
      return send(pcpu, vcpu.domain, port);
    default:
      return unmaskPort(pcpu, vcpu.domain, port);
  }
}

/** An operation that makes a port: its number goes into the request at `portAt`. */
function binding(
  pcpu: Pcpu,
  vcpu: Vcpu,
  address: Vaddr | -1,
  size: number,
  portAt: number,
  bind: () => number,
): number {
  const { request, access } = pcpu;
  if (!access.copyIn(vcpu, address, request, size)) return -Errno.EFAULT;
  const port = bind();
  if (port < 0) return port;
  request.u32[portAt / 4] = port;
  if (access.copyOut(vcpu, address, request, size)) return 0;
  closePort(pcpu, vcpu.domain, port);
  return -Errno.EFAULT;
}

function isSelf(domain: Domain, named: number): boolean {
  return named === DomidReserved.DOMID_SELF || named === domain.domid;
}

function allocUnbound(domain: Domain, request: GuestBuffer): number {
  if (!isSelf(domain, request.u16(EVTCHN_ALLOC_UNBOUND.dom))) return -Errno.EPERM;
  const remote = request.u16(EVTCHN_ALLOC_UNBOUND.remote_dom);
  return allocateUnbound(domain, remote === DomidReserved.DOMID_SELF ? domain.domid : remote);
}

function connect(pcpu: Pcpu, domain: Domain, request: GuestBuffer): number {
  const named = request.u16(EVTCHN_BIND_INTERDOMAIN.remote_dom);
  if (named === 0) return -Errno.EINVAL; // domain 0 sets no ports aside
  const remote = isSelf(domain, named) ? domain : pcpu.domains.get(domid(named));
  if (remote === undefined || remote.dying) return -Errno.ESRCH;
  return bindInterdomain(domain, remote, request.lo(EVTCHN_BIND_INTERDOMAIN.remote_port));
}

function reset(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1): number {
  if (!pcpu.access.copyIn(vcpu, address, pcpu.request, 2)) return -Errno.EFAULT;
  if (!isSelf(vcpu.domain, pcpu.request.u16(EVTCHN_PORT.port))) return -Errno.EPERM;
  closeAllPorts(pcpu, vcpu.domain);
  return 0;
}

function status(pcpu: Pcpu, vcpu: Vcpu, address: Vaddr | -1): number {
  const { request } = pcpu;
  const { domain } = vcpu;
  if (!pcpu.access.copyIn(vcpu, address, request, EVTCHN_STATUS_SIZE)) return -Errno.EFAULT;
  if (!isSelf(domain, request.u16(EVTCHN_STATUS.dom))) return -Errno.EPERM;
  const port = request.lo(EVTCHN_STATUS.port);
  if (port === 0 || port >= domain.ports.capacity) return -Errno.EINVAL;
  const u = EVTCHN_STATUS.u / 4;
  request.u32[EVTCHN_STATUS.vcpu / 4] = domain.ports.vcpu(port);
  request.u32[u] = 0;
  request.u32[u + 1] = 0;
  let answer: number = EvtchnStat.EVTCHNSTAT_closed;
  switch (domain.ports.state(port)) {
    case PortState.FREE:
      break;
    case PortState.UNBOUND:
      answer = EvtchnStat.EVTCHNSTAT_unbound;
      request.u32[u] = domain.ports.remoteDomid(port);
      break;
    case PortState.INTERDOMAIN:
      answer = EvtchnStat.EVTCHNSTAT_interdomain;
      request.u32[u] = domain.ports.remoteDomid(port);
      request.u32[u + 1] = domain.ports.remotePort(port);
      break;
    case PortState.VIRQ:
      answer = EvtchnStat.EVTCHNSTAT_virq;
      request.u32[u] = domain.ports.remotePort(port);
      break;
    case PortState.IPI:
      answer = EvtchnStat.EVTCHNSTAT_ipi;
      break;
  }
  request.u32[EVTCHN_STATUS.status / 4] = answer;
  return pcpu.access.copyOut(vcpu, address, request, EVTCHN_STATUS_SIZE) ? 0 : -Errno.EFAULT;
}
