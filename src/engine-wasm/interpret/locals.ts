// Local variables of the interpreter function, and the functions it calls.

import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { ValueType } from '../wasm/instructions.ts';

/** Indices of the interpreter's locals. */
export interface Locals {
  /** Parameter: the record to run. i32 */
  readonly record: number;
  /** Parameter: instructions left. i32 */
  readonly budget: number;
  /** Displacement of the TLBs of the current mode. i32 */
  readonly tlb: number;
  /** Target of a jump that goes through the dispatcher. i64 */
  readonly rip: number;
  /** Instructions to charge in the dispatcher. i32 */
  readonly charge: number;
  /** Record whose LINK the dispatcher sets, or 0. i32 */
  readonly linkFrom: number;
  /** 1 when an indirect jump goes through the dispatcher. i32 */
  readonly byJump: number;
  /** Machine address that `storeBack` writes to. i32 */
  readonly writeBack: number;
  /** Address, TLB entry and page offset of a memory access. i64, i32, i64 */
  readonly address: number;
  readonly entry: number;
  readonly offset: number;
  readonly i64: readonly [number, number, number, number, number, number];
  readonly i32: readonly [number, number, number, number];
  readonly v128: readonly [number, number, number, number];
}

/** Indices of the functions that the interpreter calls. */
export interface Callees {
  /** (address, access) -> `WalkResult`; fills the TLB. */
  readonly walk: number;
  /** (bytes) -> machine address, or -1 after recording a fault. */
  readonly slowLoad: number;
  /** (bytes) -> like slowLoad, for a load that a store to the same place follows. */
  readonly slowLoadForWrite: number;
  /** (bytes) -> 0, or the exit code of the fault. */
  readonly slowStore: number;
  /** (record, number of the helper) -> 0, or non-zero when it raised an exception. */
  readonly helper: number;
  /** (record) -> 0, or an exit code. */
  readonly string: number;
  /** () */
  readonly readTsc: number;
  /** (machine address of the following page's expected frame) -> 1 when the code may run. */
  readonly checkNextPage: number;
  /** Type of compiled functions. */
  readonly compiledType: number;
}

/** Declares the locals; the function has two parameters. */
export function declareLocals(f: FunctionBuilder): Locals {
  const { i32, i64, v128 } = ValueType;
  return {
    record: 0,
    budget: 1,
    tlb: f.local(i32),
    rip: f.local(i64),
    charge: f.local(i32),
    linkFrom: f.local(i32),
    byJump: f.local(i32),
    writeBack: f.local(i32),
    address: f.local(i64),
    entry: f.local(i32),
    offset: f.local(i64),
    i64: [f.local(i64), f.local(i64), f.local(i64), f.local(i64), f.local(i64), f.local(i64)],
    i32: [f.local(i32), f.local(i32), f.local(i32), f.local(i32)],
    v128: [f.local(v128), f.local(v128), f.local(v128), f.local(v128)],
  };
}
