// The simplest fair policy: vCPUs take turns of equal length. A vCPU that wakes may use the rest of the
// running one's turn, so that interrupts between vCPUs are quick; nobody gains time by that, because
// the turn is shared and ends when it would have.

import type { Vcpu } from '../vcpu.ts';
import { PutReason, type PutReasonValue, type Scheduler } from './scheduler.ts';

/** Length of a turn. */
const TURN_NS = 2_000_000;

/** Round robin over all vCPUs of all domains. */
export class RoundRobin implements Scheduler {
  readonly name = 'round-robin';
  /** Waiting for their turn. */
  readonly #ready: Vcpu[] = [];
  /** Share the present turn. */
  readonly #urgent: Vcpu[] = [];
  #turnEndNs = 0;

  wake(vcpu: Vcpu): void {
    vcpu.queued = true;
    this.#urgent.push(vcpu);
  }

  remove(vcpu: Vcpu): void {
    vcpu.queued = false;
    drop(this.#ready, vcpu);
    drop(this.#urgent, vcpu);
  }

  /** @hot */
  pick(nowNs: number): Vcpu | undefined {
    if (this.#urgent.length > 0 && (nowNs >= this.#turnEndNs || this.#ready.length === 0)) {
      while (this.#urgent.length > 0) this.#ready.push(this.#urgent.shift()!); // not empty: the loop's condition
    }
    let next = this.#urgent.shift();
    if (next === undefined) {
      next = this.#ready.shift();
      if (next === undefined) return undefined;
      this.#turnEndNs = nowNs + TURN_NS;
    }
    next.queued = false;
    return next;
  }

  /** @hot */
  put(vcpu: Vcpu, _nowNs: number, reason: PutReasonValue): void {
    vcpu.queued = true;
    if (reason === PutReason.PREEMPTED) this.#urgent.push(vcpu);
    else this.#ready.push(vcpu);
  }

  /** @hot */
  turnEndNs(): number {
    return this.#turnEndNs;
  }

  preempts(): boolean {
    return true;
  }
}

function drop(queue: Vcpu[], vcpu: Vcpu): void {
  const at = queue.indexOf(vcpu);
  if (at >= 0) queue.splice(at, 1);
}
