export { hasErrorCode, PageFaultError, Vector } from './exceptions.ts';
export { GENERAL_REGISTER_NAMES, SEGMENT_REGISTER_NAMES } from './register-names.ts';
export { canonicalVaddr, frameOfPte, Pte, PteHi, PTES_PER_TABLE, tableIndex } from './page-table.ts';
