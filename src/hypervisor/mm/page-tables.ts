// Page tables as frame types: validation when a frame becomes one, release of its entries when it is none
// any more, and the type references between. Both can be long (an L4 table reaches all of a domain), so
// both can stop and go on later:
//
// - PARTIAL: validation stopped for lack of budget. The first `progress` entries hold their references;
//   the next one who wants the type goes on. The state itself holds a type reference and a reference.
// - DEMOTING: the frame waits on its domain's stack for its first `progress` entries to be released, with
//   the type reference and the reference of whoever was last. Every memory hypercall drains the stack
//   before anything else, and a failed validation ends here too.
//
// L1 tables are done in one go. Behaviour and error numbers: Xen 4.17, _get_page_type and its callers.

import { Errno } from '../../abi/index.ts';
import { bug } from '../../base/index.ts';
import { FrameFlag, FrameType } from '../../machine/index.ts';
import { frameOfPte, Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import type { Domain } from '../domain.ts';
import { HypervisorSlot, UPPER_FORBIDDEN } from './entry-rules.ts';
import { getFrame, MAX_COUNT, putFrame, startReadOnlyType } from './frame-references.ts';
import { getL1Entries, putL1Entries } from './l1-table.ts';
import type { MemoryState } from './memory-state.ts';

/** Levels of page tables. Equal to the frame types. */
export type TableLevel = 1 | 2 | 3 | 4;

/** u32 words of a page table. */
const WORDS = PTES_PER_TABLE * 2;

/**
 * Takes a reference and a type reference to a page table, validating it when it is not one yet. @hot
 * @param frame - guest-controlled, any number from 0
 * @returns 0; -EINVAL (not the domain's, used otherwise, a bad entry), what L1 entries say, or -ERESTART
 *   (out of budget: nothing is held, call again with a new one)
 */
export function getTable(mm: MemoryState, domain: Domain, frame: number, level: TableLevel): number {
  if (!getFrame(mm.frames, frame, domain.domid)) return -Errno.EINVAL;
  const result = getTableType(mm, domain, frame, level);
  if (result !== 0) putFrame(mm, frame);
  return result;
}

/** Gives back what `getTable` took. With the last type reference the table is queued to be taken apart. @hot */
export function putTable(mm: MemoryState, domain: Domain, frame: number): void {
  const { frames } = mm;
  const count = frames.typeCount[frame] ?? 0;
  if (count === 0) bug(`type reference of page table ${frame} given back twice`);
  if (count > 1) {
    frames.typeCount[frame] = count - 1;
    putFrame(mm, frame);
  } else if (frames.type[frame] === FrameType.L1) {
    putL1Entries(mm, frame);
    endTable(mm, frame);
  } else {
    queueDemotion(mm, domain, frame, PTES_PER_TABLE);
  }
}

/**
 * Takes apart the page tables that wait for it, as far as the budget goes.
 * @returns true when none is left
 */
export function drainDemotions(mm: MemoryState, domain: Domain): boolean {
  if (mm.nrDemoting === 0) return true;
  const stack = mm.demoting(domain);
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    if (mm.budget <= 0) return false;
    if (!releaseEntries(mm, domain, frame, stack)) continue;
    stack.pop();
    mm.nrDemoting--;
    endTable(mm, frame);
  }
  return true;
}

/** Turns a half-validated table into one that waits to be taken apart. */
export function abandonPartial(mm: MemoryState, domain: Domain, frame: number): void {
  mm.frames.flags[frame] = (mm.frames.flags[frame] ?? 0) & ~FrameFlag.PARTIAL;
  queueDemotion(mm, domain, frame, mm.progress[frame] ?? 0);
}

function getTableType(mm: MemoryState, domain: Domain, frame: number, level: TableLevel): number {
  const { frames } = mm;
  const count = frames.typeCount[frame] ?? 0;
  const flags = frames.flags[frame] ?? 0;
  if (count !== 0) {
    if (frames.type[frame] !== level) return -Errno.EINVAL;
    if ((flags & FrameFlag.VALIDATED) !== 0) {
      if (count >= MAX_COUNT) return -Errno.EINVAL;
      frames.typeCount[frame] = count + 1;
      return 0;
    }
    if ((flags & FrameFlag.DEMOTING) !== 0) return -Errno.ERESTART;
  } else {
    startReadOnlyType(mm, frame, level);
  }
  if (level !== 1) return validateUpper(mm, domain, frame, level);
  const result = getL1Entries(mm, domain.domid, frame);
  if (result === 0) frames.flags[frame] = flags | FrameFlag.VALIDATED;
  else frames.typeCount[frame] = 0;
  return result;
}

