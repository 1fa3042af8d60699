// Mapping another domain's granted frame into the caller's address space, and taking the mapping back.
// Results are `GntStatus` values; requests have been copied in already. Source: Xen public/grant_table.h.

import {
  DomidReserved,
  GntMap,
  GntStatus,
  GNTTAB_MAP_GRANT_REF,
  GNTTAB_UNMAP_AND_REPLACE,
  GNTTAB_UNMAP_GRANT_REF,
} from '../../abi/index.ts';
import { domid, mfn } from '../../base/index.ts';
import type { GuestBuffer } from '../guest-access.ts';
import type { GrantHost } from '../memory-management.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { beginUse, endUse } from './use.ts';

/** Carries out one map request; writes handle and bus address into it. */
export function mapGrantRef(pcpu: Pcpu, vcpu: Vcpu, request: GuestBuffer): number {
  const flags = request.lo(GNTTAB_MAP_GRANT_REF.flags);
  if ((flags & GntMap.GNTMAP_host_map) === 0) return GntStatus.GNTST_bad_gntref;
  if ((flags & GntMap.GNTMAP_device_map) !== 0) return GntStatus.GNTST_general_error;
  const named = request.u16(GNTTAB_MAP_GRANT_REF.dom);
  const granter = named === DomidReserved.DOMID_SELF ? vcpu.domain : pcpu.domains.get(domid(named));
  if (granter === undefined) return GntStatus.GNTST_bad_domain;
  const ref = request.lo(GNTTAB_MAP_GRANT_REF.ref);
  const writable = (flags & GntMap.GNTMAP_readonly) === 0;
  const frame = beginUse(pcpu, granter, vcpu.domain.domid, ref, writable);
  if (frame < 0) return frame;
  const mapping = { granter: granter.domid, ref, frame: mfn(frame), writable, flags };
  const handle = vcpu.domain.grants.addMapping(mapping);
  const status =
    handle === undefined
      ? GntStatus.GNTST_no_device_space
      : pcpu.mm.mapGrantedFrame(vcpu, host(request, GNTTAB_MAP_GRANT_REF.host_addr), flags, mfn(frame));
  if (handle === undefined || status !== GntStatus.GNTST_okay) {
    if (handle !== undefined) vcpu.domain.grants.removeMapping(handle);
    endUse(pcpu, granter, ref, writable);
    return status;
  }
  request.u32[GNTTAB_MAP_GRANT_REF.handle / 4] = handle;
  request.setNumber(GNTTAB_MAP_GRANT_REF.dev_bus_addr, frame * 4096);
  return GntStatus.GNTST_okay;
}

/** Carries out one unmap request. */
export function unmapGrantRef(pcpu: Pcpu, vcpu: Vcpu, request: GuestBuffer): number {
  const handle = request.lo(GNTTAB_UNMAP_GRANT_REF.handle);
  return unmap(pcpu, vcpu, handle, host(request, GNTTAB_UNMAP_GRANT_REF.host_addr), undefined);
}

/** Carries out one unmap-and-replace request: the entry at `new_addr` moves to `host_addr`. */
export function unmapAndReplace(pcpu: Pcpu, vcpu: Vcpu, request: GuestBuffer): number {
  const handle = request.lo(GNTTAB_UNMAP_AND_REPLACE.handle);
  const replacement = host(request, GNTTAB_UNMAP_AND_REPLACE.new_addr);
  return unmap(pcpu, vcpu, handle, host(request, GNTTAB_UNMAP_AND_REPLACE.host_addr), replacement);
}

function unmap(pcpu: Pcpu, vcpu: Vcpu, handle: number, at: GrantHost, replacement: GrantHost | undefined): number {
  const mapping = vcpu.domain.grants.mapping(handle);
  if (mapping === undefined) return GntStatus.GNTST_bad_handle;
  const granter = pcpu.domains.get(mapping.granter);
  if (granter === undefined) return GntStatus.GNTST_bad_domain;
  const status = pcpu.mm.unmapGrantedFrame(vcpu, at, mapping.flags, mapping.frame, replacement);
  if (status !== GntStatus.GNTST_okay) return status;
  vcpu.domain.grants.removeMapping(handle);
  endUse(pcpu, granter, mapping.ref, mapping.writable);
  return GntStatus.GNTST_okay;
}

function host(request: GuestBuffer, at: number): GrantHost {
  return { lo: request.lo(at), hi: request.hi(at) };
}
