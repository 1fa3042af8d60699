// Finds page-table entries of a guest without the engine: no accessed bits, no permissions, no cached
// translations. For operations on the entries themselves.

import type { Mfn, Vaddr } from '../../base/index.ts';
import { FRAME_SIZE } from '../../machine/index.ts';
import { frameOfPte, Pte, tableIndex } from '../../x86/index.ts';
import type { MemoryState } from './memory-state.ts';

/** u32 words of a frame. */
const WORDS = FRAME_SIZE / 4;

/**
 * The L1 entry that maps an address under a validated root. @hot
 * @returns index of its low half in `memory.u32`, or -1 when an upper level is missing, as it always is in the
 *   slots of the hypervisor
 */
export function findL1Entry(mm: MemoryState, root: Mfn, address: Vaddr): number {
  if (root === 0) return -1;
  const { u32 } = mm.memory;
  let table: number = root;
  for (let level = 4; level > 1; level--) {
    const at = table * WORDS + 2 * tableIndex(address, level);
    const lo = u32[at] ?? 0;
    if ((lo & Pte.PRESENT) === 0) return -1;
    table = frameOfPte(lo, u32[at + 1] ?? 0);
  }
  return table * WORDS + 2 * tableIndex(address, 1);
}
