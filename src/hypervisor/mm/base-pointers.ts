// The base pointers of vCPUs and the pins of page tables: the roots from which everything a guest maps is
// reached. Each holds a reference and a type reference. Behaviour: Xen 4.17, MMUEXT_PIN_* to
// MMUEXT_NEW_USER_BASEPTR.

import { Errno } from '../../abi/index.ts';
import { mfn } from '../../base/index.ts';
import { FrameFlag } from '../../machine/index.ts';
import type { Domain } from '../domain.ts';
import type { Vcpu } from '../vcpu.ts';
import { releaseLdt } from './descriptor-tables.ts';
import { getFrame, putFrame } from './frame-references.ts';
import type { MemoryState } from './memory-state.ts';
import { noteRoot } from './table-changes.ts';
import { getTable, putTable, type TableLevel } from './page-tables.ts';

/**
 * Holds a page table validated until it is unpinned.
 * @returns 0; -EINVAL (pinned already), or what `getTable` says
 */
export function pinTable(mm: MemoryState, domain: Domain, frame: number, level: TableLevel): number {
  const result = getTable(mm, domain, frame, level);
  if (result !== 0) return result;
  const flags = mm.frames.flags[frame] ?? 0;
  if ((flags & FrameFlag.PINNED) !== 0) {
    putTable(mm, domain, frame);
    return -Errno.EINVAL;
  }
  mm.frames.flags[frame] = flags | FrameFlag.PINNED;
  return 0;
}

/** Undoes `pinTable`. @returns 0, or -EINVAL (not the domain's, not pinned) */
export function unpinTable(mm: MemoryState, domain: Domain, frame: number): number {
  const { frames } = mm;
  if (!getFrame(frames, frame, domain.domid)) return -Errno.EINVAL;
  const flags = frames.flags[frame] ?? 0;
  const pinned = (flags & FrameFlag.PINNED) !== 0;
  if (pinned) {
    frames.flags[frame] = flags & ~FrameFlag.PINNED;
    putTable(mm, domain, frame);
  }
  putFrame(mm, frame);
  return pinned ? 0 : -Errno.EINVAL;
}

/**
 * Makes `frame` the L4 table of kernel mode. The caller flushes the TLB before the guest runs on. @hot
 * @returns 0 or what `getTable` says
 */
export function setKernelRoot(mm: MemoryState, vcpu: Vcpu, frame: number): number {
  const old = vcpu.kernelRoot;
  if (old === frame) return 0;
  const result = getTable(mm, vcpu.domain, frame, 4);
  if (result !== 0) return result;
  // The LDT is known by its virtual address, which may mean something else from here on.
  releaseLdt(mm, vcpu);
  noteRoot(mm, old, frame);
  vcpu.kernelRoot = mfn(frame);
  if (old !== 0) putTable(mm, vcpu.domain, old);
  return 0;
}

/**
 * Makes `frame` the L4 table of user mode; 0 for none. The caller flushes the TLB before the guest runs on. @hot
 * @returns 0 or what `getTable` says
 */
export function setUserRoot(mm: MemoryState, vcpu: Vcpu, frame: number): number {
  const old = vcpu.userRoot;
  if (old === frame) return 0;
  const result = frame === 0 ? 0 : getTable(mm, vcpu.domain, frame, 4);
  if (result !== 0) return result;
  vcpu.userRoot = mfn(frame);
  if (old !== 0) putTable(mm, vcpu.domain, old);
  return 0;
}

/** Takes both base pointers from a vCPU that will not run any more. */
export function releaseRoots(mm: MemoryState, vcpu: Vcpu): void {
  const kernel = vcpu.kernelRoot;
  const user = vcpu.userRoot;
  vcpu.kernelRoot = mfn(0);
  vcpu.userRoot = mfn(0);
  mm.flushTlb();
  if (kernel !== 0) putTable(mm, vcpu.domain, kernel);
  if (user !== 0) putTable(mm, vcpu.domain, user);
}
