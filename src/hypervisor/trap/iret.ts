// HYPERVISOR_iret: the return from every bounce frame. Takes the frame at rsp, checks it as hardware checks
// an iretq to CPL 3, and changes to user mode when it says so. A frame that hardware would refuse ends in
// the failsafe callback; a 32-bit code segment, which the engine does not run, ends in #GP at the user's rip.
// Source: reference of the interface, section 3.5.

import { FlatSelector, IRET_CONTEXT, IRET_CONTEXT_SIZE, Vgcf, VmAssist } from '../../abi/index.ts';
import { Cpu, Gpr, Rflags, Sreg } from '../../engine/index.ts';
import { canonicalVaddr } from '../../x86/index.ts';
import { crashDomain } from '../crash.ts';
import { setUpcallMask } from '../event/delivery.ts';
import type { GuestBuffer } from '../guest-access.ts';
import { guestAddress } from '../hypercall/arguments.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { enterFailsafe, injectGp } from './inject.ts';
import { checkCodeSelector, CodeSelector, isStackSelector } from './selectors.ts';

/**
 * Carries out the iret hypercall of the running vCPU. @hot
 * @param frame - a buffer of at least 72 bytes that is overwritten
 */
export function hypercallIret(pcpu: Pcpu, vcpu: Vcpu, frame: GuestBuffer): void {
  const { state } = vcpu.context;
  const { gpr32 } = state;
  const rsp = guestAddress(gpr32[2 * Gpr.RSP] ?? 0, gpr32[2 * Gpr.RSP + 1] ?? 0);
  if (!pcpu.access.copyIn(vcpu, rsp, frame, IRET_CONTEXT_SIZE)) {
    crashDomain(pcpu, vcpu.domain, `vCPU ${vcpu.id}: the frame of an iret hypercall cannot be read`);
    return;
  }
  const savedCs = frame.lo(IRET_CONTEXT.cs) & 0xffff;
  const savedFlags = frame.lo(IRET_CONTEXT.rflags);
  if ((savedCs & 3) === 3) {
    if (vcpu.userRoot === 0) {
      crashDomain(pcpu, vcpu.domain, `vCPU ${vcpu.id}: return to user mode without a user page table`);
      return;
    }
    vcpu.toggleMode();
  }
  if ((vcpu.domain.vmAssist & (1 << VmAssist.VMASST_TYPE_architectural_iopl)) !== 0)
    vcpu.iopl = (savedFlags >>> 12) & 3;
  setUpcallMask(pcpu, vcpu, (savedFlags & Rflags.IF) !== 0 ? 0 : 1);
  vcpu.nmiMasked = false;

  const cs = savedCs | 3;
  const ss = (frame.lo(IRET_CONTEXT.ss) & 0xffff) | 3;
  load(vcpu, frame, cs, ss, (savedFlags & ~(Rflags.IOPL | Rflags.VM)) | Rflags.IF);
  checkReturn(pcpu, vcpu, cs, ss, frame);
}

/** Copies the frame into the registers. @hot */
function load(vcpu: Vcpu, frame: GuestBuffer, cs: number, ss: number, rflags: number): void {
  const { state } = vcpu.context;
  const { gpr32 } = state;
  const inSyscall = (frame.lo(IRET_CONTEXT.flags) & Vgcf.VGCF_in_syscall) !== 0;
  state.writeU32(Cpu.RIP, frame.lo(IRET_CONTEXT.rip));
  state.writeU32(Cpu.RIP + 4, frame.hi(IRET_CONTEXT.rip));
  gpr32[2 * Gpr.RSP] = frame.lo(IRET_CONTEXT.rsp);
  gpr32[2 * Gpr.RSP + 1] = frame.hi(IRET_CONTEXT.rsp);
  gpr32[2 * Gpr.RAX] = frame.lo(IRET_CONTEXT.rax);
  gpr32[2 * Gpr.RAX + 1] = frame.hi(IRET_CONTEXT.rax);
  gpr32[2 * Gpr.RCX] = frame.lo(inSyscall ? IRET_CONTEXT.rip : IRET_CONTEXT.rcx);
  gpr32[2 * Gpr.RCX + 1] = frame.hi(inSyscall ? IRET_CONTEXT.rip : IRET_CONTEXT.rcx);
  gpr32[2 * Gpr.R11] = inSyscall ? rflags : frame.lo(IRET_CONTEXT.r11);
  gpr32[2 * Gpr.R11 + 1] = inSyscall ? 0 : frame.hi(IRET_CONTEXT.r11);
  state.selector[Sreg.CS] = inSyscall ? FlatSelector.FLAT_RING3_CS64 : cs;
  state.selector[Sreg.SS] = inSyscall ? FlatSelector.FLAT_RING3_SS64 : ss;
  state.rflags = rflags & USABLE_FLAGS;
}

/** Flags that a return can set. */
const USABLE_FLAGS =
  Rflags.CF |
  Rflags.FIXED |
  Rflags.PF |
  Rflags.AF |
  Rflags.ZF |
  Rflags.SF |
  Rflags.TF |
  Rflags.IF |
  Rflags.DF |
  Rflags.OF |
  Rflags.NT |
  Rflags.RF |
  Rflags.AC |
  Rflags.ID;

/** Bit of a selector that names the LDT. */
const LOCAL_TABLE = 4;

/** Refuses what the engine cannot run. @hot */
function checkReturn(pcpu: Pcpu, vcpu: Vcpu, cs: number, ss: number, frame: GuestBuffer): void {
  const ripOk = canonicalVaddr(frame.lo(IRET_CONTEXT.rip), frame.hi(IRET_CONTEXT.rip)) >= 0;
  if ((frame.lo(IRET_CONTEXT.flags) & Vgcf.VGCF_in_syscall) !== 0) {
    if (!ripOk) enterFailsafe(pcpu, vcpu);
    return;
  }
  const code = checkCodeSelector(pcpu, vcpu, cs);
  if (code === CodeSelector.BAD || !ripOk || !isStackSelector(pcpu, vcpu, ss)) enterFailsafe(pcpu, vcpu);
  else if (code === CodeSelector.NOT_64_BIT) refuse32Bit(pcpu, vcpu);
  else rememberSelectors(vcpu, cs, ss);
}

/** Lets the engine return to the same selectors by itself. What the LDT holds changes unnoticed: its selectors are checked each time. @hot */
function rememberSelectors(vcpu: Vcpu, cs: number, ss: number): void {
  if (((cs | ss) & LOCAL_TABLE) === 0) vcpu.context.state.writeU32(Cpu.CHECKED_SELECTORS, (ss << 16) | cs);
}

/** A 32-bit program cannot run: its kernel sees #GP at its first instruction and ends it with a signal. */
function refuse32Bit(pcpu: Pcpu, vcpu: Vcpu): void {
  if (vcpu.kernelMode) {
    crashDomain(pcpu, vcpu.domain, `vCPU ${vcpu.id}: return to a 32-bit code segment in kernel mode`);
    return;
  }
  injectGp(pcpu, vcpu, 0);
}
