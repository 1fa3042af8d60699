// Runs a recorded case through the whole engine: decoder, lowering, interpreter. The counterpart of
// `runOnCpu`: what comes out has the same shape.

import { Cpu, CPU_STATE_SIZE, Exit } from '../../../src/engine/index.ts';
import { StateView } from '../../../src/engine-wasm/runtime/state.ts';
import { fxrstorImage, fxsaveImage } from '../../../src/engine-wasm/runtime/x87/fxsave-image.ts';
import { mfn } from '../../../src/base/index.ts';
import { FRAME_SIZE } from '../../../src/machine/index.ts';
import { Vector } from '../../../src/x86/index.ts';
import { BareMachine, CODE, DATA } from '../../support/bare-machine.ts';
import type { FloatCase } from '../float-recorder/float-case.ts';
import type { CpuResult } from '../float-recorder/recorder-client.ts';

const STACK = 0x30000000;
const INT3 = 0xcc;
const MEMORY_BYTES = 512;

/** A machine that cases run on one after the other. */
export class CaseMachine {
  readonly #machine = new BareMachine();
  readonly #codeFrame: number;
  readonly #dataFrame: number;
  readonly #registers = new StateView(new ArrayBuffer(CPU_STATE_SIZE));

  constructor() {
    this.#codeFrame = this.#machine.map(CODE);
    this.#dataFrame = this.#machine.map(DATA);
    this.#machine.map(STACK);
  }

  /** Runs one case. */
  run(one: FloatCase): CpuResult {
    this.#load(one);
    const { engine, memory } = this.#machine;
    const reason = this.#machine.run();
    if (reason !== Exit.EXCEPTION) throw new Error(`unexpected exit ${reason}`);
    const ended = engine.exit.vector === Vector.BP;
    const { state } = this.#machine.vcpu;
    this.#registers.u8.set(state.bytes);
    const image = new Uint8Array(512);
    fxsaveImage(this.#registers, new DataView(image.buffer), 0, true);
    return {
      trap: ended ? 0 : 1 + engine.exit.vector,
      rax: state.gpr[0] ?? 0n,
      rflags: BigInt(state.rflags),
      codeAddress: BigInt(CODE),
      memoryAddress: BigInt(DATA),
      memory: memory.u8.slice(this.#dataFrame * FRAME_SIZE, this.#dataFrame * FRAME_SIZE + MEMORY_BYTES),
      image,
    };
  }

  #load({ form, rax, rflags, memory, image }: FloatCase): void {
    const machine = this.#machine;
    machine.engine.invalidateCode(mfn(this.#codeFrame));
    machine.memory.u8.set([...form.code, INT3], this.#codeFrame * FRAME_SIZE);
    machine.memory.u8.set(memory, this.#dataFrame * FRAME_SIZE);
    const { state } = machine.vcpu;
    this.#registers.u8.set(state.bytes);
    fxrstorImage(this.#registers, new DataView(image.buffer, image.byteOffset), 0, true);
    state.bytes.set(this.#registers.u8.subarray(Cpu.FCW), Cpu.FCW);
    machine.set({ RAX: rax, RCX: 0n, RDX: 0n, RSI: BigInt(DATA), RSP: BigInt(STACK + FRAME_SIZE), RDI: 0n });
    state.rflags = rflags | 0x202;
    state.rip = BigInt(CODE);
  }
}
