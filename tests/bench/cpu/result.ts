// What the CPU bench has found out about one line, and what it says about the goals of that line.

import { median } from './statistics.ts';
import type { Goal, Line } from './lines.ts';

/** Times of one line: one number a round and side, of one operation; rounds of all sides belong together. */
export interface Result {
  readonly line: Line;
  /** Empty for a line that has no native side. */
  readonly nativeNs: readonly number[];
  readonly zendoNs: readonly number[];
  /** Empty without QEMU. */
  readonly qemuNs: readonly number[];
  /** Empty unless another working tree takes part. */
  readonly otherNs: readonly number[];
}

/** Ratios of two sides, round by round. */
export function ratios(over: readonly number[], under: readonly number[]): number[] {
  return over.flatMap((value, i) => {
    const other = under[i];
    return other === undefined ? [] : [value / other];
  });
}

/** Whether a line has reached a goal: undefined when QEMU is missing, and the goal is not missed without it. */
export function reached(result: Result, goal: Goal): boolean | undefined {
  const toNative = median(ratios(result.zendoNs, result.nativeNs));
  if (goal.native !== undefined && !(toNative <= goal.native)) return false;
  if (result.qemuNs.length === 0) return undefined;
  return median(ratios(result.qemuNs, result.zendoNs)) >= goal.qemu;
}
