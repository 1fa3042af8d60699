// Runs cases in the engine: one machine with the recorder's pages at the recorder's addresses, one vCPU. An
// outcome has the same bytes as the recorder's.

import { mfn } from '../../src/base/index.ts';
import type { Mfn } from '../../src/base/index.ts';
import { createEngine } from '../../src/engine-wasm/index.ts';
import { Cpu, type EngineTier, Exit } from '../../src/engine/index.ts';
import type { CpuState, Engine, VcpuContext } from '../../src/engine/index.ts';
import { addressOf, createMachineMemory } from '../../src/machine/index.ts';
import type { MachineMemory } from '../../src/machine/index.ts';
import { Pte, PteHi, tableIndex } from '../../src/x86/index.ts';
import { requestedTier } from '../support/engine-tier.ts';
import {
  CODE_BASE,
  DATA_BASE,
  FS_BASE,
  Fx,
  GS_BASE,
  Input,
  Outcome,
  PAGE,
  readOnlyByte,
  READ_ONLY_BASE,
  SELECTORS,
  WINDOWS,
} from './machine-layout.ts';
import { normalize } from './vector-file.ts';

const NR_FRAMES = 64;
const MAX_INSTRUCTIONS = 4000;
const INT3 = 0xcc;

/** Vector in the outcome of a case that did not end with an exception: 256 + the exit's reason. */
export const NO_EXCEPTION = 256;

/** The engine with the recorder's machine. */
export class Replayer {
  readonly #memory: MachineMemory = createMachineMemory(NR_FRAMES);
  readonly #engine: Engine;
  readonly #context: VcpuContext;
  #nextFrame = 1;
  readonly #root: Mfn;
  readonly #data: readonly [Mfn, Mfn];
  readonly #codeFrames: readonly [Mfn, Mfn];

