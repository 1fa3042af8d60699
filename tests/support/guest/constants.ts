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
