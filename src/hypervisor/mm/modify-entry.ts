// Changes of single entries of validated page tables: the one way by which mmu_update,
// update_va_mapping, emulated stores and grant operations reach a live table. The new entry's references
// are taken before the old one's are given back; on any error the entry is as before.
// TLB flushes are the guest's business, as on hardware; where isolation depends on one, the flush stamps
// of the frames see to it. Behaviour: Xen 4.17, mod_l1_entry to mod_l4_entry.

import { Errno } from '../../abi/index.ts';
import type { Domid } from '../../base/index.ts';
import { FRAME_SHIFT } from '../../machine/index.ts';
import { frameOfPte, Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import type { Domain } from '../domain.ts';
import { isHypervisorSlot, REFERENCE_HI, REFERENCE_LO, UPPER_FORBIDDEN } from './entry-rules.ts';
import { getL1Entry, putL1Entry } from './l1-table.ts';
import type { MemoryState } from './memory-state.ts';
import { getUpperEntry, putTable } from './page-tables.ts';
import { noteChange } from './table-changes.ts';

/** Accessed and dirty bits, which a preserving update keeps. */
const ACCESSED_DIRTY: number = Pte.ACCESSED | Pte.DIRTY;

/**
 * Replaces an entry of a validated L1 table. @hot
 * @param index - of the entry's low half in `memory.u32`
 * @param owner - domain whose frames the new entry may map
 * @param preserve - keep the A and D bits that the entry has
 * @returns 0 or what `getL1Entry` says
 */
export function modifyL1Entry(
  mm: MemoryState,
  owner: Domid,
  index: number,
  lo: number,
  hi: number,
  preserve: boolean,
): number {
  const { u32 } = mm.memory;
  const oldLo = u32[index] ?? 0;
  const oldHi = u32[index + 1] ?? 0;
  const merged = preserve ? (lo | (oldLo & ACCESSED_DIRTY)) >>> 0 : lo;
  let sameReferences = false;
  if ((lo & Pte.PRESENT) !== 0) {
    // An entry with the references of a validated one has none of the forbidden bits either.
    sameReferences = (((lo ^ oldLo) & REFERENCE_LO) | ((hi ^ oldHi) & REFERENCE_HI)) === 0;
    const result = sameReferences ? 0 : getL1Entry(mm, owner, lo, hi);
    if (result !== 0) return result;
  }
  writeEntry(mm, index, merged, hi);
  if ((oldLo & Pte.PRESENT) !== 0 && !sameReferences) putL1Entry(mm, oldLo, oldHi);
  return 0;
}

/**
 * Replaces an entry of a validated L2, L3 or L4 table.
 * @param index - of the entry's low half in `memory.u32`
 * @returns 0; -EINVAL (a slot of the hypervisor, forbidden bits), what `getTable` says
 */
export function modifyUpperEntry(
  mm: MemoryState,
  domain: Domain,
  level: 2 | 3 | 4,
  index: number,
  lo: number,
  hi: number,
  preserve: boolean,
): number {
  const { u32 } = mm.memory;
  if (level === 4 && isHypervisorSlot((index >> 1) % PTES_PER_TABLE)) return -Errno.EINVAL;
  const oldLo = u32[index] ?? 0;
  const oldHi = u32[index + 1] ?? 0;
  const merged = preserve ? (lo | (oldLo & ACCESSED_DIRTY)) >>> 0 : lo;
  let sameReferences = false;
  if ((lo & Pte.PRESENT) !== 0) {
    sameReferences = (((lo ^ oldLo) & REFERENCE_LO) | ((hi ^ oldHi) & REFERENCE_HI)) === 0;
    if (sameReferences && (lo & UPPER_FORBIDDEN) !== 0) return -Errno.EINVAL;
    const result = sameReferences ? 0 : getUpperEntry(mm, domain, level, lo, hi);
    if (result !== 0) return result;
  }
  writeEntry(mm, index, merged, hi);
  if ((oldLo & Pte.PRESENT) !== 0 && !sameReferences) putTable(mm, domain, frameOfPte(oldLo, oldHi));
  return 0;
}

/** Stores an entry whose references are settled. @hot */
export function writeEntry(mm: MemoryState, index: number, lo: number, hi: number): void {
  const { u32 } = mm.memory;
  const table = index >>> (FRAME_SHIFT - 2);
  const oldLo = u32[index] ?? 0;
  const oldHi = u32[index + 1] ?? 0;
  u32[index] = lo;
  u32[index + 1] = hi;
  noteChange(mm, table, oldLo, oldHi, lo, hi);
  mm.noteWrite(table);
}
