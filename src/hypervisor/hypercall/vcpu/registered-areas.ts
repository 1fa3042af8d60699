// Areas of guest memory that the hypervisor keeps up to date: vcpu_info, run state, time.

import { Errno, VCPU_INFO_SIZE, VCPU_REGISTER_VCPU_INFO, VCPU_REGISTER_VCPU_INFO_SIZE } from '../../../abi/index.ts';
import { FRAME_SIZE } from '../../../machine/index.ts';
import { moveVcpuInfo } from '../../event/delivery.ts';
import { addressIn } from '../../memory-management.ts';
import type { Pcpu } from '../../pcpu.ts';
import { writeRunstateArea } from '../../time/runstate-area.ts';
import { writeTimeArea } from '../../time/clock-record.ts';
import type { Vcpu } from '../../vcpu.ts';
import { guestAddress, type HypercallArgs } from '../arguments.ts';

/** VCPUOP_register_vcpu_info: moves a vCPU's vcpu_info into a frame of the guest's, once and for all. */
export function registerVcpuInfo(pcpu: Pcpu, vcpu: Vcpu, target: Vcpu, args: HypercallArgs): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, args.vaddr(2), request, VCPU_REGISTER_VCPU_INFO_SIZE)) return -Errno.EFAULT;
  const frame = request.number(VCPU_REGISTER_VCPU_INFO.mfn);
  const offset = request.lo(VCPU_REGISTER_VCPU_INFO.offset);
  if (offset > FRAME_SIZE - VCPU_INFO_SIZE || offset % 8 !== 0) return -Errno.EINVAL;
  if (target.infoFrame !== undefined) return -Errno.EINVAL;
  if (target !== vcpu && !target.down) return -Errno.EINVAL;
  if (!pcpu.mm.getFrame(vcpu.domain, frame, true)) return -Errno.EINVAL;
  target.infoFrame = frame;
  moveVcpuInfo(pcpu, target, addressIn(frame, offset));
  pcpu.access.noteWrite(frame);
  return 0;
}

/** VCPUOP_register_runstate_memory_area: the address of a record, by value in a pointer-sized structure. */
export function registerRunstateArea(pcpu: Pcpu, vcpu: Vcpu, target: Vcpu, args: HypercallArgs): number {
  if (!pcpu.access.copyIn(vcpu, args.vaddr(2), pcpu.request, 8)) return -Errno.EFAULT;
  const area = guestAddress(pcpu.request.lo(0), pcpu.request.hi(0));
  if (area < 0) return -Errno.EFAULT;
  target.runstateArea = area;
  if (target === vcpu) writeRunstateArea(pcpu, vcpu, pcpu.request);
  return 0;
}

/** VCPUOP_register_vcpu_time_memory_area: the same for the time record. */
export function registerTimeArea(pcpu: Pcpu, vcpu: Vcpu, target: Vcpu, args: HypercallArgs): number {
  if (!pcpu.access.copyIn(vcpu, args.vaddr(2), pcpu.request, 8)) return -Errno.EFAULT;
  const area = guestAddress(pcpu.request.lo(0), pcpu.request.hi(0));
  if (area < 0) return -Errno.EFAULT;
  target.timeArea = area;
  target.timeAreaStale = true;
  if (target === vcpu) writeTimeArea(pcpu, vcpu);
  return 0;
}
