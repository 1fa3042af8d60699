// What a change of a page-table entry means for cached translations of the kernel's own half of the address space.
// Guests flush at every context switch, and after most changes of a program's tables; the kernel's half is the same
// all the time. The engine keeps its translations over such a flush, and tells which page tables they came through.
//
// The rule: a kept translation is what its entries say, or `upperHalfStale` is set and the next flush is one of
// everything. Every change of an entry of a table in use goes through `writeEntry` and thus through `noteChange`, L4
// tables count as behind the upper half always, because many share what is below them, and a base pointer to an L4
// table with another upper half sets the flag too. That a guest sees no stale translation after its flush rests on
// this. Isolation does not: a frame that changes owner or type is seen to by flushes of everything and of the frame's
// writes, whatever the guest asked for.

import type { Mfn } from '../../base/index.ts';
import { FrameType } from '../../machine/index.ts';
import { frameOfPte, Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import { HypervisorSlot } from './entry-rules.ts';
import type { MemoryState } from './memory-state.ts';

/** u32 words of a page table. */
const WORDS = PTES_PER_TABLE * 2;

/** Bits of an entry's low half that a walk sets and never takes back. */
const ACCESSED_DIRTY = Pte.ACCESSED | Pte.DIRTY;

/** No-execute, in the high half. */
const NX_HI = 0x80000000;

/** Notes that an entry of a table has got another value. @hot */
export function noteChange(mm: MemoryState, table: number, oldLo: number, oldHi: number, lo: number, hi: number): void {
  if ((oldLo & Pte.PRESENT) === 0 || mm.upperHalfStale) return;
  const type = mm.frames.type[table];
  if (type !== FrameType.L4 && !mm.engine.reachesUpperHalf(table as Mfn)) return; // the caller has checked it against the frame table
  const sameFrame = (lo & Pte.PRESENT) !== 0 && frameOfPte(lo, hi) === frameOfPte(oldLo, oldHi);
  const lost = oldLo & ~lo & (ACCESSED_DIRTY | Pte.WRITABLE);
  if (!sameFrame || (hi & ~oldHi & NX_HI) !== 0 || (lost & ACCESSED_DIRTY) !== 0) mm.upperHalfStale = true;
  else if (lost === 0) return;
  else if (type === FrameType.L1) mm.flushWritesTo(frameOfPte(oldLo, oldHi));
  else mm.upperHalfStale = true;
}

/** Notes that a vCPU goes from one L4 table to another. @hot */
export function noteRoot(mm: MemoryState, from: number, to: number): void {
  const { u32 } = mm.memory;
  if (mm.upperHalfStale) return;
  for (let word = 2 * (HypervisorSlot.LAST + 1); word < WORDS; word++) {
    const differs = (u32[from * WORDS + word] ?? 0) ^ (u32[to * WORDS + word] ?? 0);
    const counts = (word & 1) === 0 ? differs & ~ACCESSED_DIRTY : differs;
    if (counts === 0) continue;
    mm.upperHalfStale = true;
    return;
  }
}
