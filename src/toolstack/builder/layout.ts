// Decides where everything of a new domain goes: image, module, p2m, start info, rings, page tables and
// stack, packed behind the image in guest memory. Pure arithmetic; `build-domain.ts` does what it says.
// The order is that of Xen's own builder (Xen public/xen.h, "Start-of-day memory
// layout"): guests find things by start info, but old ones also rely on the order.
import { MAX_GUEST_CMDLINE } from '../../abi/index.ts';
import { VmmError } from '../../base/index.ts';
import { isGuestRange } from '../image/guest-image.ts';
import type { GuestImage } from '../image/guest-image.ts';
import { PAGE_SIZE } from './guest-memory.ts';
import { planTables, tableKey } from './table-plan.ts';
import type { TablePlace } from './table-plan.ts';

/** What a domain is to be built from. */
export interface BuildSpec {
  /** Size of the module in bytes; 0 means none. */
  readonly moduleBytes: number;
  /** Memory of the domain in pages; the length of its p2m. */
  readonly nrPages: number;
  readonly cmdline: string;
}

/** A run of pages. */
export interface PageRange {
  readonly pfn: number;
  readonly count: number;
}

/** Where everything goes. "Virtual page" means the low 48 bits of an address divided by 4096. */
export interface DomainLayout {
  /** Virtual page at which pfn 0 is mapped. */
  readonly basePage: number;
  /** Pages from pfn 0 on that the bootstrap tables map. */
  readonly nrMapped: number;
  readonly module: PageRange;
  readonly moduleIsMapped: boolean;
  readonly p2mList: PageRange;
  /** Virtual page of the p2m list. */
  readonly p2mPage: number;
  /** Page tables for a p2m outside the bootstrap mapping, in `p2mTablePlan`'s order. */
  readonly p2mTables: PageRange;
  readonly p2mTablePlan: readonly TablePlace[];
  readonly startInfo: number;
  readonly storeRing: number;
  readonly consoleRing: number;
  /** The bootstrap page tables: L4 first. */
  readonly tables: PageRange;
  readonly tablePlan: readonly TablePlace[];
  readonly bootStack: number;
  /** Pages that all this needs. */
  readonly nrPages: number;
}

const P2M_ENTRY_BYTES = 8;
/** The bootstrap mapping ends at a multiple of 4 MiB, with at least 512 KiB to spare. */
const MAPPING_UNIT_PAGES = 1024;
const SPARE_PAGES = 128;
const MIB_PAGES = 256;

/**
 * Plans a domain.
 * @returns the layout; throws VmmError BUILD_CMDLINE, BUILD_MODULE, BUILD_MEMORY or IMAGE_CORRUPT
 */
export function planLayout(image: GuestImage, spec: BuildSpec): DomainLayout {
  const cmdlineBytes = new TextEncoder().encode(spec.cmdline).length;
  if (cmdlineBytes >= MAX_GUEST_CMDLINE) {
    throw new VmmError(
      'BUILD_CMDLINE',
      `the command line has ${cmdlineBytes} bytes and a guest takes ${MAX_GUEST_CMDLINE - 1}: shorten it`,
    );
  }
  if (spec.cmdline.includes('\0')) throw new VmmError('BUILD_CMDLINE', 'the command line has a NUL in it: remove it');
  if (pagesFor(spec.moduleBytes) >= spec.nrPages) {
    throw new VmmError(
      'BUILD_MODULE',
      `the ramdisk is ${mib(pagesFor(spec.moduleBytes))} MiB large (unpacked) and the domain has ` +
        `${mib(spec.nrPages)} MiB of memory: give it more`,
    );
  }
  const layout = place(image, spec);
  if (layout.nrPages > spec.nrPages) {
    throw new VmmError(
      'BUILD_MEMORY',
      `${image.name} needs at least ${mib(leastPages(image, spec, layout.nrPages))} MiB of memory to start ` +
        `and the domain has ${mib(spec.nrPages)} MiB: give it more`,
    );
  }
  checkMappings(image, layout);
  return layout;
}