/** Takes the references of the entries of an L2, L3 or L4 table, from where it stopped before. */
function validateUpper(mm: MemoryState, domain: Domain, frame: number, level: 2 | 3 | 4): number {
  const { frames } = mm;
  const { u32 } = mm.memory;
  const resumed = ((frames.flags[frame] ?? 0) & FrameFlag.PARTIAL) !== 0;
  if (level === 4 && !resumed) clearHypervisorSlots(mm, frame);
  for (let i = resumed ? (mm.progress[frame] ?? 0) : 0; i < PTES_PER_TABLE; i++) {
    const lo = u32[frame * WORDS + 2 * i] ?? 0;
    if ((lo & Pte.PRESENT) === 0) continue;
    const result = getUpperEntry(mm, domain, level, lo, u32[frame * WORDS + 2 * i + 1] ?? 0);
    if (result === -Errno.ERESTART) return suspend(mm, frame, i, resumed);
    if (result !== 0) return fail(mm, domain, frame, i, resumed, result);
  }
  // Charged at the end, here and in `suspend`, so that every slice validates one leaf at least.
  mm.budget -= PTES_PER_TABLE;
  frames.flags[frame] = ((frames.flags[frame] ?? 0) & ~FrameFlag.PARTIAL) | FrameFlag.VALIDATED;
  // The type reference of the partial state becomes the caller's, who has a reference of its own.
  if (resumed) putFrame(mm, frame);
  return 0;
}

/** Takes the references of a present L2, L3 or L4 entry. @returns what `getTable` does, -EINVAL for forbidden bits */
export function getUpperEntry(mm: MemoryState, domain: Domain, level: 2 | 3 | 4, lo: number, hi: number): number {
  if ((lo & UPPER_FORBIDDEN) !== 0) return -Errno.EINVAL;
  if (mm.budget <= 0) return -Errno.ERESTART;
  mm.budget--;
  return getTable(mm, domain, frameOfPte(lo, hi), childLevel(level));
}

/** Leaves a table half validated. */
function suspend(mm: MemoryState, frame: number, progress: number, resumed: boolean): number {
  mm.progress[frame] = progress;
  mm.budget -= PTES_PER_TABLE;
  if (!resumed) {
    mm.frames.flags[frame] = (mm.frames.flags[frame] ?? 0) | FrameFlag.PARTIAL;
    holdOnce(mm, frame);
  }
  return -Errno.ERESTART;
}

/** Gives up validation at a bad entry: the entries before it are released. */
function fail(
  mm: MemoryState,
  domain: Domain,
  frame: number,
  progress: number,
  resumed: boolean,
  result: number,
): number {
  if (resumed) mm.frames.flags[frame] = (mm.frames.flags[frame] ?? 0) & ~FrameFlag.PARTIAL;
  else holdOnce(mm, frame);
  queueDemotion(mm, domain, frame, progress);
  return result;
}

/** Puts a table, with one type reference and one reference, on its domain's stack. */
function queueDemotion(mm: MemoryState, domain: Domain, frame: number, progress: number): void {
  mm.frames.flags[frame] = ((mm.frames.flags[frame] ?? 0) & ~FrameFlag.VALIDATED) | FrameFlag.DEMOTING;
  mm.progress[frame] = progress;
  mm.demoting(domain).push(frame);
  mm.nrDemoting++;
}

/**
 * Releases entries of the table on top of the stack, the last first.
 * @returns true when none is left; false when the budget is used up or a child has come on top
 */
function releaseEntries(mm: MemoryState, domain: Domain, frame: number, stack: readonly number[]): boolean {
  const { u32 } = mm.memory;
  const depth = stack.length;
  for (let i = mm.progress[frame] ?? 0; i > 0;) {
    i--;
    mm.progress[frame] = i;
    mm.budget--;
    const lo = u32[frame * WORDS + 2 * i] ?? 0;
    if ((lo & Pte.PRESENT) === 0) continue;
    putTable(mm, domain, frameOfPte(lo, u32[frame * WORDS + 2 * i + 1] ?? 0));
    if (stack.length !== depth || mm.budget <= 0) return i === 0 && stack.length === depth;
  }
  return true;
}

/** Drops the last type reference of a table whose entries hold nothing, and a reference. */
function endTable(mm: MemoryState, frame: number): void {
  const { frames } = mm;
  frames.flags[frame] = (frames.flags[frame] ?? 0) & ~(FrameFlag.VALIDATED | FrameFlag.DEMOTING);
  frames.typeCount[frame] = 0;
  frames.flushStamp[frame] = mm.flushClock;
  putFrame(mm, frame);
}

/** Takes one more reference for a state of the frame itself; the caller holds one, so the owner is right. */
function holdOnce(mm: MemoryState, frame: number): void {
  mm.frames.refCount[frame] = (mm.frames.refCount[frame] ?? 0) + 1;
}

/** Empties the slots of an L4 table that are the hypervisor's, so that nothing is ever found there. */
function clearHypervisorSlots(mm: MemoryState, frame: number): void {
  const base = frame * WORDS;
  mm.memory.u32.fill(0, base + 2 * HypervisorSlot.FIRST, base + 2 * (HypervisorSlot.LAST + 1));
  mm.noteWrite(frame);
}

function childLevel(level: 2 | 3 | 4): TableLevel {
  return level === 4 ? 3 : level === 3 ? 2 : 1;
}
