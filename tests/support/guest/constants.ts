// Numbers that guest kernels share: where they are linked, the selectors they run on, and where the
// hypervisor shows its table of frames.

/** Where guest address 0 is mapped. */
export const VIRT_BASE = 0xffffffff80000000n;

/** Selector of 64-bit code as the hypervisor provides it. */
export const CODE64 = 0xe033;

/** Selector of data as the hypervisor provides it. */
export const DATA64 = 0xe02b;

/** Machine to physical table, as every PV guest sees it. */
export const M2P = 0xffff800000000000n;

/** `trap.vector` of the failsafe callback, which is no exception. */
export const FAILSAFE = 0x100;

/** Flags of page-table entries as the kernels put them together. Intel SDM vol. 3A, tables 4-15 to 4-20. */
export const Flags = {
  /** P, RW, A, D. */
  DATA: 0x63,
  /** P, A. */
  READ_ONLY: 0x21,
  /** P, RW, US, A, D: a table, or a page that user mode may write. */
  TABLE: 0x67,
  /** P, US, A. */
  USER_READ_ONLY: 0x25,
} as const;
