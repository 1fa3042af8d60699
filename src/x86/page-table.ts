// Page-table entries and the split of a virtual address. Intel SDM vol. 3A, section 4.5 (4-level paging).
// An entry is handled as two u32 halves; its frame number always fits a float64.

/** Bits of the low half of a page-table entry. Intel SDM vol. 3A, tables 4-15 to 4-20. */
export const Pte = {
  PRESENT: 1 << 0 /* P */,
  WRITABLE: 1 << 1 /* R/W */,
  USER: 1 << 2 /* U/S */,
  WRITE_THROUGH: 1 << 3 /* PWT */,
  CACHE_DISABLE: 1 << 4 /* PCD */,
  ACCESSED: 1 << 5 /* A */,
  DIRTY: 1 << 6 /* D */,
  /** PAT in an L1 entry, PS (large page) above. */
  PAT_OR_PAGE_SIZE: 1 << 7,
  GLOBAL: 1 << 8 /* G */,
  AVAILABLE: 7 << 9,
} as const;

/** Bits of the high half of a page-table entry. */
export const PteHi = {
  /** Bits 32 to 51 of the frame address. */
  FRAME: 0x000fffff,
  AVAILABLE: 0x7ff00000,
  NO_EXECUTE: 0x80000000 /* XD */,
} as const;

/** Entries in a page table of any level. */
export const PTES_PER_TABLE = 512;

/** Frame number that an entry names. */
export function frameOfPte(lo: number, hi: number): number {
  return (hi & PteHi.FRAME) * 0x100000 + (lo >>> 12);
}

/** Index into the table of `level` (1 to 4) for the low 48 bits of an address. */
export function tableIndex(address: number, level: number): number {
  return Math.floor(address / 2 ** (3 + 9 * level)) % PTES_PER_TABLE;
}

/** Low 48 bits of an address given as two u32 halves, or -1 when it is not canonical. */
export function canonicalVaddr(lo: number, hi: number): number {
  const top = hi >>> 15;
  return top === 0 || top === 0x1ffff ? (hi & 0xffff) * 0x100000000 + (lo >>> 0) : -1;
}
