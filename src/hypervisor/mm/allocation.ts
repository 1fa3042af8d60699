// Frames for domains: taken from the allocator, cleared of a former owner's data, owned and counted. The
// flush stamp of a free frame tells whether somebody may still have a stale translation to it.

import { type Mfn, mfn } from '../../base/index.ts';
import { FrameFlag, FrameType } from '../../machine/index.ts';
import type { Domain } from '../domain.ts';
import { putAllocation, putFrame, putWritableType } from './frame-references.ts';
import type { MemoryState } from './memory-state.ts';

/** Budget that a frame uses up when it changes hands. */
export const FRAME_COST = 32;

/**
 * Takes 2^order adjacent frames for a domain, aligned to their number; single ones are scattered. They
 * hold their allocation reference and have no pfn yet.
 * @returns the first one; undefined when the domain has its maximum or there is no such run
 */
export function allocateExtent(mm: MemoryState, domain: Domain, order: number): Mfn | undefined {
  const count = 2 ** order;
  if (domain.dying || domain.nrFrames + count > domain.maxFrames) return undefined;
  return allocateUnlimited(mm, domain, order);
}

/** The same without regard to the domain's maximum, for an exchange that is about to give as many back. */
export function allocateUnlimited(mm: MemoryState, domain: Domain, order: number): Mfn | undefined {
  const { allocator } = mm.pcpu;
  const count = 2 ** order;
  // The search for a run looks at every frame in the worst case.
  if (order > 0) mm.budget -= mm.frames.nrFrames >>> 5;
  mm.budget -= count * FRAME_COST;
  const first = order === 0 ? allocator.allocate() : allocator.allocateRun(count, count);
  if (first === undefined) return undefined;
  for (let i = 0; i < count; i++) give(mm, domain, first + i, FrameType.NONE);
  domain.nrFrames += count;
  return first;
}

/**
 * Takes a zeroed frame that the hypervisor writes and a domain may map writable: never a page table, not
 * part of its reservation, without a pfn.
 */
export function allocateShared(mm: MemoryState, domain: Domain): Mfn | undefined {
  const frame = mm.pcpu.allocator.allocate();
  if (frame === undefined) return undefined;
  give(mm, domain, frame, FrameType.SHARED);
  mm.frames.typeCount[frame] = 1;
  return frame;
}

/** Gives back the hypervisor's hold of a frame of `allocateShared`; it is free when the last mapping is gone. */
export function releaseShared(mm: MemoryState, frame: Mfn): void {
  if (((mm.frames.flags[frame] ?? 0) & FrameFlag.ALLOCATED) === 0) return;
  putWritableType(mm, frame);
  putAllocation(mm, frame);
}

/**
 * Gives frames to a domain under consecutive pfns. Called for domain 0.
 * @param mfns - filled with the frames' numbers
 * @returns how many it got
 */
export function populate(mm: MemoryState, domain: Domain, firstPfn: number, mfns: Uint32Array): number {
  for (let i = 0; i < mfns.length; i++) {
    const frame = allocateExtent(mm, domain, 0);
    if (frame === undefined) return i;
    mm.m2p.set(frame, firstPfn + i, 0);
    mfns[i] = frame;
  }
  return mfns.length;
}

/** Takes the allocation reference of a frame that its owner gives back. False when it has none to give. */
export function decreaseOne(mm: MemoryState, domain: Domain, frame: number): boolean {
  const { frames } = mm;
  mm.budget -= FRAME_COST;
  if (frame >= frames.nrFrames || frames.owner[frame] !== domain.domid) return false;
  return frames.type[frame] !== FrameType.SHARED && putAllocation(mm, frame);
}

/**
 * Takes a frame out of a domain's reservation while nothing else refers to it, for an exchange.
 * `restore` undoes it, `putFrame` completes it.
 */
export function steal(mm: MemoryState, domain: Domain, frame: number): boolean {
  const { frames } = mm;
  if (frame >= frames.nrFrames || frames.owner[frame] !== domain.domid || frames.refCount[frame] !== 1) return false;
  const flags = frames.flags[frame] ?? 0;
  if ((flags & FrameFlag.ALLOCATED) === 0 || frames.typeCount[frame] !== 0) return false;
  frames.flags[frame] = flags & ~FrameFlag.ALLOCATED;
  return true;
}

/** Undoes `steal`. */
export function restore(mm: MemoryState, frame: number): void {
  mm.frames.flags[frame] = (mm.frames.flags[frame] ?? 0) | FrameFlag.ALLOCATED;
}

/** Completes `steal`: the frame becomes free. */
export function finishSteal(mm: MemoryState, frame: number): void {
  putFrame(mm, frame);
}

function give(mm: MemoryState, domain: Domain, frame: number, type: 0 | 7): void {
  const { frames } = mm;
  if (((frames.flags[frame] ?? 0) & FrameFlag.USED) !== 0) {
    mm.memory.clearFrame(mfn(frame));
    if (frames.flushStamp[frame] === mm.flushClock) mm.flushTlb();
    // Until the flush a former owner could run code in the frame, and the engine has kept what it decoded.
    mm.noteWrite(frame);
  }
  frames.owner[frame] = domain.domid;
  frames.type[frame] = type;
  frames.flags[frame] = FrameFlag.ALLOCATED;
  frames.typeCount[frame] = 0;
  frames.refCount[frame] = 1;
}
