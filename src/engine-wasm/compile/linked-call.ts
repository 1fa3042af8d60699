// Guest calls from one compiled function to another as calls of WebAssembly. The callee is found through a link, a cell
// in memory 0 that holds for one site the place of the function and the key under which it was found: the address of
// the target, with the number of the mappings (`Word.LINK_KEY`) in its upper 16 bits. Registers travel in the state
// block. The callee returns like any compiled function; when control is then at the guest's return address,
// the caller goes on, whatever has happened in between: all state is the guest's.

import { Cpu } from '../../engine/index.ts';
import { Link } from '../interpret/linkage.ts';
import { CompiledExit } from '../ir/exit-code.ts';
import { Word } from '../runtime/layout.ts';
import { M, W } from '../wasm/instructions.ts';
import type { CompilerEmitter } from './emitter.ts';

/** Most calls of compiled functions in each other: bounds the host's stack. What goes deeper unwinds. */
const MAX_DEPTH = 96;

/** A call site. */
export interface CallSite {
  /** Address of its link in memory 0. */
  readonly link: number;
  /** Distance of the target; undefined when it is in the `rip` local. */
  readonly target: number | undefined;
  /** Distance of the return address. */
  readonly back: number;
}

const PAGE_SIZE = 4096;

/**
 * Emits the call; the return address has been pushed and the instructions are charged. Control falls out of the code
 * with all registers loaded when the callee has returned.
 */
export function emitLinkedCall(e: CompilerEmitter, site: CallSite): void {
  const { f } = e;
  const { rip, budget, depth, code, key } = e.locals;
  const { link, target, back } = site;
  if (target !== undefined) {
    e.pushPlace(target);
    f.set(rip);
  }
  e.flags.compute();
  e.syncRegisters();
  const found = f.block();
  const fails = f.block();
  f.get(depth).i32(MAX_DEPTH).op(W.i32GeS).unlikely().branchIf(fails);
  f.get(budget).i32(0).op(W.i32LeS).unlikely().branchIf(fails);
  if (target === undefined) {
    // the upper 16 bits of the address must not pretend to be another number of the mappings
    f.get(rip).i64(16).op(W.i64Shl).i64(16).op(W.i64ShrS).get(rip);
    f.op(W.i64Ne).unlikely().branchIf(fails);
  }
  f.get(rip).i32(0).mem(M.i64Load, e.linkKey).op(W.i64Xor).tee(key);
  f.i32(0)
    .mem(M.i64Load, link + Link.KEY)
    .op(W.i64Eq)
    .branchIf(found);
  f.get(rip).get(key).i32(link).call(e.callees.lookup).branchIf(found);
  f.end();
  e.leaveTo(CompiledExit.UNWIND);
  f.end();
  f.get(budget);
  if (target === undefined) f.get(rip).i64(-PAGE_SIZE).op(W.i64And);
  else e.pushPlace(Math.floor(target / PAGE_SIZE) * PAGE_SIZE);
  f.get(depth).i32(1).op(W.i32Add);
  f.i32(0)
    .mem(M.i32Load, link + Link.PLACE)
    .callIndirect(e.callees.compiledType)
    .set(code);
  f.get(code).i32(0).mem(M.i64Load, Cpu.RIP);
  e.pushPlace(back);
  f.op(W.i64Ne).op(W.i32Or).unlikely().if();
  f.get(code);
  e.pushPlace(back);
  f.get(depth).i32(1).op(W.i32Add).call(e.callees.settle).tee(code).if();
  f.get(code).return();
  f.end().end();
  // the state block has everything
  e.ifDropped(() => f.i32(CompiledExit.UNWIND).return());
  f.i32(0).mem(M.i32Load, Word.BUDGET).set(budget);
  e.loadRegisters(f);
}
