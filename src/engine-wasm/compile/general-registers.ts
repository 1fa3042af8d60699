// General registers and 8-byte temporaries as local variables of a compiled function. A register that the function
// names lives in its local from the prologue to the epilogue; temporaries are never loaded, and stored only for the
// interpreter and for helpers.

import { bug } from '../../base/index.ts';
import { Cpu } from '../../engine/index.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, ValueType } from '../wasm/instructions.ts';
import { type GprUse, NR_GPR } from './gpr-use.ts';

const NR_TEMPS = 16;
const SLOT_BYTES = 8;

/** The general registers of one function. */
export class GeneralRegisters {
  readonly #f: FunctionBuilder;
  readonly #use: GprUse;
  readonly #registers: readonly number[];
  readonly #temps: readonly number[];
  /** Bit n: temporary n has been written by a record so far. */
  #writtenTemps = 0;

  /** @param use - what the whole function uses */
  constructor(f: FunctionBuilder, use: GprUse) {
    this.#f = f;
    this.#use = use;
    this.#registers = Array.from({ length: NR_GPR }, () => f.local(ValueType.i64));
    this.#temps = Array.from({ length: NR_TEMPS }, () => f.local(ValueType.i64));
  }

  /** The local that holds what is at an offset in the state block, or -1. */
  localOf(offset: number): number {
    const temp = tempOf(offset);
    if (temp >= 0) return this.#temps[temp];
    const register = registerOf(offset);
    return register >= 0 && hasBit(this.#use.used, register) ? this.#registers[register] : -1;
  }

  /** To be called before what is at an offset is written. */
  noteWrite(offset: number): void {
    this.noteTemp(offset);
    const register = registerOf(offset);
    const { used, written } = this.#use;
    if (register >= 0 && hasBit(used, register) && !hasBit(written, register))
      bug('a register is written that nothing writes');
  }

  /** To be called for the offset of an operand that somebody else may write. */
  noteTemp(offset: number): void {
    const temp = tempOf(offset);
    if (temp >= 0) this.#writtenTemps |= 1 << temp;
  }

  /** Loads the registers that the function names. */
  load(into: FunctionBuilder): void {
    this.#registers.forEach((local, n) => {
      if (hasBit(this.#use.used, n))
        into
          .i32(0)
          .mem(M.i64Load, Cpu.GPR + n * SLOT_BYTES)
          .set(local);
    });
  }

  /** Stores the registers that the function writes. */
  store(): void {
    this.#registers.forEach((local, n) => {
      if (hasBit(this.#use.written, n))
        this.#f
          .i32(0)
          .get(local)
          .mem(M.i64Store, Cpu.GPR + n * SLOT_BYTES);
    });
  }

  /** Loads the temporaries again that have been written so far. */
  loadTemps(): void {
    this.#temps.forEach((local, n) => {
      if (hasBit(this.#writtenTemps, n))
        this.#f
          .i32(0)
          .mem(M.i64Load, Cpu.TEMP + n * SLOT_BYTES)
          .set(local);
    });
  }

  /** Stores the temporaries that have been written so far. */
  spillTemps(): void {
    this.#temps.forEach((local, n) => {
      if (hasBit(this.#writtenTemps, n))
        this.#f
          .i32(0)
          .get(local)
          .mem(M.i64Store, Cpu.TEMP + n * SLOT_BYTES);
    });
  }
}

function hasBit(set: number, n: number): boolean {
  return (set & (1 << n)) !== 0;
}

function registerOf(offset: number): number {
  const n = Math.floor((offset - Cpu.GPR) / SLOT_BYTES);
  return n < NR_GPR ? n : -1;
}

function tempOf(offset: number): number {
  const n = Math.floor((offset - Cpu.TEMP) / SLOT_BYTES);
  return n < NR_TEMPS ? n : -1;
}
