// The table of all IR operations. An operation's number is its place in this table.

import { bug } from '../../base/index.ts';
import type { Operation } from './operation.ts';
import { arithmeticOperations } from './operations/arithmetic.ts';
import { bitOperations } from './operations/bits.ts';
import { COMPARE_AND_JUMPS, compareAndJumpOperations } from './operations/compare-and-jump.ts';
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
  ...compareAndJumpOperations(),
];

const NUMBERS: ReadonlyMap<string, number> = new Map(OPERATIONS.map((operation, number) => [operation.name, number]));

/** Number of the operation called `name`; to be called once per use while tables are built, not per instruction. */
export function opcodeOf(name: string): number {
  return NUMBERS.get(name) ?? bug(`no IR operation is called ${name}`);
}

const FUSED: ReadonlyMap<number, number> = new Map(
  COMPARE_AND_JUMPS.map((pair) => [fusedKey(opcodeOf(pair.compare), opcodeOf(pair.jump)), opcodeOf(pair.name)]),
);

/** Number of the operation that is comparison `compare` and conditional jump `jump` in one; undefined when there is none. */
export function fusedOpcode(compare: number, jump: number): number | undefined {
  return FUSED.get(fusedKey(compare, jump));
}

function fusedKey(compare: number, jump: number): number {
  return compare * OPERATIONS.length + jump;
}
