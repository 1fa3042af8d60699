// The constants of the quick path of floating point operations (`ir/operations/ordinary.ts`) as local variables of a
// compiled function: MXCSR is looked at when the function is entered and when it has changed, not by every operation.

import { bug } from '../../base/index.ts';
import { type LaneBits, pushBias, pushEnd } from '../ir/operations/ordinary.ts';
import { HELPERS } from '../runtime/helper-table.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { ValueType } from '../wasm/instructions.ts';

const LANES: readonly LaneBits[] = [32, 64];

/** By number: helpers that may change MXCSR. */
const CHANGES_MXCSR: readonly boolean[] = HELPERS.map(([name]) => name.startsWith('sse.') || name === 'simd.fxrstor');

/** The constants of one function. */
export class QuickFloats {
  readonly #f: FunctionBuilder;
  /** Locals of the lanes that the function has operations on. */
  readonly #constants: readonly (readonly [bits: LaneBits, bias: number, end: number])[];

  /** @param lanes - the sum of the lanes' widths, 32 and 64, that the function has operations on */
  constructor(f: FunctionBuilder, lanes: number) {
    const { v128 } = ValueType;
    this.#f = f;
    this.#constants = LANES.filter((bits) => (lanes & bits) !== 0).map((bits) => [bits, f.local(v128), f.local(v128)]);
  }

  /** Emits what comes but once, for the prologue. */
  emitPrologue(into: FunctionBuilder): void {
    for (const [bits, bias] of this.#constants) {
      pushBias({ f: into }, bits);
      into.set(bias);
    }
  }

  /** Emits what goes with MXCSR, which may have changed. */
  mxcsrChanged(into: FunctionBuilder): void {
    for (const [bits, , end] of this.#constants) {
      pushEnd({ f: into }, bits);
      into.set(end);
    }
  }

  /** To be called behind the call of a helper. */
  helperCalled(into: FunctionBuilder, index: number): void {
    if (CHANGES_MXCSR[index]) this.mxcsrChanged(into);
  }

  pushBias(bits: LaneBits): void {
    this.#f.get(this.#of(bits)[1]);
  }

  pushEnd(bits: LaneBits): void {
    this.#f.get(this.#of(bits)[2]);
  }

  #of(bits: LaneBits): readonly [bits: LaneBits, bias: number, end: number] {
    return this.#constants.find(([lane]) => lane === bits) ?? bug('a quick path was not announced');
  }
}
