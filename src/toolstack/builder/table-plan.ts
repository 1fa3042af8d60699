// Which page tables a run of virtual pages needs. Knows neither frames nor entries; `layout.ts` counts with
// it and `page-tables.ts` fills the tables in.
import { PTES_PER_TABLE } from '../../x86/index.ts';

/** Levels of a 4-level page table. */
export const NR_LEVELS = 4;

/** One page table: the pages it covers are `index * 512^level` and the `512^level - 1` behind it. */
export interface TablePlace {
  /** 1 for the table that maps pages, 4 for the root. */
  readonly level: number;
  /** Which of the tables of its level, counted over the whole address space. */
  readonly index: number;
}

/** Tables that map `count` virtual pages from `firstPage` on: the root first, each level ascending. */
export function planTables(firstPage: number, count: number): readonly TablePlace[] {
  const tables: TablePlace[] = [];
  for (let level = NR_LEVELS; level >= 1; level--) {
    const span = PTES_PER_TABLE ** level;
    const last = Math.floor((firstPage + count - 1) / span);
    for (let index = Math.floor(firstPage / span); index <= last; index++) tables.push({ level, index });
  }
  return tables;
}

/** Identifies a table in a set or map. */
export function tableKey(table: TablePlace): string {
  return `${table.level}:${table.index}`;
}
