// References to frames. A frame belongs to its owner until the last reference is gone: the one that came
// with its allocation, and one for every mapping, page-table link, base pointer, pin and grant. Then it
// goes back to the allocator. Writable mappings hold a type reference besides, so that a frame that can be
// written is never a page table or a descriptor page: the heart of isolation.

import { bug, type Domid, domid, mfn } from '../../base/index.ts';
import { FrameFlag, type FrameTable, FrameType, type FrameTypeValue, OWNER_FREE } from '../../machine/index.ts';
import type { MemoryState } from './memory-state.ts';

/** Counts stop here: further references are refused, so that no count wraps. */
export const MAX_COUNT = 0x3fffffff;

/**
 * Takes a reference to a frame. @hot
 * @param frame - guest-controlled, any number from 0
 * @returns false when `owner` does not own the frame, or the count is at its bound
 */
export function getFrame(frames: FrameTable, frame: number, owner: Domid): boolean {
  if (frame >= frames.nrFrames || frames.owner[frame] !== owner) return false;
  const count = frames.refCount[frame] ?? 0;
  if (count === 0 || count >= MAX_COUNT) return false;
  frames.refCount[frame] = count + 1;
  return true;
}

/** Gives back a reference; with the last one the frame becomes free. @hot */
export function putFrame(mm: MemoryState, frame: number): void {
  const count = mm.frames.refCount[frame] ?? 0;
  if (count === 0) bug(`reference of frame ${frame} given back twice`);
  mm.frames.refCount[frame] = count - 1;
  if (count === 1) freeFrame(mm, frame);
}

/** Takes a writable type reference besides a reference that the caller holds. False when the frame is used otherwise. @hot */
export function getWritableType(frames: FrameTable, frame: number): boolean {
  const count = frames.typeCount[frame] ?? 0;
  const type = frames.type[frame];
  // No flush when the type changes: what the frame was before, if anything, cannot have been writable.
  if (count === 0) frames.type[frame] = FrameType.WRITABLE;
  else if ((type !== FrameType.WRITABLE && type !== FrameType.SHARED) || count >= MAX_COUNT) return false;
  frames.typeCount[frame] = count + 1;
  return true;
}

/** Gives back a writable type reference. @hot */
export function putWritableType(mm: MemoryState, frame: number): void {
  const { frames } = mm;
  const count = frames.typeCount[frame] ?? 0;
  if (count === 0) bug(`type reference of frame ${frame} given back twice`);
  frames.typeCount[frame] = count - 1;
  if (count === 1) frames.flushStamp[frame] = mm.flushClock;
}

/**
 * Gives a frame without type references a type that forbids writes, with one type reference. Stale
 * writable translations of it are flushed: the stamp tells whether a flush of everything happened since the
 * last writable mapping went away.
 */
export function startReadOnlyType(mm: MemoryState, frame: number, type: FrameTypeValue): void {
  const { frames } = mm;
  if (frames.type[frame] === FrameType.WRITABLE && frames.flushStamp[frame] === mm.flushClock) mm.flushWritesTo(frame);
  frames.type[frame] = type;
  frames.typeCount[frame] = 1;
}

/** Drops the reference that came with a frame's allocation. False when it is gone already. */
export function putAllocation(mm: MemoryState, frame: number): boolean {
  const flags = mm.frames.flags[frame] ?? 0;
  if ((flags & FrameFlag.ALLOCATED) === 0) return false;
  mm.frames.flags[frame] = flags & ~FrameFlag.ALLOCATED;
  putFrame(mm, frame);
  return true;
}

function freeFrame(mm: MemoryState, frame: number): void {
  const { frames } = mm;
  if (frames.typeCount[frame] !== 0)
    bug(`frame ${frame} without references is still used as type ${frames.type[frame]}`);
  const owner = mm.pcpu.domains.get(domid(frames.owner[frame] ?? OWNER_FREE));
  if (owner !== undefined && frames.type[frame] !== FrameType.SHARED) owner.nrFrames--;
  frames.owner[frame] = OWNER_FREE;
  frames.type[frame] = FrameType.NONE;
  frames.flags[frame] = FrameFlag.USED;
  // Read-only translations may be stale too; whoever gets the frame next flushes them.
  frames.flushStamp[frame] = mm.flushClock;
  mm.m2p.clear(frame);
  mm.noteWrite(frame);
  mm.pcpu.allocator.free(mfn(frame));
}
