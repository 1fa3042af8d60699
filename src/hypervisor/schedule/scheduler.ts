// The port between the hypervisor and a scheduling policy. A policy orders the vCPUs that can run; when
// and why they can is decided elsewhere (`blocking.ts`). A running vCPU is in no queue.

import type { Vcpu } from '../vcpu.ts';

/** Why a vCPU that can still run has stopped running. */
export const PutReason = {
  /** Its turn is over. */
  EXPIRED: 0,
  /** It asked for others to run first. */
  YIELD: 1,
  /** Another one was to run at once. */
  PREEMPTED: 2,
} as const;

/** A value of `PutReason`. */
export type PutReasonValue = (typeof PutReason)[keyof typeof PutReason];

/** A scheduling policy. Sets `Vcpu.queued` of what it holds. */
export interface Scheduler {
  readonly name: string;
  /** Takes in a vCPU that can run from now on. */
  wake(vcpu: Vcpu, nowNs: number): void;
  /** Takes out a queued vCPU that can no longer run. */
  remove(vcpu: Vcpu): void;
  /** Chooses who runs and takes it out of the queue; undefined when nobody can. @hot */
  pick(nowNs: number): Vcpu | undefined;
  /** Takes back the vCPU picked last, which can still run. @hot */
  put(vcpu: Vcpu, nowNs: number, reason: PutReasonValue): void;
  /** When the turn of the vCPU picked last ends. @hot */
  turnEndNs(): number;
  /** Whether a vCPU that has just woken should run before the running one's turn is over. */
  preempts(woken: Vcpu, running: Vcpu): boolean;
}
