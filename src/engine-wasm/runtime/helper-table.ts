// The table of runtime helpers: functions that generated code calls by number for instructions too rare
// or too involved for IR. A helper's number is its place in the table. Each family lists its own
// helpers in its own file; a new family adds one line here.

import { bug } from '../../base/index.ts';
import { FLOAT_HELPERS } from './float-helpers.ts';
import { INTEGER_HELPERS } from './integer-helpers.ts';
import { SIMD_HELPERS } from './simd-helpers.ts';
import type { Helper } from './state.ts';

/** A helper and the name that lowering and operations know it by. */
export type NamedHelper = readonly [name: string, helper: Helper];

/** All helpers by number. */
export const HELPERS: readonly NamedHelper[] = [...INTEGER_HELPERS, ...SIMD_HELPERS, ...Object.entries(FLOAT_HELPERS)];

const NUMBERS: ReadonlyMap<string, number> = new Map(HELPERS.map(([name], number) => [name, number]));

/** Number of the helper called `name`; to be called once per use while tables are built, not per instruction. */
export function helperIndex(name: string): number {
  return NUMBERS.get(name) ?? bug(`no runtime helper is called ${name}`);
}
