// Finds page-table entries of a guest without the engine: no accessed bits, no permissions, no cached
// translations. For operations on the entries themselves.

import type { Mfn, Vaddr } from '../../base/index.ts';
import { FRAME_SIZE } from '../../machine/index.ts';
import { frameOfPte, Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import type { MemoryState } from './memory-state.ts';

/** u32 words of a frame. */
const WORDS = FRAME_SIZE / 4;

/** Bits of an index into a table. */
const INDEX = PTES_PER_TABLE - 1;

/**
 * The L1 entry that maps an address under a validated root. @hot
 * @returns index of its low half in `memory.u32`, or -1 when an upper level is missing, as it always is in the
 *   slots of the hypervisor
 */
export function findL1Entry(mm: MemoryState, root: Mfn, address: Vaddr): number {
  if (root === 0) return -1;
  const { u32 } = mm.memory;
  // `tableIndex` per level is the plain version; its divisions were a third of an update_va_mapping.
  const high = Math.floor(address / 0x100000000);
  const low = address >>> 0;
  const l3 = child(u32, root, high >>> 7);
  const l2 = l3 < 0 ? -1 : child(u32, l3, ((high << 2) | (low >>> 30)) & INDEX);
  const l1 = l2 < 0 ? -1 : child(u32, l2, (low >>> 21) & INDEX);
  return l1 < 0 ? -1 : l1 * WORDS + 2 * ((low >>> 12) & INDEX);
}

/** Frame that an entry of a table names, -1 when it is not present. @hot */
function child(u32: Uint32Array, table: number, index: number): number {
  const at = table * WORDS + 2 * index;
  const lo = u32[at] ?? 0;
  return (lo & Pte.PRESENT) === 0 ? -1 : frameOfPte(lo, u32[at + 1] ?? 0);
}
