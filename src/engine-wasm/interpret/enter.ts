// The entry to generated code, as WebAssembly: finds the block at rip, runs it, and goes on by itself after what needs
// neither the hypervisor nor the driver: an entry point that is known, and the transitions that the hypervisor has
// allowed. Everything else it returns as the interpreter left it.

import { FlatSelector, Hypercall, VCPU_INFO } from '../../abi/index.ts';
import { Cpu, Gpr, Transition } from '../../engine/index.ts';
import { PageFaultError } from '../../x86/index.ts';
import { ExitCode } from '../ir/exit-code.ts';
import { Rec } from '../ir/record.ts';
import { gprSlot } from '../ir/slots.ts';
import { BLOCK_TABLE, NOT_CANONICAL, Tlb, Word, TLB_FRAME } from '../runtime/layout.ts';
import { FunctionBuilder, type Label } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { pushBlockTableSlot } from './linkage.ts';
import { WalkAccess } from './page-walk.ts';
import { pushModeTlbEntry } from './tlb-entry.ts';
import { CS_SLOT, SS_SLOT, type Transitions } from './transitions.ts';

const MACHINE = 1;
const { i32, i64 } = ValueType;
const PAGE_SIZE = 4096;

/** Instructions that a transition counts for. */
const TRANSITION_COST = 64;

/** What `enter` calls. */
export interface EnterCallees extends Transitions {
  /** (record, budget) -> `ExitCode` */
  readonly run: number;
  readonly walk: number;
}

/**
 * Adds `enter(record, budget) -> ExitCode` to a module: runs from a record, or from RIP when it is 0.
 * DISPATCH says that the block at RIP is not known, or cannot be fetched.
 */
export function addEnter(module: ModuleBuilder, callees: EnterCallees): number {
  const enter = new EnterEmitter(callees);
  const { f } = enter;
  const again = f.loop();
  f.get(enter.record).op(W.i32Eqz).if();
  enter.locate(again);
  f.end();
  f.get(enter.record).get(enter.budget).call(callees.run).set(enter.code);
  enter.afterSyscall(again);
  enter.afterPageFault(again);
  f.get(enter.code).return();
  f.end();
  f.op(W.unreachable);
  return module.addFunction(module.type([i32, i32], [i32]), f);
}

/** Emits the steps of `enter`; its fields are the function's locals. */
class EnterEmitter {
  readonly f = new FunctionBuilder(2);
  readonly record = 0;
  readonly budget = 1;
  readonly code = this.f.local(i32);
  readonly #callees: EnterCallees;
  readonly #rip = this.f.local(i64);
  readonly #next = this.f.local(i64);
  readonly #entry = this.f.local(i32);
  readonly #slot = this.f.local(i32);
  readonly #machine = this.f.local(i32);
  readonly #allowed = this.f.local(i32);
  readonly #error = this.f.local(i32);
  readonly #address = this.f.local(i64);

  constructor(callees: EnterCallees) {
    this.#callees = callees;
  }

