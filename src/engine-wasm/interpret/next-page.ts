// The check that an instruction on two pages begins with, as WebAssembly: the second page must be mapped where it was
// when the instruction was decoded. What is behind the lower half of the address space is nothing.

import { Cpu } from '../../engine/index.ts';
import { Tlb, TLB_FRAME } from '../runtime/layout.ts';
import { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { WalkAccess } from './page-walk.ts';
import { pushModeTlbEntry } from './tlb-entry.ts';

const { i32, i64 } = ValueType;
const PAGE_SIZE = 4096;

/** Adds `checkNextPage(frame) -> 1` when the page behind the code page is mapped to a frame and may be executed, else 0. */
export function addNextPageCheck(module: ModuleBuilder, walk: number): number {
  const f = new FunctionBuilder(1);
  const frame = 0;
  const address = f.local(i64);
  const entry = f.local(i32);
  f.i32(0).mem(M.i64Load, Cpu.CODE_PAGE).i64(PAGE_SIZE).op(W.i64Add).set(address);
  pushModeTlbEntry(f, address);
  f.set(entry);
  f.get(entry).mem(M.i64Load, Tlb.EXECUTE).get(address).op(W.i64Ne).if();
  f.get(address).i32(WalkAccess.EXECUTE).call(walk).if();
  f.i32(0).return();
  f.end();
  f.end();
  f.get(entry)
    .mem(M.i32Load, Tlb.EXECUTE + TLB_FRAME)
    .i32(12)
    .op(W.i32ShrU)
    .get(frame)
    .op(W.i32Eq);
  return module.addFunction(module.type([i32], [i32]), f);
}
