// Hypercalls about running and not running: sched_op, its old form, set_timer_op.
// Source: Xen public/sched.h; reference of the interface, section 3.12.

import {
  Errno,
  EVTCHN_2L_NR_CHANNELS,
  SCHED_POLL,
  SCHED_POLL_SIZE,
  SCHED_WATCHDOG,
  SchedOp,
  Shutdown,
} from '../../../abi/index.ts';
import { crashDomain } from '../../crash.ts';
import { isPending, setUpcallMask, upcallDue } from '../../event/delivery.ts';
import type { Pcpu } from '../../pcpu.ts';
import { block } from '../../schedule/blocking.ts';
import { shutDown } from '../../shutdown.ts';
import { armSingleshot, noteDeadline } from '../../time/timers.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { HypercallArgs } from '../arguments.ts';

/** Ports that one poll can wait for. Source: Xen, behaviour of SCHEDOP_poll. */
const MAX_POLL_PORTS = 128;

/** Timeouts further off than this are taken for wrapped-around counters. */
const FAR_FUTURE_NS = 2 ** 50;
const FAR_FUTURE_DELAY_NS = 100_000_000;

/** sched_op(cmd, arg) */
export function schedOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  switch (args.int(0)) {
    case SchedOp.SCHEDOP_yield:
      return yieldNow(pcpu);
    case SchedOp.SCHEDOP_block:
      return blockUntilEvent(pcpu, vcpu);
    case SchedOp.SCHEDOP_shutdown: {
      const reason = pcpu.access.readU32(vcpu, args.vaddr(1));
      return reason < 0 ? -Errno.EFAULT : shutDownBy(pcpu, vcpu, reason);
    }
    case SchedOp.SCHEDOP_shutdown_code:
      return pcpu.access.readU32(vcpu, args.vaddr(1)) < 0 ? -Errno.EFAULT : 0;
    case SchedOp.SCHEDOP_poll:
      return poll(pcpu, vcpu, args);
    case SchedOp.SCHEDOP_watchdog:
      return watchdog(pcpu, vcpu, args);
    case SchedOp.SCHEDOP_remote_shutdown:
    case SchedOp.SCHEDOP_pin_override:
      return -Errno.EPERM;
    default:
      return -Errno.ENOSYS;
  }
}

/** sched_op_compat(cmd, arg): yield, block and shutdown with the reason as an immediate. */
export function schedOpCompat(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  switch (args.int(0)) {
    case SchedOp.SCHEDOP_yield:
      return yieldNow(pcpu);
    case SchedOp.SCHEDOP_block:
      return blockUntilEvent(pcpu, vcpu);
    case SchedOp.SCHEDOP_shutdown:
      return shutDownBy(pcpu, vcpu, args.lo(1));
    default:
      return -Errno.ENOSYS;
  }
}

/** set_timer_op(timeout): arms the single-shot timer; 0 stops it. */
export function setTimerOp(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const timeout = args.number(0);
  const now = pcpu.clock.nowNs();
  if (timeout === 0) vcpu.singleshotNs = Infinity;
  else armSingleshot(pcpu, vcpu, timeout - now > FAR_FUTURE_NS ? now + FAR_FUTURE_DELAY_NS : timeout);
  return 0;
}

function yieldNow(pcpu: Pcpu): number {
  pcpu.reschedule = true;
  pcpu.yielding = true;
  return 0;
}

/** Unmasks events and sleeps, unless one is there already. */
function blockUntilEvent(pcpu: Pcpu, vcpu: Vcpu): number {
  setUpcallMask(pcpu, vcpu, 0);
  if (!upcallDue(pcpu, vcpu)) block(vcpu);
  return 0;
}

function shutDownBy(pcpu: Pcpu, vcpu: Vcpu, reason: number): number {
  if (reason > Shutdown.SHUTDOWN_soft_reset) return -Errno.EINVAL;
  if (reason === Shutdown.SHUTDOWN_crash)
    crashDomain(pcpu, vcpu.domain, `vCPU ${vcpu.id}: the guest says that it crashed`);
  else shutDown(pcpu, vcpu.domain, reason);
  return 0;
}

/** Sleeps until one of some ports is pending, masked or not, or a time has come, or an upcall is due. */
function poll(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, args.vaddr(1), request, SCHED_POLL_SIZE)) return -Errno.EFAULT;
  const count = request.lo(SCHED_POLL.nr_ports);
  const timeout = request.number(SCHED_POLL.timeout);
  if (count > MAX_POLL_PORTS) return -Errno.EINVAL;
  const address = request.address(SCHED_POLL.ports);
  if (count > 0 && !pcpu.access.copyIn(vcpu, address, request, count * 4)) return -Errno.EFAULT;
  const ports = [...request.u32.subarray(0, count)];
  if (upcallDue(pcpu, vcpu)) return 0;
  for (const port of ports) {
    if (port >= EVTCHN_2L_NR_CHANNELS) return -Errno.EINVAL;
    if (isPending(pcpu, vcpu.domain, port)) return 0;
  }
  vcpu.pollPorts = ports;
  vcpu.pollTimeoutNs = timeout === 0 ? Infinity : timeout;
  noteDeadline(pcpu, vcpu.pollTimeoutNs);
  block(vcpu);
  return 0;
}

/** Starts, restarts (id 1 or 2) or stops a watchdog. A new one (id 0) gets the first free id. */
function watchdog(pcpu: Pcpu, vcpu: Vcpu, args: HypercallArgs): number {
  const { request } = pcpu;
  if (!pcpu.access.copyIn(vcpu, args.vaddr(1), request, 8)) return -Errno.EFAULT;
  const timers = vcpu.domain.watchdogNs;
  const id = request.lo(SCHED_WATCHDOG.id);
  const seconds = request.lo(SCHED_WATCHDOG.timeout);
  const at = seconds === 0 ? Infinity : pcpu.clock.nowNs() + seconds * 1e9;
  if (id > timers.length) return -Errno.EINVAL;
  if (id === 0) {
    if (seconds === 0) return -Errno.EINVAL;
    const free = timers.indexOf(Infinity);
    if (free < 0) return -Errno.ENOSPC;
    timers[free] = at;
    noteDeadline(pcpu, at);
    return free + 1;
  }
  if (timers[id - 1] === Infinity) return -Errno.EINVAL;
  timers[id - 1] = at;
  noteDeadline(pcpu, at);
  return 0;
}
