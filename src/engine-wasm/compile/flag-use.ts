// What operations do with the arithmetic flags, as far as the compiler wants to know it to put their computation off
// until somebody looks. Found by running every emission once with an emitter that takes notes.

import { bug } from '../../base/index.ts';
import { Cpu } from '../../engine/index.ts';
import type { OpEmitter } from '../ir/operation.ts';
import { OPERATIONS } from '../ir/operations.ts';
import { FunctionBuilder } from '../wasm/function-builder.ts';

/** One operation's use of the flags. */
export interface FlagUse {
  /** Its flags can be computed later, from the scratch locals that it leaves behind. */
  readonly isLazy: boolean;
  /** It wants the flags that are put off to be computed before it runs. */
  readonly wantsFlags: boolean;
  /** It sets all flags and looks at none, and does not leave the code. */
  readonly overwrites: boolean;
  /** It does not touch the flags. */
  readonly isNeutral: boolean;
  /** It may leave the code. */
  readonly mayLeave: boolean;
}

/** What jumps do with the flags: those that look at them say so themselves. */
export const PUTS_OFF_NOTHING: FlagUse = {
  isLazy: false,
  wantsFlags: false,
  overwrites: false,
  isNeutral: false,
  mayLeave: true,
};

/** Operations that set all flags, unconditionally, by pure computation from scratch locals that they do not change afterwards. */
const LAZY =
  /^((add|adc|sub|sbb|cmp|and|or|xor|test)(8|16|32|64)i?|(inc|dec|neg)(8|16|32|64)|(shl|shr|sar)(8|16|32|64)i)$/;

class NotingEmitter implements OpEmitter {
  readonly hasRareOutOfLine = false;
  readonly knownImmediate = undefined;
  readonly f = new FunctionBuilder(0);
  readonly i64 = [0, 1, 2, 3, 4, 5] as const;
  readonly i32 = [6, 7, 8, 9] as const;
  readonly v128 = [10, 11, 12, 13] as const;
  touches = false;
  reads = false;
  sets = false;
  leaves = false;
  /** The computation of the flags takes nothing but locals and constants. */
  isPure = true;
  #inFlags = false;

  read(): void {
    this.#note();
  }

  write(_field: unknown, _store: number, value: () => void): void {
    this.#note();
    value();
  }

  number(): void {
    this.#note();
  }

  imm32(): void {
    this.#note();
  }

  imm64(): void {
    this.#note();
  }

  readState(offset: number): void {
    this.#note();
    if (isFlags(offset)) this.touches = this.reads = true;
  }

  writeState(offset: number, _store: number, value: () => void): void {
    this.#note();
    if (isFlags(offset)) this.touches = true;
    value();
  }

  setFlags(result: () => void, aux: () => void): void {
    this.sets = this.touches = true;
    this.#inFlags = true;
    result();
    aux();
    this.#inFlags = false;
  }

  ordinaryBias(): void {
    this.#note();
  }

  ordinaryEnd(): void {
    this.#note();
  }

  hasNoDenormals(): boolean {
    return false;
  }

  fallBack(): void {
    this.leaves = true;
  }

  callHelper(): void {
    this.touches = this.leaves = true;
  }

  raise(): void {
    this.leaves = true;
  }

  #note(): void {
    if (this.#inFlags) this.isPure = false;
  }
}

/** By opcode. */
export const FLAG_USES: readonly FlagUse[] = OPERATIONS.map(({ name, kind, memory, emit }) => {
  if (kind === 'control') return { ...PUTS_OFF_NOTHING, wantsFlags: true };
  const notes = new NotingEmitter();
  emit?.(notes);
  const isLazy = LAZY.test(name);
  if (isLazy && !(notes.sets && notes.isPure && !notes.leaves)) bug(`the flags of ${name} cannot be put off`);
  const faults = memory !== undefined && memory.action !== 'address';
  return {
    isLazy,
    wantsFlags: isLazy ? notes.reads : notes.touches,
    overwrites: isLazy && !notes.reads,
    isNeutral: !notes.touches,
    mayLeave: notes.leaves || faults,
  };
});

function isFlags(offset: number): boolean {
  return offset === Cpu.FLAG_RESULT || offset === Cpu.FLAG_AUX;
}
