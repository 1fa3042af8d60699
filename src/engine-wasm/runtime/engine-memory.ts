// Memory 0 and its views: the engine's private memory (layout in `layout.ts`).

import { CpuState } from '../../engine/index.ts';
import { MEMORY0_SIZE } from './layout.ts';

const WASM_PAGE = 65536;

/** Memory 0 with typed views, and the active vCPU's registers. */
export class EngineMemory {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  /** Registers of the active vCPU. */
  readonly cpu: CpuState;

  constructor() {
    const pages = MEMORY0_SIZE / WASM_PAGE;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.memory.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.cpu = new CpuState(buffer, 0);
  }
}
