// The frame table: what each machine frame is used as. This is storage only; the rules by which the
// fields may change are the hypervisor's (src/hypervisor/mm). Structure of arrays, one slot a frame.

import { domid } from '../base/index.ts';

/** Owner of a frame that no domain owns and that may be allocated. Source: Xen public/xen.h, DOMID_INVALID. */
export const OWNER_FREE = domid(0x7ff4);

/** Owner of a frame that belongs to the hypervisor. Source: Xen public/xen.h, DOMID_XEN. */
export const OWNER_XEN = domid(0x7ff2);

/** What a frame is used as. A frame has one type at a time and changes it only at type count 0. */
export const FrameType = {
  NONE: 0,
  L1: 1,
  L2: 2,
  L3: 3,
  L4: 4,
  SEGMENT_DESCRIPTOR: 5,
  WRITABLE: 6,
  SHARED: 7,
} as const;

/** A value of `FrameType`. */
export type FrameTypeValue = (typeof FrameType)[keyof typeof FrameType];

/** Bits of a frame's `flags`. */
export const FrameFlag = {
  /** A guest holds the page table validated with a pin operation. */
  PINNED: 1 << 0,
  /** The contents were checked against the type; set while the type count is above 0 for L1..L4 and descriptors. */
  VALIDATED: 1 << 1,
  /** The owner holds the reference that came with the frame's allocation. */
  ALLOCATED: 1 << 2,
  /** Validation of the page table stopped in the middle and can be resumed. */
  PARTIAL: 1 << 3,
  /** The page table waits for the references of its entries to be given back. */
  DEMOTING: 1 << 4,
  /** A former owner's data may still be in the frame; set while it is free. */
  USED: 1 << 5,
} as const;

/** Storage for the state of every frame. */
export class FrameTable {
  readonly nrFrames: number;
  /** Domain identifier of the owner. */
  readonly owner: Uint16Array;
  /** A `FrameTypeValue`. */
  readonly type: Uint8Array;
  /** `FrameFlag` bits. */
  readonly flags: Uint8Array;
  /** Number of uses of the frame as its type. */
  readonly typeCount: Uint32Array;
  /** Number of references of any kind, those of the type included. */
  readonly refCount: Uint32Array;
  /** TLB flush clock at the moment the type count last fell to 0. */
  readonly flushStamp: Uint32Array;

  constructor(nrFrames: number) {
    this.nrFrames = nrFrames;
    this.owner = new Uint16Array(nrFrames).fill(OWNER_FREE);
    this.type = new Uint8Array(nrFrames);
    this.flags = new Uint8Array(nrFrames);
    this.typeCount = new Uint32Array(nrFrames);
    this.refCount = new Uint32Array(nrFrames);
    this.flushStamp = new Uint32Array(nrFrames);
  }
}
