// An engine with a clock on its doors: passes everything on to the real one, and tells a profile when guest code
// begins, when it ends and why. It stands in the engine's place only when a profile is wanted, so that nothing is
// measured, not even a test of a flag, when none is.

import type { Maddr, Mfn, Vaddr } from '../../base/index.ts';
import {
  Access,
  type AccessKind,
  Cpu,
  type Engine,
  type EngineCounters,
  Exit,
  type ExitReason,
  type ExitRecord,
  Gpr,
  type VcpuContext,
} from '../../engine/index.ts';
import type { MachineMemory } from '../../machine/index.ts';
import { ARGUMENT_REGISTERS, HypercallArgs } from '../hypercall/arguments.ts';
import { hypercallKind } from './hypercall-kind.ts';
import { exceptionNumber, ExitKind, type Profile } from './profile.ts';

/** The engine port, with measurements. */
export class ProfiledEngine implements Engine {
  readonly exit: ExitRecord;
  readonly counters: EngineCounters;
  readonly #engine: Engine;
  readonly #memory: MachineMemory;
  readonly #profile: Profile;
  readonly #args = new HypercallArgs();

  constructor(engine: Engine, memory: MachineMemory, profile: Profile) {
    this.#engine = engine;
    this.#memory = memory;
    this.#profile = profile;
    this.exit = engine.exit;
    this.counters = engine.counters;
  }

  enter(context: VcpuContext, budget: number): ExitReason {
    this.#profile.entered();
    const reason = this.#engine.enter(context, budget);
    this.#classify(context, reason);
    return reason;
  }

  stepWithWritable(context: VcpuContext, page: Vaddr, scratch: Mfn): ExitReason {
    this.#profile.storedToTable();
    return this.#engine.stepWithWritable(context, page, scratch);
  }

  createContext(): VcpuContext {
    return this.#engine.createContext();
  }

  destroyContext(context: VcpuContext): void {
    this.#engine.destroyContext(context);
  }

  activate(context: VcpuContext): void {
    this.#engine.activate(context);
  }

  translate(context: VcpuContext, address: Vaddr, access: AccessKind, kernelMode: boolean): Maddr | -1 {
    return this.#engine.translate(context, address, access, kernelMode);
  }

  flushTlb(): void {
    this.#engine.flushTlb();
  }

  flushTlbLowerHalf(): void {
    this.#engine.flushTlbLowerHalf();
  }

  reachesUpperHalf(table: Mfn): boolean {
    return this.#engine.reachesUpperHalf(table);
  }

  flushWritesTo(frame: Mfn): void {
    this.#engine.flushWritesTo(frame);
  }

  flushTlbPage(page: Vaddr): void {
    this.#engine.flushTlbPage(page);
  }

  hasCode(frame: Mfn): boolean {
    return this.#engine.hasCode(frame);
  }

  invalidateCode(frame: Mfn): void {
    this.#engine.invalidateCode(frame);
  }

  details(): Record<string, number> {
    return this.#engine.details();
  }

  setHypervisorRoot(root: Mfn): void {
    this.#engine.setHypervisorRoot(root);
  }

  /** Kind of a hypercall of the vCPU whose turn it is. @param number - any number; @param args - its arguments */
  hypercallKind(context: VcpuContext, number: number, args: HypercallArgs): number {
    return hypercallKind(number, args, (address) => {
      const at = this.#engine.translate(context, address, Access.READ, true);
      return at < 0 ? undefined : this.#memory.u32[at >> 2];
    });
  }

  /** Kind of the hypercall that a vCPU has just left for. */
  #kindAtExit(context: VcpuContext): number {
    const { gpr32 } = context.state;
    const { u32 } = this.#args;
    for (const [n, register] of ARGUMENT_REGISTERS.entries()) {
      u32[2 * n] = gpr32[2 * register] ?? 0;
      u32[2 * n + 1] = gpr32[2 * register + 1] ?? 0;
    }
    const number = gpr32[2 * Gpr.RAX + 1] === 0 ? (gpr32[2 * Gpr.RAX] ?? 0) : -1;
    return this.hypercallKind(context, number, this.#args);
  }

  #classify(context: VcpuContext, reason: ExitReason): void {
    const profile = this.#profile;
    const { exit } = this;
    const { state } = context;
    const kernelMode = state.readU32(Cpu.KERNEL_MODE) !== 0;
    switch (reason) {
      case Exit.BUDGET:
        profile.left(ExitKind.BUDGET, 0);
        return;
      case Exit.SYSCALL:
        if (!kernelMode) {
          profile.left(ExitKind.SYSTEM_CALL, 0);
          return;
        }
        profile.left(ExitKind.HYPERCALL, 0);
        profile.refine(this.#kindAtExit(context));
        return;
      case Exit.EXCEPTION:
        profile.left(ExitKind.EXCEPTION, exceptionNumber(exit.vector, kernelMode));
        return;
      case Exit.SOFTWARE_INTERRUPT:
      case Exit.SYSENTER:
        profile.left(ExitKind.SOFTWARE_INTERRUPT, 0);
        return;
      case Exit.ASSIST:
        profile.left(ExitKind.ASSIST, exit.assist);
    }
  }
}
