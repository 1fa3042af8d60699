// The hypercall dispatcher: arguments in, handler, result out. Called for every `syscall` in kernel mode.
// A handler that has not finished leaves the vCPU in front of the same `syscall`, with its progress in
// the argument registers, so that events and other vCPUs get their turn in between.

import { Errno, Hypercall, IRET_CONTEXT_SIZE, NR_HYPERCALLS } from '../../abi/index.ts';
import { type CpuState, Gpr } from '../../engine/index.ts';
import { GuestBuffer } from '../guest-access.ts';
import type { Pcpu } from '../pcpu.ts';
import { rewind } from '../trap/inject.ts';
import { hypercallIret } from '../trap/iret.ts';
import type { Vcpu } from '../vcpu.ts';
import { ARGUMENT_REGISTERS, CONTINUE, HypercallArgs, NO_RESULT } from './arguments.ts';
import { Multicall } from './multicall.ts';
import { type HypercallRow, hypercallsByNumber } from './table.ts';

/** Bytes of the `syscall` instruction. */
const SYSCALL_LENGTH = 2;

/** Dispatches the hypercalls of one pCPU. */
export class HypercallDispatcher {
  /** How often each number was called; multicall entries count too. */
  readonly counts: Float64Array = new Float64Array(NR_HYPERCALLS);
  readonly #pcpu: Pcpu;
  readonly #rows: readonly (HypercallRow | undefined)[] = hypercallsByNumber();
  readonly #args: HypercallArgs = new HypercallArgs();
  readonly #frame: GuestBuffer = new GuestBuffer(IRET_CONTEXT_SIZE);
  readonly #multicall: Multicall;

  constructor(pcpu: Pcpu) {
    this.#pcpu = pcpu;
    const call = (vcpu: Vcpu, number: number, args: HypercallArgs): number => this.call(vcpu, number, args);
    this.#multicall = new Multicall(pcpu, pcpu.profiler?.timed(call) ?? call);
  }

  /** Carries out the hypercall that the running vCPU has issued. @hot */
  dispatch(vcpu: Vcpu): void {
    const { state } = vcpu.context;
    const number = (state.gpr32[2 * Gpr.RAX + 1] ?? 0) === 0 ? (state.gpr32[2 * Gpr.RAX] ?? 0) : -1;
    if (number === Hypercall.__HYPERVISOR_iret) {
      this.counts[number]!++; // the index is in range
      if (this.#pcpu.tracer.hypercall) this.#trace(vcpu, number, 0);
      hypercallIret(this.#pcpu, vcpu, this.#frame);
      return;
    }
    this.#loadArguments(state);
    const result = this.call(vcpu, number, this.#args);
    if (this.#pcpu.tracer.hypercall) this.#trace(vcpu, number, result);
    if (result === CONTINUE) {
      this.#storeArguments(state);
      rewind(state, SYSCALL_LENGTH);
      return;
    }
    if (result === NO_RESULT) return;
    state.gpr32[2 * Gpr.RAX] = result;
    state.gpr32[2 * Gpr.RAX + 1] = Math.floor(result / 0x100000000);
  }

  /** Calls a handler by number; used for multicall entries too. @hot */
  call(vcpu: Vcpu, number: number, args: HypercallArgs): number {
    const row = this.#rows[number];
    if (row === undefined) {
      vcpu.domain.unknownHypercalls++;
      return -Errno.ENOSYS;
    }
    this.counts[number]!++; // rows and counts have the same length
    if (number === Hypercall.__HYPERVISOR_multicall) return this.#multicall.run(vcpu, args);
    return row.handler(this.#pcpu, vcpu, args);
  }

  /** @hot */
  #loadArguments(state: CpuState): void {
    const { u32 } = this.#args;
    for (let i = 0; i < ARGUMENT_REGISTERS.length; i++) {
      const register = ARGUMENT_REGISTERS[i]!; // in range
      u32[2 * i] = state.gpr32[2 * register] ?? 0;
      u32[2 * i + 1] = state.gpr32[2 * register + 1] ?? 0;
    }
  }

  #storeArguments(state: CpuState): void {
    for (const [i, register] of ARGUMENT_REGISTERS.entries()) {
      state.gpr32[2 * register] = this.#args.lo(i);
      state.gpr32[2 * register + 1] = this.#args.hi(i);
    }
  }

  #trace(vcpu: Vcpu, number: number, result: number): void {
    const name = this.#rows[number]?.name ?? String(number);
    const args = [0, 1, 2, 3].map((i) => `0x${(this.#args.hi(i) * 0x100000000 + this.#args.lo(i)).toString(16)}`);
    const shown = result === CONTINUE ? 'continue' : String(result);
    const list = number === Hypercall.__HYPERVISOR_iret ? '' : args.join(', ');
    this.#pcpu.tracer.line('hypercall', `d${vcpu.domain.domid}v${vcpu.id} ${name}(${list}) = ${shown}`);
  }
}
