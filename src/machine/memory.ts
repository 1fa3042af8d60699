// Machine memory: one WebAssembly memory that holds every frame of every domain of a pCPU. The
// hypervisor, the engine and domain 0's components (on another thread) all look at the same bytes.
// Its size is fixed at creation, so the views below stay valid; frames nobody touched cost nothing.

import type { Maddr, Mfn } from '../base/index.ts';

/** Bytes of a frame. */
export const FRAME_SIZE = 4096;

/** log2 of `FRAME_SIZE`. */
export const FRAME_SHIFT = 12;

/** Most frames that a machine can have: 4 GiB, what WebAssembly can address, but for the last, so that -1 is no address. */
export const MAX_FRAMES: number = 2 ** 20 - 1;

/** Bytes of a WebAssembly page. */
const WASM_PAGE_SIZE = 65536;

/** Machine memory and its typed views. Indices of `u32` and `u64` are addresses divided by 4 and 8. */
export class MachineMemory {
  readonly memory: WebAssembly.Memory;
  readonly nrFrames: number;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly view: DataView;

  /** @param memory - a shared memory with `initial == maximum`, made by `createMachineMemory` or received from another thread */
  constructor(memory: WebAssembly.Memory) {
    const buffer = memory.buffer;
    this.memory = memory;
    this.nrFrames = Math.floor(buffer.byteLength / FRAME_SIZE);
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
  }

  /** The 4096 bytes of a frame, as a view. */
  frame(mfn: Mfn): Uint8Array {
    return this.u8.subarray(mfn * FRAME_SIZE, (mfn + 1) * FRAME_SIZE);
  }

  /** Fills a frame with zeros. */
  clearFrame(mfn: Mfn): void {
    this.u8.fill(0, mfn * FRAME_SIZE, (mfn + 1) * FRAME_SIZE);
  }
}

/** Makes zeroed machine memory of at least `nrFrames` frames, at most `MAX_FRAMES`. */
export function createMachineMemory(nrFrames: number): MachineMemory {
  const pages = Math.ceil((nrFrames * FRAME_SIZE) / WASM_PAGE_SIZE);
  return new MachineMemory(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
}

/** Frame that holds a machine address. */
export function frameOf(address: Maddr): Mfn {
  return Math.floor(address / FRAME_SIZE) as Mfn; // the quotient is a frame number
}

/** Machine address of a frame's first byte. */
export function addressOf(mfn: Mfn): Maddr {
  return (mfn * FRAME_SIZE) as Maddr; // the product is a machine address
}
