// Filling a vCPU from a struct vcpu_guest_context: VCPUOP_initialise, and domain 0 when it restores a
// domain. Everything in it is the guest's claim: each field is checked, or is harmless whatever it says.
// Source: Xen public/arch-x86/xen.h, struct vcpu_guest_context.

import {
  CPU_USER_REGS,
  Errno,
  FlatSelector,
  TRAP_INFO,
  TRAP_INFO_SIZE,
  VCPU_GUEST_CONTEXT,
  Vgcf,
} from '../abi/index.ts';
import { Cpu, type CpuState, Rflags, Sreg } from '../engine/index.ts';
import { canonicalVaddr } from '../x86/index.ts';
import { setDebugRegister } from './assist/control-registers.ts';
import { setSegment } from './assist/segments.ts';
import type { GuestBuffer } from './guest-access.ts';
import { guestAddress } from './hypercall/arguments.ts';
import type { Pcpu } from './pcpu.ts';
import { checkCodeSelector, CodeSelector, isStackSelector } from './trap/selectors.ts';
import type { Vcpu } from './vcpu.ts';

const REGS = VCPU_GUEST_CONTEXT.user_regs;

/** Offsets of the general registers within the context, in `Gpr` order. */
const GPR_OFFSETS = [
  CPU_USER_REGS.rax,
  CPU_USER_REGS.rcx,
  CPU_USER_REGS.rdx,
  CPU_USER_REGS.rbx,
  CPU_USER_REGS.rsp,
  CPU_USER_REGS.rbp,
  CPU_USER_REGS.rsi,
  CPU_USER_REGS.rdi,
  CPU_USER_REGS.r8,
  CPU_USER_REGS.r9,
  CPU_USER_REGS.r10,
  CPU_USER_REGS.r11,
  CPU_USER_REGS.r12,
  CPU_USER_REGS.r13,
  CPU_USER_REGS.r14,
  CPU_USER_REGS.r15,
] as const;

/** Fields that must be canonical addresses. */
const ADDRESS_FIELDS = [
  REGS + CPU_USER_REGS.rip,
  REGS + CPU_USER_REGS.rsp,
  VCPU_GUEST_CONTEXT.kernel_sp,
  VCPU_GUEST_CONTEXT.event_callback_eip,
  VCPU_GUEST_CONTEXT.failsafe_callback_eip,
  VCPU_GUEST_CONTEXT.syscall_callback_eip,
  VCPU_GUEST_CONTEXT.fs_base,
  VCPU_GUEST_CONTEXT.gs_base_kernel,
  VCPU_GUEST_CONTEXT.gs_base_user,
] as const;

const MAX_GDT_FRAMES_IN_CONTEXT = 16;
const CR3 = VCPU_GUEST_CONTEXT.ctrlreg + 3 * 8;
const CR1 = VCPU_GUEST_CONTEXT.ctrlreg + 1 * 8;
const CR4 = VCPU_GUEST_CONTEXT.ctrlreg + 4 * 8;

/**
 * Gives a vCPU its first registers. It stays down until it is brought up.
 * @param context - our copy of the guest's structure
 * @returns 0; -EINVAL and the like for a field that cannot be; -ERESTART when validating the page tables
 * is not finished: the caller calls again
 */
export function loadGuestContext(pcpu: Pcpu, vcpu: Vcpu, context: GuestBuffer): number {
  for (const at of ADDRESS_FIELDS) if (canonicalVaddr(context.lo(at), context.hi(at)) < 0) return -Errno.EINVAL;
  const inKernel = (context.lo(VCPU_GUEST_CONTEXT.flags) & Vgcf.VGCF_in_kernel) !== 0;
  const trapsFault = loadTraps(vcpu, context);
  if (trapsFault !== 0) return trapsFault;
  const fault = loadTables(pcpu, vcpu, context, inKernel);
  if (fault === -Errno.ERESTART) return fault;
  if (fault !== 0) {
    pcpu.mm.releaseVcpu(vcpu);
    vcpu.traps.clear();
    return fault;
  }
  const masks = context.lo(VCPU_GUEST_CONTEXT.flags);
  setEntry(vcpu.eventCallback, context, VCPU_GUEST_CONTEXT.event_callback_eip, true);
  setEntry(
    vcpu.failsafeCallback,
    context,
    VCPU_GUEST_CONTEXT.failsafe_callback_eip,
    (masks & Vgcf.VGCF_failsafe_disables_events) !== 0,
  );
  setEntry(
    vcpu.syscallCallback,
    context,
    VCPU_GUEST_CONTEXT.syscall_callback_eip,
    (masks & Vgcf.VGCF_syscall_disables_events) !== 0,
  );
  vcpu.kernelSs = context.u16(VCPU_GUEST_CONTEXT.kernel_ss) | 3;
  vcpu.setKernelStack(context.lo(VCPU_GUEST_CONTEXT.kernel_sp), context.hi(VCPU_GUEST_CONTEXT.kernel_sp));
  vcpu.cr4 = context.lo(CR4);
  for (let i = 0; i < 8; i++) {
    if (i === 4 || i === 5) continue;
    const at = VCPU_GUEST_CONTEXT.debugreg + 8 * i;
    setDebugRegister(vcpu, i, context.lo(at), context.hi(at));
  }
  loadRegisters(pcpu, vcpu, context, inKernel);
  vcpu.initialised = true;
  return 0;
}

