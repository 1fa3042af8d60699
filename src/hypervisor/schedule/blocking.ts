// Changes of what a vCPU is doing: running, runnable, blocked, offline. Every change goes through here,
// so that the time spent in each state is counted and the scheduler knows who can run.

import { Runstate, type RunstateValue } from '../../abi/index.ts';
import type { Domain } from '../domain.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';

/** Enters a run state and adds the time spent in the last one. @hot */
export function setRunstate(vcpu: Vcpu, state: RunstateValue, nowNs: number): void {
  const spent = nowNs - vcpu.runstateEntryNs;
  if (spent > 0) vcpu.runstateNs[vcpu.runstate] = (vcpu.runstateNs[vcpu.runstate] ?? 0) + spent;
  vcpu.runstate = state;
  vcpu.runstateEntryNs = nowNs;
}

/** Puts a vCPU to sleep until `unblock`. It stops running when its exit has been handled. @hot */
export function block(vcpu: Vcpu): void {
  vcpu.blocked = true;
}

/** Wakes a vCPU from sched_op block or poll. Harmless for one that is awake. @hot */
export function unblock(pcpu: Pcpu, vcpu: Vcpu): void {
  if (!vcpu.blocked) return;
  vcpu.blocked = false;
  vcpu.pollPorts = NO_PORTS;
  vcpu.pollTimeoutNs = Infinity;
  refresh(pcpu, vcpu);
}

/** What `pollPorts` is when a vCPU does not poll. */
export const NO_PORTS: readonly number[] = [];

/** Brings scheduler and run state in line with the vCPU's and its domain's flags, after any of them changed. */
export function refresh(pcpu: Pcpu, vcpu: Vcpu): void {
  const canRun = vcpu.runnable && vcpu.domain.runnable;
  if (vcpu === pcpu.current) {
    if (!canRun) pcpu.reschedule = true;
    return;
  }
  const nowNs = pcpu.clock.nowNs();
  if (canRun && !vcpu.queued) {
    setRunstate(vcpu, Runstate.RUNSTATE_runnable, nowNs);
    pcpu.scheduler.wake(vcpu, nowNs);
    if (pcpu.current !== undefined && pcpu.scheduler.preempts(vcpu, pcpu.current)) pcpu.reschedule = true;
  } else if (!canRun) {
    if (vcpu.queued) pcpu.scheduler.remove(vcpu);
    setRunstate(vcpu, idleState(vcpu), nowNs);
  }
}

/** Run state of a vCPU that cannot run. */
export function idleState(vcpu: Vcpu): RunstateValue {
  if (vcpu.down || !vcpu.domain.runnable) return Runstate.RUNSTATE_offline;
  return vcpu.blocked ? Runstate.RUNSTATE_blocked : Runstate.RUNSTATE_runnable;
}

/** `refresh` for all vCPUs of a domain. */
export function refreshDomain(pcpu: Pcpu, domain: Domain): void {
  for (const vcpu of domain.vcpus) refresh(pcpu, vcpu);
}
