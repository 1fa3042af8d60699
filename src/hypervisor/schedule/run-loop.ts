// The run loop of a pCPU: fires timers, lets the scheduler choose, runs the chosen vCPU until its turn
// ends. Time is looked at after about half a millisecond's worth of instructions, so that timers and the
// host are served in time. A bug of ours in handling an exit crashes the domain and goes no further.

import { Runstate } from '../../abi/index.ts';
import { crashDomain } from '../crash.ts';
import { GuestBuffer } from '../guest-access.ts';
import type { HypercallDispatcher } from '../hypercall/dispatch.ts';
import type { Pcpu } from '../pcpu.ts';
import { writeTimeArea } from '../time/clock-record.ts';
import { writeRunstateArea } from '../time/runstate-area.ts';
import { fireTimers } from '../time/timers.ts';
import { handleExit } from '../trap/exit.ts';
import { deliverPending } from '../trap/inject.ts';
import { publishTransitions } from '../trap/transitions.ts';
import type { Vcpu } from '../vcpu.ts';
import { idleState, setRunstate } from './blocking.ts';
import { PutReason, type PutReasonValue } from './scheduler.ts';

/** How often the clock is looked at, about. */
const CLOCK_INTERVAL_NS = 500_000;

/** Bounds of the instruction budget of one interval. */
const MIN_BUDGET = 500;
const MAX_BUDGET = 4_000_000;

/** Instructions that handling an exit is taken to cost. */
const EXIT_COST = 200;

/** Exits after which the clock is looked at in any case: one may have taken half a millisecond of ours. */
const EXITS_PER_CHECK = 8;

/** First guess of the engine's speed, in instructions per ns. */
const FIRST_SPEED = 0.02;

/** How a run ended. One record is reused. */
export interface RunOutcome {
  /** True when no vCPU can run before `wakeAtNs`; false when the time was used up. */
  idle: boolean;
  /** When the next timer fires; Infinity when there is none. */
  wakeAtNs: number;
}

/** Runs the vCPUs of one pCPU. */
export class RunLoop {
  readonly #pcpu: Pcpu;
  readonly #hypercalls: HypercallDispatcher;
  readonly #record: GuestBuffer = new GuestBuffer(64);
  readonly #outcome: RunOutcome = { idle: false, wakeAtNs: Infinity };
  /** Instructions per ns, smoothed. */
  #speed = FIRST_SPEED;

  constructor(pcpu: Pcpu, hypercalls: HypercallDispatcher) {
    this.#pcpu = pcpu;
    this.#hypercalls = hypercalls;
  }

  /** Runs until the clock says `untilNs` or nobody can run. @hot */
  run(untilNs: number): RunOutcome {
    const pcpu = this.#pcpu;
    for (;;) {
      const now = pcpu.clock.nowNs();
      if (now >= pcpu.nextDeadlineNs) fireTimers(pcpu, now);
      if (now >= untilNs) return this.#end(false);
      const vcpu = pcpu.scheduler.pick(now);
      if (vcpu === undefined) return this.#end(true);
      this.#runTurn(vcpu, now, Math.min(untilNs, pcpu.scheduler.turnEndNs()));
    }
  }

  #end(idle: boolean): RunOutcome {
    this.#outcome.idle = idle;
    this.#outcome.wakeAtNs = this.#pcpu.nextDeadlineNs;
    return this.#outcome;
  }

  /** Runs one vCPU until its turn ends or it cannot go on. @hot */
  #runTurn(vcpu: Vcpu, startNs: number, endNs: number): void {
    const pcpu = this.#pcpu;
    pcpu.current = vcpu;
    pcpu.engine.activate(vcpu.context);
    pcpu.reschedule = false;
    pcpu.yielding = false;
    setRunstate(vcpu, Runstate.RUNSTATE_running, startNs);
    try {
      if (vcpu.timeAreaStale) writeTimeArea(pcpu, vcpu);
      writeRunstateArea(pcpu, vcpu, this.#record);
      this.#execute(vcpu, startNs, endNs);
    } catch (error) {
      // The domain boundary: whatever went wrong in our code, only the domain that made us run it pays.
      const message = error instanceof Error ? error.message : String(error);
      pcpu.logger.warn(`bug of the hypervisor: ${error instanceof Error ? (error.stack ?? message) : message}`);
      crashDomain(pcpu, vcpu.domain, `bug of the hypervisor: ${message}`);
    }
    pcpu.current = undefined;
    const now = pcpu.clock.nowNs();
    if (vcpu.runnable && vcpu.domain.runnable) {
      setRunstate(vcpu, Runstate.RUNSTATE_runnable, now);
      pcpu.scheduler.put(vcpu, now, this.#putReason(now));
    } else setRunstate(vcpu, idleState(vcpu), now);
  }

  #putReason(now: number): PutReasonValue {
    if (this.#pcpu.yielding) return PutReason.YIELD;
    return now >= this.#pcpu.scheduler.turnEndNs() ? PutReason.EXPIRED : PutReason.PREEMPTED;
  }

  /** Enters guest code again and again. @hot */
  #execute(vcpu: Vcpu, startNs: number, endNs: number): void {
    const pcpu = this.#pcpu;
    const { engine } = pcpu;
    const { counters } = engine;
    let checkedNs = startNs;
    let checkedAt = counters.instructions;
    let left = this.#budget(startNs, endNs);
    let exits = 0;
    for (;;) {
      deliverPending(pcpu, vcpu);
      if (pcpu.reschedule || !vcpu.runnable || !vcpu.domain.runnable) break;
      if (vcpu.transitionsStale) publishTransitions(pcpu, vcpu);
      const before = counters.instructions;
      const reason = engine.enter(vcpu.context, left);
      handleExit(pcpu, vcpu, reason, this.#hypercalls);
      left -= counters.instructions - before + EXIT_COST;
      if (left > 0 && ++exits < EXITS_PER_CHECK) continue;
      exits = 0;
      const now = pcpu.clock.nowNs();
      this.#measure(counters.instructions - checkedAt, now - checkedNs);
      checkedNs = now;
      checkedAt = counters.instructions;
      if (now >= pcpu.nextDeadlineNs) fireTimers(pcpu, now);
      if (now >= endNs) break;
      left = this.#budget(now, endNs);
    }
  }

  /** Instructions until the clock should be looked at again. @hot */
  #budget(nowNs: number, endNs: number): number {
    const interval = Math.min(CLOCK_INTERVAL_NS, endNs - nowNs, this.#pcpu.nextDeadlineNs - nowNs);
    return Math.max(MIN_BUDGET, Math.min(MAX_BUDGET, Math.ceil(interval * this.#speed)));
  }

  /** Learns how fast the engine is. @hot */
  #measure(instructions: number, ns: number): void {
    if (ns <= 0 || instructions <= 0) return;
    this.#speed = Math.min(20, Math.max(0.0001, 0.75 * this.#speed + (0.25 * instructions) / ns));
  }
}
