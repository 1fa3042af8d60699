export { hasErrorCode, PageFaultError, Vector } from './exceptions.ts';
export { canonicalVaddr, frameOfPte, Pte, PteHi, PTES_PER_TABLE, tableIndex } from './page-table.ts';
