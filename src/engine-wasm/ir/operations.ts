// The table of all IR operations. An operation's number is its place in this table.

import { bug } from '../../base/index.ts';
import type { Operation } from './operation.ts';
import { arithmeticOperations } from './operations/arithmetic.ts';
import { bitOperations } from './operations/bits.ts';
import { conditionOperations } from './operations/condition.ts';
import { controlOperations } from './operations/control.ts';
import { flagOperations } from './operations/flag.ts';
import { memoryOperations } from './operations/memory.ts';
import { moveOperations } from './operations/move.ts';
import { multiplyOperations } from './operations/multiply.ts';
import { shiftOperations } from './operations/shift.ts';
import { simdOperations } from './operations/simd.ts';

/** All operations by number. */
export const OPERATIONS: readonly Operation[] = [
  ...controlOperations(),
  ...memoryOperations(),
  ...moveOperations(),
  ...arithmeticOperations(),
  ...conditionOperations(),
  ...shiftOperations(),
  ...bitOperations(),
  ...flagOperations(),
  ...multiplyOperations(),
  ...simdOperations(),
];

const NUMBERS: ReadonlyMap<string, number> = new Map(OPERATIONS.map((operation, number) => [operation.name, number]));

/** Number of the operation called `name`; to be called once per use while tables are built, not per instruction. */
export function opcodeOf(name: string): number {
  return NUMBERS.get(name) ?? bug(`no IR operation is called ${name}`);
}
