// The string instructions that move bulk data, as WebAssembly: rep movs and rep stos upwards, page by page. Whatever is
// out of the ordinary - downwards, 32-bit addresses, an element across a page end, operands that overlap, frames with
// decoded code, faults, single steps, the other instructions - is left to the runtime (`runtime/string.ts`),
// which goes on with what rcx, rsi and rdi say. Intel SDM vol. 2, REP, MOVS and STOS.

import { Cpu, Gpr, Rflags } from '../../engine/index.ts';
import { ExitCode } from '../ir/exit-code.ts';
import { Rec } from '../ir/record.ts';
import { gprSlot } from '../ir/slots.ts';
import { StringOp } from '../ir/string-op.ts';
import { Tlb, Word, TLB_FRAME } from '../runtime/layout.ts';
import { BULK_SHIFT, WORK_LIMIT } from '../runtime/string.ts';
import { FunctionBuilder, type Label } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { WalkAccess, WalkResult } from './page-walk.ts';
import { pushModeTlbEntry } from './tlb-entry.ts';

const MACHINE = 1;
const PAGE_SIZE = 4096;
const { i32, i64 } = ValueType;

/** Bytes from which on the host's own copy and fill are called: below that the call costs more than a loop. */
const MIN_HOST_BYTES = 128;

/** Kinds of the `imm` field of a `string` record. */
const NARROW = 1;
const SEGMENT_SHIFT = 8;
const FS = 4;
const GS = 5;

/** Adds `string(record) -> 0 or an ExitCode` to a module. @param slow - the runtime's version */
export function addBulkString(module: ModuleBuilder, walk: number, slow: number): number {
  const { f } = new BulkString(walk, slow).emit();
  return module.addFunction(module.type([i32], [i32]), f);
}

/** Emits the function; its fields are the function's locals. */
class BulkString {
  readonly f = new FunctionBuilder(1);
  readonly #record = 0;
  readonly #walk: number;
  readonly #slow: number;
  readonly #isMove = this.f.local(i32);
  readonly #shift = this.f.local(i32);
  readonly #detail = this.f.local(i32);
  readonly #work = this.f.local(i32);
  readonly #bytes = this.f.local(i32);
  readonly #left = this.f.local(i32);
  readonly #to = this.f.local(i32);
  readonly #from = this.f.local(i32);
  readonly #entry = this.f.local(i32);
  readonly #base = this.f.local(i64);
  readonly #count = this.f.local(i64);
  readonly #address = this.f.local(i64);
  readonly #pattern = this.f.local(i64);

  constructor(walk: number, slow: number) {
    this.#walk = walk;
    this.#slow = slow;
  }

