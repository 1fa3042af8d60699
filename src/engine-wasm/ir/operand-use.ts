// What an operation does with the fields of its record: found by running its emission once with an
// emitter that only takes notes. So no operation has to describe itself a second time. Used by the
// printer and by tests.

import { FunctionBuilder } from '../wasm/function-builder.ts';
import type { Operation, OpEmitter } from './operation.ts';
import type { Field } from './record.ts';

/** Use of the fields. */
export interface OperandUse {
  /** Fields that name a slot which is read. */
  readonly reads: ReadonlySet<Field>;
  /** Fields that name a slot which is written. */
  readonly writes: ReadonlySet<Field>;
  /** Fields that are plain numbers. */
  readonly numbers: ReadonlySet<Field>;
  readonly usesImmediate: boolean;
  /** Offsets in the state block that are read and written beside the slots. */
  readonly stateReads: ReadonlySet<number>;
  readonly stateWrites: ReadonlySet<number>;
  readonly setsFlags: boolean;
  /** Lanes of a quick floating point path. */
  readonly quickLanes: ReadonlySet<32 | 64>;
  readonly canRaise: boolean;
  /** It has rare ways that compiled code runs out of line. */
  readonly fallsBack: boolean;
}

/** Takes notes of what an emission uses. */
class NotingEmitter implements OpEmitter {
  readonly hasRareOutOfLine = false;
  readonly knownImmediate = undefined;
  readonly f = new FunctionBuilder(0);
  readonly i64 = [0, 1, 2, 3, 4, 5] as const;
  readonly i32 = [6, 7, 8, 9] as const;
  readonly v128 = [10, 11, 12, 13] as const;
  readonly reads = new Set<Field>();
  readonly writes = new Set<Field>();
  readonly numbers = new Set<Field>();
  readonly stateReads = new Set<number>();
  readonly stateWrites = new Set<number>();
  readonly quickLanes = new Set<32 | 64>();
  usesImmediate = false;
  setsFlags = false;
  canRaise = false;
  fallsBack = false;

  read(field: Field): void {
    this.reads.add(field);
  }

  write(field: Field, _store: number, value: () => void): void {
    this.writes.add(field);
    value();
  }

  number(field: Field): void {
    this.numbers.add(field);
  }

  imm32(): void {
    this.usesImmediate = true;
  }

  imm64(): void {
    this.usesImmediate = true;
  }

  readState(offset: number): void {
    this.stateReads.add(offset);
  }

  writeState(offset: number, _store: number, value: () => void): void {
    this.stateWrites.add(offset);
    value();
  }

  setFlags(result: () => void, aux: () => void): void {
    this.setsFlags = true;
    result();
    aux();
  }

  ordinaryBias(): void {
    // a constant
  }

  ordinaryEnd(bits: 32 | 64): void {
    this.quickLanes.add(bits);
  }

  hasNoDenormals(): boolean {
    return false;
  }

  fallBack(): void {
    this.canRaise = this.fallsBack = true;
  }

  callHelper(): void {
    this.canRaise = true;
  }

  raise(): void {
    this.canRaise = true;
  }
}

/** Finds out what a plain operation uses. */
export function operandUse(operation: Operation): OperandUse {
  const notes = new NotingEmitter();
  operation.emit?.(notes);
  return notes;
}
