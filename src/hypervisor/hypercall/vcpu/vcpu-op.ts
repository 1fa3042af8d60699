// vcpu_op: bringing vCPUs up and down, their timers, run states and registered areas.
// Source: Xen public/vcpu.h.

import {
  Errno,
  Shutdown,
  VCPU_GUEST_CONTEXT_SIZE,
  VCPU_RUNSTATE_INFO_SIZE,
  VCPU_SET_SINGLESHOT_TIMER,
  VCPU_SET_SINGLESHOT_TIMER_SIZE,
  VCPU_SSHOTTMR_future,
  VcpuOp,
} from '../../../abi/index.ts';
import type { Pcpu } from '../../pcpu.ts';
import { refresh, unblock } from '../../schedule/blocking.ts';
import { shutDown } from '../../shutdown.ts';
import { fillRunstate } from '../../time/runstate-area.ts';
import { armPeriodic, armSingleshot, stopPeriodic } from '../../time/timers.ts';
import { loadGuestContext } from '../../vcpu-context.ts';
import type { Vcpu } from '../../vcpu.ts';
import { CONTINUE, type HypercallArgs } from '../arguments.ts';
import { registerRunstateArea, registerTimeArea, registerVcpuInfo } from './registered-areas.ts';

/** vcpu_op(cmd, vcpuid, arg) */
export function vcpuOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const target = args.hi(1) === 0 ? vcpu.domain.vcpus[args.lo(1)] : undefined;
  if (target === undefined) return -Errno.ENOENT;
  switch (args.int(0)) {
    case VcpuOp.VCPUOP_initialise:
      return initialise(pcpu, vcpu, target, args);
    case VcpuOp.VCPUOP_up:
      return bringUp(pcpu, target);
    case VcpuOp.VCPUOP_down:
      return takeDown(pcpu, target);
    case VcpuOp.VCPUOP_is_up:
      return target.down ? 0 : 1;
    case VcpuOp.VCPUOP_get_runstate_info:
      fillRunstate(pcpu.request, target, pcpu.clock.nowNs());
      return pcpu.access.copyOut(vcpu, args.vaddr(2), pcpu.request, VCPU_RUNSTATE_INFO_SIZE) ? 0 : -Errno.EFAULT;
    case VcpuOp.VCPUOP_register_runstate_memory_area:
      return registerRunstateArea(pcpu, vcpu, target, args);
    case VcpuOp.VCPUOP_set_periodic_timer:
      if (!pcpu.access.copyIn(vcpu, args.vaddr(2), pcpu.request, 8)) return -Errno.EFAULT;
      return armPeriodic(pcpu, target, pcpu.request.number(0));
    case VcpuOp.VCPUOP_stop_periodic_timer:
      stopPeriodic(target);
      return 0;
    case VcpuOp.VCPUOP_set_singleshot_timer:
      return target === vcpu ? setSingleshot(pcpu, vcpu, args) : -Errno.EINVAL;
    case VcpuOp.VCPUOP_stop_singleshot_timer:
      if (target !== vcpu) return -Errno.EINVAL;
      vcpu.singleshotNs = Infinity;
      return 0;
    case VcpuOp.VCPUOP_register_vcpu_info:
      return registerVcpuInfo(pcpu, vcpu, target, args);
    case VcpuOp.VCPUOP_send_nmi:
      if ((args.lo(2) | args.hi(2)) !== 0) return -Errno.EINVAL;
      return sendNmi(pcpu, target);
    case VcpuOp.VCPUOP_get_physid:
      return -Errno.EINVAL; // for pinned vCPUs only
    case VcpuOp.VCPUOP_register_vcpu_time_memory_area:
      return registerTimeArea(pcpu, vcpu, target, args);
    default:
      return -Errno.ENOSYS;
  }
}

function initialise(pcpu: Pcpu, vcpu: Vcpu, target: Vcpu, args: HypercallArgs): number {
  if (!pcpu.access.copyIn(vcpu, args.vaddr(2), pcpu.request, VCPU_GUEST_CONTEXT_SIZE)) return -Errno.EFAULT;
  if (target.initialised) return -Errno.EEXIST;
  const result = loadGuestContext(pcpu, target, pcpu.request);
  return result === -Errno.ERESTART ? CONTINUE : result;
}

/** Lets an initialised vCPU run. */
export function bringUp(pcpu: Pcpu, target: Vcpu): number {
  if (!target.initialised) return -Errno.EINVAL;
  if (target.down) {
    target.down = false;
    refresh(pcpu, target);
  }
  return 0;
}

/** Stops a vCPU. When it was the last one, the domain has powered off. */
function takeDown(pcpu: Pcpu, target: Vcpu): number {
  if (target.domain.vcpus.every((other) => other === target || other.down)) {
    shutDown(pcpu, target.domain, Shutdown.SHUTDOWN_poweroff);
    return 0;
  }
  target.down = true;
  refresh(pcpu, target);
  return 0;
}

/** @hot */
function setSingleshot(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, args.vaddr(2), request, VCPU_SET_SINGLESHOT_TIMER_SIZE)) return -Errno.EFAULT;
  const at = request.number(VCPU_SET_SINGLESHOT_TIMER.timeout_abs_ns);
  const future = (request.lo(VCPU_SET_SINGLESHOT_TIMER.flags) & VCPU_SSHOTTMR_future) !== 0;
  if (future && at < pcpu.clock.nowNs()) return -Errno.ETIME;
  armSingleshot(pcpu, vcpu, at);
  return 0;
}

function sendNmi(pcpu: Pcpu, target: Vcpu): number {
  target.nmiPending = true;
  unblock(pcpu, target);
  return 0;
}