  /**
   * @param kernelMode - the mode the vCPU runs in; all pages have the U bit
   * @param tier - of the engine
   */
  constructor(kernelMode: boolean, tier: EngineTier | undefined = requestedTier()) {
    this.#engine = createEngine(this.#memory, { readTsc: () => 0 }, this.#allocate(), tier);
    this.#context = this.#engine.createContext();
    this.#root = this.#allocate();
    const userPage = Pte.PRESENT | Pte.USER;
    this.#codeFrames = [
      this.#map(CODE_BASE, userPage | Pte.WRITABLE, 0),
      this.#map(CODE_BASE + PAGE, userPage | Pte.WRITABLE, 0),
    ];
    const readOnly = this.#map(READ_ONLY_BASE, userPage, PteHi.NO_EXECUTE);
    this.#memory.frame(readOnly).set(Uint8Array.from({ length: PAGE }, (_, i) => readOnlyByte(i)));
    this.#data = [
      this.#map(DATA_BASE, userPage | Pte.WRITABLE, PteHi.NO_EXECUTE),
      this.#map(DATA_BASE + PAGE, userPage | Pte.WRITABLE, PteHi.NO_EXECUTE),
    ];
    const { state } = this.#context;
    state.writeU32(Cpu.KERNEL_ROOT, addressOf(this.#root));
    state.writeU32(Cpu.USER_ROOT, addressOf(this.#root));
    state.writeU32(Cpu.KERNEL_MODE, kernelMode ? 1 : 0);
    state.writeU64(Cpu.FS_BASE, FS_BASE);
    state.writeU64(Cpu.GS_BASE, GS_BASE);
    SELECTORS.forEach((selector, n) => (state.selector[n] = selector));
  }

  /**
   * Runs one case.
   * @param outcome - overwritten, `Outcome.SIZE` bytes
   * @param budget - of each entry of the engine, which is entered until something other than the budget ends it
   */
  run(input: Uint8Array, outcome: Uint8Array, budget = MAX_INSTRUCTIONS): void {
    const { state } = this.#context;
    this.#loadMemory(input);
    loadState(state, input);
    let reason = this.#engine.enter(this.#context, budget);
    // Decoding counts too, so the budget of one entry need not reach to the end.
    for (let entries = 1; reason === Exit.BUDGET && entries < MAX_INSTRUCTIONS; entries++) {
      reason = this.#engine.enter(this.#context, budget);
    }
    const { exit } = this.#engine;
    storeState(this.#context.state, outcome);
    const view = new DataView(outcome.buffer, outcome.byteOffset, Outcome.SIZE);
    const isException = reason === Exit.EXCEPTION;
    view.setUint32(Outcome.VECTOR, isException ? exit.vector : NO_EXCEPTION + reason, true);
    const isPageFault = isException && exit.vector === 14;
    const user = 4; // the engine leaves the U bit to the hypervisor
    view.setUint32(Outcome.ERROR, isPageFault ? exit.errorCode | user : isException ? exit.errorCode : 0, true);
    view.setBigUint64(Outcome.ADDRESS, isPageFault ? exit.faultAddress : 0n, true);
    for (const window of WINDOWS) {
      const first =
        window.offset < PAGE
          ? this.#dataBytes(window.offset, Math.min(window.size, PAGE - window.offset))
          : new Uint8Array(0);
      outcome.set(first, Outcome.DATA + window.at);
      if (first.length === window.size) continue;
      const rest = this.#dataBytes(window.offset + first.length, window.size - first.length);
      outcome.set(rest, Outcome.DATA + window.at + first.length);
    }
    normalize(outcome);
  }

  #allocate(): Mfn {
    return mfn(this.#nextFrame++);
  }

  #dataBytes(offset: number, size: number): Uint8Array {
    const start = addressOf(this.#data[offset < PAGE ? 0 : 1]) + (offset % PAGE);
    return this.#memory.u8.subarray(start, start + size);
  }

  #loadMemory(input: Uint8Array): void {
    const view = new DataView(input.buffer, input.byteOffset, Input.SIZE);
    for (const frame of this.#codeFrames) {
      this.#memory.frame(frame).fill(INT3);
      this.#engine.invalidateCode(frame);
    }
    const offset = view.getUint32(Input.CODE_OFFSET, true);
    const length = view.getUint32(Input.CODE_LENGTH, true);
    for (let i = 0; i < length; i++) {
      const frame = this.#codeFrames[offset + i < PAGE ? 0 : 1];
      this.#memory.frame(frame)[(offset + i) % PAGE] = input[Input.CODE + i] ?? 0;
    }
    for (const frame of this.#data) this.#memory.clearFrame(frame);
    for (const window of WINDOWS) {
      for (let i = 0; i < window.size; i++) {
        const at = window.offset + i;
        this.#dataBytes(at, 1)[0] = input[Input.DATA + window.at + i] ?? 0;
      }
    }
  }

  /** Maps a page to a new frame, making tables as needed. */
  #map(page: number, lo: number, hi: number): Mfn {
    const { view } = this.#memory;
    let table = this.#root;
    for (let level = 4; level > 1; level--) {
      const entry = addressOf(table) + 8 * tableIndex(page, level);
      const present = view.getUint32(entry, true);
      table = present === 0 ? this.#allocate() : mfn(present >>> 12);
      if (present === 0) view.setUint32(entry, addressOf(table) | Pte.PRESENT | Pte.WRITABLE | Pte.USER, true);
    }
    const frame = this.#allocate();
    const entry = addressOf(table) + 8 * tableIndex(page, 1);
    view.setUint32(entry, addressOf(frame) | lo, true);
    view.setUint32(entry + 4, hi, true);
    return frame;
  }
}

function loadState(state: CpuState, input: Uint8Array): void {
  const view = new DataView(input.buffer, input.byteOffset, Input.SIZE);
  const target = new DataView(state.bytes.buffer, state.bytes.byteOffset, state.bytes.length);
  for (let r = 0; r < 16; r++) state.gpr[r] = view.getBigUint64(Input.GPR + 8 * r, true);
  state.rflags = Number(view.getBigUint64(Input.RFLAGS, true));
  state.rip = BigInt(CODE_BASE + view.getUint32(Input.CODE_OFFSET, true));
  const fx = Input.FX;
  const fsw = view.getUint16(fx + Fx.FSW, true);
  target.setUint16(Cpu.FCW, view.getUint16(fx + Fx.FCW, true), true);
  target.setUint16(Cpu.FSW, fsw, true);
  target.setUint8(Cpu.FTW, view.getUint8(fx + Fx.FTW));
  target.setUint16(Cpu.FOP, view.getUint16(fx + Fx.FOP, true), true);
  target.setBigUint64(Cpu.FIP, view.getBigUint64(fx + Fx.FIP, true), true);
  target.setBigUint64(Cpu.FDP, view.getBigUint64(fx + Fx.FDP, true), true);
  target.setUint32(Cpu.MXCSR, view.getUint32(fx + Fx.MXCSR, true), true);
  for (let i = 0; i < 8; i++) {
    const physical = ((fsw >> 11) + i) & 7;
    const from = fx + Fx.ST + 16 * i;
    state.bytes.set(input.subarray(from, from + 10), Cpu.X87 + 16 * physical);
  }
  state.bytes.set(input.subarray(fx + Fx.XMM, fx + Fx.XMM + 256), Cpu.XMM);
}

function storeState(state: CpuState, outcome: Uint8Array): void {
  const view = new DataView(outcome.buffer, outcome.byteOffset, Outcome.SIZE);
  const source = new DataView(state.bytes.buffer, state.bytes.byteOffset, state.bytes.length);
  for (let r = 0; r < 16; r++) view.setBigUint64(Outcome.GPR + 8 * r, state.gpr[r] ?? 0n, true);
  view.setBigUint64(Outcome.RFLAGS, BigInt(state.rflags), true);
  view.setBigUint64(Outcome.RIP, state.rip, true);
  const fx = Outcome.FX;
  const fsw = source.getUint16(Cpu.FSW, true);
  outcome.fill(0, fx, fx + Fx.ST);
  view.setUint16(fx + Fx.FCW, source.getUint16(Cpu.FCW, true), true);
  view.setUint16(fx + Fx.FSW, fsw, true);
  view.setUint8(fx + Fx.FTW, source.getUint8(Cpu.FTW));
  view.setUint16(fx + Fx.FOP, source.getUint16(Cpu.FOP, true), true);
  view.setBigUint64(fx + Fx.FIP, source.getBigUint64(Cpu.FIP, true), true);
  view.setBigUint64(fx + Fx.FDP, source.getBigUint64(Cpu.FDP, true), true);
  view.setUint32(fx + Fx.MXCSR, source.getUint32(Cpu.MXCSR, true), true);
  for (let i = 0; i < 8; i++) {
    const physical = Cpu.X87 + 16 * (((fsw >> 11) + i) & 7);
    outcome.set(state.bytes.subarray(physical, physical + 16), fx + Fx.ST + 16 * i);
  }
  outcome.set(state.bytes.subarray(Cpu.XMM, Cpu.XMM + 256), fx + Fx.XMM);
}
