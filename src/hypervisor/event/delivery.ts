// Delivery of events through the 2-level bitmaps: pending and mask bits in the shared information page,
// a selector and an upcall flag in the vcpu_info of the vCPU that a port is bound to.
// Source: Xen public/xen.h (struct shared_info) and docs of the 2-level ABI in public/event_channel.h.

import { SHARED_INFO, VCPU_INFO } from '../../abi/index.ts';
import { type Maddr, maddr } from '../../base/index.ts';
import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';
import { unblock } from '../schedule/blocking.ts';
import type { Vcpu } from '../vcpu.ts';

/** Word index of the u32 that holds a port's bit in the bitmap at byte `bitmap` of shared_info. @hot */
function bitWord(domain: Domain, bitmap: number, port: number): number {
  return domain.sharedInfo * 1024 + bitmap / 4 + (port >>> 5);
}

/** True when a port's pending bit is set. `port` is below 4096. */
export function isPending(pcpu: Pcpu, domain: Domain, port: number): boolean {
  return ((pcpu.memory.u32[bitWord(domain, SHARED_INFO.evtchn_pending, port)] ?? 0) & (1 << (port & 31))) !== 0;
}

/** True when a port's mask bit is set. `port` is below 4096. */
export function isMasked(pcpu: Pcpu, domain: Domain, port: number): boolean {
  return ((pcpu.memory.u32[bitWord(domain, SHARED_INFO.evtchn_mask, port)] ?? 0) & (1 << (port & 31))) !== 0;
}

/** Clears a port's pending bit, for a port that is given up. */
export function clearPending(pcpu: Pcpu, domain: Domain, port: number): void {
  const word = bitWord(domain, SHARED_INFO.evtchn_pending, port);
  pcpu.memory.u32[word] = (pcpu.memory.u32[word] ?? 0) & ~(1 << (port & 31));
}

/** Raises the event of a port. A second event before the guest has seen the first changes nothing. @hot */
export function raise(pcpu: Pcpu, domain: Domain, port: number): void {
  const word = bitWord(domain, SHARED_INFO.evtchn_pending, port);
  const bit = 1 << (port & 31);
  const pending = pcpu.memory.u32[word] ?? 0;
  if ((pending & bit) !== 0) return;
  pcpu.memory.u32[word] = pending | bit;
  if (pcpu.tracer.event) pcpu.tracer.line('event', `d${domain.domid} port ${port} pending`);
  if (!isMasked(pcpu, domain, port)) select(pcpu, domain, port);
  for (const vcpu of domain.vcpus) if (vcpu.pollPorts.includes(port)) unblock(pcpu, vcpu);
}

/** Clears the mask bit of a port and delivers what is pending. */
export function unmask(pcpu: Pcpu, domain: Domain, port: number): void {
  const word = bitWord(domain, SHARED_INFO.evtchn_mask, port);
  const bit = 1 << (port & 31);
  const mask = pcpu.memory.u32[word] ?? 0;
  if ((mask & bit) === 0) return;
  pcpu.memory.u32[word] = mask & ~bit;
  if (isPending(pcpu, domain, port)) select(pcpu, domain, port);
}

/** Sets the selector bit of a pending port and the upcall flag of its vCPU. @hot */
function select(pcpu: Pcpu, domain: Domain, port: number): void {
  const vcpu = domain.vcpus[domain.ports.vcpu(port)] ?? domain.vcpus[0];
  if (vcpu === undefined) return;
  const word = (vcpu.infoAddress + VCPU_INFO.evtchn_pending_sel) / 4 + (port >>> 11);
  const bit = 1 << ((port >>> 6) & 31);
  const selector = pcpu.memory.u32[word] ?? 0;
  if ((selector & bit) !== 0) return;
  pcpu.memory.u32[word] = selector | bit;
  markPending(pcpu, vcpu);
}

/** Sets the upcall flag of a vCPU and wakes it. @hot */
export function markPending(pcpu: Pcpu, vcpu: Vcpu): void {
  const flag = vcpu.infoAddress + VCPU_INFO.evtchn_upcall_pending;
  if (pcpu.memory.u8[flag] !== 0) return;
  pcpu.memory.u8[flag] = 1;
  unblock(pcpu, vcpu);
}

/** True when an upcall is due: pending and not masked. @hot */
export function upcallDue(pcpu: Pcpu, vcpu: Vcpu): boolean {
  return (
    pcpu.memory.u8[vcpu.infoAddress + VCPU_INFO.evtchn_upcall_pending] !== 0 &&
    pcpu.memory.u8[vcpu.infoAddress + VCPU_INFO.evtchn_upcall_mask] === 0
  );
}

/** Sets the event mask of a vCPU. @hot */
export function setUpcallMask(pcpu: Pcpu, vcpu: Vcpu, mask: number): void {
  pcpu.memory.u8[vcpu.infoAddress + VCPU_INFO.evtchn_upcall_mask] = mask;
}

/**
 * Moves a vCPU's `vcpu_info` to another place: contents are kept, and every selector bit is set, so that
 * nothing that was raised on the way is lost.
 */
export function moveVcpuInfo(pcpu: Pcpu, vcpu: Vcpu, to: Maddr): void {
  const { u8, u32 } = pcpu.memory;
  u8.copyWithin(to, vcpu.infoAddress, vcpu.infoAddress + 64);
  vcpu.infoAddress = maddr(to);
  u32[(to + VCPU_INFO.evtchn_pending_sel) / 4] = 0xffffffff;
  u32[(to + VCPU_INFO.evtchn_pending_sel) / 4 + 1] = 0xffffffff;
  u8[to + VCPU_INFO.evtchn_upcall_pending] = 1;
}
