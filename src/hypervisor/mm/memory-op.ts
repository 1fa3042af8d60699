// memory_op: a domain's reservation and what it may know about machine memory. The calls that work on
// lists are in reservation.ts and exchange.ts. Source: Xen public/memory.h; behaviour: Xen 4.17,
// do_memory_op and arch_memory_op for an unprivileged domain without automatic translation.

import {
  E820_ENTRY,
  E820_ENTRY_SIZE,
  E820_RAM,
  Errno,
  MEMOP_CMD_MASK,
  SHARED_INFO,
  XEN_MACHPHYS_MAPPING,
  XEN_MACHPHYS_MFN_LIST,
  XEN_MEMORY_MAP,
  XenMem,
} from '../../abi/index.ts';
import { type Vaddr, vaddr } from '../../base/index.ts';
import { addressOf, FRAME_SIZE } from '../../machine/index.ts';
import { PTES_PER_TABLE } from '../../x86/index.ts';
import { CONTINUE, guestAddress, type HypercallArgs } from '../hypercall/arguments.ts';
import type { Vcpu } from '../vcpu.ts';
import { exchange } from './exchange.ts';
import { checkSelf } from './foreign-domain.ts';
import { MachToPhysVirt } from './machine-to-phys.ts';
import type { MemoryState } from './memory-state.ts';
import { drainDemotions } from './page-tables.ts';
import { changeReservation } from './reservation.ts';

/** Bits 32 to 63 of an address in the upper half of the 48-bit space. */
const UPPER_HALF_HI = 0xffff0000;

/** Values of `xen_add_to_physmap.space` that only the batched call knows. Source: Xen public/memory.h. */
const XENMAPSPACE_gmfn_foreign = 4;

/** Byte offset of `xen_add_to_physmap.space`. */
const ADD_TO_PHYSMAP_SPACE = 4;

/**
 * Arguments: command with progress above its low 6 bits, address of its structure.
 * @returns 0 or more, a negated errno, or `CONTINUE`
 */
export function memoryOp(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  mm.startWork();
  if (!drainDemotions(mm, vcpu.domain)) return CONTINUE;
  const command = args.lo(0) & MEMOP_CMD_MASK;
  switch (command) {
    case XenMem.XENMEM_increase_reservation:
    case XenMem.XENMEM_decrease_reservation:
    case XenMem.XENMEM_populate_physmap:
      return changeReservation(mm, vcpu, args, command);
    default:
      // Only the three above keep progress in the command word.
      if (args.number(0) > MEMOP_CMD_MASK) return -Errno.EINVAL;
      return simpleCommand(mm, vcpu, args, command);
  }
}

function simpleCommand(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs, command: number): number {
  const where = args.vaddr(1);
  switch (command) {
    case XenMem.XENMEM_exchange:
      return exchange(mm, vcpu, where);
    case XenMem.XENMEM_maximum_ram_page:
      return mm.frames.nrFrames;
    case XenMem.XENMEM_current_reservation:
    case XenMem.XENMEM_maximum_reservation:
    case XenMem.XENMEM_maximum_gpfn:
      return reservation(mm, vcpu, where, command);
    case XenMem.XENMEM_machphys_mfn_list:
      return machphysMfnList(mm, vcpu, where);
    case XenMem.XENMEM_machphys_mapping:
      return machphysMapping(mm, vcpu, where);
    case XenMem.XENMEM_memory_map:
      return memoryMap(mm, vcpu, where);
    case XenMem.XENMEM_add_to_physmap:
      return addToPhysmap(mm, vcpu, where);
    case XenMem.XENMEM_add_to_physmap_batch:
    case XenMem.XENMEM_remove_from_physmap:
      return -Errno.EACCES;
    case XenMem.XENMEM_machine_memory_map:
    case XenMem.XENMEM_set_memory_map:
    case XenMem.XENMEM_set_pod_target:
    case XenMem.XENMEM_get_pod_target:
    case XenMem.XENMEM_claim_pages:
    case XenMem.XENMEM_acquire_resource:
      return -Errno.EPERM;
    default:
      return -Errno.ENOSYS;
  }
}

