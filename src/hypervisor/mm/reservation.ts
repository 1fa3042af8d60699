// Growing and shrinking a domain's reservation: the list calls of memory_op that a balloon driver uses.
// They never fail as a whole: they return how many extents were done. Long lists go on by continuation,
// with the progress in the command word. Source: Xen public/memory.h; behaviour: Xen 4.17,
// increase_reservation, decrease_reservation, populate_physmap.

import { MEMOP_EXTENT_SHIFT, XEN_MEMORY_RESERVATION, XEN_MEMORY_RESERVATION_SIZE, XenMem } from '../../abi/index.ts';
import { CONTINUE, type HypercallArgs } from '../hypercall/arguments.ts';
import type { Vaddr } from '../../base/index.ts';
import type { Vcpu } from '../vcpu.ts';
import { allocateExtent, decreaseOne } from './allocation.ts';
import { checkSelf } from './foreign-domain.ts';
import type { MemoryState } from './memory-state.ts';
import { elementAddress } from './mmu-update.ts';

/** Largest extent that a domain may ask for. Source: Xen 4.17, CONFIG_DOMU_MAX_ORDER. */
export const MAX_EXTENT_ORDER = 9;

/** Most extents whose number still fits the command word. */
const MAX_EXTENTS = 0xffffffff >>> MEMOP_EXTENT_SHIFT;

/** Flag that asks for memory to be found only when it is touched, which a domain may not ask for itself. */
const XENMEMF_populate_on_demand = 1 << 16;

/** Commands that work on a list of extents. */
export type ReservationCommand =
  | typeof XenMem.XENMEM_increase_reservation
  | typeof XenMem.XENMEM_decrease_reservation
  | typeof XenMem.XENMEM_populate_physmap;

/** Carries out a list call. @returns number of extents done in this call and the ones before, or `CONTINUE` */
export function changeReservation(
  mm: MemoryState,
  vcpu: Vcpu,
  args: HypercallArgs,
  command: ReservationCommand,
): number {
  const { request } = mm;
  const start = Math.floor(args.number(0) / 2 ** MEMOP_EXTENT_SHIFT);
  if (!mm.pcpu.access.copyIn(vcpu, args.vaddr(1), request, XEN_MEMORY_RESERVATION_SIZE)) return start;
  const count = request.number(XEN_MEMORY_RESERVATION.nr_extents);
  if (count > MAX_EXTENTS || start >= count) return start;
  if (checkSelf(mm, vcpu.domain, request.u16(XEN_MEMORY_RESERVATION.domid)) !== 0) return start;
  const order = request.lo(XEN_MEMORY_RESERVATION.extent_order);
  if (order > MAX_EXTENT_ORDER) return start;
  const onDemand = (request.lo(XEN_MEMORY_RESERVATION.mem_flags) & XENMEMF_populate_on_demand) !== 0;
  if (onDemand && command === XenMem.XENMEM_populate_physmap) return start;

  const listIsNull = (request.lo(0) | request.hi(0)) === 0;
  const list = request.address(XEN_MEMORY_RESERVATION.extent_start);
  for (let i = start; i < count; i++) {
    if (mm.budget <= 0) {
      args.set(0, i * 2 ** MEMOP_EXTENT_SHIFT + command);
      return CONTINUE;
    }
    if (!changeExtent(mm, vcpu, command, elementAddress(list, i, 8), listIsNull, order)) return i;
  }
  return count;
}

/** Does one extent. False when it failed; the list call ends there. */
function changeExtent(
  mm: MemoryState,
  vcpu: Vcpu,
  command: ReservationCommand,
  element: Vaddr | -1,
  listIsNull: boolean,
  order: number,
): boolean {
  const { access } = mm.pcpu;
  if (command === XenMem.XENMEM_increase_reservation) {
    const frame = allocateExtent(mm, vcpu.domain, order);
    return frame !== undefined && (listIsNull || access.writeU64(vcpu, element, frame, 0));
  }
  if (!access.copyIn(vcpu, element, mm.word, 8)) return false;
  if (command === XenMem.XENMEM_decrease_reservation) {
    const first = mm.word.number(0);
    for (let j = 0; j < 2 ** order; j++) if (!decreaseOne(mm, vcpu.domain, first + j)) return false;
    return true;
  }
  return populateExtent(mm, vcpu, element, order);
}

/** Takes frames for the pfns from the one in `mm.word` on, and puts the first one's number in its place. */
function populateExtent(mm: MemoryState, vcpu: Vcpu, element: Vaddr | -1, order: number): boolean {
  const pfnLo = mm.word.lo(0);
  const pfnHi = mm.word.hi(0);
  const frame = allocateExtent(mm, vcpu.domain, order);
  if (frame === undefined) return false;
  for (let j = 0; j < 2 ** order; j++) {
    const lo = pfnLo + j;
    mm.m2p.set(frame + j, lo, lo > 0xffffffff ? pfnHi + 1 : pfnHi);
  }
  return mm.pcpu.access.writeU64(vcpu, element, frame, 0);
}
