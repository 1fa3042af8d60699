// What happens when guest code stops: one function for each reason that an engine has. Afterwards the
// vCPU can be entered again, or its flags say that it cannot. Called by the run loop for every exit.

import { FlatSelector } from '../../abi/index.ts';
import { vaddr } from '../../base/index.ts';
import { Access, Cpu, Exit, type ExitReason, Sreg } from '../../engine/index.ts';
import { canonicalVaddr, Vector } from '../../x86/index.ts';
import { handleAssist } from '../assist/assist.ts';
import { emulateCpuid } from '../assist/cpuid.ts';
import type { HypercallDispatcher } from '../hypercall/dispatch.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { enterSyscall, injectException, injectGp, injectPageFault, injectSoftwareInterrupt, rewind } from './inject.ts';

/** Single step, in DR6. Intel SDM vol. 3B, section 17.2.3. */
const DR6_BS = 1 << 14;

/** Carries out what the last exit of `vcpu` asks for. @hot */
export function handleExit(pcpu: Pcpu, vcpu: Vcpu, reason: ExitReason, hypercalls: HypercallDispatcher): void {
  const { exit } = pcpu.engine;
  switch (reason) {
    case Exit.BUDGET:
      return;
    case Exit.SYSCALL:
      vcpu.context.state.selector[Sreg.CS] = FlatSelector.FLAT_RING3_CS64;
      vcpu.context.state.selector[Sreg.SS] = FlatSelector.FLAT_RING3_SS64;
      if (vcpu.kernelMode) hypercalls.dispatch(vcpu);
      else enterSyscall(pcpu, vcpu);
      return;
    case Exit.ASSIST:
      handleAssist(pcpu, vcpu, exit);
      return;
    case Exit.EXCEPTION:
      handleException(pcpu, vcpu, exit.vector, exit.errorCode);
      return;
    case Exit.SOFTWARE_INTERRUPT:
      softwareInterrupt(pcpu, vcpu, exit.vector);
      return;
    case Exit.SYSENTER:
      injectGp(pcpu, vcpu, 0); // CPUID does not show SEP
      return;
  }
}

/** @hot */
function handleException(pcpu: Pcpu, vcpu: Vcpu, vector: number, errorCode: number): void {
  if (vector === Vector.PF) {
    pageFault(pcpu, vcpu, errorCode);
    return;
  }
  if (vector === Vector.UD && isForcedCpuid(pcpu, vcpu)) {
    emulateCpuid(pcpu, vcpu);
    advance(vcpu, FORCED_CPUID.length);
    return;
  }
  if (vector === Vector.DB) vcpu.debug[12] = (vcpu.debug[12] ?? 0) | DR6_BS;
  injectException(pcpu, vcpu, vector, errorCode);
}

/** @hot */
function pageFault(pcpu: Pcpu, vcpu: Vcpu, errorCode: number): void {
  pcpu.wide[0] = pcpu.engine.exit.faultAddress;
  const lo = pcpu.halves[0] ?? 0;
  const hi = pcpu.halves[1] ?? 0;
  const low48 = canonicalVaddr(lo, hi);
  if (low48 >= 0 && pcpu.mm.handlePageFault(vcpu, vaddr(low48), errorCode)) return;
  injectPageFault(pcpu, vcpu, lo, hi, errorCode);
}

/** `int n`: allowed when the gate's privilege level says so; the guest's kernel counts as level 1. */
function softwareInterrupt(pcpu: Pcpu, vcpu: Vcpu, vector: number): void {
  const level = vcpu.kernelMode ? 1 : 3;
  if (vcpu.traps.isSet(vector) && vcpu.traps.dpl(vector) >= level) {
    vcpu.context.state.rip = pcpu.engine.exit.nextRip;
    injectSoftwareInterrupt(pcpu, vcpu, vector);
    return;
  }
  injectGp(pcpu, vcpu, vector * 8 + 2);
}

/** `ud2; .ascii "xen"; cpuid`: asks for the hypervisor's CPUID where the instruction itself would not trap. */
const FORCED_CPUID: readonly number[] = [0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2];

function isForcedCpuid(pcpu: Pcpu, vcpu: Vcpu): boolean {
  const { state } = vcpu.context;
  const rip = canonicalVaddr(state.readU32(Cpu.RIP), state.readU32(Cpu.RIP + 4));
  if (rip < 0 || rip % 0x1000000000000 > 0xfffffffffff0) return false;
  for (const [offset, byte] of FORCED_CPUID.entries()) {
    const at = pcpu.engine.translate(vcpu.context, vaddr(rip + offset), Access.EXECUTE, vcpu.kernelMode);
    if (at < 0 || pcpu.memory.u8[at] !== byte) return false;
  }
  return true;
}

/** Moves rip on. */
function advance(vcpu: Vcpu, length: number): void {
  rewind(vcpu.context.state, -length);
}