  /** Finds the record of the block at RIP and sets CODE_PAGE, or leaves. */
  locate(again: Label): void {
    const f = this.f;
    f.i32(0).mem(M.i64Load, Cpu.RIP).set(this.#rip);
    pushModeTlbEntry(f, this.#rip);
    f.set(this.#entry);
    f.get(this.#rip).i64(-PAGE_SIZE).op(W.i64And).tee(this.#next);
    f.get(this.#entry).mem(M.i64Load, Tlb.EXECUTE).op(W.i64Ne).if();
    f.get(this.#rip).i32(WalkAccess.EXECUTE).call(this.#callees.walk).if();
    this.#pageFault(again);
    this.#leave(ExitCode.DISPATCH);
    f.end();
    f.end();
    f.get(this.#rip)
      .op(W.i32WrapI64)
      .i32(PAGE_SIZE - 1)
      .op(W.i32And);
    f.get(this.#entry)
      .mem(M.i32Load, Tlb.EXECUTE + TLB_FRAME)
      .op(W.i32Or)
      .set(this.#machine);
    pushBlockTableSlot(f, this.#machine);
    f.tee(this.#slot).mem(M.i32Load, BLOCK_TABLE).get(this.#machine).op(W.i32Ne).if();
    this.#leave(ExitCode.DISPATCH);
    f.end();
    f.i32(0).get(this.#next).mem(M.i64Store, Cpu.CODE_PAGE);
    f.get(this.#slot)
      .mem(M.i32Load, BLOCK_TABLE + 4)
      .set(this.record);
  }

  /** A system call from user mode, or the return hypercall in kernel mode. */
  afterSyscall(again: Label): void {
    const f = this.f;
    const { enterHandler, returnFromHandler, flags } = this.#callees;
    f.get(this.code).i32(ExitCode.SYSCALL).op(W.i32Eq).if();
    this.#loadBudget();
    this.#loadAllowed();
    f.i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).if();
    this.#ifAllowed(Transition.RETURN);
    f.i32(0).mem(M.i64Load, gprSlot(Gpr.RAX)).i64(Hypercall.__HYPERVISOR_iret).op(W.i64Eq).if();
    f.call(returnFromHandler).if();
    this.#goOn(Word.NR_RETURNS, again);
    f.end().end().end();
    f.else();
    this.#ifAllowed(Transition.SYSCALL);
    // What the instruction does by itself; the driver and the hypervisor do it again if the handler cannot be entered.
    f.i32(0).i32(FlatSelector.FLAT_RING3_CS64).mem(M.i32Store16, CS_SLOT);
    f.i32(0).i32(FlatSelector.FLAT_RING3_SS64).mem(M.i32Store16, SS_SLOT);
    f.i32(0).mem(M.i64Load, Cpu.CODE_PAGE);
    f.i32(0).mem(M.i32Load, Word.RECORD).mem(M.i64Load16U, Rec.C).op(W.i64Add).set(this.#next);
    f.i32(0).get(this.#next).mem(M.i64Store, Cpu.RIP);
    f.i32(0).get(this.#next).mem(M.i64Store, gprSlot(Gpr.RCX));
    f.i32(0).call(flags).op(W.i64ExtendI32U).mem(M.i64Store, gprSlot(Gpr.R11));
    f.i32(0).mem(M.i64Load, Cpu.SYSCALL_HANDLER).i32(0);
    this.#pushAllowed(Transition.SYSCALL_MASKS);
    f.i32(0).call(enterHandler).if();
    this.#goOn(Word.NR_SYSCALLS, again);
    f.end().end().end().end();
  }

  /** A page fault of the instruction that ran last, or of the fetch that a jump led to. */
  afterPageFault(again: Label): void {
    const f = this.f;
    f.get(this.code).i32(ExitCode.PAGE_FAULT).op(W.i32Eq).if();
    f.i32(0).i32(0).mem(M.i64Load, Cpu.CODE_PAGE);
    f.i32(0).mem(M.i32Load, Word.RECORD).mem(M.i64Load16U, Rec.RIP).op(W.i64Add).mem(M.i64Store, Cpu.RIP);
    this.#loadBudget();
    this.#pageFault(again);
    f.end();
    f.get(this.code).i32(ExitCode.NO_TARGET).op(W.i32Eq).if();
    this.#loadBudget();
    this.#pageFault(again);
    f.end();
  }

  /** Gives the fault that the walk has recorded to the guest's handler, at RIP, if that is allowed. */
  #pageFault(again: Label): void {
    const f = this.f;
    const error = this.#error;
    const write = PageFaultError.PRESENT | PageFaultError.WRITE;
    f.i32(0).mem(M.i32Load, Word.FAULT_CODE).set(error);
    f.i32(0).mem(M.i64Load, Word.SLOW_ADDRESS).set(this.#address);
    this.#loadAllowed();
    this.#ifAllowed(Transition.PAGE_FAULT);
    f.get(error).i32(NOT_CANONICAL).op(W.i32Ne);
    f.i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).op(W.i32Eqz);
    f.get(error).i32(write).op(W.i32And).i32(write).op(W.i32Ne).op(W.i32Or).op(W.i32And).if();
    f.i32(0).mem(M.i64Load, Cpu.PAGE_FAULT_HANDLER).i32(1);
    this.#pushAllowed(Transition.PAGE_FAULT_MASKS);
    f.get(error).i32(PageFaultError.USER).i32(0).i32(0).mem(M.i32Load, Cpu.KERNEL_MODE);
    f.op(W.i32Eqz).op(W.select).op(W.i32Or);
    f.call(this.#callees.enterHandler).if();
    f.i32(0).mem(M.i32Load, Cpu.VCPU_INFO).get(this.#address).mem(M.i64Store, VCPU_INFO.arch_cr2, MACHINE);
    this.#goOn(Word.NR_PAGE_FAULTS, again);
    f.end();
    // The walk for the stack may have recorded a fault of its own over the guest's.
    f.i32(0).get(error).mem(M.i32Store, Word.FAULT_CODE);
    f.i32(0).get(this.#address).mem(M.i64Store, Word.SLOW_ADDRESS);
    f.end().end();
  }

  #loadBudget(): void {
    this.f.i32(0).mem(M.i32Load, Word.BUDGET).set(this.budget);
  }

  #loadAllowed(): void {
    this.f.i32(0).mem(M.i32Load, Cpu.TRANSITIONS).set(this.#allowed);
  }

  #pushAllowed(transition: number): void {
    this.f.get(this.#allowed).i32(transition).op(W.i32And);
  }

  #ifAllowed(transition: number): void {
    this.#pushAllowed(transition);
    this.f.if();
  }

  /** Counts a transition, charges it and goes on at RIP. */
  #goOn(counter: number, again: Label): void {
    const f = this.f;
    f.i32(0).i32(0).mem(M.i32Load, counter).i32(1).op(W.i32Add).mem(M.i32Store, counter);
    f.i32(0).set(this.record);
    f.get(this.budget).i32(TRANSITION_COST).op(W.i32Sub).tee(this.budget);
    f.i32(0).op(W.i32GtS).branchIf(again);
    this.#leave(ExitCode.BUDGET);
  }

  #leave(code: number): void {
    this.f.i32(0).get(this.budget).mem(M.i32Store, Word.BUDGET);
    this.f.i32(code).return();
  }
}
