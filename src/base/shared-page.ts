// A frame that a guest shares with one of domain 0's components: ring pages. The guest runs on another thread and is hostile,
// so indices are read with Atomics, once, and bytes are copied before they are looked at.

/** One shared frame, seen as bytes and as aligned 32-bit words; both views cover the same 4096 bytes. */
export interface SharedPage {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/** The frame at `byteOffset` (a multiple of 4096) of a memory. */
export function sharedPage(buffer: ArrayBuffer | SharedArrayBuffer, byteOffset: number): SharedPage {
  return { bytes: new Uint8Array(buffer, byteOffset, 4096), words: new Int32Array(buffer, byteOffset, 1024) };
}
