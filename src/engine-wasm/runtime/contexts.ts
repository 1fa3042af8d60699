// vCPU contexts: the registers of vCPUs that are not running wait in blocks of their own; those of the
// active one are in memory 0.

import { Cpu, CPU_STATE_SIZE, CpuState, type VcpuContext } from '../../engine/index.ts';
import type { EngineMemory } from './engine-memory.ts';

const FCW_AFTER_FNINIT = 0x037f;
const MXCSR_AFTER_RESET = 0x1f80;

/** One vCPU's registers. */
export class Context implements VcpuContext {
  readonly #contexts: Contexts;
  /** The registers while another vCPU is active. */
  readonly saved: CpuState;

  constructor(contexts: Contexts) {
    this.#contexts = contexts;
    this.saved = new CpuState(new ArrayBuffer(CPU_STATE_SIZE), 0);
    this.saved.writeU32(Cpu.FCW, FCW_AFTER_FNINIT);
    this.saved.writeU32(Cpu.MXCSR, MXCSR_AFTER_RESET);
    this.saved.rflags = 0;
  }

  get state(): CpuState {
    return this.#contexts.active === this ? this.#contexts.activeState : this.saved;
  }
}

/** The contexts of an engine. */
export class Contexts {
  readonly activeState: CpuState;
  active: Context | undefined;

  constructor(memory: EngineMemory) {
    this.activeState = memory.cpu;
  }

  /** True for the context whose registers are in memory 0. */
  isActive(context: Context): boolean {
    return this.active === context;
  }

  /** Makes a context the active one. @returns true when it was not */
  activate(context: Context): boolean {
    if (this.active === context) return false;
    this.active?.saved.bytes.set(this.activeState.bytes);
    this.activeState.bytes.set(context.saved.bytes);
    this.active = context;
    return true;
  }

  /** Forgets a context. */
  destroy(context: Context): void {
    if (this.active === context) this.active = undefined;
  }
}
