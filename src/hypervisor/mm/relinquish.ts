// Taking a domain's memory apart after its vCPUs have stopped for good: pins and half-validated tables
// first, so that every page table is released entry by entry, then the allocation references. Nothing
// depends on what the guest left in its tables: counts only fall. A frame that somebody else still maps by
// a grant stays the dead domain's until that mapping goes. Called in slices by domain 0's control interface.

import { mfn } from '../../base/index.ts';
import { FrameFlag, FrameType } from '../../machine/index.ts';
import type { Domain } from '../domain.ts';
import type { Vcpu } from '../vcpu.ts';
import { releaseShared } from './allocation.ts';
import { releaseRoots } from './base-pointers.ts';
import { releaseGdt, releaseLdt } from './descriptor-tables.ts';
import { putAllocation } from './frame-references.ts';
import type { MemoryState } from './memory-state.ts';
import { abandonPartial, drainDemotions, putTable } from './page-tables.ts';

/** Drops the roots, GDT and LDT of a vCPU that will not run any more. */
export function releaseVcpu(mm: MemoryState, vcpu: Vcpu): void {
  mm.startWork();
  releaseLdt(mm, vcpu);
  vcpu.ldtEntries = 0;
  releaseGdt(mm, vcpu);
  releaseRoots(mm, vcpu);
  drainDemotions(mm, vcpu.domain);
}

/**
 * Gives back the frames of a domain that is dying.
 * @param budget - page-table entries and frames to look at in this call, about
 * @returns true when no frame belongs to the domain any more
 */
export function relinquish(mm: MemoryState, domain: Domain, budget: number): boolean {
  mm.budget = budget;
  const { frames } = mm;
  for (const vcpu of domain.vcpus) if (holdsMemory(vcpu)) releaseVcpu(mm, vcpu);
  mm.budget = budget;
  if (!drainDemotions(mm, domain)) return false;

  const pass = mm.teardown(domain);
  for (; pass.frame < frames.nrFrames; pass.frame++) {
    if (mm.budget <= 0) return false;
    if (frames.owner[pass.frame] !== domain.domid) continue;
    mm.budget--;
    if (pass.number === 0) releaseTable(mm, domain, pass.frame);
    else releaseAllocation(mm, pass.frame);
    if (!drainDemotions(mm, domain)) return false;
  }
  pass.frame = 0;
  if (pass.number === 0) {
    pass.number = 1;
    return false;
  }
  if (frames.owner.includes(domain.domid)) return false;
  mm.forget(domain);
  return true;
}

function holdsMemory(vcpu: Vcpu): boolean {
  return vcpu.kernelRoot !== 0 || vcpu.userRoot !== 0 || vcpu.gdtEntries !== 0 || vcpu.ldtEntries !== 0;
}

/** Takes the pin from a page table, or the state of half-done validation. */
function releaseTable(mm: MemoryState, domain: Domain, frame: number): void {
  const flags = mm.frames.flags[frame] ?? 0;
  if ((flags & FrameFlag.PARTIAL) !== 0) {
    abandonPartial(mm, domain, frame);
  } else if ((flags & FrameFlag.PINNED) !== 0) {
    mm.frames.flags[frame] = flags & ~FrameFlag.PINNED;
    putTable(mm, domain, frame);
  }
}

function releaseAllocation(mm: MemoryState, frame: number): void {
  if (mm.frames.type[frame] === FrameType.SHARED) releaseShared(mm, mfn(frame));
  else putAllocation(mm, frame);
}
