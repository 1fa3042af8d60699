// Typed views of a vCPU state block, and the shape of a helper: a runtime function that generated code
// calls for an instruction too rare or too involved for IR. Offsets come from `src/engine/cpu-layout.ts`.
// In the engine the active block stands at byte 0 of memory 0; a test lays one over any buffer.

/** The active vCPU state block, seen as every width that a helper reads or writes. */
export class StateView {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly view: DataView;

  /** @param buffer - memory 0, or any buffer of at least `CPU_STATE_SIZE` bytes; the state block is at its start */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer) {
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
  }
}

/**
 * A runtime function called by generated code and by the interpreter.
 * @param a - byte offset in the state block, by convention the destination or first operand
 * @param b - byte offset in the state block, by convention the source
 * @param imm - what the instruction's encoding carries; each helper says what it reads
 * @returns 0, or 1 + the vector of the exception to raise
 */
export type Helper = (s: StateView, a: number, b: number, imm: number) => number;