function reservation(mm: MemoryState, vcpu: Vcpu, where: Vaddr | -1, command: number): number {
  const { domain } = vcpu;
  if (!mm.pcpu.access.copyIn(vcpu, where, mm.request, 2)) return -Errno.EFAULT;
  const result = checkSelf(mm, domain, mm.request.u16(0));
  if (result !== 0) return result;
  if (command === XenMem.XENMEM_current_reservation) return domain.nrFrames;
  if (command === XenMem.XENMEM_maximum_reservation) return domain.maxFrames;
  // The guest keeps the number of its pfns in the shared information page, and may lie to itself.
  const at = (addressOf(domain.sharedInfo) + SHARED_INFO.arch_max_pfn) / 4;
  return ((mm.memory.u32[at + 1] ?? 0) % 0x100000) * 0x100000000 + (mm.memory.u32[at] ?? 0) - 1;
}

/** The machine-to-phys table's own frames, one number for every 2 MiB of it. */
function machphysMfnList(mm: MemoryState, vcpu: Vcpu, where: Vaddr | -1): number {
  const { access } = mm.pcpu;
  const { request } = mm;
  if (where === -1 || !access.copyIn(vcpu, where, request, 24)) return -Errno.EFAULT;
  const wanted = request.lo(XEN_MACHPHYS_MFN_LIST.max_extents);
  const list = request.address(XEN_MACHPHYS_MFN_LIST.extent_start);
  const count = Math.min(wanted, Math.ceil(mm.m2p.nrTableFrames / PTES_PER_TABLE));
  for (let i = 0; i < count; i++) {
    const at = list === -1 ? -1 : vaddr(list + 8 * i);
    if (!access.writeU64(vcpu, at, mm.m2p.firstFrame + i * PTES_PER_TABLE, 0)) return -Errno.EFAULT;
  }
  return access.writeU32(vcpu, vaddr(where + XEN_MACHPHYS_MFN_LIST.nr_extents), count) ? 0 : -Errno.EFAULT;
}

function machphysMapping(mm: MemoryState, vcpu: Vcpu, where: Vaddr | -1): number {
  const { request } = mm;
  setUpperAddress(mm, XEN_MACHPHYS_MAPPING.v_start, MachToPhysVirt.START);
  setUpperAddress(mm, XEN_MACHPHYS_MAPPING.v_end, MachToPhysVirt.END);
  request.setNumber(XEN_MACHPHYS_MAPPING.max_mfn, mm.frames.nrFrames - 1);
  return mm.pcpu.access.copyOut(vcpu, where, request, 24) ? 0 : -Errno.EFAULT;
}

function setUpperAddress(mm: MemoryState, offset: number, low48: number): void {
  mm.request.setNumber(offset, low48);
  mm.request.u32[(offset >> 2) + 1] = ((mm.request.u32[(offset >> 2) + 1] ?? 0) | UPPER_HALF_HI) >>> 0;
}

/** The pseudo-physical memory map: one region of RAM as large as the domain may grow. */
function memoryMap(mm: MemoryState, vcpu: Vcpu, where: Vaddr | -1): number {
  const { access } = mm.pcpu;
  const { request } = mm;
  if (where === -1 || !access.copyIn(vcpu, where, request, 16)) return -Errno.EFAULT;
  const room = request.lo(XEN_MEMORY_MAP.nr_entries);
  const buffer = guestAddress(request.lo(XEN_MEMORY_MAP.buffer), request.hi(XEN_MEMORY_MAP.buffer));
  if (room < 1) return -Errno.EINVAL;
  request.setNumber(E820_ENTRY.addr, 0);
  request.setNumber(E820_ENTRY.size, vcpu.domain.maxFrames * FRAME_SIZE);
  request.u32[E820_ENTRY.type >> 2] = E820_RAM;
  if (!access.copyOut(vcpu, buffer, request, E820_ENTRY_SIZE)) return -Errno.EFAULT;
  return access.writeU32(vcpu, vaddr(where + XEN_MEMORY_MAP.nr_entries), 1) ? 0 : -Errno.EFAULT;
}

/** A domain without automatic translation keeps its own p2m. */
function addToPhysmap(mm: MemoryState, vcpu: Vcpu, where: Vaddr | -1): number {
  if (!mm.pcpu.access.copyIn(vcpu, where, mm.request, 24)) return -Errno.EFAULT;
  if (mm.request.lo(ADD_TO_PHYSMAP_SPACE) === XENMAPSPACE_gmfn_foreign) return -Errno.ENOSYS;
  const result = checkSelf(mm, vcpu.domain, mm.request.u16(0));
  return result === 0 ? -Errno.EACCES : result;
}
