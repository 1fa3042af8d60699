// The transitions that the engine makes by itself (`engine/transition.ts`), as WebAssembly: entering a handler of the
// guest's kernel, and returning from it. Each function either does all of it and returns 1, or changes nothing that
// the guest can see and returns 0; then the exit goes to the hypervisor, which knows every case.
// The hypervisor's own version is in `hypervisor/trap/bounce.ts` and `iret.ts`; `transitions.test.ts` compares.

import { FlatSelector, HypervisorVirt, IRET_CONTEXT, IRET_CONTEXT_SIZE, VCPU_INFO, Vgcf } from '../../abi/index.ts';
import { ARITHMETIC_FLAGS, Cpu, FlagAux, Gpr, Rflags, Sreg } from '../../engine/index.ts';
import { gprSlot } from '../ir/slots.ts';
import { Tlb, TLB_FRAME } from '../runtime/layout.ts';
import { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType, W } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { pushTlbEntry } from './memory-access.ts';
import { WalkAccess, WalkResult } from './page-walk.ts';

const MACHINE = 1;
const PAGE_SIZE = 4096;
const { i32, i64 } = ValueType;
const RSP = gprSlot(Gpr.RSP);

/** State slot of the code selector. */
export const CS_SLOT: number = Cpu.SELECTOR + 2 * Sreg.CS;

/** State slot of the stack selector. */
export const SS_SLOT: number = Cpu.SELECTOR + 2 * Sreg.SS;

/** Bytes of a frame without and with an error code: rcx, r11, (error code,) rip, cs, rflags, rsp, ss. */
const FRAME_BYTES = 56;
const FAULT_FRAME_BYTES = 64;

/** Flags that are off in a handler, and besides them in a system call's. */
const CLEARED = Rflags.AC | Rflags.VM | Rflags.RF | Rflags.NT | Rflags.TF;
const CLEARED_IN_SYSCALL = CLEARED | Rflags.DF;

/** Flags that a return can set; TF is left to the hypervisor. */
const RETURNED =
  ARITHMETIC_FLAGS | Rflags.FIXED | Rflags.IF | Rflags.DF | Rflags.NT | Rflags.RF | Rflags.AC | Rflags.ID;

/** The hypervisor's part of the address space is aligned to its size: bits of an address that tell it, and what they are there. */
const OWN_SHIFT = Math.log2(HypervisorVirt.END - HypervisorVirt.START);
const OWN_MASK = 2 ** (48 - OWN_SHIFT) - 1;
const OWN_PREFIX = HypervisorVirt.START / 2 ** OWN_SHIFT;

/** Indices of the functions. */
export interface Transitions {
  /** (handler: i64, isFault: i32, masks: i32, errorCode: i32) -> 1 when it was entered; RIP is the address to return to. */
  readonly enterHandler: number;
  /** () -> 1 when the frame at rsp has been returned to. */
  readonly returnFromHandler: number;
  /** () -> RFLAGS. */
  readonly flags: number;
}

/** Adds the functions to a module. */
export function addTransitions(module: ModuleBuilder, walk: number): Transitions {
  const flags = addFlags(module);
  return { flags, enterHandler: addEnterHandler(module, walk, flags), returnFromHandler: addReturn(module, walk) };
}

/** RFLAGS from the two words that flags are kept in; see `engine/flags.ts`. */
function addFlags(module: ModuleBuilder): number {
  const f = new FunctionBuilder(0);
  const result = f.local(i64);
  const aux = f.local(i32);
  f.i32(0).mem(M.i64Load, Cpu.FLAG_RESULT).set(result);
  f.i32(0).mem(M.i32Load, Cpu.FLAG_AUX).tee(aux);
  f.i32(Rflags.CF | Rflags.AF | Rflags.OF).op(W.i32And);
  f.get(result).op(W.i32WrapI64).get(aux).i32(FlagAux.PARITY_DELTA_SHIFT).op(W.i32ShrU).op(W.i32Xor);
  f.i32(0xff).op(W.i32And).op(W.i32Popcnt).i32(1).op(W.i32And).op(W.i32Eqz).i32(2).op(W.i32Shl).op(W.i32Or); // PF
  f.get(result).op(W.i64Eqz).i32(6).op(W.i32Shl).op(W.i32Or); // ZF
  f.get(result).i64(56).op(W.i64ShrU).op(W.i32WrapI64).get(aux).op(W.i32Xor).i32(Rflags.SF).op(W.i32And).op(W.i32Or);
  f.i32(0).mem(M.i32Load, Cpu.FLAG_SYSTEM).op(W.i32Or).i32(Rflags.FIXED).op(W.i32Or);
  return module.addFunction(module.type([], [i32]), f);
}