/** Memory that is enough also for the p2m of that memory. */
function leastPages(image: GuestImage, spec: BuildSpec, first: number): number {
  let nrPages = first;
  for (;;) {
    const needed = place(image, { ...spec, nrPages }).nrPages;
    if (needed <= nrPages) return nrPages;
    nrPages = needed;
  }
}

function place(image: GuestImage, spec: BuildSpec): DomainLayout {
  const basePage = lowPage(image.virtBase);
  const nrListPages = pagesFor(spec.nrPages * P2M_ENTRY_BYTES);
  const nrModulePages = pagesFor(spec.moduleBytes);
  const moduleIsMapped = nrModulePages > 0 && !image.modStartIsPfn;
  let next = pagesFor(image.end);
  const take = (count: number): PageRange => {
    const range = { pfn: next, count };
    next += count;
    return range;
  };

  let module = moduleIsMapped ? take(nrModulePages) : undefined;
  let p2mList = image.initP2m === undefined ? take(nrListPages) : undefined;
  const startInfo = take(1).pfn;
  const storeRing = take(1).pfn;
  const consoleRing = take(1).pfn;
  const { plan: tablePlan, nrMapped } = planBootstrap(basePage, next);
  const tables = take(tablePlan.length);
  const bootStack = take(1).pfn;

  next = nrMapped;
  module ??= take(nrModulePages);
  let p2mTablePlan: readonly TablePlace[] = [];
  let p2mPage = basePage + (p2mList?.pfn ?? 0);
  if (p2mList === undefined) {
    p2mList = take(nrListPages);
    p2mPage = lowPage(image.initP2m ?? 0n);
    const known = new Set(tablePlan.map(tableKey));
    p2mTablePlan = planTables(p2mPage, nrListPages).filter((table) => !known.has(tableKey(table)));
  }
  const p2mTables = take(p2mTablePlan.length);
  return {
    basePage,
    nrMapped,
    module,
    moduleIsMapped,
    p2mList,
    p2mPage,
    p2mTables,
    p2mTablePlan,
    startInfo,
    storeRing,
    consoleRing,
    tables,
    tablePlan,
    bootStack,
    nrPages: next,
  };
}

/**
 * Finds how much the bootstrap tables have to map: the tables are part of what they map.
 * @param used - pages from pfn 0 on that are taken before the tables
 */
function planBootstrap(basePage: number, used: number): { plan: readonly TablePlace[]; nrMapped: number } {
  let nrTables = 0;
  for (;;) {
    const end = basePage + used + nrTables + 1 + SPARE_PAGES; // the stack takes one page
    const nrMapped = Math.ceil(end / MAPPING_UNIT_PAGES) * MAPPING_UNIT_PAGES - basePage;
    const plan = planTables(basePage, nrMapped);
    if (used + plan.length + 1 + SPARE_PAGES <= nrMapped) return { plan, nrMapped };
    nrTables = plan.length;
  }
}

function checkMappings(image: GuestImage, layout: DomainLayout): void {
  const end = image.virtBase + BigInt(layout.nrMapped) * BigInt(PAGE_SIZE);
  if (!isGuestRange(image.virtBase, end)) {
    throw new VmmError(
      'IMAGE_CORRUPT',
      `${image.name}: its virtual base 0x${image.virtBase.toString(16)} leaves no room for what it is started with; ` +
        'the file is damaged: fetch or build it again',
    );
  }
  const p2m = image.initP2m;
  if (p2m === undefined) return;
  const p2mEnd = p2m + BigInt(layout.p2mList.count) * BigInt(PAGE_SIZE);
  if (!isGuestRange(p2m, p2mEnd) || (p2m < end && image.virtBase < p2mEnd)) {
    throw new VmmError(
      'IMAGE_CORRUPT',
      `${image.name}: it wants its p2m at 0x${p2m.toString(16)}, which is taken; ` +
        'the file is damaged: fetch or build it again',
    );
  }
}

function lowPage(address: bigint): number {
  return Number(BigInt.asUintN(48, address) >> 12n);
}

function pagesFor(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PAGE_SIZE);
}

function mib(pages: number): number {
  return Math.ceil(pages / MIB_PAGES);
}
