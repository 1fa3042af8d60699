// Builds the body of one WebAssembly function. Methods append one instruction each and return the
// builder, so that a sequence reads like the text format. Labels are numbered by nesting depth at the
// moment a block opens; `branch` works out the relative depth.

import { bug } from '../../base/index.ts';
import { Bytes } from './bytes.ts';
import { C, EMPTY_TYPE, MULTI_MEMORY_FLAG, type ValueTypeCode, W } from './instructions.ts';

/** A block that can be branched to. */
export type Label = number;

/** A place in the code of a function. */
export interface Mark {
  /** Offset in `body()`. */
  readonly at: number;
  /** Whatever `mark` was given. */
  readonly tag: number;
}

const MEMORY_COPY = 0xfc0a;
const MEMORY_FILL = 0xfc0b;

/** The body of a function in the making. */
export class FunctionBuilder {
  readonly #code = new Bytes();
  readonly #locals: ValueTypeCode[] = [];
  /** Local variables before the declared ones. */
  readonly nrParameters: number;
  #marks: Mark[] | undefined;
  /** Offsets in the code of branches that are hardly ever taken. */
  #unlikely: number[] = [];
  #depth = 0;

  constructor(nrParameters: number) {
    this.nrParameters = nrParameters;
  }

  /** Bytes of code so far. */
  get size(): number {
    return this.#code.length;
  }

  /** Marks that were made so far, in the order of the code. */
  get marks(): readonly Mark[] {
    const before = this.#declarations().length;
    return (this.#marks ?? []).map(({ at, tag }) => ({ at: before + at, tag }));
  }

  /** Keeps marks from now on. */
  keepMarks(): void {
    this.#marks = [];
  }

  /** Marks this place in the code, when marks are kept. */
  mark(tag: number): void {
    this.#marks?.push({ at: this.#code.length, tag });
  }

  /** Declares a local variable and returns its index. */
  local(type: ValueTypeCode): number {
    this.#locals.push(type);
    return this.nrParameters + this.#locals.length - 1;
  }

  /** Appends an instruction of `W`. */
  op(code: number): this {
    if (code > 0xff) {
      this.#code.byte(code >= 0xfe00 ? 0xfd : code >> 8);
      this.#code.unsigned(code >= 0xfe00 ? code - 0xfd00 : code & 0xff);
    } else {
      this.#code.byte(code);
    }
    return this;
  }

  /** Appends a load or store of `M` on a memory; the alignment hint is 1 byte. */
  mem(code: number, offset: number, memory = 0): this {
    this.op(code);
    if (memory === 0) {
      this.#code.byte(0);
    } else {
      this.#code.byte(MULTI_MEMORY_FLAG);
      this.#code.unsigned(memory);
    }
    this.#code.unsigned(offset);
    return this;
  }

  /** memory.copy within a memory: takes target, source and number of bytes. */
  memoryCopy(memory: number): this {
    this.op(MEMORY_COPY);
    this.#code.unsigned(memory);
    this.#code.unsigned(memory);
    return this;
  }

  /** memory.fill: takes target, value and number of bytes. */
  memoryFill(memory: number): this {
    this.op(MEMORY_FILL);
    this.#code.unsigned(memory);
    return this;
  }

  /** Appends a lane access of `L`. */
  lane(code: number, lane: number): this {
    this.op(code);
    this.#code.byte(lane);
    return this;
  }

  get(local: number): this {
    this.#code.byte(C.localGet);
    this.#code.unsigned(local);
    return this;
  }

  set(local: number): this {
    this.#code.byte(C.localSet);
    this.#code.unsigned(local);
    return this;
  }

  tee(local: number): this {
    this.#code.byte(C.localTee);
    this.#code.unsigned(local);
    return this;
  }

  i32(value: number): this {
    this.#code.byte(C.i32Const);
    this.#code.signed(value);
    return this;
  }

  i64(value: bigint | number): this {
    this.#code.byte(C.i64Const);
    if (typeof value === 'number' && (value | 0) === value) this.#code.signed(value);
    else this.#code.signed64(BigInt(value));
    return this;
  }

  /** A v128 constant from its 16 bytes, lowest first. */
  v128(bytes: readonly number[]): this {
    this.op(C.v128Const);
    for (const byte of bytes) this.#code.byte(byte);
    return this;
  }

  /** i8x16.shuffle: lanes 0 to 15 of the first operand, 16 to 31 of the second. */
  shuffle(lanes: readonly number[]): this {
    this.op(C.i8x16Shuffle);
    for (const lane of lanes) this.#code.byte(lane);
    return this;
  }

  block(result: number = EMPTY_TYPE): Label {
    return this.#open(C.block, result);
  }

  loop(result: number = EMPTY_TYPE): Label {
    return this.#open(C.loop, result);
  }

  if(result: number = EMPTY_TYPE): Label {
    return this.#open(C.if, result);
  }

  /** Tells the host's compiler that the `if` or `br_if` that is appended next is hardly ever taken. */
  unlikely(): this {
    this.#unlikely.push(this.#code.length);
    return this;
  }

  else(): this {
    return this.op(W.else);
  }

  end(): this {
    this.#depth--;
    return this.op(W.end);
  }

  branch(label: Label): this {
    this.#code.byte(C.br);
    this.#code.unsigned(this.#depth - label);
    return this;
  }

  branchIf(label: Label): this {
    this.#code.byte(C.brIf);
    this.#code.unsigned(this.#depth - label);
    return this;
  }

  branchTable(labels: readonly Label[], fallback: Label): this {
    this.#code.byte(C.brTable);
    this.#code.unsigned(labels.length);
    for (const label of labels) this.#code.unsigned(this.#depth - label);
    this.#code.unsigned(this.#depth - fallback);
    return this;
  }

  call(functionIndex: number): this {
    this.#code.byte(C.call);
    this.#code.unsigned(functionIndex);
    return this;
  }

  callIndirect(typeIndex: number, table = 0): this {
    this.#code.byte(C.callIndirect);
    this.#code.unsigned(typeIndex);
    this.#code.unsigned(table);
    return this;
  }

  return(): this {
    return this.op(W.return);
  }

  /** Puts the code of another builder, which shares this one's local variables and has closed all its blocks, before this one's. */
  prepend(other: FunctionBuilder): void {
    const code = this.#code.view().slice();
    this.#marks = this.#marks?.map(({ at, tag }) => ({ at: at + other.size, tag }));
    this.#code.clear();
    this.#code.append(other.#code.view());
    this.#code.append(code);
    this.#unlikely = [...other.#unlikely, ...this.#unlikely.map((offset) => offset + other.size)];
  }

  /** Offsets in `body()` of the branches that are hardly ever taken. */
  unlikelyOffsets(): readonly number[] {
    const before = this.#declarations().length;
    return this.#unlikely.map((offset) => before + offset);
  }

  /** The encoded body: local declarations, code and the final `end`. */
  body(): Uint8Array {
    if (this.#depth !== 0) bug('a WebAssembly block is still open');
    const out = new Bytes();
    out.append(this.#declarations().view());
    out.append(this.#code.view());
    out.byte(W.end);
    return out.view();
  }

  #declarations(): Bytes {
    const out = new Bytes();
    const runs: { type: number; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    out.unsigned(runs.length);
    for (const run of runs) {
      out.unsigned(run.count);
      out.byte(run.type);
    }
    return out;
  }

  #open(code: number, result: number): Label {
    this.#code.byte(code);
    this.#code.byte(result);
    return ++this.#depth;
  }
}