function addEnterHandler(module: ModuleBuilder, walk: number, flags: number): number {
  const f = new FunctionBuilder(4);
  const [handler, isFault, masks, errorCode] = [0, 1, 2, 3];
  const stack = f.local(i64);
  const at = f.local(i32);
  const kernel = f.local(i32);
  const info = f.local(i32);
  const mask = f.local(i32);
  const rflags = f.local(i32);
  const bytes = f.local(i32);
  f.i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).set(kernel);
  f.i32(FAULT_FRAME_BYTES).i32(FRAME_BYTES).get(isFault).op(W.select).set(bytes);
  f.i32(0).mem(M.i64Load, RSP).i32(0).mem(M.i64Load, Cpu.KERNEL_STACK).get(kernel).op(W.select);
  f.i64(-16).op(W.i64And).get(bytes).op(W.i64ExtendI32U).op(W.i64Sub).set(stack);
  emitFrameAddress(f, { walk, kernel, stack, at, pushBytes: () => f.get(bytes), access: WalkAccess.WRITE });

  f.i32(0).mem(M.i32Load, Cpu.VCPU_INFO).tee(info).mem(M.i32Load8U, VCPU_INFO.evtchn_upcall_mask, MACHINE).set(mask);
  f.call(flags)
    .i32(~(Rflags.IF | Rflags.IOPL))
    .op(W.i32And);
  f.i32(0).i32(Rflags.IF).get(mask).op(W.select).op(W.i32Or).set(rflags); // IF stands for the event mask
  const copy = (from: number, to: number): void => {
    f.get(at).i32(0).mem(M.i64Load, from).mem(M.i64Store, to, MACHINE);
  };
  copy(gprSlot(Gpr.RCX), 0);
  copy(gprSlot(Gpr.R11), 8);
  f.get(isFault).if();
  f.get(at).get(errorCode).op(W.i64ExtendI32U).mem(M.i64Store, 16, MACHINE);
  f.get(at).i32(8).op(W.i32Add).set(at);
  f.end();
  copy(Cpu.RIP, 16);
  f.get(at).i32(0).mem(M.i32Load16U, CS_SLOT).i32(~3).i32(-1).get(kernel).op(W.select).op(W.i32And);
  f.mem(M.i32Store, 24, MACHINE).get(at).get(mask).mem(M.i32Store, 28, MACHINE);
  f.get(at).get(rflags).op(W.i64ExtendI32U).mem(M.i64Store, 32, MACHINE);
  copy(RSP, 40);
  f.get(at).i32(0).mem(M.i64Load16U, SS_SLOT).mem(M.i64Store, 48, MACHINE);

  f.get(kernel).op(W.i32Eqz).if();
  emitToggle(f, 1);
  f.end();
  f.get(masks).if();
  f.get(info).i32(1).mem(M.i32Store8, VCPU_INFO.evtchn_upcall_mask, MACHINE);
  f.end();
  f.i32(0).get(stack).mem(M.i64Store, RSP);
  f.i32(0).get(handler).mem(M.i64Store, Cpu.RIP);
  f.i32(0).i32(FlatSelector.FLAT_RING3_CS64).mem(M.i32Store16, CS_SLOT);
  f.i32(0).i32(FlatSelector.FLAT_RING3_SS64).mem(M.i32Store16, SS_SLOT);
  f.i32(0).i32(0).mem(M.i32Load, Cpu.FLAG_SYSTEM);
  f.i32(~CLEARED).i32(~CLEARED_IN_SYSCALL).get(isFault).op(W.select).op(W.i32And).mem(M.i32Store, Cpu.FLAG_SYSTEM);
  f.i32(1);
  return module.addFunction(module.type([i64, i32, i32, i32], [i32]), f);
}

