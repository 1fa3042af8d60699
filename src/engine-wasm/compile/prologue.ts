// The checks at the beginning of a compiled function. It is made for one mode and for pages in certain frames. Whoever
// calls it has looked up the page of its entry; the other pages are looked up here, in the execute TLB or else by a
// walk that changes nothing but the TLB. When something does not fit, nothing has happened yet and the function refuses.

import { Access, Cpu } from '../../engine/index.ts';
import { pushTlbEntry } from '../interpret/memory-access.ts';
import { CompiledExit } from '../ir/exit-code.ts';
import { Tlb, Word, TLB_FRAME } from '../runtime/layout.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';
import type { CompiledLocals } from './compiled-function.ts';
import type { Region } from './region.ts';

const PAGE_SIZE = 4096;

/** Emits the checks. @param probe - the function that walks the page tables */
export function emitPrologueChecks(f: FunctionBuilder, region: Region, locals: CompiledLocals, probe: number): void {
  const { tlbDisplacement, pages, entry: place } = region;
  const { budget, codePage, address, entry } = locals;
  const fits = f.block();
  const refuses = f.block();
  const isKernel = tlbDisplacement === 0 ? 1 : 0;
  f.i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).i32(isKernel).op(W.i32Ne).unlikely().branchIf(refuses);
  for (const { distance, frame } of pages) {
    if (distance === 0) continue; // the caller has looked
    f.get(codePage).i64(distance).op(W.i64Add).set(address);
    pushTlbEntry(f, address);
    f.set(entry);
    const found = f.block();
    f.get(entry).mem(M.i32Load, Tlb.EXECUTE + TLB_FRAME + tlbDisplacement);
    f.i32(frame * PAGE_SIZE).op(W.i32Eq);
    f.get(address)
      .get(entry)
      .mem(M.i64Load, Tlb.EXECUTE + tlbDisplacement);
    f.op(W.i64Eq).op(W.i32And).branchIf(found);
    f.get(address).i32(Access.EXECUTE).call(probe);
    f.i32(frame * PAGE_SIZE)
      .op(W.i32Ne)
      .unlikely()
      .branchIf(refuses);
    f.end();
  }
  f.branch(fits).end();
  f.i32(0).get(codePage).i64(place).op(W.i64Add).mem(M.i64Store, Cpu.RIP);
  f.i32(0).get(budget).mem(M.i32Store, Word.BUDGET).i32(CompiledExit.REFUSED).return();
  f.end();
}
