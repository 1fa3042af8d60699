// A view on one vCPU state block. The hypervisor reads and writes a vCPU's registers through it; the
// engine has one over the active block, and one over the save area of each context.

import { Cpu, CPU_STATE_SIZE } from './cpu-layout.ts';
import { ARITHMETIC_FLAGS, arithmeticFlags, auxOfFlags, resultOfFlags } from './flags.ts';

/** Typed views on a state block, and accessors for the fields that need more than an index. */
export class CpuState {
  /** The whole block. */
  readonly bytes: Uint8Array;
  /** General registers by `Gpr` number. */
  readonly gpr: BigUint64Array;
  /** Halves of the general registers: low half of register r at 2r, high half at 2r + 1. */
  readonly gpr32: Uint32Array;
  /** Segment selectors by `Sreg` number. */
  readonly selector: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;

  constructor(buffer: ArrayBuffer | SharedArrayBuffer, offset: number) {
    this.bytes = new Uint8Array(buffer, offset, CPU_STATE_SIZE);
    this.gpr = new BigUint64Array(buffer, offset + Cpu.GPR, 16);
    this.gpr32 = new Uint32Array(buffer, offset + Cpu.GPR, 32);
    this.selector = new Uint16Array(buffer, offset + Cpu.SELECTOR, 6);
    this.#u32 = new Uint32Array(buffer, offset, CPU_STATE_SIZE / 4);
    this.#u64 = new BigUint64Array(buffer, offset, CPU_STATE_SIZE / 8);
  }

  /** A u32 field of `Cpu`, by its offset. */
  readU32(offset: number): number {
    return this.#u32[offset >> 2] ?? 0;
  }

  /** Sets a u32 field of `Cpu`, by its offset. */
  writeU32(offset: number, value: number): void {
    this.#u32[offset >> 2] = value;
  }

  /** A u64 field of `Cpu`, by its offset. */
  readU64(offset: number): bigint {
    return this.#u64[offset >> 3] ?? 0n;
  }

  /** Sets a u64 field of `Cpu`, by its offset. */
  writeU64(offset: number, value: bigint): void {
    this.#u64[offset >> 3] = value;
  }

  /** Instruction pointer. */
  get rip(): bigint {
    return this.readU64(Cpu.RIP);
  }

  set rip(value: bigint) {
    this.writeU64(Cpu.RIP, value);
  }

  /** RFLAGS as `pushf` shows them, bit 1 set. */
  get rflags(): number {
    const result = Cpu.FLAG_RESULT >> 2;
    const arithmetic = arithmeticFlags(this.#u32[result] ?? 0, this.#u32[result + 1] ?? 0, this.readU32(Cpu.FLAG_AUX));
    return (arithmetic | this.readU32(Cpu.FLAG_SYSTEM) | 2) >>> 0;
  }

  set rflags(value: number) {
    const result = Cpu.FLAG_RESULT >> 2;
    this.#u32[result] = resultOfFlags(value);
    this.#u32[result + 1] = 0;
    this.writeU32(Cpu.FLAG_AUX, auxOfFlags(value));
    this.writeU32(Cpu.FLAG_SYSTEM, (value & ~ARITHMETIC_FLAGS) | 2);
  }
}