  emit(): this {
    const f = this.f;
    this.#checkKind();
    const next = f.loop();
    f.i32(0).mem(M.i64Load, gprSlot(Gpr.RCX)).tee(this.#count).op(W.i64Eqz).if();
    f.i32(0).return();
    f.end();
    f.get(this.#work).i32(WORK_LIMIT).op(W.i32GeU).if();
    f.i32(0).i32(0).mem(M.i64Load, Cpu.CODE_PAGE);
    f.get(this.#record).mem(M.i64Load16U, Rec.RIP).op(W.i64Add).mem(M.i64Store, Cpu.RIP);
    f.i32(ExitCode.BUDGET).return();
    f.end();
    this.#measure();
    this.#translate();
    f.get(this.#bytes).set(this.#left);
    f.get(this.#isMove).if();
    this.#move();
    f.else();
    this.#fill();
    f.end();
    this.#advance(next);
    f.end();
    f.op(W.unreachable);
    return this;
  }

  /** Leaves the instruction, or what is left of it, to the runtime. */
  #leave(): void {
    this.f.get(this.#record).call(this.#slow).return();
  }

  #leaveIf(): void {
    this.f.if();
    this.#leave();
    this.f.end();
  }

  #checkKind(): void {
    const f = this.f;
    const kind = this.#entry;
    f.get(this.#record).mem(M.i32Load, Rec.IMM).set(this.#detail);
    f.get(this.#record).mem(M.i32Load16U, Rec.A).tee(kind).i32(StringOp.MOVS).op(W.i32Eq).tee(this.#isMove);
    f.get(kind).i32(StringOp.STOS).op(W.i32Eq).op(W.i32Or).op(W.i32Eqz);
    f.get(this.#record).mem(M.i32Load16U, Rec.D).op(W.i32Eqz).op(W.i32Or);
    f.get(this.#detail).i32(NARROW).op(W.i32And).op(W.i32Or);
    f.i32(0)
      .mem(M.i32Load, Cpu.FLAG_SYSTEM)
      .i32(Rflags.DF | Rflags.TF)
      .op(W.i32And)
      .op(W.i32Or);
    this.#leaveIf();
    f.get(this.#record).mem(M.i32Load16U, Rec.C).op(W.i32Ctz).set(this.#shift);
    for (const [segment, field] of [
      [FS, Cpu.FS_BASE],
      [GS, Cpu.GS_BASE],
    ] as const) {
      f.get(this.#detail).i32(SEGMENT_SHIFT).op(W.i32ShrS).i32(segment).op(W.i32Eq).if();
      f.i32(0).mem(M.i64Load, field).set(this.#base);
      f.end();
    }
  }

  /** Finds how many bytes lie on the current pages: whole elements, one at least. */
  #measure(): void {
    const f = this.f;
    f.get(this.#count).i64(PAGE_SIZE).get(this.#count).i64(PAGE_SIZE).op(W.i64LtU).op(W.select).op(W.i32WrapI64);
    f.get(this.#shift).op(W.i32Shl).set(this.#bytes);
    this.#limit(() => f.i32(0).mem(M.i32Load, gprSlot(Gpr.RDI)));
    f.get(this.#isMove).if();
    this.#limit(() => f.i32(0).mem(M.i32Load, gprSlot(Gpr.RSI)).get(this.#base).op(W.i32WrapI64).op(W.i32Add));
    f.end();
    f.get(this.#bytes).i32(-1).get(this.#shift).op(W.i32Shl).op(W.i32And).tee(this.#bytes).op(W.i32Eqz);
    this.#leaveIf();
  }

  /** Bounds the number of bytes by what is left of the page of an address. */
  #limit(pushAddress: () => void): void {
    const f = this.f;
    const room = this.#left;
    f.i32(PAGE_SIZE);
    pushAddress();
    f.i32(PAGE_SIZE - 1)
      .op(W.i32And)
      .op(W.i32Sub)
      .tee(room);
    f.get(this.#bytes).get(room).get(this.#bytes).op(W.i32LtU).op(W.select).set(this.#bytes);
  }

  /** The source first, as the runtime does: the order shows in the accessed bits. */
  #translate(): void {
    const f = this.f;
    f.get(this.#isMove).if();
    f.i32(0).mem(M.i64Load, gprSlot(Gpr.RSI)).get(this.#base).op(W.i64Add).set(this.#address);
    this.#lookUp(Tlb.READ, WalkAccess.READ, this.#from);
    f.end();
    f.i32(0).mem(M.i64Load, gprSlot(Gpr.RDI)).set(this.#address);
    this.#lookUp(Tlb.WRITE, WalkAccess.WRITE, this.#to);
  }

  #lookUp(tlb: number, access: number, machine: number): void {
    const f = this.f;
    pushModeTlbEntry(f, this.#address);
    f.set(this.#entry);
    f.get(this.#entry).mem(M.i64Load, tlb).get(this.#address).i64(-PAGE_SIZE).op(W.i64And).op(W.i64Ne).if();
    f.get(this.#address).i32(access).call(this.#walk).i32(WalkResult.OK).op(W.i32Ne);
    this.#leaveIf();
    f.end();
    f.get(this.#entry).mem(M.i32Load, tlb + TLB_FRAME);
    f.get(this.#address)
      .op(W.i32WrapI64)
      .i32(PAGE_SIZE - 1)
      .op(W.i32And)
      .op(W.i32Or)
      .set(machine);
  }

  #move(): void {
    const f = this.f;
    // each element must see the one before it
    f.get(this.#to).get(this.#from).op(W.i32Sub).i32(1).op(W.i32Sub);
    f.get(this.#bytes).i32(1).op(W.i32Sub).op(W.i32LtU);
    this.#leaveIf();
    this.#ifLong(() => f.get(this.#to).get(this.#from).get(this.#bytes).memoryCopy(MACHINE));
    this.#inSteps(8, () => f.get(this.#to).get(this.#from).mem(M.i64Load, 0, MACHINE).mem(M.i64Store, 0, MACHINE));
    this.#inSteps(1, () => f.get(this.#to).get(this.#from).mem(M.i32Load8U, 0, MACHINE).mem(M.i32Store8, 0, MACHINE));
  }

  #fill(): void {
    const f = this.f;
    const pattern = this.#pattern;
    f.i32(0).mem(M.i64Load, gprSlot(Gpr.RAX)).set(pattern);
    for (const [shift, mask, factor] of [
      [0, 0xffn, 0x0101010101010101n],
      [1, 0xffffn, 0x0001000100010001n],
      [2, 0xffffffffn, 0x0000000100000001n],
    ] as const) {
      f.get(this.#shift).i32(shift).op(W.i32Eq).if();
      f.get(pattern).i64(mask).op(W.i64And).i64(factor).op(W.i64Mul).set(pattern);
      f.end();
    }
    f.get(pattern).i64(8).op(W.i64Rotl).get(pattern).op(W.i64Eq).if();
    this.#ifLong(() => f.get(this.#to).get(pattern).op(W.i32WrapI64).get(this.#bytes).memoryFill(MACHINE));
    f.end();
    this.#inSteps(8, () => f.get(this.#to).get(pattern).mem(M.i64Store, 0, MACHINE));
    this.#inSteps(1, () => {
      f.get(this.#to).get(pattern).mem(M.i64Store8, 0, MACHINE);
      f.get(pattern).i64(8).op(W.i64ShrU).set(pattern);
    });
  }

  /** Does all of it when there is much, and leaves nothing. */
  #ifLong(work: () => void): void {
    const f = this.f;
    f.get(this.#bytes).i32(MIN_HOST_BYTES).op(W.i32GeU).if();
    work();
    f.i32(0).set(this.#left);
    f.end();
  }

  /** Repeats `work` for what is left, `step` bytes at a time. */
  #inSteps(step: number, work: () => void): void {
    const f = this.f;
    const done = f.block();
    const again = f.loop();
    f.get(this.#left).i32(step).op(W.i32LtU).branchIf(done);
    work();
    for (const pointer of [this.#to, this.#from]) f.get(pointer).i32(step).op(W.i32Add).set(pointer);
    f.get(this.#left).i32(step).op(W.i32Sub).set(this.#left).branch(again);
    f.end().end();
  }

  #advance(next: Label): void {
    const f = this.f;
    const bytes = (): void => void f.get(this.#bytes).op(W.i64ExtendI32U);
    const add = (register: number): void => {
      f.i32(0).i32(0).mem(M.i64Load, gprSlot(register));
      bytes();
      f.op(W.i64Add).mem(M.i64Store, gprSlot(register));
    };
    add(Gpr.RDI);
    f.get(this.#isMove).if();
    add(Gpr.RSI);
    f.end();
    f.i32(0).get(this.#count);
    f.get(this.#bytes).get(this.#shift).op(W.i32ShrU).op(W.i64ExtendI32U).op(W.i64Sub);
    f.mem(M.i64Store, gprSlot(Gpr.RCX));
    f.i32(0).i32(0).mem(M.i32Load, Word.BUDGET);
    f.get(this.#bytes).i32(BULK_SHIFT).op(W.i32ShrU).op(W.i32Sub).mem(M.i32Store, Word.BUDGET);
    f.get(this.#work).get(this.#bytes).op(W.i32Add).set(this.#work).branch(next);
  }
}
