// The slow paths of loads and stores, as WebAssembly: what the TLB does not have is walked for, what crosses the end of a page
// or goes into a frame with decoded code is left to the runtime. Emitted into the interpreter's module beside the walk.

import { ExitCode } from '../ir/exit-code.ts';
import { Tlb, Word, TLB_FRAME } from '../runtime/layout.ts';
import { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { WalkAccess, WalkResult } from './page-walk.ts';
import { pushModeTlbEntry } from './tlb-entry.ts';

const MACHINE = 1;
const { i32, i64 } = ValueType;

/** The slow-path functions, with the imported functions they fall back on. */
export interface SlowPaths {
  readonly slowLoad: number;
  readonly slowLoadForWrite: number;
  readonly slowStore: number;
}

/** Imports: crossing accesses and stores into code frames are made by the runtime. */
export interface SlowImports {
  /** (bytes) -> machine address of gathered bytes, or -1 */
  readonly crossingLoad: number;
  /** (bytes) -> machine address of gathered bytes, or -1 */
  readonly crossingLoadForWrite: number;
  /** (bytes) -> 0 or an exit code */
  readonly crossingStore: number;
  /** (machine address, bytes): drops decoded code after the store */
  readonly codeWritten: number;
}

/** Adds the slow paths to a module. */
export function addSlowPaths(module: ModuleBuilder, walk: number, imports: SlowImports): SlowPaths {
  return {
    slowLoad: addSlowLoad(module, walk, imports.crossingLoad, WalkAccess.READ),
    slowLoadForWrite: addSlowLoad(module, walk, imports.crossingLoadForWrite, WalkAccess.WRITE),
    slowStore: addSlowStore(module, walk, imports),
  };
}

/** Opens an `if` on the access in SLOW_ADDRESS (left in local `address`) crossing the end of its page. */
function ifCrossing(f: FunctionBuilder, address: number, bytes: number): void {
  f.i32(0).mem(M.i64Load, Word.SLOW_ADDRESS).tee(address).op(W.i32WrapI64).i32(0xfff).op(W.i32And);
  f.get(bytes).op(W.i32Add).i32(4096).op(W.i32GtU).if();
}

/** Pushes the machine address of `address` from the TLB entry that the walk has filled. */
function pushFilled(f: FunctionBuilder, address: number, tlb: number): void {
  const entry = f.local(i32);
  pushModeTlbEntry(f, address);
  f.set(entry);
  f.get(entry)
    .mem(M.i32Load, tlb + TLB_FRAME)
    .get(address)
    .op(W.i32WrapI64)
    .i32(0xfff)
    .op(W.i32And)
    .op(W.i32Or);
}

function addSlowLoad(module: ModuleBuilder, walk: number, crossing: number, access: number): number {
  const f = new FunctionBuilder(1);
  const bytes = 0;
  const address = f.local(i64);
  const result = f.local(i32);
  ifCrossing(f, address, bytes);
  f.get(bytes).call(crossing).return();
  f.end();
  f.get(address).i32(access).call(walk).tee(result).i32(WalkResult.FAULT).op(W.i32Eq).if();
  f.i32(-1).return();
  f.end();
  if (access === WalkAccess.WRITE) {
    f.get(result).i32(WalkResult.CODE_FRAME).op(W.i32Eq).if();
    f.i32(0).mem(M.i32Load, Word.WRITE_BACK);
    f.i32(0).i32(-1).mem(M.i32Store, Word.WRITE_BACK).return();
    f.end();
    pushFilled(f, address, Tlb.WRITE);
    f.set(result);
    f.i32(0).get(result).mem(M.i32Store, Word.WRITE_BACK).get(result);
  } else {
    pushFilled(f, address, Tlb.READ);
  }
  return module.addFunction(module.type([i32], [i32]), f);
}

function addSlowStore(module: ModuleBuilder, walk: number, imports: SlowImports): number {
  const f = new FunctionBuilder(1);
  const bytes = 0;
  const address = f.local(i64);
  const result = f.local(i32);
  const machine = f.local(i32);
  ifCrossing(f, address, bytes);
  f.get(bytes).call(imports.crossingStore).return();
  f.end();
  f.get(address).i32(WalkAccess.WRITE).call(walk).tee(result).i32(WalkResult.FAULT).op(W.i32Eq).if();
  f.i32(ExitCode.PAGE_FAULT).return();
  f.end();
  f.get(result).i32(WalkResult.CODE_FRAME).op(W.i32Eq).if();
  f.i32(0).mem(M.i32Load, Word.WRITE_BACK).set(machine);
  f.else();
  pushFilled(f, address, Tlb.WRITE);
  f.set(machine);
  f.end();
  for (const [size, load, store] of [
    [1, M.i64Load8U, M.i64Store8],
    [2, M.i64Load16U, M.i64Store16],
    [4, M.i64Load32U, M.i64Store32],
    [8, M.i64Load, M.i64Store],
    [16, M.v128Load, M.v128Store],
  ] as const) {
    f.get(bytes).i32(size).op(W.i32Eq).if();
    f.get(machine).i32(0).mem(load, Word.SLOW_VALUE).mem(store, 0, MACHINE);
    f.end();
  }
  f.get(result).i32(WalkResult.CODE_FRAME).op(W.i32Eq).if();
  f.get(machine).get(bytes).call(imports.codeWritten);
  f.end();
  f.i32(0);
  return module.addFunction(module.type([i32], [i32]), f);
}
