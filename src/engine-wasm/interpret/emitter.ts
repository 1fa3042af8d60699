// The interpreter's view of an operation's operands: slots and immediates come out of the record, and
// registers out of the state block at address 0 of memory 0.

import { Cpu } from '../../engine/index.ts';
import { ExitCode } from '../ir/exit-code.ts';
import { pushBias, pushEnd } from '../ir/operations/ordinary.ts';
import { type Field, FIELD_OFFSET, Rec } from '../ir/record.ts';
import { Word } from '../runtime/layout.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M } from '../wasm/instructions.ts';
import { type CountNumber, emitCount, emitCountCode } from './count.ts';
import type { Callees, Locals } from './locals.ts';
import type { AccessEmitter } from './memory-access.ts';

/** Emits operands as loads from the current record and from memory 0. */
export class InterpreterEmitter implements AccessEmitter {
  readonly hasRareOutOfLine = false;
  readonly knownImmediate = undefined;
  readonly f: FunctionBuilder;
  readonly locals: Locals;
  readonly callees: Callees;
  readonly tlbDisplacement = 0;

  readonly #counted: boolean;

  /** @param counted - emit counters */
  constructor(f: FunctionBuilder, locals: Locals, callees: Callees, counted: boolean) {
    this.#counted = counted;
    this.f = f;
    this.locals = locals;
    this.callees = callees;
  }

  get i64(): Locals['i64'] {
    return this.locals.i64;
  }

  get i32(): Locals['i32'] {
    return this.locals.i32;
  }

  get v128(): Locals['v128'] {
    return this.locals.v128;
  }

  read(field: Field, load: number, displacement = 0): void {
    this.number(field);
    this.f.mem(load, displacement);
  }

  write(field: Field, store: number, value: () => void, displacement = 0): void {
    this.number(field);
    value();
    this.f.mem(store, displacement);
  }

  number(field: Field): void {
    this.f.get(this.locals.record).mem(M.i32Load16U, FIELD_OFFSET[field]);
  }

  number64(field: Field): void {
    this.f.get(this.locals.record).mem(M.i64Load16U, FIELD_OFFSET[field]);
  }

  imm32(): void {
    this.f.get(this.locals.record).mem(M.i32Load, Rec.IMM);
  }

  imm64(): void {
    this.f.get(this.locals.record).mem(M.i64Load32S, Rec.IMM);
  }

  readState(offset: number, load: number): void {
    this.f.i32(0).mem(load, offset);
  }

  writeState(offset: number, store: number, value: () => void): void {
    this.f.i32(0);
    value();
    this.f.mem(store, offset);
  }

  setFlags(result: () => void, aux: () => void): void {
    this.writeState(Cpu.FLAG_RESULT, M.i64Store, result);
    this.writeState(Cpu.FLAG_AUX, M.i32Store, aux);
  }

  ordinaryBias(bits: 32 | 64): void {
    pushBias(this, bits);
  }

  ordinaryEnd(bits: 32 | 64): void {
    pushEnd(this, bits);
  }

  hasNoDenormals(): boolean {
    return false;
  }

  fallBack(index: number): void {
    this.callHelper(index);
  }

  callHelper(index: number): void {
    // An operation with a fast path has no room for a helper number in its record: it is passed beside it.
    this.markRecord();
    this.f.get(this.locals.record).i32(index).call(this.callees.helper);
    this.f.if();
    this.leave(ExitCode.EXCEPTION);
    this.f.end();
  }

  raise(vector: number): void {
    this.writeState(Word.DETAIL, M.i32Store, () => this.f.i32(vector));
    this.markRecord();
    this.leave(ExitCode.EXCEPTION);
  }

  /** Adds 1 to a counter, in an engine that counts. */
  count(count: CountNumber): void {
    if (this.#counted) emitCount(this.f, count);
  }

  /** Counts the code in a local variable that compiled code has come back with. @param address - an i32 to use */
  countCode(code: number, address: number): void {
    if (this.#counted) emitCountCode(this.f, code, address);
  }

  /** Notes the current record for the runtime. */
  markRecord(): void {
    this.writeState(Word.RECORD, M.i32Store, () => this.f.get(this.locals.record));
  }

  afterSlowStore(): void {
    // the code cache has put a jump behind the running instruction if need be
  }

  /** Returns from the interpreter with a constant exit code. */
  leave(code: number): void {
    this.leaveWith(() => this.f.i32(code));
  }

  /** Returns from the interpreter with the exit code that `code` pushes. */
  leaveWith(code: () => void): void {
    this.writeState(Word.BUDGET, M.i32Store, () => this.f.get(this.locals.budget));
    code();
    this.f.return();
  }
}
