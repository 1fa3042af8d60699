// Counters in generated code: emitted only into an engine that was asked to count, so that no other pays for them.
// They lie in memory 0, one u64 each, and are read when somebody wants to know.

import { CompiledExit, ExitCode } from '../ir/exit-code.ts';
import { COUNTS } from '../runtime/layout.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';

/** What is counted, and its place among the counters. */
export const Count = {
  PAGE_WALKS: 0,
  /** Targets that the interpreter looked up. */
  INTERPRETER_LOOKUPS: 1,
  /** Targets that compiled code looked up, for want of a link. */
  COMPILED_LOOKUPS: 2,
  /** Calls of compiled code by the interpreter. */
  COMPILED_CALLS: 3,
} as const;

/** A value of `Count`. */
export type CountNumber = (typeof Count)[keyof typeof Count];

const NAMES: Readonly<Record<CountNumber, string>> = {
  [Count.PAGE_WALKS]: 'page walks',
  [Count.INTERPRETER_LOOKUPS]: 'look-ups by the interpreter',
  [Count.COMPILED_LOOKUPS]: 'look-ups by compiled code',
  [Count.COMPILED_CALLS]: 'calls of compiled code',
};

/** The place of the first of the counters of codes that compiled code came back with, and how a code finds its own. */
const FIRST_CODE = 8;
const CODES_PER_PAGE = 32;

const BYTES = 8;
const TWO_32 = 2 ** 32;

/** Adds 1 to a counter. */
export function emitCount(f: FunctionBuilder, count: CountNumber): void {
  const at = COUNTS + BYTES * count;
  f.i32(0).i32(0).mem(M.i64Load, at).i64(1).op(W.i64Add).mem(M.i64Store, at);
}

/** Counts the `ExitCode` or `CompiledExit` in a local variable. @param address - an i32 to use */
export function emitCountCode(f: FunctionBuilder, code: number, address: number): void {
  const at = COUNTS + BYTES * FIRST_CODE;
  f.get(code)
    .i32(CODES_PER_PAGE - 1)
    .op(W.i32And);
  f.get(code).i32(8).op(W.i32ShrU).i32(Math.log2(CODES_PER_PAGE)).op(W.i32Shl).op(W.i32Or);
  f.i32(Math.log2(BYTES)).op(W.i32Shl).tee(address);
  f.get(address).mem(M.i64Load, at).i64(1).op(W.i64Add).mem(M.i64Store, at);
}

/** The counters by names for people, those at 0 left out. @param u32 - memory 0 */
export function readCounts(u32: Uint32Array): Record<string, number> {
  const counts: Record<string, number> = {};
  const note = (name: string, place: number): void => {
    const at = (COUNTS + BYTES * place) >> 2;
    const count = (u32[at + 1] ?? 0) * TWO_32 + (u32[at] ?? 0);
    if (count > 0) counts[name] = count;
  };
  for (const count of Object.values(Count)) note(NAMES[count], count);
  for (const [name, code] of [...Object.entries(CompiledExit), ...Object.entries(ExitCode)])
    note(`... that ended with ${name}`, FIRST_CODE + (code & (CODES_PER_PAGE - 1)) + (code >>> 8) * CODES_PER_PAGE);
  return counts;
}
