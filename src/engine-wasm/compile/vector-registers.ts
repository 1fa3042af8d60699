// SSE registers and 16-byte temporaries as local variables of a compiled function. The emitter hands accesses to
// their slots to this file. A register that the function names lives in its local from the prologue to the epilogue;
// temporaries are never loaded, and stored only for the interpreter and for helpers.

import { bug } from '../../base/index.ts';
import { Cpu } from '../../engine/index.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { L, M, ValueType, W } from '../wasm/instructions.ts';
import { ALL_XMM, ALL_XTEMPS, NR_XMM, NR_XTEMPS, vectorOf, type VectorUse } from './vector-use.ts';

const NR_LOCALS = NR_XMM + NR_XTEMPS;
const SLOT_BYTES = 16;
const ZERO: readonly number[] = Array.from({ length: SLOT_BYTES }, () => 0);

/** Loads that give part of a register: instruction, bytes of a lane, what follows. */
const PART_LOADS: ReadonlyMap<number, readonly [lane: number, bytes: number, ...after: number[]]> = new Map([
  [M.i64Load, [L.i64x2ExtractLane, 8]],
  [M.f64Load, [L.f64x2ExtractLane, 8]],
  [M.f32Load, [L.f32x4ExtractLane, 4]],
  [M.i32Load, [L.i32x4ExtractLane, 4]],
  [M.i64Load32U, [L.i32x4ExtractLane, 4, W.i64ExtendI32U]],
  [M.i64Load32S, [L.i32x4ExtractLane, 4, W.i64ExtendI32S]],
  [M.i32Load16U, [L.i16x8ExtractLaneU, 2]],
  [M.i32Load16S, [L.i16x8ExtractLaneS, 2]],
  [M.i64Load16U, [L.i16x8ExtractLaneU, 2, W.i64ExtendI32U]],
  [M.i64Load16S, [L.i16x8ExtractLaneS, 2, W.i64ExtendI32S]],
  [M.i32Load8U, [L.i8x16ExtractLaneU, 1]],
  [M.i32Load8S, [L.i8x16ExtractLaneS, 1]],
  [M.i64Load8U, [L.i8x16ExtractLaneU, 1, W.i64ExtendI32U]],
  [M.i64Load8S, [L.i8x16ExtractLaneS, 1, W.i64ExtendI32S]],
]);

/** Stores to part of a register: instruction, bytes of a lane, what comes before. */
const PART_STORES: ReadonlyMap<number, readonly [lane: number, bytes: number, ...before: number[]]> = new Map([
  [M.i64Store, [L.i64x2ReplaceLane, 8]],
  [M.f64Store, [L.f64x2ReplaceLane, 8]],
  [M.f32Store, [L.f32x4ReplaceLane, 4]],
  [M.i32Store, [L.i32x4ReplaceLane, 4]],
  [M.i64Store32, [L.i32x4ReplaceLane, 4, W.i32WrapI64]],
  [M.i32Store16, [L.i16x8ReplaceLane, 2]],
  [M.i64Store16, [L.i16x8ReplaceLane, 2, W.i32WrapI64]],
  [M.i32Store8, [L.i8x16ReplaceLane, 1]],
  [M.i64Store8, [L.i8x16ReplaceLane, 1, W.i32WrapI64]],
]);

/** The vector registers of one function. */
export class VectorRegisters {
  readonly #f: FunctionBuilder;
  /** By number; declared when first named, because V8's baseline compiler clears each. */
  readonly #locals: number[] = [];
  /** Registers that are loaded by the prologue, and stored by the epilogue. */
  readonly #loaded: number;
  readonly #stored: number;
  /** Temporaries that have been written by a record so far. */
  #writtenTemps = 0;

  /** @param use - what the whole function uses */
  constructor(f: FunctionBuilder, use: VectorUse) {
    this.#f = f;
    this.#loaded = (use.read | use.written) & ALL_XMM;
    this.#stored = use.written & ALL_XMM;
  }

  /** True for a slot that lies in a local of this class. */
  holds(slot: number): boolean {
    return slot >= Cpu.XMM && slot < Cpu.XMM + NR_LOCALS * SLOT_BYTES;
  }

