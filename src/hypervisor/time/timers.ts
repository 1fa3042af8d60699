// Timers of vCPUs: the single-shot and the periodic timer, which raise VIRQ_TIMER, the time limit of
// sched_op poll, and a domain's watchdogs. The pCPU keeps the earliest deadline; the run loop looks at
// the clock often enough to be less than a millisecond late.

import { Errno, Shutdown, Virq } from '../../abi/index.ts';
import type { Domain } from '../domain.ts';
import { raiseVirq } from '../event/operations.ts';
import type { Pcpu } from '../pcpu.ts';
import { unblock } from '../schedule/blocking.ts';
import { shutDown } from '../shutdown.ts';
import type { Vcpu } from '../vcpu.ts';

/** Shortest period of the periodic timer. Source: Xen, behaviour of VCPUOP_set_periodic_timer. */
export const MIN_PERIOD_NS = 1_000_000;

/** Longest period of the periodic timer. */
export const MAX_PERIOD_NS = 2 ** 50;

/** Arms the single-shot timer at an absolute time; one that has passed fires at once. @hot */
export function armSingleshot(pcpu: Pcpu, vcpu: Vcpu, atNs: number): void {
  vcpu.singleshotNs = atNs;
  noteDeadline(pcpu, atNs);
}

/** Arms the periodic timer. @returns 0, or -EINVAL for a period out of range */
export function armPeriodic(pcpu: Pcpu, vcpu: Vcpu, periodNs: number): number {
  if (!(periodNs >= MIN_PERIOD_NS && periodNs <= MAX_PERIOD_NS)) return -Errno.EINVAL;
  vcpu.periodNs = periodNs;
  vcpu.periodicNs = pcpu.clock.nowNs() + periodNs;
  noteDeadline(pcpu, vcpu.periodicNs);
  return 0;
}

/** Stops the periodic timer. */
export function stopPeriodic(vcpu: Vcpu): void {
  vcpu.periodNs = 0;
  vcpu.periodicNs = Infinity;
}

/** Makes sure that the run loop looks at the timers at that time. @hot */
export function noteDeadline(pcpu: Pcpu, atNs: number): void {
  if (atNs < pcpu.nextDeadlineNs) pcpu.nextDeadlineNs = atNs;
}

/** Fires every timer that is due and finds the next deadline. */
export function fireTimers(pcpu: Pcpu, nowNs: number): void {
  let next = Infinity;
  for (const domain of pcpu.domains.values()) {
    if (!domain.runnable) continue;
    fireWatchdogs(pcpu, domain, nowNs);
    for (const vcpu of domain.vcpus) {
      fireVcpu(pcpu, vcpu, nowNs);
      next = Math.min(next, vcpu.singleshotNs, vcpu.periodicNs, vcpu.pollTimeoutNs);
    }
    next = Math.min(next, domain.watchdogNs[0], domain.watchdogNs[1]);
  }
  pcpu.nextDeadlineNs = next;
}

function fireVcpu(pcpu: Pcpu, vcpu: Vcpu, nowNs: number): void {
  let due = false;
  if (vcpu.singleshotNs <= nowNs) {
    vcpu.singleshotNs = Infinity;
    due = true;
  }
  if (vcpu.periodicNs <= nowNs) {
    // Ticks that nobody could see are left out.
    vcpu.periodicNs += vcpu.periodNs * Math.ceil((nowNs - vcpu.periodicNs + 1) / vcpu.periodNs);
    due = true;
  }
  if (due) raiseVirq(pcpu, vcpu, Virq.VIRQ_TIMER);
  if (vcpu.pollTimeoutNs <= nowNs) unblock(pcpu, vcpu);
}

function fireWatchdogs(pcpu: Pcpu, domain: Domain, nowNs: number): void {
  if (domain.watchdogNs[0] <= nowNs || domain.watchdogNs[1] <= nowNs) {
    domain.watchdogNs.fill(Infinity);
    shutDown(pcpu, domain, Shutdown.SHUTDOWN_watchdog);
  }
}
