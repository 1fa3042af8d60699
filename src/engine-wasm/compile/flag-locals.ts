// The flag words in local variables, and flags whose computation is put off until somebody looks. At most places the
// compiler knows which operation has set them last. Where several ways meet it does not (`open`); a local variable
// then tells in which of the region's ways they are to be computed, should control leave the region.

import { bug } from '../../base/index.ts';
import { Cpu } from '../../engine/index.ts';
import type { FunctionBuilder, Label } from '../wasm/function-builder.ts';
import { M, ValueType } from '../wasm/instructions.ts';
import type { FlagUse } from './flag-use.ts';

/** Flags that have been put off: what `setFlags` takes, and which operation it was. */
interface PendingFlags {
  readonly use: FlagUse;
  readonly result: () => void;
  readonly aux: () => void;
}

/** The flags of one function. */
export class FlagLocals {
  /** Locals of the flag words. */
  readonly result: number;
  readonly aux: number;
  /** The function has code that changes the flags. */
  isWritten = false;
  /** The flags that have been put off; undefined: the locals have them; `open`: the local `#kind` tells. */
  pending: PendingFlags | 'open' | undefined;
  readonly #f: FunctionBuilder;
  readonly #kind: number;
  /** Ways in which flags are computed that `#kind` can tell, from number 1 on. */
  readonly #kinds: PendingFlags[] = [];
  readonly #withOperands: (emit: () => void) => void;

  /** @param withOperands - lets an emission use the scratch locals that operations leave operands for their flags in */
  constructor(f: FunctionBuilder, withOperands: (emit: () => void) => void) {
    this.#f = f;
    this.result = f.local(ValueType.i64);
    this.aux = f.local(ValueType.i32);
    this.#kind = f.local(ValueType.i32);
    this.#withOperands = withOperands;
  }

  /** Sets the flags, or puts that off. */
  set(use: FlagUse, result: () => void, aux: () => void): void {
    this.isWritten = true;
    if (use.isLazy) {
      this.pending = { use, result, aux };
      return;
    }
    if (this.pending !== undefined) bug('flags are put off while others are set');
    this.#setWords(result, aux);
  }

  /** Computes the flags that have been put off, if any. */
  compute(): void {
    this.emit();
    this.pending = undefined;
  }

  /** Does the same on a side path: on the main path they stay put off. */
  emit(): void {
    const { pending } = this;
    if (pending === 'open') bug('flags are wanted of which nobody knows how they were set');
    if (pending !== undefined) this.#withOperands(() => this.#setWords(pending.result, pending.aux));
  }

  /** Notes how the flags are to be computed: for edges to where they are `open`. */
  keep(): void {
    const { pending } = this;
    if (pending === 'open') return;
    this.#f.i32(pending === undefined ? 0 : this.#numberOf(pending)).set(this.#kind);
  }

  /** Computes the flags in the way that has been noted. */
  emitKept(): void {
    const f = this.#f;
    if (this.#kinds.length === 0) return;
    const done = f.block();
    const labels: Label[] = [];
    for (let n = this.#kinds.length - 1; n >= 0; n--) labels[n] = f.block();
    f.get(this.#kind).branchTable([done, ...labels], done);
    for (const { result, aux } of this.#kinds) {
      f.end();
      this.#withOperands(() => this.#setWords(result, aux));
      f.branch(done);
    }
    f.end();
  }

  /** Loads the words from the state block. */
  load(into: FunctionBuilder): void {
    into.i32(0).mem(M.i64Load, Cpu.FLAG_RESULT).set(this.result);
    into.i32(0).mem(M.i32Load, Cpu.FLAG_AUX).set(this.aux);
  }

  /** Writes the words to the state block, if anything has changed them. */
  store(): void {
    if (!this.isWritten) return;
    this.#f.i32(0).get(this.result).mem(M.i64Store, Cpu.FLAG_RESULT);
    this.#f.i32(0).get(this.aux).mem(M.i32Store, Cpu.FLAG_AUX);
  }

  #setWords(result: () => void, aux: () => void): void {
    result();
    this.#f.set(this.result);
    aux();
    this.#f.set(this.aux);
  }

  #numberOf(pending: PendingFlags): number {
    const known = this.#kinds.findIndex(({ use }) => use === pending.use);
    return known >= 0 ? known + 1 : this.#kinds.push(pending);
  }
}