function loadTraps(vcpu: Vcpu, context: GuestBuffer): number {
  for (let i = 0; i < 256; i++) {
    const at = VCPU_GUEST_CONTEXT.trap_ctxt + i * TRAP_INFO_SIZE + TRAP_INFO.address;
    if (canonicalVaddr(context.lo(at), context.hi(at)) < 0) return -Errno.EINVAL;
  }
  for (let i = 0; i < 256; i++) {
    const at = VCPU_GUEST_CONTEXT.trap_ctxt + i * TRAP_INFO_SIZE;
    const flags = (context.u8[at + TRAP_INFO.flags] ?? 0) & 7;
    vcpu.traps.set(
      i,
      flags,
      context.u16(at + TRAP_INFO.cs) | 3,
      context.lo(at + TRAP_INFO.address),
      context.hi(at + TRAP_INFO.address),
    );
  }
  return 0;
}

/** Loads GDT, base pointers and LDT, in this order: each is validated by memory management. */
function loadTables(pcpu: Pcpu, vcpu: Vcpu, context: GuestBuffer, inKernel: boolean): number {
  const gdtEntries = context.number(VCPU_GUEST_CONTEXT.gdt_ents);
  if (gdtEntries > MAX_GDT_FRAMES_IN_CONTEXT * 512) return -Errno.EINVAL;
  const frames: number[] = [];
  for (let i = 0; i < Math.ceil(gdtEntries / 512); i++)
    frames.push(context.number(VCPU_GUEST_CONTEXT.gdt_frames + 8 * i));
  const gdt = gdtEntries === 0 ? 0 : pcpu.mm.loadGdt(vcpu, frames, gdtEntries);
  if (gdt !== 0) return gdt;

  const kernelRoot = frameOfCr3(context, CR3);
  const userRoot = frameOfCr3(context, CR1);
  if (!inKernel && userRoot === 0) return -Errno.EINVAL;
  const roots = pcpu.mm.setRoots(vcpu, kernelRoot, userRoot);
  if (roots !== 0) return roots;

  const ldtEntries = context.number(VCPU_GUEST_CONTEXT.ldt_ents);
  if (ldtEntries > 8192) return -Errno.EINVAL;
  const ldtBase = guestAddress(context.lo(VCPU_GUEST_CONTEXT.ldt_base), context.hi(VCPU_GUEST_CONTEXT.ldt_base));
  if (ldtEntries === 0) return 0;
  return ldtBase === -1 ? -Errno.EINVAL : pcpu.mm.loadLdt(vcpu, ldtBase, ldtEntries);
}

/** Frame number in a control register; its bits below 12 do not matter. */
function frameOfCr3(context: GuestBuffer, at: number): number {
  return Math.floor(context.number(at) / 4096);
}

function setEntry(entry: Vcpu['eventCallback'], context: GuestBuffer, at: number, masks: boolean): void {
  entry.set(context.lo(at), context.hi(at), masks);
}

