// Tells the engine which transitions between user and kernel mode it may make by itself, and where they lead. Called
// by the run loop before an entry when something has changed that this depends on. What the engine then does is what
// `bounce.ts` and `iret.ts` would have done; see `engine/transition.ts`.

import { TrapInfoFlag, VmAssist } from '../../abi/index.ts';
import { Cpu, type CpuState, Transition } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';

/** Brings the engine's copy up to date for a vCPU that is about to run. */
export function publishTransitions(pcpu: Pcpu, vcpu: Vcpu): void {
  const { state } = vcpu.context;
  const { traps, syscallCallback } = vcpu;
  vcpu.transitionsStale = false;
  state.writeU32(Cpu.VCPU_INFO, vcpu.infoAddress);
  writeAddress(state, Cpu.SYSCALL_HANDLER, syscallCallback.lo, syscallCallback.hi);
  writeAddress(state, Cpu.PAGE_FAULT_HANDLER, traps.lo[Vector.PF] ?? 0, traps.hi[Vector.PF] ?? 0);
  state.writeU32(Cpu.TRANSITIONS, isSpecial(pcpu, vcpu) ? 0 : allowed(vcpu));
}

/** Forgets which selectors have been checked, after a change of descriptors that any vCPU of a domain may use. */
export function forgetSelectors(domain: Domain): void {
  for (const vcpu of domain.vcpus) vcpu.context.state.writeU32(Cpu.CHECKED_SELECTORS, 0);
}

/** True when a transition is more than its frame: NMIs, flags with a privilege level, tracing. */
function isSpecial(pcpu: Pcpu, vcpu: Vcpu): boolean {
  const levels = (vcpu.domain.vmAssist & (1 << VmAssist.VMASST_TYPE_architectural_iopl)) !== 0;
  const { tracer } = pcpu;
  return levels || vcpu.nmiPending || vcpu.nmiMasked || tracer.trap || tracer.hypercall;
}

function allowed(vcpu: Vcpu): number {
  const { traps, syscallCallback } = vcpu;
  let bits: number = Transition.RETURN;
  if (syscallCallback.isSet) {
    bits |= Transition.SYSCALL;
    if (syscallCallback.maskEvents) bits |= Transition.SYSCALL_MASKS;
  }
  if (traps.isSet(Vector.PF)) {
    bits |= Transition.PAGE_FAULT;
    if (((traps.flags[Vector.PF] ?? 0) & TrapInfoFlag.MASK_EVENTS) !== 0) bits |= Transition.PAGE_FAULT_MASKS;
  }
  return bits;
}

function writeAddress(state: CpuState, field: number, lo: number, hi: number): void {
  state.writeU32(field, lo);
  state.writeU32(field + 4, hi);
}
