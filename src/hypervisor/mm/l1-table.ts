// L1 page tables: what a leaf entry may map, and the references that it holds. A present entry holds one
// reference to its frame; a writable one holds a writable type reference besides, whatever the frame is
// used for at the time. Validation of a whole table is all or nothing.
// Behaviour and error numbers: Xen 4.17, get_page_from_l1e.

import { Errno } from '../../abi/index.ts';
import type { Domid } from '../../base/index.ts';
import { frameOfPte, Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import { L1_FORBIDDEN } from './entry-rules.ts';
import { getFrame, getWritableType, putFrame, putWritableType } from './frame-references.ts';
import type { MemoryState } from './memory-state.ts';

/** u32 words of a page table. */
const WORDS = PTES_PER_TABLE * 2;

/**
 * Takes the references of a present L1 entry. @hot
 * @param owner - domain whose frames the entry may map
 * @returns 0; -EINVAL (forbidden bits), -EPERM (no such frame), -EBUSY (not the owner's, or used in a way that forbids it)
 */
export function getL1Entry(mm: MemoryState, owner: Domid, lo: number, hi: number): number {
  if ((lo & L1_FORBIDDEN) !== 0) return -Errno.EINVAL;
  const frame = frameOfPte(lo, hi);
  if (frame >= mm.frames.nrFrames) return -Errno.EPERM;
  if (!getFrame(mm.frames, frame, owner)) return -Errno.EBUSY;
  if ((lo & Pte.WRITABLE) === 0 || getWritableType(mm.frames, frame)) return 0;
  putFrame(mm, frame);
  return -Errno.EBUSY;
}

/** Gives back the references of a present L1 entry, also of one that maps a granted frame. @hot */
export function putL1Entry(mm: MemoryState, lo: number, hi: number): void {
  const frame = frameOfPte(lo, hi);
  if ((lo & Pte.WRITABLE) !== 0) putWritableType(mm, frame);
  putFrame(mm, frame);
}

/** Takes the references of all entries of a table. On failure none is held. @returns 0 or what `getL1Entry` says */
export function getL1Entries(mm: MemoryState, owner: Domid, table: number): number {
  const { u32 } = mm.memory;
  const base = table * WORDS;
  mm.budget -= PTES_PER_TABLE;
  for (let i = 0; i < WORDS; i += 2) {
    const lo = u32[base + i] ?? 0;
    if ((lo & Pte.PRESENT) === 0) continue;
    const result = getL1Entry(mm, owner, lo, u32[base + i + 1] ?? 0);
    if (result === 0) continue;
    putFirstEntries(mm, base, i);
    return result;
  }
  return 0;
}

/** Gives back the references of all entries of a table. The entries stay as they are. */
export function putL1Entries(mm: MemoryState, table: number): void {
  mm.budget -= PTES_PER_TABLE;
  putFirstEntries(mm, table * WORDS, WORDS);
}

function putFirstEntries(mm: MemoryState, base: number, end: number): void {
  const { u32 } = mm.memory;
  for (let i = 0; i < end; i += 2) {
    const lo = u32[base + i] ?? 0;
    if ((lo & Pte.PRESENT) !== 0) putL1Entry(mm, lo, u32[base + i + 1] ?? 0);
  }
}
