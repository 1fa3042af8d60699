// update_va_mapping: changes the L1 entry that maps an address of the running vCPU's kernel, and flushes
// what the flags say. The hottest memory call beside mmu_update.
// Source: Xen public/xen.h, HYPERVISOR_update_va_mapping; behaviour: Xen 4.17, __do_update_va_mapping.

import { Errno } from '../../abi/index.ts';
import { CONTINUE, type HypercallArgs } from '../hypercall/arguments.ts';
import type { Vcpu } from '../vcpu.ts';
import { frameOwner, OWN_FRAMES } from './foreign-domain.ts';
import type { MemoryState } from './memory-state.ts';
import { foreignEntryError } from './mmu-update.ts';
import { modifyL1Entry } from './modify-entry.ts';
import { drainDemotions } from './page-tables.ts';
import { flushAsFlags } from './tlb-requests.ts';
import { findL1Entry } from './walk.ts';

/**
 * Arguments: address, new entry, flush flags. @hot
 * @returns 0; -EINVAL (no such address, or its L1 table is missing); what `getL1Entry` says; -EFAULT (vCPU
 *   bitmap; the entry has changed then); or `CONTINUE`
 */
export function updateVaMapping(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  return update(mm, vcpu, args, OWN_FRAMES);
}

/** The same with frames of another domain, named by the fourth argument, which no guest has a right to. */
export function updateVaMappingOtherdomain(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  const owner = frameOwner(mm, vcpu.domain, args.lo(3));
  return owner < 0 ? owner : update(mm, vcpu, args, owner);
}

function update(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs, owner: number): number {
  mm.startWork();
  if (!drainDemotions(mm, vcpu.domain)) return CONTINUE;
  const address = args.vaddr(0);
  const index = address === -1 ? -1 : findL1Entry(mm, vcpu.kernelRoot, address);
  if (address === -1 || index < 0) return -Errno.EINVAL;
  const lo = args.lo(1);
  const hi = args.hi(1);
  const refused = owner === OWN_FRAMES ? 0 : foreignEntryError(mm, owner, lo, hi);
  if (refused !== 0) return refused;
  const result = modifyL1Entry(mm, vcpu.domain.domid, index, lo, hi, false);
  return result === 0 ? flushAsFlags(mm, vcpu, address, args.lo(2), args.hi(2)) : result;
}
