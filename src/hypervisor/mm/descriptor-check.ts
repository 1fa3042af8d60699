// What a guest's segment descriptors may say, and descriptor pages as a frame type: a frame whose 512
// descriptors are harmless and which nobody can write. In 64-bit mode the bases and limits of code and
// data segments mean nothing (FS and GS reach below 4 GiB, where the hypervisor has no addresses), so the
// checks are about privilege and gates. Behaviour: Xen 4.17, check_descriptor. Layout: Intel SDM vol. 3A,
// sections 3.4.5, 3.5 and 5.8.3.

import { Errno, FIRST_RESERVED_GDT_ENTRY, FlatSelector } from '../../abi/index.ts';
import type { Domid } from '../../base/index.ts';
import { FRAME_SIZE, FrameFlag, FrameType } from '../../machine/index.ts';
import type { Descriptor } from '../memory-management.ts';
import { getFrame, MAX_COUNT, putFrame, startReadOnlyType } from './frame-references.ts';
import type { MemoryState } from './memory-state.ts';

/** Fields of the high half of a segment descriptor. */
const DescriptorHi = {
  TYPE: 0xf << 8,
  CALL_GATE: 0xc << 8,
  /** Code or data segment; a system descriptor when clear. */
  SEGMENT: 1 << 12 /* S */,
  DPL: 3 << 13,
  PRESENT: 1 << 15 /* P */,
  /** Bits 0 to 7 of a gate: the parameter count of 32-bit gates and reserved bits. */
  GATE_RESERVED: 0xff,
} as const;

/** u32 words of a frame. */
const WORDS = FRAME_SIZE / 4;

/**
 * Checks a descriptor and raises its privilege level to the guest's, 3.
 * @param descriptor - changed in place
 * @returns false when the guest may not have it: any system descriptor but a call gate
 */
export function checkDescriptor(descriptor: Descriptor): boolean {
  const { lo, hi } = descriptor;
  if ((hi & DescriptorHi.PRESENT) === 0) return true;
  if ((hi & DescriptorHi.SEGMENT) !== 0 || (hi & DescriptorHi.TYPE) === 0) {
    // Type 0 is the second half of a 16-byte gate, without meaning of its own.
    descriptor.hi = (hi | DescriptorHi.DPL) >>> 0;
    return true;
  }
  if ((hi & DescriptorHi.TYPE) !== DescriptorHi.CALL_GATE || (hi & DescriptorHi.GATE_RESERVED) !== 0) return false;
  const selector = lo >>> 16;
  const fromLdt = (selector & 4) !== 0;
  if (!fromLdt && selector >>> 3 >= FIRST_RESERVED_GDT_ENTRY && selector !== FlatSelector.FLAT_RING3_CS64) return false;
  // A gate with DPL 0 always faults; its own level is kept in the selector for whoever emulates it.
  descriptor.hi = (hi & ~DescriptorHi.DPL) >>> 0;
  descriptor.lo = (lo | 0x30000) >>> 0;
  return true;
}

/**
 * Takes a reference and a type reference to a descriptor page.
 * @param frame - guest-controlled, any number from 0
 * @returns 0, or -EINVAL (not the owner's, used otherwise, a descriptor that may not be)
 */
export function getDescriptorFrame(mm: MemoryState, owner: Domid, frame: number): number {
  const { frames } = mm;
  if (!getFrame(frames, frame, owner)) return -Errno.EINVAL;
  const count = frames.typeCount[frame] ?? 0;
  if (count === 0) {
    startReadOnlyType(mm, frame, FrameType.SEGMENT_DESCRIPTOR);
    if (checkFrame(mm, frame)) {
      frames.flags[frame] = (frames.flags[frame] ?? 0) | FrameFlag.VALIDATED;
      return 0;
    }
    frames.typeCount[frame] = 0;
  } else if (frames.type[frame] === FrameType.SEGMENT_DESCRIPTOR && count < MAX_COUNT) {
    frames.typeCount[frame] = count + 1;
    return 0;
  }
  putFrame(mm, frame);
  return -Errno.EINVAL;
}

/** Gives back what `getDescriptorFrame` took. */
export function putDescriptorFrame(mm: MemoryState, frame: number): void {
  const { frames } = mm;
  const count = (frames.typeCount[frame] ?? 1) - 1;
  frames.typeCount[frame] = count;
  if (count === 0) frames.flags[frame] = (frames.flags[frame] ?? 0) & ~FrameFlag.VALIDATED;
  putFrame(mm, frame);
}

/** Checks all descriptors of a frame; those before a bad one have been changed then, which harms nobody. */
function checkFrame(mm: MemoryState, frame: number): boolean {
  const { u32 } = mm.memory;
  const descriptor = mm.descriptor;
  mm.noteWrite(frame);
  mm.budget -= WORDS / 2;
  for (let at = frame * WORDS; at < (frame + 1) * WORDS; at += 2) {
    descriptor.lo = u32[at] ?? 0;
    descriptor.hi = u32[at + 1] ?? 0;
    if (!checkDescriptor(descriptor)) return false;
    u32[at] = descriptor.lo;
    u32[at + 1] = descriptor.hi;
  }
  return true;
}