function loadRegisters(pcpu: Pcpu, vcpu: Vcpu, context: GuestBuffer, inKernel: boolean): void {
  const { state } = vcpu.context;
  if ((context.lo(VCPU_GUEST_CONTEXT.flags) & Vgcf.VGCF_i387_valid) !== 0) loadFxsave(state, context);
  for (const [register, offset] of GPR_OFFSETS.entries()) {
    state.gpr32[2 * register] = context.lo(REGS + offset);
    state.gpr32[2 * register + 1] = context.hi(REGS + offset);
  }
  copy64(state, Cpu.RIP, context, REGS + CPU_USER_REGS.rip);
  const flags = context.lo(REGS + CPU_USER_REGS.rflags);
  vcpu.iopl = (flags >>> 12) & 3;
  state.rflags =
    (flags & ~(Rflags.IOPL | Rflags.VM | Rflags.NT | Rflags.RF | Rflags.VIF | Rflags.VIP) & 0x3fffff) | Rflags.IF;

  state.writeU32(Cpu.KERNEL_MODE, inKernel ? 1 : 0);
  const active = inKernel ? VCPU_GUEST_CONTEXT.gs_base_kernel : VCPU_GUEST_CONTEXT.gs_base_user;
  const inactive = inKernel ? VCPU_GUEST_CONTEXT.gs_base_user : VCPU_GUEST_CONTEXT.gs_base_kernel;
  loadSelectors(pcpu, vcpu, context);
  copy64(state, Cpu.FS_BASE, context, VCPU_GUEST_CONTEXT.fs_base);
  copy64(state, Cpu.GS_BASE, context, active);
  vcpu.setInactiveGs(context.lo(inactive), context.hi(inactive));
}

/** Selectors that could not be loaded by the guest itself become the flat or the null ones. */
function loadSelectors(pcpu: Pcpu, vcpu: Vcpu, context: GuestBuffer): void {
  const { selector } = vcpu.context.state;
  const cs = context.u16(REGS + CPU_USER_REGS.cs) | 3;
  const ss = context.u16(REGS + CPU_USER_REGS.ss) | 3;
  selector[Sreg.CS] = checkCodeSelector(pcpu, vcpu, cs) === CodeSelector.OK ? cs : FlatSelector.FLAT_RING3_CS64;
  selector[Sreg.SS] = isStackSelector(pcpu, vcpu, ss) ? ss : FlatSelector.FLAT_RING3_SS64;
  const data = [
    [Sreg.DS, CPU_USER_REGS.ds],
    [Sreg.ES, CPU_USER_REGS.es],
    [Sreg.FS, CPU_USER_REGS.fs],
    [Sreg.GS, CPU_USER_REGS.gs],
  ] as const;
  for (const [register, offset] of data) {
    if (setSegment(pcpu, vcpu, register, context.u16(REGS + offset)) !== 0) selector[register] = 0;
  }
}

function copy64(state: CpuState, field: number, context: GuestBuffer, at: number): void {
  state.writeU32(field, context.lo(at));
  state.writeU32(field + 4, context.hi(at));
}

/** FXSAVE image. Intel SDM vol. 1, table 10-2. */
const Fxsave = { FCW: 0, FSW: 2, FTW: 4, FOP: 6, FIP: 8, FDP: 16, MXCSR: 24, ST0: 32, XMM0: 160 } as const;
const MXCSR_MASK = 0xffff;

/** Loads x87 and SSE state. */
function loadFxsave(state: CpuState, context: GuestBuffer): void {
  const target = new DataView(state.bytes.buffer, state.bytes.byteOffset, state.bytes.byteLength);
  const { view } = context;
  const fsw = view.getUint16(Fxsave.FSW, true);
  target.setUint16(Cpu.FCW, view.getUint16(Fxsave.FCW, true), true);
  target.setUint16(Cpu.FSW, fsw, true);
  target.setUint8(Cpu.FTW, view.getUint8(Fxsave.FTW));
  target.setUint16(Cpu.FOP, view.getUint16(Fxsave.FOP, true) & 0x7ff, true);
  target.setBigUint64(Cpu.FIP, view.getBigUint64(Fxsave.FIP, true), true);
  target.setBigUint64(Cpu.FDP, view.getBigUint64(Fxsave.FDP, true), true);
  target.setUint32(Cpu.MXCSR, view.getUint32(Fxsave.MXCSR, true) & MXCSR_MASK, true);
  for (let i = 0; i < 8; i++) {
    const physical = ((fsw >>> 11) + i) & 7;
    state.bytes.set(context.u8.subarray(Fxsave.ST0 + 16 * i, Fxsave.ST0 + 16 * i + 10), Cpu.X87 + 16 * physical);
  }
  state.bytes.set(context.u8.subarray(Fxsave.XMM0, Fxsave.XMM0 + 256), Cpu.XMM);
}
