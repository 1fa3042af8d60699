// mmu_update: a batch of page-table entry changes by machine address. Each is validated and takes effect
// before the next; the first error ends the batch. Called by the hypercall dispatcher.
// Source: Xen public/xen.h, HYPERVISOR_mmu_update; behaviour: Xen 4.17, do_mmu_update.

import { Errno, MMU_UPDATE, MMU_UPDATE_PREEMPTED, MMU_UPDATE_SIZE, MmuUpdate } from '../../abi/index.ts';
import { domid, type Vaddr, vaddr } from '../../base/index.ts';
import { FRAME_SHIFT, FRAME_SIZE, FrameFlag, FrameType } from '../../machine/index.ts';
import { frameOfPte, Pte } from '../../x86/index.ts';
import type { Domain } from '../domain.ts';
import { CONTINUE, type HypercallArgs } from '../hypercall/arguments.ts';
import type { Vcpu } from '../vcpu.ts';
import { L1_FORBIDDEN } from './entry-rules.ts';
import { DEVICE_FRAMES, frameOwner, OWN_FRAMES } from './foreign-domain.ts';
import type { MemoryState } from './memory-state.ts';
import { modifyL1Entry, modifyUpperEntry, writeEntry } from './modify-entry.ts';
import { drainDemotions } from './page-tables.ts';

/** Budget that one request uses up besides the entries it looks at: 4096 requests in one go at most. */
const REQUEST_COST = 16;

/**
 * Arguments: requests, count, where to put the number done (may be null), domains.
 * @returns 0, a negated errno, or `CONTINUE`
 */
export function mmuUpdate(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  const { access } = mm.pcpu;
  mm.startWork();
  if (!drainDemotions(mm, vcpu.domain)) return CONTINUE;
  const tables = tableOwner(mm, vcpu.domain, args.lo(3) >>> 16);
  const owner = frameOwner(mm, vcpu.domain, args.lo(3));
  if (tables < 0) return tables;
  if (owner < 0) return owner;

  const resumed = (args.lo(1) & MMU_UPDATE_PREEMPTED) !== 0;
  const count = args.lo(1) & ~MMU_UPDATE_PREEMPTED;
  const requests = args.vaddr(0);
  let result = 0;
  let i = 0;
  for (; i < count; i++) {
    if (mm.budget <= 0) return preempt(mm, vcpu, args, i, resumed);
    if (!access.copyIn(vcpu, elementAddress(requests, i, MMU_UPDATE_SIZE), mm.request, MMU_UPDATE_SIZE)) {
      result = -Errno.EFAULT;
      break;
    }
    result = applyRequest(mm, vcpu.domain, owner);
    mm.budget -= REQUEST_COST;
    if (result === -Errno.ERESTART) return preempt(mm, vcpu, args, i, resumed);
    if (result !== 0) break;
    if (!drainDemotions(mm, vcpu.domain) && i + 1 < count) return preempt(mm, vcpu, args, i + 1, resumed);
  }
  reportDone(mm, vcpu, args, i, resumed);
  return result;
}

/** Address of an element of an array at a guest's address; -1 when the array starts nowhere. @hot */
export function elementAddress(base: Vaddr | -1, index: number, size: number): Vaddr | -1 {
  return base === -1 ? -1 : vaddr(base + index * size);
}

/**
 * Stores progress so that the call goes on behind its first `done` elements, and their number where the
 * guest wants it. Shared by mmu_update and mmuext_op, which take their arguments in the same places.
 */
export function preemptBatch(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs, done: number, size: number): number {
  const resumed = (args.lo(1) & MMU_UPDATE_PREEMPTED) !== 0;
  reportDone(mm, vcpu, args, done, resumed);
  args.set(1, (args.lo(1) & ~MMU_UPDATE_PREEMPTED) - done + MMU_UPDATE_PREEMPTED);
  args.advance(0, done * size);
  return CONTINUE;
}

/** Adds to the number of finished elements that the guest sees. A pointer that cannot be written is the guest's loss. */
export function reportDone(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs, done: number, resumed: boolean): void {
  const where = args.vaddr(2);
  if (where <= 0) return;
  const before = resumed ? Math.max(mm.pcpu.access.readU32(vcpu, where), 0) : 0;
  mm.pcpu.access.writeU32(vcpu, where, before + done);
}

