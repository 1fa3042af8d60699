// The page walk, as WebAssembly: reads the guest's page tables in machine memory, checks rights, sets
// accessed and dirty bits and fills the TLB of the current mode. The tables have been validated by the
// hypervisor, so an entry that is present names a frame that the guest may use in the way it says.
// Intel SDM vol. 3A, sections 4.5 to 4.8.

import { Cpu } from '../../engine/index.ts';
import { PageFaultError, Pte } from '../../x86/index.ts';
import {
  CODE_MAP,
  NOT_CANONICAL,
  TABLE_MAP,
  Tlb,
  TLB_LOG,
  TLB_LOG_ENTRIES,
  USER_TLB,
  Word,
  TLB_FRAME,
} from '../runtime/layout.ts';
import { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { Count, emitCount } from './count.ts';
import { pushTlbEntry } from './memory-access.ts';

const MACHINE = 1;
const { i32, i64 } = ValueType;

/** What a walk is for; equals the engine port's `Access`. */
export const WalkAccess = { READ: 0, WRITE: 1, EXECUTE: 2 } as const;

/** Results of `walk`. */
export const WalkResult = {
  OK: 0,
  /** FAULT_CODE and SLOW_ADDRESS are set. */
  FAULT: 1,
  /** The right to write is there, but the frame holds decoded code and does not enter the write TLB; its machine address is in WRITE_BACK. */
  CODE_FRAME: 2,
} as const;

/** The levels of the page tables, from the root down. */
const LEVELS = [4, 3, 2, 1] as const;

/**
 * Adds `walk(address: i64, access: i32) -> WalkResult` to a module.
 * @param counted - count the walks
 * @returns its function index
 */
export function addWalk(module: ModuleBuilder, counted: boolean): number {
  const walk = new WalkEmitter();
  if (counted) emitCount(walk.f, Count.PAGE_WALKS);
  walk.checkCanonical();
  walk.findRoot();
  walk.readEntries();
  walk.checkRights();
  walk.markAccessed();
  walk.fillTlbs();
  const f = walk.f;
  f.i32(WalkResult.OK);
  const index = module.addFunction(module.type([i64, i32], [i32]), f);
  module.exportFunction('walk', index);
  return index;
}

/**
 * Adds `probe(address: i64, access: i32) -> i32` to a module: the machine address of the frame that a page is mapped to, when a
 * walk for the access would change nothing but the TLB, which then has it; else -1. @returns its function index
 */
export function addProbe(module: ModuleBuilder): number {
  const walk = new WalkEmitter(true);
  walk.checkCanonical();
  walk.findRoot();
  walk.readEntries();
  walk.checkRights();
  walk.checkAccessed();
  walk.fillTlbs();
  walk.pushFrame();
  return module.addFunction(module.type([i64, i32], [i32]), walk.f);
}

/** Emits the steps of a walk, in the order of `addWalk`; its fields are the function's locals. */
class WalkEmitter {
  readonly f = new FunctionBuilder(2);
  /** Faults are not recorded: the walk only tries. */
  readonly #isProbe: boolean;
  readonly #address = 0;
  readonly #access = 1;
  readonly #table = this.f.local(i32);
  readonly #kernel = this.f.local(i32);
  /** AND of the entries: rights that every level grants. */
  readonly #all = this.f.local(i64);
  /** OR of the entries: NX at any level. */
  readonly #any = this.f.local(i64);
  readonly #slot = this.f.local(i32);
  readonly #frame = this.f.local(i32);
  readonly #tlb = this.f.local(i32);
  /** 1 in the hypervisor's slots. */
  readonly #own = this.f.local(i32);
  readonly #pointers = [this.f.local(i32), this.f.local(i32), this.f.local(i32), this.f.local(i32)];
  readonly #entries = [this.f.local(i64), this.f.local(i64), this.f.local(i64), this.f.local(i64)];

  constructor(isProbe = false) {
    this.#isProbe = isProbe;
  }

  checkCanonical(): void {
    const f = this.f;
    f.get(this.#address).i64(16).op(W.i64Shl).i64(16).op(W.i64ShrS).get(this.#address).op(W.i64Ne).if();
    this.#fault(() => f.i32(NOT_CANONICAL));
    f.end();
  }

  /** Sets `table` to the root: the guest's own, or ours in slots 256 to 271, which user mode does not see. */
  findRoot(): void {
    const f = this.f;
    f.i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).set(this.#kernel);
    f.i32(0).mem(M.i32Load, Cpu.KERNEL_ROOT).i32(0).mem(M.i32Load, Cpu.USER_ROOT);
    f.get(this.#kernel).op(W.select).set(this.#table);
    f.get(this.#address).i64(39).op(W.i64ShrU).op(W.i32WrapI64).i32(0x1ff).op(W.i32And).tee(this.#slot);
    f.i32(4).op(W.i32ShrU).i32(16).op(W.i32Eq).get(this.#kernel).op(W.i32And).tee(this.#own);
    f.if();
    f.i32(0).mem(M.i32Load, Word.HYPERVISOR_ROOT).set(this.#table);
    f.else();
    f.get(this.#slot).i32(4).op(W.i32ShrU).i32(16).op(W.i32Eq).if();
    this.#fault(() => this.#pushAccessBits());
    f.end();
    f.end();
    f.get(this.#table).op(W.i32Eqz).if();
    this.#fault(() => this.#pushAccessBits());
    f.end();
  }

  /** Reads one entry a level; one that is not present is a fault. */
  readEntries(): void {
    const f = this.f;
    f.i64(-1).set(this.#all);
    for (const level of LEVELS) {
      const pointer = this.#pointers[level - 1] ?? 0;
      const entry = this.#entries[level - 1] ?? 0;
      f.get(this.#table);
      f.get(this.#address)
        .i64(3 + 9 * level)
        .op(W.i64ShrU)
        .op(W.i32WrapI64);
      f.i32(0x1ff).op(W.i32And).i32(3).op(W.i32Shl);
      f.op(W.i32Or).tee(pointer).mem(M.i64Load, 0, MACHINE).tee(entry);
      f.op(W.i32WrapI64).i32(Pte.PRESENT).op(W.i32And).op(W.i32Eqz).if();
      this.#fault(() => this.#pushAccessBits());
      f.end();
      f.get(this.#all).get(entry).op(W.i64And).set(this.#all);
      f.get(this.#any).get(entry).op(W.i64Or).set(this.#any);
      f.get(entry).op(W.i32WrapI64).i32(-4096).op(W.i32And).set(this.#table);
    }
    f.get(this.#table).set(this.#frame);
  }

  /** User mode needs U at every level, a write W at every level, a fetch no NX at any. */
  checkRights(): void {
    const f = this.f;
    f.get(this.#kernel).op(W.i32Eqz);
    f.get(this.#all).op(W.i32WrapI64).i32(Pte.USER).op(W.i32And).op(W.i32Eqz).op(W.i32And).if();
    this.#protectionFault();
    f.end();
    this.#pushIs(WalkAccess.WRITE);
    f.get(this.#all).op(W.i32WrapI64).i32(Pte.WRITABLE).op(W.i32And).op(W.i32Eqz).op(W.i32And).if();
    this.#protectionFault();
    f.end();
    this.#pushIs(WalkAccess.EXECUTE);
    f.get(this.#any).i64(0).op(W.i64LtS).op(W.i32And).if();
    this.#protectionFault();
    f.end();
  }

  /** Sets accessed bits, and for a write the dirty bit, where they are not set; never in our own tables. */
  markAccessed(): void {
    const f = this.f;
    f.get(this.#own).op(W.i32Eqz).if();
    for (const level of LEVELS) {
      const entry = this.#entries[level - 1] ?? 0;
      const bits = f.local(i64);
      if (level === 1) {
        f.i64(Pte.ACCESSED | Pte.DIRTY).i64(Pte.ACCESSED);
        this.#pushIs(WalkAccess.WRITE);
        f.op(W.select).set(bits);
      } else f.i64(Pte.ACCESSED).set(bits);
      f.get(entry).get(bits).op(W.i64And).get(bits).op(W.i64Ne).if();
      f.get(this.#pointers[level - 1] ?? 0);
      f.get(entry).get(bits).op(W.i64Or).mem(M.i64Store, 0, MACHINE);
      f.end();
    }
    f.end();
  }

  /** Gives up where a walk would set an accessed bit. */
  checkAccessed(): void {
    const f = this.f;
    f.get(this.#own).get(this.#all).op(W.i32WrapI64).i32(Pte.ACCESSED).op(W.i32And).op(W.i32Or).op(W.i32Eqz).if();
    this.#fault(() => f.i32(0));
    f.end();
  }

  /** Pushes what a probe returns. */
  pushFrame(): void {
    this.f.get(this.#frame);
  }

  /** Fills the TLBs that the access gives a right to; a frame with decoded code does not enter the write TLB. */
  fillTlbs(): void {
    const f = this.f;
    pushTlbEntry(f, this.#address);
    f.i32(0).i32(USER_TLB).get(this.#kernel).op(W.select).op(W.i32Add).set(this.#tlb);
    const count = f.local(i32);
    this.#noteTables();
    this.#pushIs(WalkAccess.EXECUTE);
    f.if();
    this.#fill(Tlb.EXECUTE, count);
    f.else();
    this.#fill(Tlb.READ, count);
    this.#pushIs(WalkAccess.WRITE);
    f.if();
    f.get(this.#frame).i32(12).op(W.i32ShrU).mem(M.i32Load8U, CODE_MAP).if();
    f.i32(0).get(this.#frame);
    f.get(this.#address).op(W.i32WrapI64).i32(0xfff).op(W.i32And).op(W.i32Or).mem(M.i32Store, Word.WRITE_BACK);
    f.i32(WalkResult.CODE_FRAME).return();
    f.end();
    this.#fill(Tlb.WRITE, count);
    f.end();
    f.end();
  }

  /** Notes what a flush of the lower half alone has to know: tables behind the upper half, and kernel code in the lower. */
  #noteTables(): void {
    const f = this.f;
    f.get(this.#kernel).if();
    f.get(this.#address).i64(0).op(W.i64LtS).if();
    for (const pointer of this.#pointers) {
      f.get(pointer).i32(12).op(W.i32ShrU).i32(0).mem(M.i32Load, Word.TABLE_EPOCH).mem(M.i32Store8, TABLE_MAP);
    }
    f.else();
    this.#pushIs(WalkAccess.EXECUTE);
    f.if();
    f.i32(0).i32(1).mem(M.i32Store, Word.KERNEL_LOW_CODE);
    f.end().end().end();
  }

  #fill(base: number, count: number): void {
    const f = this.f;
    f.get(this.#tlb).get(this.#address).i64(-4096).op(W.i64And).mem(M.i64Store, base);
    f.get(this.#tlb).get(this.#frame);
    f.mem(M.i32Store, base + TLB_FRAME);
    f.i32(0).mem(M.i32Load, Word.TLB_LOG_COUNT).tee(count).i32(TLB_LOG_ENTRIES).op(W.i32LtU);
    f.if();
    f.get(count).i32(2).op(W.i32Shl).get(this.#tlb).i32(base).op(W.i32Add).mem(M.i32Store, TLB_LOG);
    f.i32(0).get(count).i32(1).op(W.i32Add).mem(M.i32Store, Word.TLB_LOG_COUNT);
    f.else();
    // A count that only grew would come round to 0, and a flush would miss all entries: minutes of work for a guest.
    f.i32(0).i32(TLB_LOG_ENTRIES + 1);
    f.mem(M.i32Store, Word.TLB_LOG_COUNT);
    f.end();
  }

  /** Pushes whether the walk is for `access`. */
  #pushIs(access: number): void {
    this.f.get(this.#access).i32(access).op(W.i32Eq);
  }

  /** Pushes the bits of the error code that tell the kind of access: W for a write, I for a fetch. */
  #pushAccessBits(): void {
    const f = this.f;
    this.#pushIs(WalkAccess.WRITE);
    f.i32(1).op(W.i32Shl);
    this.#pushIs(WalkAccess.EXECUTE);
    f.i32(4).op(W.i32Shl);
    f.op(W.i32Or);
  }

  #protectionFault(): void {
    this.#fault(() => {
      this.#pushAccessBits();
      this.f.i32(PageFaultError.PRESENT).op(W.i32Or);
    });
  }

  #fault(pushCode: () => void): void {
    const f = this.f;
    if (this.#isProbe) {
      f.i32(-1).return();
      return;
    }
    f.i32(0);
    pushCode();
    f.mem(M.i32Store, Word.FAULT_CODE);
    f.i32(0).get(this.#address).mem(M.i64Store, Word.SLOW_ADDRESS);
    f.i32(WalkResult.FAULT).return();
  }
}
