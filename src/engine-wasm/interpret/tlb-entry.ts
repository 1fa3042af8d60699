// Where an address is in the TLBs of the mode that the vCPU is in, for functions that run in both modes. Loads and
// stores of guest code, which come by more often, keep what they know of the mode.

import { Cpu } from '../../engine/index.ts';
import { USER_TLB } from '../runtime/layout.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';
import { pushTlbEntry } from './memory-access.ts';

/** Pushes the offset, from a kernel-mode TLB, of the entry of the current mode that the address in a local belongs to. */
export function pushModeTlbEntry(f: FunctionBuilder, address: number): void {
  pushTlbEntry(f, address);
  f.i32(0).i32(USER_TLB).i32(0).mem(M.i32Load, Cpu.KERNEL_MODE).op(W.select).op(W.i32Add);
}
