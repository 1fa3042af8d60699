// The hypervisor of one pCPU: everything between an engine and domain 0. The composition root makes one,
// calls `run` in a loop and `control` whenever domain 0 wants something; nothing here is concurrent.

import { Control } from './control.ts';
import { HypercallDispatcher } from './hypercall/dispatch.ts';
import { HYPERCALLS } from './hypercall/table.ts';
import { Pcpu, type PcpuPorts } from './pcpu.ts';
import { RunLoop, type RunOutcome } from './schedule/run-loop.ts';

/** A hypervisor for one pCPU. */
export class Hypervisor {
  /** What domain 0 may ask for. */
  readonly control: Control;
  readonly #hypercalls: HypercallDispatcher;
  readonly #loop: RunLoop;

  constructor(ports: PcpuPorts) {
    const pcpu = new Pcpu(ports);
    this.#hypercalls = new HypercallDispatcher(pcpu);
    this.#loop = new RunLoop(pcpu, this.#hypercalls);
    this.control = new Control(pcpu);
  }

  /**
   * Runs guests until the clock says `untilNs` or none can run.
   * @returns a reused record: whether the pCPU is idle, and until when
   */
  run(untilNs: number): RunOutcome {
    return this.#loop.run(untilNs);
  }

  /** How often each hypercall was called, those never called left out. */
  hypercallCounts(): { name: string; count: number }[] {
    return HYPERCALLS.map((row) => ({ name: row.name, count: this.#hypercalls.counts[row.number] ?? 0 })).filter(
      (entry) => entry.count > 0,
    );
  }
}
