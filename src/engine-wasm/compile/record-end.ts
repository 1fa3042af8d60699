// Which records end a stretch of straight code, and how; from the table of operations.

import { OPERATIONS } from '../ir/operations.ts';

/** How control leaves a record. */
export type RecordEnd = 'jump' | 'branch' | 'call' | 'callr' | 'return' | 'jumpr' | 'exit';

const ENDS: ReadonlyMap<string, RecordEnd> = new Map<string, RecordEnd>([
  ['jmp', 'jump'],
  ['call', 'call'],
  ['callr', 'callr'],
  ['ret', 'return'],
  ['jmpr', 'jumpr'],
  ['exit', 'exit'],
]);
const NOT_BRANCHES: ReadonlySet<string> = new Set(['string', 'helper', 'nextpage', 'rdtsc', 'head', 'compiled']);

/** By opcode: how a record of it ends a node; undefined when it does not. */
export const END_OF: readonly (RecordEnd | undefined)[] = OPERATIONS.map(({ name, kind }) =>
  kind !== 'control' || NOT_BRANCHES.has(name) ? undefined : (ENDS.get(name) ?? 'branch'),
);

/** By opcode: a comparison fused with the jump in the next record. */
export const IS_FUSED: readonly boolean[] = OPERATIONS.map(({ name }) => name.includes('.j'));
