// The hypervisor of one pCPU: everything between an engine and domain 0. The composition root makes one,
// calls `run` in a loop and `control` whenever domain 0 wants something; nothing here is concurrent.

import { Hypercall } from '../abi/index.ts';
import { bug } from '../base/index.ts';
import { DEFAULT_CPUID } from './assist/cpuid.ts';
import { Control } from './control.ts';
import { Domain0Events } from './event/domain0-events.ts';
import { HypercallDispatcher } from './hypercall/dispatch.ts';
import { HYPERCALLS } from './hypercall/table.ts';
import { DirectPaging } from './mm/direct-paging.ts';
import { Pcpu, type PcpuPorts } from './pcpu.ts';
import { auditReferences } from './reference-audit.ts';
import { RoundRobin } from './schedule/round-robin.ts';
import { RunLoop, type RunOutcome } from './schedule/run-loop.ts';

/** What a hypervisor is made of. Policies that are left out have defaults. */
export type HypervisorPorts = Omit<PcpuPorts, 'createMemoryManagement' | 'cpuid' | 'scheduler'> &
  Partial<Pick<PcpuPorts, 'cpuid' | 'scheduler'>>;

/** A hypervisor for one pCPU. */
export class Hypervisor {
  /** What domain 0 may ask for. */
  readonly control: Control;
  readonly #hypercalls: HypercallDispatcher;
  readonly #loop: RunLoop;
  readonly #pcpu: Pcpu;
  readonly #paging: DirectPaging;
  readonly #domain0Events: Domain0Events;

  constructor(ports: HypervisorPorts) {
    let paging: DirectPaging | undefined;
    this.#domain0Events = new Domain0Events(ports.notifications);
    const pcpu = new Pcpu({
      cpuid: DEFAULT_CPUID,
      scheduler: new RoundRobin(),
      ...ports,
      notifications: this.#domain0Events,
      createMemoryManagement: (shared) => (paging = new DirectPaging(shared)),
    });
    this.#paging = paging ?? bug('memory management was not made');
    this.#pcpu = pcpu;
    this.#hypercalls = new HypercallDispatcher(pcpu);
    this.#loop = new RunLoop(pcpu, this.#hypercalls);
    this.control = new Control(pcpu);
  }

  /**
   * Runs guests until the clock says `untilNs` or none can run.
   * @returns a reused record: whether the pCPU is idle, and until when
   */
  run(untilNs: number): RunOutcome {
    const profile = this.#pcpu.profiler?.profile;
    profile?.runBegins();
    const outcome = this.#loop.run(untilNs);
    profile?.runEnded(outcome.idle);
    this.#domain0Events.endRun();
    return outcome;
  }

  /** Recounts every reference to every frame. Slow; for tests. @returns one line for each disagreement */
  audit(): string[] {
    return this.#paging.audit(auditReferences(this.#pcpu));
  }

  /** How often each hypercall was called, those never called left out. */
  hypercallCounts(): { name: string; count: number }[] {
    // The engine carries out most iret hypercalls by itself.
    const { returns } = this.#pcpu.engine.counters;
    return HYPERCALLS.map(({ name, number }) => ({
      name,
      count: (this.#hypercalls.counts[number] ?? 0) + (number === Hypercall.__HYPERVISOR_iret ? returns : 0),
    })).filter((entry) => entry.count > 0);
  }
}
