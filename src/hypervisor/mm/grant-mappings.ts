// Granted frames in a guest's address space: the only L1 entries that may map a frame of another owner.
// The grant code takes the references before it maps (`getFrameFor`) and gives them back after it has
// unmapped; in between they belong to the entry. A guest that overwrites the entry itself gives them back
// with it, and can then not unmap the grant any more. Behaviour: Xen 4.17, create_grant_pv_mapping and
// replace_grant_pv_mapping.

import { GntMap, GntStatus } from '../../abi/index.ts';
import type { Domid, Mfn } from '../../base/index.ts';
import { FRAME_SHIFT, FRAME_SIZE, FrameFlag, FrameType } from '../../machine/index.ts';
import { frameOfPte, Pte, PteHi } from '../../x86/index.ts';
import { guestAddress } from '../hypercall/arguments.ts';
import type { GrantHost } from '../memory-management.ts';
import type { Vcpu } from '../vcpu.ts';
import { getFrame, getWritableType, putFrame, putWritableType } from './frame-references.ts';
import { putL1Entry } from './l1-table.ts';
import type { MemoryState } from './memory-state.ts';
import { writeEntry } from './modify-entry.ts';
import { findL1Entry } from './walk.ts';

/** Lowest of the entry bits that are the guest's own, and where a mapping's flags say what they shall be. */
const AVAILABLE_SHIFT = 9;
const FLAGS_AVAILABLE_SHIFT = 16;

/** Takes a reference to a frame that `owner` owns, and a writable type reference when `writable`. @hot */
export function getFrameFor(mm: MemoryState, owner: Domid, frame: number, writable: boolean): boolean {
  if (!getFrame(mm.frames, frame, owner)) return false;
  if (!writable || getWritableType(mm.frames, frame)) return true;
  putFrame(mm, frame);
  return false;
}

/** Gives back what `getFrameFor` took. Who held it writable may have written to it behind the engine's back. @hot */
export function putFrameFor(mm: MemoryState, frame: Mfn, writable: boolean): void {
  if (writable) {
    mm.noteWrite(frame);
    putWritableType(mm, frame);
  }
  putFrame(mm, frame);
}

/** Maps a granted frame, to which the caller holds the references. @returns a `GntStatus` */
export function mapGrantedFrame(mm: MemoryState, vcpu: Vcpu, host: GrantHost, flags: number, frame: Mfn): number {
  const index = hostEntry(mm, vcpu, host, flags);
  if (index < 0) return GntStatus.GNTST_general_error;
  const oldLo = mm.memory.u32[index] ?? 0;
  const oldHi = mm.memory.u32[index + 1] ?? 0;
  const available = ((flags >>> FLAGS_AVAILABLE_SHIFT) << AVAILABLE_SHIFT) & Pte.AVAILABLE;
  const user = (flags & GntMap.GNTMAP_application_map) !== 0 ? Pte.USER : 0;
  const bits = Pte.PRESENT | Pte.ACCESSED | Pte.DIRTY | writableBit(flags) | user | available;
  writeEntry(mm, index, (frame * FRAME_SIZE + bits) >>> 0, Math.floor(frame / 2 ** (32 - FRAME_SHIFT)));
  if ((oldLo & Pte.PRESENT) !== 0) putL1Entry(mm, oldLo, oldHi);
  return GntStatus.GNTST_okay;
}

/**
 * Unmaps a granted frame; the caller then gives back the references. No translation to it stays cached.
 * @param replacement - address whose entry moves to `host`, or undefined
 * @returns a `GntStatus`; unless it is 0 nothing has changed
 */
export function unmapGrantedFrame(
  mm: MemoryState,
  vcpu: Vcpu,
  host: GrantHost,
  flags: number,
  frame: Mfn,
  replacement: GrantHost | undefined,
): number {
  const { u32 } = mm.memory;
  const index = hostEntry(mm, vcpu, host, flags);
  if (index < 0) return GntStatus.GNTST_general_error;
  const lo = u32[index] ?? 0;
  const wanted = Pte.PRESENT | writableBit(flags);
  const matches = (lo & (Pte.PRESENT | Pte.WRITABLE)) === wanted && frameOfPte(lo, u32[index + 1] ?? 0) === frame;
  if (!matches) return GntStatus.GNTST_general_error;

  let newLo = 0;
  let newHi = 0;
  if (replacement !== undefined) {
    const source = (flags & GntMap.GNTMAP_contains_pte) !== 0 ? -1 : hostEntry(mm, vcpu, replacement, 0);
    if (source < 0 || source === index) return GntStatus.GNTST_general_error;
    newLo = u32[source] ?? 0;
    newHi = u32[source + 1] ?? 0;
    writeEntry(mm, source, 0, 0);
  }
  writeEntry(mm, index, newLo, newHi);
  // The granter may use the frame for something else as soon as this is done.
  mm.flushTlb();
  return GntStatus.GNTST_okay;
}

function writableBit(flags: number): number {
  return (flags & GntMap.GNTMAP_readonly) !== 0 ? 0 : Pte.WRITABLE;
}

/** Index of the entry that `host` names, by machine or virtual address; -1 unless it is in an L1 table of the vCPU's domain. */
function hostEntry(mm: MemoryState, vcpu: Vcpu, host: GrantHost, flags: number): number {
  const { frames } = mm;
  let index: number;
  if ((flags & GntMap.GNTMAP_contains_pte) !== 0) {
    if ((host.lo & 7) !== 0 || host.hi > PteHi.FRAME) return -1;
    index = (host.hi * 0x100000000 + host.lo) / 4;
  } else {
    const address = guestAddress(host.lo, host.hi);
    if (address === -1) return -1;
    index = findL1Entry(mm, vcpu.kernelRoot, address);
    if (index < 0) return -1;
  }
  const table = Math.floor(index / (FRAME_SIZE / 4));
  if (table >= frames.nrFrames || frames.owner[table] !== vcpu.domain.domid) return -1;
  if (frames.type[table] !== FrameType.L1 || frames.typeCount[table] === 0) return -1;
  return ((frames.flags[table] ?? 0) & FrameFlag.VALIDATED) !== 0 ? index : -1;
}