function preempt(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs, done: number, resumed: boolean): number {
  // Nothing finished and nothing to remember: the arguments can stay as the guest gave them.
  return done === 0 && !resumed ? CONTINUE : preemptBatch(mm, vcpu, args, done, MMU_UPDATE_SIZE);
}

/** Whose page tables: the upper half of the domain argument, plus 1, or 0 for the caller's own. */
function tableOwner(mm: MemoryState, domain: Domain, half: number): number {
  if (half === 0 || half - 1 === domain.domid) return OWN_FRAMES;
  return half === 1 || mm.pcpu.domains.has(domid(half - 1)) ? -Errno.EPERM : -Errno.EINVAL;
}

/** Carries out the request in `mm.request`. @hot */
function applyRequest(mm: MemoryState, domain: Domain, owner: number): number {
  const { request } = mm;
  const pointerLo = request.lo(MMU_UPDATE.ptr);
  const frame = request.hi(MMU_UPDATE.ptr) * 0x100000 + (pointerLo >>> FRAME_SHIFT);
  const command = pointerLo & 7;
  if (command > MmuUpdate.MMU_PT_UPDATE_NO_TRANSLATE) return -Errno.ENOSYS;
  if (frame >= mm.frames.nrFrames || mm.frames.owner[frame] !== domain.domid) return -Errno.EINVAL;
  const lo = request.lo(MMU_UPDATE.val);
  const hi = request.hi(MMU_UPDATE.val);
  switch (command) {
    case MmuUpdate.MMU_NORMAL_PT_UPDATE:
    case MmuUpdate.MMU_PT_UPDATE_PRESERVE_AD:
    case MmuUpdate.MMU_PT_UPDATE_NO_TRANSLATE: {
      const index = frame * (FRAME_SIZE / 4) + ((pointerLo & (FRAME_SIZE - 8)) >>> 2);
      return storeEntry(mm, domain, owner, frame, index, lo, hi, command === MmuUpdate.MMU_PT_UPDATE_PRESERVE_AD);
    }
    case MmuUpdate.MMU_MACHPHYS_UPDATE:
      if (owner !== OWN_FRAMES) return -Errno.EINVAL;
      mm.m2p.set(frame, lo, hi);
      return 0;
    default:
      return -Errno.ENOSYS;
  }
}

/** Writes to a frame of the domain's as what the frame is used as allows. @hot */
function storeEntry(
  mm: MemoryState,
  domain: Domain,
  owner: number,
  frame: number,
  index: number,
  lo: number,
  hi: number,
  preserve: boolean,
): number {
  const { frames } = mm;
  const type = frames.type[frame] ?? FrameType.NONE;
  if (frames.typeCount[frame] === 0 || type === FrameType.WRITABLE || type === FrameType.SHARED) {
    writeEntry(mm, index, lo, hi);
    return 0;
  }
  if (((frames.flags[frame] ?? 0) & FrameFlag.VALIDATED) === 0) return -Errno.EINVAL;
  switch (type) {
    case FrameType.L1:
      if (owner === DEVICE_FRAMES && (lo & Pte.PRESENT) !== 0) return deviceEntryError(mm, lo, hi);
      return modifyL1Entry(mm, domain.domid, index, lo, hi, preserve);
    case FrameType.L2:
    case FrameType.L3:
    case FrameType.L4:
      return owner === OWN_FRAMES ? modifyUpperEntry(mm, domain, type, index, lo, hi, preserve) : -Errno.EINVAL;
    default:
      return -Errno.EINVAL;
  }
}

/** Why a frame cannot be mapped as one of a device. */
function deviceEntryError(mm: MemoryState, lo: number, hi: number): number {
  if ((lo & L1_FORBIDDEN) !== 0) return -Errno.EINVAL;
  return frameOfPte(lo, hi) < mm.frames.nrFrames ? -Errno.EBUSY : -Errno.EPERM;
}

/** Error of mapping something into the caller's table from frames that are not its own. */
export function foreignEntryError(mm: MemoryState, owner: number, lo: number, hi: number): number {
  if (owner < 0) return owner;
  return (lo & Pte.PRESENT) === 0 ? 0 : deviceEntryError(mm, lo, hi);
}
