// The little machine that random programs run in: which pages there are, and what frames they begin with. All
// addresses fit a 32-bit displacement, so that an instruction can reach everything without a register.

import { Pte } from '../../../src/x86/index.ts';

/** Bytes of a page. */
export const PAGE = 4096;

/** Virtual address of page 0; one L1 table maps all pages. */
export const BASE = 0x10000000;

/** Pages that the L1 table maps. */
export const NR_PAGES = 96;

/** Pages of code. */
export const NR_CODE = 8;

/** Pages by number from `BASE`. Between the groups there is nothing. */
export const Page = {
  /** Code, `NR_CODE` pages. */
  CODE: 0,
  /** The frames of the code again, in another order in each mode. */
  ALIAS: 16,
  /** Not mapped at first; the frame is there. */
  LAZY_LOW: 31,
  /** Data: 4 pages. */
  DATA: 32,
  /** Not mapped at first; the frame is there. */
  LAZY_HIGH: 36,
  READ_ONLY: 38,
  /** The frames of the data again. */
  DATA_ALIAS: 40,
  /** Jump tables, and images of control words. */
  TABLES: 45,
  /** Data without the U bit. */
  KERNEL_ONLY: 47,
  /** Stack of vCPU 0: 8 pages. */
  STACK: 64,
  /** Stack of vCPU 1: 4 pages. */
  OTHER_STACK: 80,
} as const;

/** Frames by number. */
export const Frame = {
  SCRATCH: 1,
  /** Tables of kernel mode: L4 to L1; those of user mode follow. */
  TABLES: 2,
  CODE: 10,
  DATA: 18,
  LAZY_LOW: 22,
  LAZY_HIGH: 23,
  READ_ONLY: 24,
  JUMP_TABLES: 25,
  KERNEL_ONLY: 26,
  STACK: 27,
  OTHER_STACK: 35,
  /** Scratch frame of emulated stores. */
  EMULATION: 39,
  /** Frames that pages of code move to. */
  SPARE: 40,
  NR_SPARE: 4,
  COUNT: 44,
} as const;

/** A page far from everything that no program can name, for steps of one instruction. */
export const NOWHERE = 0x5a5a_1234_5000;

/** First address of a page. */
export function addressOfPage(page: number): number {
  return BASE + page * PAGE;
}

/** Middle of the data: where memory operands are about. */
export const MIDDLE: number = addressOfPage(Page.DATA + 1);

/** What r15 and r14 hold, mostly: operands are relative to them. */
export const ANCHOR: number = MIDDLE + 0x40;
/** What r14 holds, mostly. */
export const INDEX = 1;

/** Base of the FS segment. */
export const FS_BASE: bigint = BigInt(MIDDLE - 0x1000000);
/** Base of the GS segment: addresses in it come around the end of the address space. */
export const GS_BASE: bigint = BigInt.asUintN(64, BigInt(MIDDLE - 0x70000000));

/** Offsets in the page of tables. */
export const Table = {
  /** Addresses of code: `Table.NR_TARGETS` of 8 bytes; the first `NR_COMMON` are for every indirect transfer. */
  TARGETS: 0,
  NR_TARGETS: 128,
  NR_COMMON: 32,
  /** Counters of loops and recursion, u32 each. */
  COUNTERS: 0x400,
  NR_COUNTERS: 32,
  /** Kept stack pointers. */
  SAVED_STACK: 0x480,
  /** 16 values for MXCSR, u32 each. */
  MXCSR: 0x800,
  /** 16 values for the x87 control word, in 4 bytes each. */
  FCW: 0x840,
  /** Two images for FXRSTOR, 512 bytes each. */
  FX: 0xa00,
  /** An image for FRSTOR and FLDENV. */
  ENVIRONMENT: 0xe00,
} as const;

/** Top of the stack of a vCPU. */
export function stackTop(vcpu: number): number {
  return vcpu === 0 ? addressOfPage(Page.STACK + 8) - 0x100 : addressOfPage(Page.OTHER_STACK + 4) - 0x100;
}

/** A page-table entry as it should be. */
export interface Mapping {
  readonly frame: number;
  /** Low half without the frame. */
  readonly flags: number;
  readonly noExecute: boolean;
}

const FULL = Pte.PRESENT | Pte.WRITABLE | Pte.USER;

/** What a page is mapped to when nothing is wrong with it; undefined where nothing ever is. */
export function properMapping(page: number, kernelMode: boolean): Mapping | undefined {
  const within = (first: number, count: number): boolean => page >= first && page < first + count;
  const data = (frame: number, flags: number = FULL): Mapping => ({ frame, flags, noExecute: true });
  if (within(Page.CODE, NR_CODE)) return { frame: Frame.CODE + page - Page.CODE, flags: FULL, noExecute: false };
  if (within(Page.ALIAS, NR_CODE))
    return { frame: Frame.CODE + aliasedCode(page - Page.ALIAS, kernelMode), flags: FULL, noExecute: false };
  if (within(Page.DATA, 4)) return data(Frame.DATA + ((page - Page.DATA) ^ 1));
  if (within(Page.DATA_ALIAS, 4)) return data(Frame.DATA + page - Page.DATA_ALIAS);
  if (page === Page.LAZY_LOW) return data(Frame.LAZY_LOW);
  if (page === Page.LAZY_HIGH) return data(Frame.LAZY_HIGH);
  if (page === Page.READ_ONLY) return data(Frame.READ_ONLY, Pte.PRESENT | Pte.USER);
  if (page === Page.TABLES) return data(Frame.JUMP_TABLES);
  if (page === Page.KERNEL_ONLY) return data(Frame.KERNEL_ONLY, Pte.PRESENT | Pte.WRITABLE);
  if (within(Page.STACK, 8)) return data(Frame.STACK + page - Page.STACK);
  if (within(Page.OTHER_STACK, 4)) return data(Frame.OTHER_STACK + page - Page.OTHER_STACK);
  return undefined;
}

/** Page of code whose frame an alias page shows. */
export function aliasedCode(alias: number, kernelMode: boolean): number {
  return kernelMode ? (alias * 3 + 1) % NR_CODE : (alias * 5 + 2) % NR_CODE;
}

/** Alias in kernel mode of an address of code. */
export function aliasOf(address: number): number {
  const page = Math.floor((address - BASE) / PAGE);
  for (let alias = 0; alias < NR_CODE; alias++)
    if (aliasedCode(alias, true) === page) return addressOfPage(Page.ALIAS + alias) + (address % PAGE);
  return address;
}
