// Fills in the page tables of a new domain. The hypervisor validates them like any other when the L4 is
// pinned, so a mistake here is refused and does no harm.
// Entries as Xen's own builder makes them: Xen 4.17, tools/libs/guest/xg_dom_x86.c; Intel SDM vol. 3A, section 4.5.
import { Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import { frameOf, PAGE_SIZE, zeroedPage } from './guest-memory.ts';
import type { DomainLayout, PageRange } from './layout.ts';
import type { BuilderPort } from './ports.ts';
import { tableKey } from './table-plan.ts';
import type { TablePlace } from './table-plan.ts';

const PAGE_FLAGS = Pte.PRESENT | Pte.WRITABLE | Pte.ACCESSED;
/** A page table may be mapped, but never writable: the rule that makes direct paging safe. */
const TABLE_PAGE_FLAGS = Pte.PRESENT | Pte.ACCESSED;
const UPPER_FLAGS = Pte.PRESENT | Pte.WRITABLE | Pte.ACCESSED | Pte.DIRTY | Pte.USER;

const ENTRY_BYTES = 8;

/** Writes all page tables of the layout. */
export function writePageTables(port: BuilderPort, layout: DomainLayout): void {
  const pfnOf = new Map<string, number>();
  layout.tablePlan.forEach((table, i) => pfnOf.set(tableKey(table), layout.tables.pfn + i));
  layout.p2mTablePlan.forEach((table, i) => pfnOf.set(tableKey(table), layout.p2mTables.pfn + i));
  for (const table of [...layout.tablePlan, ...layout.p2mTablePlan]) {
    const pfn = pfnOf.get(tableKey(table)) ?? 0; // entered above
    const page = zeroedPage(port, pfn);
    const entries = new DataView(page.buffer, page.byteOffset, PAGE_SIZE);
    if (table.level === 1) fillPages(port, layout, table, entries);
    else fillTables(port, table, entries, pfnOf);
  }
}

function fillTables(port: BuilderPort, table: TablePlace, entries: DataView, pfnOf: Map<string, number>): void {
  for (let i = 0; i < PTES_PER_TABLE; i++) {
    const child = { level: table.level - 1, index: table.index * PTES_PER_TABLE + i };
    const pfn = pfnOf.get(tableKey(child));
    if (pfn !== undefined) writeEntry(entries, i, frameOf(port, pfn), UPPER_FLAGS);
  }
}

function fillPages(port: BuilderPort, layout: DomainLayout, table: TablePlace, entries: DataView): void {
  for (let i = 0; i < PTES_PER_TABLE; i++) {
    const pfn = mappedPfn(layout, table.index * PTES_PER_TABLE + i);
    if (pfn === undefined) continue;
    const isTable = isIn(layout.tables, pfn) || isIn(layout.p2mTables, pfn);
    writeEntry(entries, i, frameOf(port, pfn), isTable ? TABLE_PAGE_FLAGS : PAGE_FLAGS);
  }
}

/** The pfn that is mapped at a virtual page; undefined when nothing is. */
function mappedPfn(layout: DomainLayout, page: number): number | undefined {
  const inBootstrap = page - layout.basePage;
  if (inBootstrap >= 0 && inBootstrap < layout.nrMapped) return inBootstrap;
  const inList = page - layout.p2mPage;
  if (inList >= 0 && inList < layout.p2mList.count) return layout.p2mList.pfn + inList;
  return undefined;
}

function isIn(range: PageRange, pfn: number): boolean {
  return pfn >= range.pfn && pfn < range.pfn + range.count;
}

function writeEntry(entries: DataView, index: number, frame: number, flags: number): void {
  const address = frame * PAGE_SIZE;
  entries.setUint32(index * ENTRY_BYTES, (address % 2 ** 32) + flags, true);
  entries.setUint32(index * ENTRY_BYTES + 4, Math.floor(address / 2 ** 32), true);
}
