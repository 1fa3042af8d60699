// Which operations the interpreter keeps out of its main function. V8 needs memory in proportion to the
// function that it optimises, hundreds of megabytes for all operations in one, and the main function is
// faster without what is rarely run. An operation out of line costs a call.

import type { Operation } from '../ir/operation.ts';
import { simdOperations } from '../ir/operations/simd.ts';

/** Integer operations that make up less than a hundredth of what a kernel runs, by the beginning of their names. */
const RARE_INTEGER =
  /^(adc|sbb|rcl|rcr|shld|shrd|rol|ror|mul1_|imul1_|div|idiv|bt|bs|popcnt|crc|cl|st[cd]$|cmc|(add|or|and|sub|xor|cmp|test|inc|dec|neg|not|shl|shr|sar|mov|imul|cmov|sign)(8|16)|neg|not)/;

const SIMD: ReadonlySet<string> = new Set(simdOperations().map((operation) => operation.name));

/** 8-bit operations that are frequent all the same. */
const FREQUENT: ReadonlySet<string> = new Set(['cmp8', 'cmp8i', 'test8', 'test8i', 'mov8', 'mov8i', 'and8i', 'or8']);

/** True for an operation that gets a function of its own. */
export function isOutOfLine(operation: Operation): boolean {
  if (operation.kind !== 'plain' || FREQUENT.has(operation.name)) return false;
  return SIMD.has(operation.name) || RARE_INTEGER.test(operation.name);
}
