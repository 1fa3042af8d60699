// What an IR operation is: a name, and the one place where its meaning is written, as WebAssembly that
// is emitted against `OpEmitter`. The interpreter's emitter takes operands from the packed record and
// registers from memory 0; the compiler's takes operands as constants and registers from locals.

import type { FunctionBuilder } from '../wasm/function-builder.ts';
import type { Field } from './record.ts';

/** What the emission of an operation may use. Slots are byte offsets in the vCPU state block (`Cpu`). */
export interface OpEmitter {
  readonly f: FunctionBuilder;
  /** Scratch locals, valid within one operation. */
  readonly i64: readonly [number, number, number, number, number, number];
  readonly i32: readonly [number, number, number, number];
  readonly v128: readonly [number, number, number, number];

  /** Pushes what the slot named by a field holds. @param load - a load of `M`; its width is the operand's width */
  read(field: Field, load: number, displacement?: number): void;
  /** Writes to the slot named by a field. @param store - a store of `M`; @param value - pushes the value, of the store's type */
  write(field: Field, store: number, value: () => void, displacement?: number): void;
  /** Pushes a field's own number (not the slot it names), as i32. */
  number(field: Field): void;
  /** The immediate, where it is known while code is emitted. */
  readonly knownImmediate: number | undefined;
  /** Pushes the immediate as i32. */
  imm32(): void;
  /** Pushes the immediate as sign-extended i64. */
  imm64(): void;
  /** Pushes a field of the state block by its `Cpu` offset. */
  readState(offset: number, load: number): void;
  /** Writes a field of the state block by its `Cpu` offset. */
  writeState(offset: number, store: number, value: () => void): void;
  /**
   * Sets all six arithmetic flags.
   * @param result - pushes the sign-extended i64 result that ZF, SF and PF derive from
   * @param aux - pushes the i32 with CF, AF and OF in their RFLAGS places and no other bit
   */
  setFlags(result: () => void, aux: () => void): void;
  /** Pushes a constant of the quick path of floating point operations, see `operations/ordinary.ts`. @param bits - of a lane */
  ordinaryBias(bits: 32 | 64): void;
  /** Pushes the other one, which goes with MXCSR. */
  ordinaryEnd(bits: 32 | 64): void;
  /** True when the slot named by a field is known to hold no denormal numbers. @param scalar - in its lowest lane */
  hasNoDenormals(field: Field, bits: 32 | 64, scalar: boolean): boolean;
  /** True when `fallBack` does all that is rare, so that only the usual path of an operation is emitted before. */
  readonly hasRareOutOfLine: boolean;
  /** Does all of the operation, of which nothing has been done yet: with the exact helper, which gets its a, b and c. */
  fallBack(index: number): void;
  /** Calls a runtime helper with the operation's a, b and argument (c and d, as one number); leaves the code when it reports an exception. */
  callHelper(index: number): void;
  /** Leaves the code with an exception at this instruction. @param vector - without error code, or with error code 0 for #GP */
  raise(vector: number): void;
}

/** How the interpreter and the compiler treat an operation beyond running its `emit`. */
export type OpKind = 'plain' | 'memory' | 'control';

/** One IR operation. */
export interface Operation {
  readonly name: string;
  readonly kind: OpKind;
  /** Emits the meaning. Memory and control operations are emitted by the back ends from their description. */
  readonly emit?: (e: OpEmitter) => void;
  readonly memory?: MemoryAccess;
}

/** What a memory operation does: address = slot b (+ slot c << d when indexed) + imm; the datum is slot a. */
export interface MemoryAccess {
  /** `load`; `store`; `loadForWrite`: a load that faults like a store, and that a `storeBack` to the same address follows; `address`: computes only. */
  readonly action: 'load' | 'store' | 'loadForWrite' | 'storeBack' | 'push' | 'pop' | 'address';
  /** Bytes accessed. */
  readonly bytes: 1 | 2 | 4 | 8 | 16;
  readonly indexed: boolean;
  /** Load or store of `M` on machine memory. An i32 load is zero-extended for an i64 slot. */
  readonly memoryCode: number;
  /** Store or load of `M` on the slot. */
  readonly slotCode: number;
  /** #GP(0) when the address is not a multiple of `bytes`. */
  readonly aligned: boolean;
}