function addReturn(module: ModuleBuilder, walk: number): number {
  const f = new FunctionBuilder(0);
  const frame = f.local(i64);
  const at = f.local(i32);
  const kernel = f.local(i32);
  const cs = f.local(i32);
  const ss = f.local(i32);
  const rflags = f.local(i32);
  const inSyscall = f.local(i32);
  const info = f.local(i32);
  const mask = f.local(i32);
  const rip = f.local(i64);
  const refuseIf = (): void => {
    f.if();
    f.i32(0).return().end();
  };
  f.i32(1).set(kernel);
  f.i32(0).mem(M.i64Load, RSP).set(frame);
  emitFrameAddress(f, {
    walk,
    kernel,
    stack: frame,
    at,
    pushBytes: () => f.i32(IRET_CONTEXT_SIZE),
    access: WalkAccess.READ,
  });
  f.get(at).mem(M.i32Load16U, IRET_CONTEXT.cs, MACHINE).set(cs);
  f.get(at).mem(M.i32Load16U, IRET_CONTEXT.ss, MACHINE).i32(3).op(W.i32Or).set(ss);
  f.get(at).mem(M.i32Load, IRET_CONTEXT.rflags, MACHINE).set(rflags);
  f.get(at).mem(M.i64Load, IRET_CONTEXT.rip, MACHINE).set(rip);
  f.get(at).mem(M.i32Load, IRET_CONTEXT.flags, MACHINE).i32(Vgcf.VGCF_in_syscall).op(W.i32And).set(inSyscall);
  f.get(cs).i32(3).op(W.i32And).i32(3).op(W.i32Ne).set(kernel);

  f.get(rflags).i32(Rflags.TF).op(W.i32And);
  f.get(rip).i64(16).op(W.i64Shl).i64(16).op(W.i64ShrS).get(rip).op(W.i64Ne).op(W.i32Or);
  f.get(kernel).i32(0).mem(M.i32Load, Cpu.USER_ROOT).op(W.i32Or).op(W.i32Eqz).op(W.i32Or);
  refuseIf();
  f.get(cs).i32(3).op(W.i32Or).set(cs);
  f.get(inSyscall).op(W.i32Eqz).if();
  const isNeither = (selector: number, flat: number, checked: number): void => {
    f.get(selector).i32(flat).op(W.i32Ne).get(selector).i32(0).mem(M.i32Load16U, checked).op(W.i32Ne).op(W.i32And);
  };
  isNeither(cs, FlatSelector.FLAT_RING3_CS64, Cpu.CHECKED_SELECTORS);
  isNeither(ss, FlatSelector.FLAT_RING3_SS64, Cpu.CHECKED_SELECTORS + 2);
  f.op(W.i32Or);
  refuseIf();
  f.end();
  f.get(rflags).i32(Rflags.IF).op(W.i32And).op(W.i32Eqz).set(mask);
  f.i32(0).mem(M.i32Load, Cpu.VCPU_INFO).tee(info).mem(M.i32Load8U, VCPU_INFO.evtchn_upcall_pending, MACHINE);
  f.i32(0).op(W.i32Ne).get(mask).op(W.i32Eqz).op(W.i32And);
  refuseIf(); // the upcall that has become due is the hypervisor's

  f.get(kernel).op(W.i32Eqz).if();
  emitToggle(f, 0);
  f.end();
  f.get(info).get(mask).mem(M.i32Store8, VCPU_INFO.evtchn_upcall_mask, MACHINE);
  f.get(rflags)
    .i32(~(Rflags.IOPL | Rflags.VM))
    .op(W.i32And)
    .i32(Rflags.IF)
    .op(W.i32Or)
    .set(rflags);
  const load = (slot: number, field: number): void => {
    f.i32(0).get(at).mem(M.i64Load, field, MACHINE).mem(M.i64Store, slot);
  };
  load(RSP, IRET_CONTEXT.rsp);
  load(gprSlot(Gpr.RAX), IRET_CONTEXT.rax);
  f.i32(0).get(rip).mem(M.i64Store, Cpu.RIP);
  f.get(inSyscall).if();
  load(gprSlot(Gpr.RCX), IRET_CONTEXT.rip);
  f.i32(0).get(rflags).op(W.i64ExtendI32U).mem(M.i64Store, gprSlot(Gpr.R11));
  f.i32(FlatSelector.FLAT_RING3_CS64).set(cs).i32(FlatSelector.FLAT_RING3_SS64).set(ss);
  f.else();
  load(gprSlot(Gpr.RCX), IRET_CONTEXT.rcx);
  load(gprSlot(Gpr.R11), IRET_CONTEXT.r11);
  f.end();
  f.i32(0).get(cs).mem(M.i32Store16, CS_SLOT);
  f.i32(0).get(ss).mem(M.i32Store16, SS_SLOT);
  emitSetFlags(f, rflags);
  f.i32(1);
  return module.addFunction(module.type([], [i32]), f);
}

