// Port I/O. There are no devices behind ports: a permitted read finds an empty bus. Who may access ports
// is decided by the virtual I/O privilege level and by the bitmap that PHYSDEVOP_set_iobitmap installs.

import { Gpr } from '../../engine/index.ts';
import type { Vcpu } from '../vcpu.ts';

/** Data port of timer channel 2. Anything but all ones ends a kernel's calibration loop at once. */
const PIT_CHANNEL_2 = 0x42;

/** True when cli, sti and all ports are permitted: the guest's kernel counts as level 1, its programs as 3. */
export function hasIoPrivilege(vcpu: Vcpu): boolean {
  return vcpu.iopl >= (vcpu.kernelMode ? 1 : 3);
}

function mayAccess(vcpu: Vcpu, port: number, size: number): boolean {
  if (hasIoPrivilege(vcpu)) return true;
  const bitmap = vcpu.ioBitmap;
  if (bitmap === undefined) return false;
  for (let at = port; at < port + size; at++) {
    if (((bitmap[at >> 3] ?? 0xff) & (1 << (at & 7))) !== 0) return false;
  }
  return true;
}

/** Reads a port into al, ax or eax. @returns false for #GP */
export function readPort(vcpu: Vcpu, port: number, size: number): boolean {
  if (!mayAccess(vcpu, port, size)) return false;
  const { gpr32 } = vcpu.context.state;
  const old = gpr32[2 * Gpr.RAX] ?? 0;
  const all = size === 4 ? 0xffffffff : 2 ** (8 * size) - 1;
  gpr32[2 * Gpr.RAX] = port === PIT_CHANNEL_2 ? old & ~all : old | all;
  if (size === 4) gpr32[2 * Gpr.RAX + 1] = 0;
  return true;
}

/** Writes a port, to no effect. @returns false for #GP */
export function writePort(vcpu: Vcpu, port: number, size: number): boolean {
  return mayAccess(vcpu, port, size);
}
