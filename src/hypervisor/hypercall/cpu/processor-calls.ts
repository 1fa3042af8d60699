// Hypercalls that stand for privileged registers: stack_switch, fpu_taskswitch, set_segment_base,
// set_debugreg, get_debugreg, and vm_assist.

import { Errno, SegBase, VmAssist, VmAssistCmd } from '../../../abi/index.ts';
import { Cpu, Sreg } from '../../../engine/index.ts';
import { canonicalVaddr } from '../../../x86/index.ts';
import { setDebugRegister } from '../../assist/control-registers.ts';
import type { Pcpu } from '../../pcpu.ts';
import { baseOf, DescriptorHi, isDataDescriptor } from '../../trap/selectors.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { HypercallArgs } from '../arguments.ts';

/** stack_switch(ss, rsp): the stack that the next bounce from user mode starts on. @hot */
export function stackSwitch(_pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  vcpu.kernelSs = (args.lo(0) & 0xffff) | 3;
  vcpu.setKernelStack(args.lo(1), args.hi(1));
  return 0;
}

/** fpu_taskswitch(set): CR0.TS. */
export function fpuTaskswitch(_pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  vcpu.taskSwitched = args.lo(0) !== 0;
  return 0;
}

/** set_segment_base(which, base). @hot */
export function setSegmentBase(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const lo = args.lo(1);
  const hi = args.hi(1);
  const which = args.int(0);
  if (which === SegBase.SEGBASE_GS_USER_SEL) return loadUserGs(pcpu, vcpu, lo & 0xffff);
  if (canonicalVaddr(lo, hi) < 0) return -Errno.EINVAL;
  const { state } = vcpu.context;
  switch (which) {
    case SegBase.SEGBASE_FS:
      state.writeU32(Cpu.FS_BASE, lo);
      state.writeU32(Cpu.FS_BASE + 4, hi);
      return 0;
    case SegBase.SEGBASE_GS_USER:
      vcpu.setInactiveGs(lo, hi);
      return 0;
    case SegBase.SEGBASE_GS_KERNEL:
      state.writeU32(Cpu.GS_BASE, lo);
      state.writeU32(Cpu.GS_BASE + 4, hi);
      return 0;
    default:
      return -Errno.EINVAL;
  }
}

/** Loads a selector into the user's GS; a bad one becomes the null selector. */
function loadUserGs(pcpu: Pcpu, vcpu: Vcpu, selector: number): number {
  const descriptor = (selector & ~3) === 0 ? undefined : pcpu.mm.readDescriptor(vcpu, selector);
  const ok =
    descriptor !== undefined && isDataDescriptor(descriptor.hi) && (descriptor.hi & DescriptorHi.PRESENT) !== 0;
  vcpu.context.state.selector[Sreg.GS] = ok || (selector & ~3) === 0 ? selector : 0;
  vcpu.setInactiveGs(ok ? baseOf(descriptor.lo, descriptor.hi) : 0, 0);
  return 0;
}

/** set_debugreg(index, value) */
export function setDebugreg(_pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  return args.hi(0) !== 0 ? -Errno.EINVAL : setDebugRegister(vcpu, args.lo(0), args.lo(1), args.hi(1));
}

/** get_debugreg(index): the value; addresses come back sign-extended as they are. */
export function getDebugreg(_pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const index = args.lo(0);
  if (args.hi(0) !== 0 || index > 7) return -Errno.EINVAL;
  const at = index === 4 || index === 5 ? index + 2 : index;
  return ((vcpu.debug[2 * at + 1] ?? 0) | 0) * 0x100000000 + (vcpu.debug[2 * at] ?? 0);
}

/** vm_assist(cmd, type) */
export function vmAssist(_pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const type = args.lo(1);
  const known = type <= VmAssist.VMASST_TYPE_runstate_update_flag || type === VmAssist.VMASST_TYPE_m2p_strict;
  if (!known || args.hi(1) !== 0) return -Errno.EINVAL;
  const bit = type < 32 ? 1 << type : 0; // m2p_strict is how it always is
  for (const each of vcpu.domain.vcpus) each.transitionsStale = true;
  switch (args.lo(0)) {
    case VmAssistCmd.VMASST_CMD_enable:
      vcpu.domain.vmAssist |= bit;
      return 0;
    case VmAssistCmd.VMASST_CMD_disable:
      vcpu.domain.vmAssist &= ~bit;
      return 0;
    default:
      return -Errno.ENOSYS;
  }
}