  /** Pushes what a load from the slot gives. */
  read(slot: number, load: number): void {
    const f = this.#f;
    const byte = slot % SLOT_BYTES;
    const local = this.#local(slot);
    f.get(local);
    if (load === M.v128Load) {
      if (byte !== 0) bug('a load runs over the end of a vector register');
      return;
    }
    const extended = load === M.v128Load64Zero ? 8 : load === M.v128Load32Zero ? 4 : 0;
    if (extended !== 0) {
      f.v128(ZERO).shuffle(ZERO.map((_, n) => (n < extended ? byte + n : SLOT_BYTES + n)));
      return;
    }
    // A store of 4 bytes reads 8 and takes the lower 4.
    const code = load === M.i64Load && byte % 8 !== 0 ? M.i64Load32U : load;
    const [lane, bytes, ...after] = PART_LOADS.get(code) ?? bug(`a vector register is loaded by ${load}`);
    if (byte % bytes !== 0) bug('a load crosses the lanes of a vector register');
    f.lane(lane, byte / bytes);
    for (const next of after) f.op(next);
  }

  /** Stores to the slot. @param value - pushes the value */
  write(slot: number, store: number, value: () => void): void {
    const f = this.#f;
    const byte = slot % SLOT_BYTES;
    const local = this.#local(slot);
    this.#writtenTemps |= vectorOf(slot) & ALL_XTEMPS;
    if (store === M.v128Store) {
      if (byte !== 0) bug('a store runs over the end of a vector register');
      value();
      f.set(local);
      return;
    }
    const [lane, bytes, ...before] = PART_STORES.get(store) ?? bug(`a vector register is stored by ${store}`);
    if (byte % bytes !== 0) bug('a store crosses the lanes of a vector register');
    f.get(local);
    value();
    for (const code of before) f.op(code);
    f.lane(lane, byte / bytes).set(local);
  }

  /** Emits the loads of the prologue. */
  emitPrologue(into: FunctionBuilder): void {
    this.#loadFrom(into, this.#loaded);
  }

  /** Emits the stores of the epilogue. */
  emitEpilogue(): void {
    this.#storeTo(this.#stored);
  }

  /** Stores the temporaries that the interpreter may want to see. */
  spillTemps(): void {
    this.#storeTo(this.#writtenTemps);
  }

  /** Emits a call of the runtime that sees and changes a set of vector registers in the state block. */
  aroundCall(vectors: number, call: () => void): void {
    this.#writtenTemps |= vectors & ALL_XTEMPS;
    this.#storeTo(vectors);
    call();
    this.#loadFrom(this.#f, vectors);
  }

  #local(slot: number): number {
    const n = Math.floor((slot - Cpu.XMM) / SLOT_BYTES);
    return (this.#locals[n] ??= this.#f.local(ValueType.v128));
  }

  #loadFrom(f: FunctionBuilder, vectors: number): void {
    for (let slot = Cpu.XMM; slot < Cpu.XMM + NR_LOCALS * SLOT_BYTES; slot += SLOT_BYTES)
      if ((vectors & vectorOf(slot)) !== 0) f.i32(0).mem(M.v128Load, slot).set(this.#local(slot));
  }

  #storeTo(vectors: number): void {
    for (let slot = Cpu.XMM; slot < Cpu.XMM + NR_LOCALS * SLOT_BYTES; slot += SLOT_BYTES)
      if ((vectors & vectorOf(slot)) !== 0) this.#f.i32(0).get(this.#local(slot)).mem(M.v128Store, slot);
  }
}

/** Pushes the lower 8 or 4 bytes of a 64-bit local as a vector, the rest cleared. */
export function pushExtended(f: FunctionBuilder, local: number, load: number): void {
  f.v128(ZERO).get(local);
  if (load === M.v128Load64Zero) f.lane(L.i64x2ReplaceLane, 0);
  else if (load === M.v128Load32Zero) f.op(W.i32WrapI64).lane(L.i32x4ReplaceLane, 0);
  else bug(`a general register is loaded by ${load}`);
}
