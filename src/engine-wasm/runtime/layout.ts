// Layout of memory 0, the engine's private memory: the active vCPU state at 0, words that generated
// code and the runtime exchange, TLBs, the block table, the code map and the records of decoded code.
// No guest address reaches it: guest memory is memory 1.

/** Words that generated code and the TypeScript runtime exchange. Byte offsets. */
export const Word = {
  /** Record that was running when the code was left or a slow path was called. u32 */
  RECORD: 0x400,
  /** Vector of an exception. u32 */
  DETAIL: 0x404,
  /** What is left of the budget. i32 */
  BUDGET: 0x408,
  /** Machine address of the L4 table with the hypervisor's slots. u32 */
  HYPERVISOR_ROOT: 0x40c,
  /** Virtual address of the access that the fast path could not make. u64 */
  SLOW_ADDRESS: 0x410,
  /** Machine address that a load for write resolved to, or -1 when its store must take the slow path. i32 */
  WRITE_BACK: 0x418,
  /** Error code of a page fault without the U bit; its address is SLOW_ADDRESS. u32 */
  FAULT_CODE: 0x41c,
  /** Record that the interpreter goes on with after compiled code. u32 */
  RESUME: 0x434,
  /** Not 0: decoded code has been dropped since compiled code was entered; it leaves soon. u32 */
  DROPPED: 0x438,
  /** What the keys of links are made with: changes whenever a page may lie elsewhere or compiled code goes. u64 */
  LINK_KEY: 0x480,
  /** Datum of a slow store; 16 bytes. */
  SLOW_VALUE: 0x420,
  /** Number of entries in the log of filled TLB entries; above `TLB_LOG_ENTRIES` when it ran over. u32 */
  TLB_LOG_COUNT: 0x430,
  /** Transitions made since the engine last looked, by kind; see `transitions.ts`. u32 each */
  NR_SYSCALLS: 0x488,
  NR_RETURNS: 0x48c,
  NR_PAGE_FAULTS: 0x490,
  /** The same as LINK_KEY for the links of user mode. u64 */
  USER_LINK_KEY: 0x498,
  /** What TABLE_MAP marks tables with since the last flush of everything. u32, 1 to 255 */
  TABLE_EPOCH: 0x4a0,
  /** Not 0: kernel mode has fetched from the lower half since its links were cut. u32 */
  KERNEL_LOW_CODE: 0x4a4,
  /** Save area of FXSAVE and FXRSTOR; 512 bytes. */
  FX_IMAGE: 0x600,
} as const;

/** Counters of generated code, u64 each; see `interpret/count.ts`. */
export const COUNTS = 0x800;

/** Bytes of all counters. */
export const COUNTS_SIZE = 0x400;

/** FAULT_CODE for an address that is not canonical: #GP(0) instead of #PF. */
export const NOT_CANONICAL = 0xffff;

/** Entries of a TLB. Direct-mapped by page number. */
export const TLB_ENTRIES = 4096;

/** A TLB entry: {u64 page address, u32 machine address of the frame, u32 number of the last partial flush that kept it}. */
export const TLB_ENTRY_SIZE = 16;

/** Byte offset of the frame's machine address in an entry of a TLB. */
export const TLB_FRAME = 8;

/** Byte offsets of the kernel-mode TLBs; the user-mode ones are `USER_TLB` further. */
export const Tlb = { READ: 0x10000, WRITE: 0x20000, EXECUTE: 0x30000 } as const;

/** Distance of the user-mode TLBs from the kernel-mode ones. */
export const USER_TLB = 0x30000;

/** Offsets of the TLB entries that were filled since the last flush, u32 each, so that a flush need not touch all. */
export const TLB_LOG = 0x70000;

/** Entries that the log can hold. */
export const TLB_LOG_ENTRIES = 2048;

/** Page address of empty TLB entries, not canonical; its own entry (number 0) is marked with the next page instead. */
export const NO_PAGE = 0x7fff_0000_0000_0000n;

/** Places of the table of compiled functions. */
export const MAX_COMPILED = 16384;

/** Places of that table in all: behind those of compiled functions stand operations that compiled code runs out of line, by opcode. */
export const TABLE_SIZE = MAX_COMPILED + 1024;

/** One byte per machine frame: 1 when decoded code of it exists. */
export const CODE_MAP = 0x100000;

/** Most frames that machine memory can have: 4 GiB. */
export const MAX_FRAMES = 0x100000;

/** The block table: direct-mapped {u32 machine address of the entry point, u32 record}. */
export const BLOCK_TABLE = 0x200000;

/** log2 of the entries of the block table. A booted Linux runs some 50 000 blocks; four times as many entries keep most of them apart. */
export const BLOCK_TABLE_BITS = 18;

/** Links from call sites in compiled code to the functions that they call: {u64 key, u32 place, u32 unused}. */
export const LINKS = 0x400000;

/** Bytes of a link. */
export const LINK_SIZE = 16;

/** Bytes of all links. */
export const LINKS_SIZE = 0xc0000;

/** Tables of targets of indirect jumps in compiled code: {i64 distance from the code page, u32 number, u32 unused}. */
export const SWITCHES = LINKS + LINKS_SIZE;

/** Bytes of all tables of targets. */
export const SWITCHES_SIZE = 0x40000;

/** One byte per machine frame: TABLE_EPOCH when a translation of kernel mode's upper half has come through a page table there. */
export const TABLE_MAP = 0x500000;

/** Records of decoded code. */
export const RECORDS = 0x600000;

/** Bytes of memory 0. */
export const MEMORY0_SIZE = 0x3100000;
