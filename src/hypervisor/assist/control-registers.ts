// Control and debug registers of a guest's kernel. What a guest may not change stays as it is; debug
// registers are kept but have no effect. Source: reference of the interface, section 3.9.

import { Errno, VCPU_INFO } from '../../abi/index.ts';
import { guestAddress } from '../hypercall/arguments.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';

/** PG, AM, WP, NE, ET, MP and PE. */
const CR0 = 0x80050033;
const CR0_TS = 1 << 3;
/** PAE, OSFXSR and OSXMMEXCPT. */
export const CR4_FIXED = 0x620;
const DR7_GD = 1 << 13;
/** Reserved bits of DR6 and DR7 that always read as 1 or 0. Intel SDM vol. 3B, section 17.2. */
const DR6_ONES = 0xffff0ff0;
const DR6_ZEROS = 0x1000;
const DR7_ONES = 0x400;
const DR7_ZEROS = 0xd800;

/** mov from CRn. @returns false for #GP */
export function readControlRegister(pcpu: Pcpu, vcpu: Vcpu, index: number, register: number): boolean {
  const { gpr32 } = vcpu.context.state;
  let lo = 0;
  let hi = 0;
  switch (index) {
    case 0:
      lo = CR0 | (vcpu.taskSwitched ? CR0_TS : 0);
      break;
    case 2:
      lo = pcpu.memory.u32[(vcpu.infoAddress + VCPU_INFO.arch_cr2) / 4] ?? 0;
      hi = pcpu.memory.u32[(vcpu.infoAddress + VCPU_INFO.arch_cr2) / 4 + 1] ?? 0;
      break;
    case 3:
      lo = vcpu.kernelRoot << 12;
      hi = vcpu.kernelRoot >>> 20;
      break;
    case 4:
      lo = vcpu.cr4 | CR4_FIXED;
      break;
    default:
      return false;
  }
  gpr32[2 * register] = lo;
  gpr32[2 * register + 1] = hi;
  return true;
}

/** mov to CR3. @returns 0, -ERESTART when it is to be executed again, or an error for #GP */
export function loadCr3(pcpu: Pcpu, vcpu: Vcpu, register: number): number {
  const { gpr32 } = vcpu.context.state;
  const frame = ((gpr32[2 * register + 1] ?? 0) & 0xfffff) * 0x100000 + ((gpr32[2 * register] ?? 0) >>> 12);
  return pcpu.mm.loadKernelRoot(vcpu, frame);
}

/** mov to CRn other than CR3. @returns false for #GP */
export function writeControlRegister(pcpu: Pcpu, vcpu: Vcpu, index: number, register: number): boolean {
  const { gpr32 } = vcpu.context.state;
  const lo = gpr32[2 * register] ?? 0;
  const hi = gpr32[2 * register + 1] ?? 0;
  switch (index) {
    case 0:
      if (hi !== 0 || ((lo ^ CR0) & ~CR0_TS) !== 0) return false;
      vcpu.taskSwitched = (lo & CR0_TS) !== 0;
      return true;
    case 2:
      pcpu.memory.u32[(vcpu.infoAddress + VCPU_INFO.arch_cr2) / 4] = lo;
      pcpu.memory.u32[(vcpu.infoAddress + VCPU_INFO.arch_cr2) / 4 + 1] = hi;
      return true;
    case 4:
      vcpu.cr4 = lo;
      return true;
    default:
      return false;
  }
}

/** Value that a debug register takes when `lo` and `hi` are written, or an error. @returns 0, -EINVAL or -EPERM */
export function setDebugRegister(vcpu: Vcpu, index: number, lo: number, hi: number): number {
  switch (index) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (!isDebugAddress(lo, hi)) return -Errno.EPERM;
      break;
    case 4:
    case 6:
      if (hi !== 0) return -Errno.EPERM;
      index = 6;
      lo = (lo | DR6_ONES) & ~DR6_ZEROS;
      break;
    case 5:
    case 7:
      if (hi !== 0 || (lo & DR7_GD) !== 0) return -Errno.EPERM;
      index = 7;
      lo = (lo | DR7_ONES) & ~DR7_ZEROS;
      break;
    default:
      return -Errno.EINVAL;
  }
  vcpu.debug[2 * index] = lo;
  vcpu.debug[2 * index + 1] = hi;
  return 0;
}

/** Canonical and outside the hypervisor's part. */
function isDebugAddress(lo: number, hi: number): boolean {
  return guestAddress(lo, hi) >= 0;
}

/** mov from DRn; DR4 and DR5 are DR6 and DR7. */
export function readDebugRegister(vcpu: Vcpu, index: number, register: number): boolean {
  const at = index === 4 || index === 5 ? index + 2 : index;
  const { gpr32 } = vcpu.context.state;
  gpr32[2 * register] = vcpu.debug[2 * at] ?? 0;
  gpr32[2 * register + 1] = vcpu.debug[2 * at + 1] ?? 0;
  return true;
}

/** mov to DRn. @returns false for #GP */
export function writeDebugRegister(vcpu: Vcpu, index: number, register: number): boolean {
  const { gpr32 } = vcpu.context.state;
  return setDebugRegister(vcpu, index, gpr32[2 * register] ?? 0, gpr32[2 * register + 1] ?? 0) === 0;
}
