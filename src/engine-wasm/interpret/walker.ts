// The page walk, as WebAssembly: reads the guest's page tables in machine memory, checks rights, sets
// accessed and dirty bits and fills the TLB of the current mode. The tables have been validated by the
// hypervisor, so an entry that is present names a frame that the guest may use in the way it says.
// Intel SDM vol. 3A, sections 4.5 to 4.8.

import { Cpu } from '../../engine/index.ts';
import { PageFaultError, Pte } from '../../x86/index.ts';
import { ExitCode } from '../ir/exit-code.ts';
import {
  CODE_MAP,
  NOT_CANONICAL,
  Tlb,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_LOG,
  TLB_LOG_ENTRIES,
  USER_TLB,
  Word,
} from '../runtime/layout.ts';
import { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';

const MACHINE = 1;
const { i32, i64 } = ValueType;

/** What a walk is for; equals the engine port's `Access`. */
const READ = 0;
const WRITE = 1;
const EXECUTE = 2;

/** Results of `walk`. */
export const WalkResult = {
  OK: 0,
  /** FAULT_CODE and SLOW_ADDRESS are set. */
  FAULT: 1,
  /** The right to write is there, but the frame holds decoded code and does not enter the write TLB; its machine address is in WRITE_BACK. */
  CODE_FRAME: 2,
} as const;

/** Adds `walk(address: i64, access: i32) -> WalkResult` to a module. @returns its function index */
export function addWalk(module: ModuleBuilder): number {
  const f = new FunctionBuilder(2);
  const address = 0;
  const access = 1;
  const table = f.local(i32);
  const kernel = f.local(i32);
  const all = f.local(i64); // AND of the entries: rights that every level grants
  const any = f.local(i64); // OR of the entries: NX at any level
  const slot = f.local(i32);
  const frame = f.local(i32);
  const tlb = f.local(i32);
  const own = f.local(i32); // 1 in the hypervisor's slots
  const pointers = [f.local(i32), f.local(i32), f.local(i32), f.local(i32)];
  const entries = [f.local(i64), f.local(i64), f.local(i64), f.local(i64)];
  const fault = (code: () => void): void => {
    f.i32(0);
    code();
    f.mem(M.i32Store, Word.FAULT_CODE)
      .i32(0)
      .get(address)
      .mem(M.i64Store, Word.SLOW_ADDRESS)
      .i32(WalkResult.FAULT)
      .return();
  };
  const accessBits = (): void => {
    // W for a write, I for a fetch
    f.get(access)
      .i32(WRITE)
      .op(W.i32Eq)
      .i32(1)
      .op(W.i32Shl)
      .get(access)
      .i32(EXECUTE)
      .op(W.i32Eq)
      .i32(4)
      .op(W.i32Shl)
      .op(W.i32Or);
  };
  const protection = (): void =>
    fault(() => {
      accessBits();
      f.i32(PageFaultError.PRESENT).op(W.i32Or);
    });

  f.get(address).i64(16).op(W.i64Shl).i64(16).op(W.i64ShrS).get(address).op(W.i64Ne).if();
  fault(() => f.i32(NOT_CANONICAL));
  f.end();

  f.i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).set(kernel);
  f.i32(0).mem(M.i32Load, Cpu.KERNEL_ROOT).i32(0).mem(M.i32Load, Cpu.USER_ROOT).get(kernel).op(W.select).set(table);
  f.get(address).i64(39).op(W.i64ShrU).op(W.i32WrapI64).i32(0x1ff).op(W.i32And).tee(slot);
  f.i32(4).op(W.i32ShrU).i32(16).op(W.i32Eq).get(kernel).op(W.i32And).tee(own); // slots 256 to 271
  f.if();
  f.i32(0).mem(M.i32Load, Word.HYPERVISOR_ROOT).set(table);
  f.else();
  f.get(slot).i32(4).op(W.i32ShrU).i32(16).op(W.i32Eq).if(); // user mode does not see them
  fault(() => {
    accessBits();
  });
  f.end();
  f.end();
  f.get(table).op(W.i32Eqz).if();
  fault(accessBits);
  f.end();

  f.i64(-1).set(all);
  for (let level = 4; level >= 1; level--) {
    const pointer = pointers[level - 1] ?? 0;
    const entry = entries[level - 1] ?? 0;
    f.get(table)
      .get(address)
      .i64(3 + 9 * level)
      .op(W.i64ShrU)
      .op(W.i32WrapI64)
      .i32(0x1ff)
      .op(W.i32And)
      .i32(3)
      .op(W.i32Shl);
    f.op(W.i32Or).tee(pointer).mem(M.i64Load, 0, MACHINE).tee(entry);
    f.op(W.i32WrapI64).i32(Pte.PRESENT).op(W.i32And).op(W.i32Eqz).if();
    fault(accessBits);
    f.end();
    f.get(all).get(entry).op(W.i64And).set(all);
    f.get(any).get(entry).op(W.i64Or).set(any);
    f.get(entry).op(W.i32WrapI64).i32(-4096).op(W.i32And).set(table);
  }
  f.get(table).set(frame);

  // user mode needs U at every level, a write W at every level, a fetch no NX at any
  f.get(kernel).op(W.i32Eqz).get(all).op(W.i32WrapI64).i32(Pte.USER).op(W.i32And).op(W.i32Eqz).op(W.i32And).if();
  protection();
  f.end();
  f.get(access)
    .i32(WRITE)
    .op(W.i32Eq)
    .get(all)
    .op(W.i32WrapI64)
    .i32(Pte.WRITABLE)
    .op(W.i32And)
    .op(W.i32Eqz)
    .op(W.i32And)
    .if();
  protection();
  f.end();
  f.get(access).i32(EXECUTE).op(W.i32Eq).get(any).i64(0).op(W.i64LtS).op(W.i32And).if();
  protection();
  f.end();

  f.get(own).op(W.i32Eqz).if();
  for (let level = 4; level >= 1; level--) {
    const entry = entries[level - 1] ?? 0;
    const bits = f.local(i64);
    if (level === 1)
      f.i64(Pte.ACCESSED | Pte.DIRTY)
        .i64(Pte.ACCESSED)
        .get(access)
        .i32(WRITE)
        .op(W.i32Eq)
        .op(W.select)
        .set(bits);
    else f.i64(Pte.ACCESSED).set(bits);
    f.get(entry).get(bits).op(W.i64And).get(bits).op(W.i64Ne).if();
    f.get(pointers[level - 1] ?? 0)
      .get(entry)
      .get(bits)
      .op(W.i64Or)
      .mem(M.i64Store, 0, MACHINE);
    f.end();
  }
  f.end();

  f.get(address)
    .i64(8)
    .op(W.i64ShrU)
    .op(W.i32WrapI64)
    .i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE)
    .op(W.i32And);
  f.i32(0).i32(USER_TLB).get(kernel).op(W.select).op(W.i32Add).set(tlb);
  const count = f.local(i32);
  const fill = (base: number): void => {
    f.get(tlb).get(address).i64(-4096).op(W.i64And).mem(M.i64Store, base);
    f.get(tlb)
      .get(frame)
      .mem(M.i32Store, base + 8);
    f.i32(0).mem(M.i32Load, Word.TLB_LOG_COUNT).tee(count).i32(TLB_LOG_ENTRIES).op(W.i32LtU);
    f.if();
    f.get(count).i32(2).op(W.i32Shl).get(tlb).i32(base).op(W.i32Add).mem(M.i32Store, TLB_LOG);
    f.i32(0).get(count).i32(1).op(W.i32Add).mem(M.i32Store, Word.TLB_LOG_COUNT);
    f.else();
    // A count that only grew would come round to 0, and a flush would miss all entries: minutes of work for a guest.
    f.i32(0)
      .i32(TLB_LOG_ENTRIES + 1)
      .mem(M.i32Store, Word.TLB_LOG_COUNT);
    f.end();
  };
  f.get(access).i32(EXECUTE).op(W.i32Eq).if();
  fill(Tlb.EXECUTE);
  f.else();
  fill(Tlb.READ);
  f.get(access).i32(WRITE).op(W.i32Eq).if();
  f.get(frame).i32(12).op(W.i32ShrU).mem(M.i32Load8U, CODE_MAP).if();
  f.i32(0)
    .get(frame)
    .get(address)
    .op(W.i32WrapI64)
    .i32(0xfff)
    .op(W.i32And)
    .op(W.i32Or)
    .mem(M.i32Store, Word.WRITE_BACK);
  f.i32(WalkResult.CODE_FRAME).return();
  f.end();
  fill(Tlb.WRITE);
  f.end();
  f.end();
  f.i32(WalkResult.OK);

  const index = module.addFunction(module.type([i64, i32], [i32]), f);
  module.exportFunction('walk', index);
  return index;
}

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
    slowLoad: addSlowLoad(module, walk, imports.crossingLoad, READ),
    slowLoadForWrite: addSlowLoad(module, walk, imports.crossingLoadForWrite, WRITE),
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
  f.get(address)
    .i64(8)
    .op(W.i64ShrU)
    .op(W.i32WrapI64)
    .i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE)
    .op(W.i32And);
  f.i32(0).i32(USER_TLB).i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).op(W.select).op(W.i32Add).set(entry);
  f.get(entry)
    .mem(M.i32Load, tlb + 8)
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
  if (access === WRITE) {
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
  f.get(address).i32(WRITE).call(walk).tee(result).i32(WalkResult.FAULT).op(W.i32Eq).if();
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
