// How compiled code finds other compiled code, as WebAssembly in the interpreter's module: `lookup` finds the function
// of a block, and `settle` goes on after a call whose callee has not come back to where it should.

import { Access, Cpu } from '../../engine/index.ts';
import { CompiledExit, ExitCode } from '../ir/exit-code.ts';
import { opcodeOf } from '../ir/operations.ts';
import { Rec } from '../ir/record.ts';
import { BLOCK_TABLE, BLOCK_TABLE_BITS, Tlb, Word, TLB_FRAME } from '../runtime/layout.ts';
import { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { Count, emitCount } from './count.ts';
import { pushModeTlbEntry } from './tlb-entry.ts';

const { i32, i64 } = ValueType;
const COMPILED = opcodeOf('compiled');
const HASH_FACTOR = 37;

/** Byte offsets in a link. */
export const Link = { KEY: 0, PLACE: 8 } as const;

/** Slot of the block table that a machine address maps to, as a byte offset in the table. */
export function blockTableSlot(address: number): number {
  return ((address ^ ((address >>> 12) * HASH_FACTOR)) & (2 ** BLOCK_TABLE_BITS - 1)) << 3;
}

/** Pushes `blockTableSlot` of the machine address in a local. */
export function pushBlockTableSlot(f: FunctionBuilder, machine: number): void {
  f.get(machine);
  f.get(machine).i32(12).op(W.i32ShrU).i32(HASH_FACTOR).op(W.i32Mul).op(W.i32Xor);
  f.i32(2 ** BLOCK_TABLE_BITS - 1)
    .op(W.i32And)
    .i32(3)
    .op(W.i32Shl);
}

/** Type of compiled functions: (budget, address of the code page, depth of calls) -> `CompiledExit` or `ExitCode`. */
export function compiledType(module: ModuleBuilder): number {
  return module.type([i32, i64, i32], [i32]);
}

/**
 * Adds `lookup(rip: i64, key: i64, link: i32) -> i32`: the place of the compiled function of the block at an address of
 * the current mode, or 0; puts it into a link, unless that is 0.
 */
export function addLookup(module: ModuleBuilder, walk: number, counted: boolean): number {
  const f = new FunctionBuilder(3);
  if (counted) emitCount(f, Count.COMPILED_LOOKUPS);
  const [rip, key, link] = [0, 1, 2] as const;
  const entry = f.local(i32);
  const machine = f.local(i32);
  const record = f.local(i32);
  pushModeTlbEntry(f, rip);
  f.set(entry);
  f.get(rip).get(entry).mem(M.i64Load, Tlb.EXECUTE).op(W.i64Sub).i64(4096).op(W.i64GeU).unlikely().if();
  f.get(rip).i32(Access.EXECUTE).call(walk).if();
  f.i32(0).return();
  f.end().end();
  f.get(rip).op(W.i32WrapI64).i32(0xfff).op(W.i32And);
  f.get(entry)
    .mem(M.i32Load, Tlb.EXECUTE + TLB_FRAME)
    .op(W.i32Or)
    .set(machine);
  pushBlockTableSlot(f, machine);
  f.tee(record).mem(M.i32Load, BLOCK_TABLE).get(machine).op(W.i32Ne).if();
  f.i32(0).return().end();
  f.get(record)
    .mem(M.i32Load, BLOCK_TABLE + 4)
    .tee(record);
  f.mem(M.i32Load16U, Rec.OPCODE).i32(COMPILED).op(W.i32Ne).if();
  f.i32(0).return().end();
  f.get(link).if();
  f.get(link).get(key).mem(M.i64Store, Link.KEY);
  f.get(link).get(record).mem(M.i32Load, Rec.IMM).mem(M.i32Store, Link.PLACE).end();
  f.get(record).mem(M.i32Load, Rec.IMM);
  return module.addFunction(module.type([i64, i64, i32], [i32]), f);
}

/**
 * Adds `settle(code: i32, expected: i64, depth: i32) -> i32`: what a call of compiled code has returned is followed until
 * control is at the expected address. @returns 0 there, or a code to leave all compiled code with
 */
export function addSettle(module: ModuleBuilder, lookup: number): number {
  const f = new FunctionBuilder(3);
  const [code, expected, depth] = [0, 1, 2] as const;
  const rip = f.local(i64);
  const place = f.local(i32);
  const next = f.loop();
  f.get(code).if();
  f.i32(CompiledExit.UNWIND).get(code).get(code).i32(CompiledExit.REFUSED).op(W.i32Eq).op(W.select).return();
  f.end();
  f.i32(0).mem(M.i64Load, Cpu.RIP).tee(rip).get(expected).op(W.i64Eq).if();
  f.i32(0).return().end();
  f.get(rip).i64(0).i32(0).call(lookup).tee(place).op(W.i32Eqz).if();
  f.i32(CompiledExit.UNWIND).return().end();
  // only now: the target may be one that cannot be jumped to
  f.i32(0).mem(M.i32Load, Word.BUDGET).i32(0).op(W.i32LeS).if();
  f.i32(ExitCode.BUDGET).return().end();
  f.i32(0).mem(M.i32Load, Word.BUDGET).get(rip).i64(-4096).op(W.i64And).get(depth);
  f.get(place).callIndirect(compiledType(module)).set(code).branch(next);
  f.end().op(W.unreachable);
  return module.addFunction(module.type([i32, i64, i32], [i32]), f);
}
