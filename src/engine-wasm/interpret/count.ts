// Counters in generated code: emitted only into an engine that was asked to count, so that no other pays for them.

import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';

/** Adds 1 to the u64 at an address of memory 0. */
export function emitCount(f: FunctionBuilder, word: number): void {
  f.i32(0).i32(0).mem(M.i64Load, word).i64(1).op(W.i64Add).mem(M.i64Store, word);
}