/** Stores RFLAGS as the two words that they are kept in, and the system flags; see `engine/flags.ts`. */
function emitSetFlags(f: FunctionBuilder, rflags: number): void {
  f.i32(0).get(rflags).i32(Rflags.ZF).op(W.i32And).op(W.i32Eqz).op(W.i64ExtendI32U).mem(M.i64Store, Cpu.FLAG_RESULT);
  // The result's own parity is even when it is 0 and odd when it is 1.
  f.i32(0)
    .get(rflags)
    .i32(Rflags.CF | Rflags.AF | Rflags.OF | FlagAux.SIGN_DELTA)
    .op(W.i32And);
  f.get(rflags).i32(Rflags.ZF).op(W.i32And).op(W.i32Eqz);
  f.get(rflags).i32(Rflags.PF).op(W.i32And).op(W.i32Eqz).op(W.i32Ne);
  f.i32(FlagAux.PARITY_DELTA_SHIFT).op(W.i32Shl).op(W.i32Or).mem(M.i32Store, Cpu.FLAG_AUX);
  f.i32(0)
    .get(rflags)
    .i32(RETURNED & ~ARITHMETIC_FLAGS)
    .op(W.i32And)
    .i32(Rflags.FIXED)
    .op(W.i32Or);
  f.mem(M.i32Store, Cpu.FLAG_SYSTEM);
}

/** Changes the mode: the bit, and which base of GS is in force. */
function emitToggle(f: FunctionBuilder, kernelMode: number): void {
  const base = f.local(i64);
  f.i32(0).mem(M.i64Load, Cpu.GS_BASE).set(base);
  f.i32(0).i32(0).mem(M.i64Load, Cpu.OTHER_GS_BASE).mem(M.i64Store, Cpu.GS_BASE);
  f.i32(0).get(base).mem(M.i64Store, Cpu.OTHER_GS_BASE);
  f.i32(0).i32(kernelMode).mem(M.i32Store, Cpu.KERNEL_MODE);
}

/** What `emitFrameAddress` needs; locals by their indices. */
interface FrameAccess {
  readonly walk: number;
  /** i64: virtual address of the frame. */
  readonly stack: number;
  /** i32: gets its machine address. */
  readonly at: number;
  /** i32: the mode to go back to. */
  readonly kernel: number;
  readonly pushBytes: () => void;
  readonly access: typeof WalkAccess.READ | typeof WalkAccess.WRITE;
}

/** Translates a frame's address with the kernel's rights; returns 0 from the function unless all of it is in one page. */
function emitFrameAddress(f: FunctionBuilder, frame: FrameAccess): void {
  const { walk, stack, at, kernel, pushBytes, access } = frame;
  const tlb = access === WalkAccess.READ ? Tlb.READ : Tlb.WRITE;
  const entry = f.local(i32);
  f.get(stack)
    .op(W.i32WrapI64)
    .i32(PAGE_SIZE - 1)
    .op(W.i32And);
  pushBytes();
  f.op(W.i32Add).i32(PAGE_SIZE).op(W.i32GtU);
  f.get(stack).i64(OWN_SHIFT).op(W.i64ShrU).op(W.i32WrapI64).i32(OWN_MASK).op(W.i32And).i32(OWN_PREFIX).op(W.i32Eq);
  f.op(W.i32Or).if();
  f.i32(0).return().end();
  pushTlbEntry(f, stack);
  f.set(entry);
  f.get(entry).mem(M.i64Load, tlb).get(stack).i64(-PAGE_SIZE).op(W.i64And).op(W.i64Ne).if();
  f.i32(0).i32(1).mem(M.i32Store, Cpu.KERNEL_MODE);
  f.get(stack).i32(access).call(walk).set(at);
  f.i32(0).get(kernel).mem(M.i32Store, Cpu.KERNEL_MODE);
  f.get(at).i32(WalkResult.OK).op(W.i32Ne).if();
  f.i32(0).return().end();
  f.end();
  f.get(entry).mem(M.i32Load, tlb + TLB_FRAME);
  f.get(stack)
    .op(W.i32WrapI64)
    .i32(PAGE_SIZE - 1)
    .op(W.i32And)
    .op(W.i32Or)
    .set(at);
}
