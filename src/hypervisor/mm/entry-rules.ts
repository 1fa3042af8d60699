// Which bits a guest may set in a present page-table entry, and which changes of an entry leave its
// references as they are. Bits 52 to 62 are the guest's own at every level, and so is XD.
// Behaviour: Xen 4.17 for a domain without devices.

import { Pte, PteHi } from '../../x86/index.ts';

/** Bits of the low half that a present L1 entry may not have: there is no memory that needs a cache type. */
export const L1_FORBIDDEN: number = Pte.WRITE_THROUGH | Pte.CACHE_DISABLE | Pte.PAT_OR_PAGE_SIZE;

/** Bits of the low half that a present entry of a higher level may not have: no large pages, no global ones. */
export const UPPER_FORBIDDEN: number = L1_FORBIDDEN | Pte.GLOBAL;

/** Bits of the low half that decide what an entry refers to, and how: all but U, A, D, G and the guest's own. */
export const REFERENCE_LO: number = ~(Pte.USER | Pte.ACCESSED | Pte.DIRTY | Pte.GLOBAL | Pte.AVAILABLE) >>> 0;

/** Bits of the high half that decide what an entry refers to. */
export const REFERENCE_HI: number = PteHi.FRAME;

/** Slots of an L4 table that belong to the hypervisor: guests cannot set them and the engine never looks at them. */
export const HypervisorSlot = { FIRST: 256, LAST: 271 } as const;

/** True when an L4 slot is the hypervisor's. @hot */
export function isHypervisorSlot(slot: number): boolean {
  return slot >= HypervisorSlot.FIRST && slot <= HypervisorSlot.LAST;
}
