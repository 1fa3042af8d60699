// set_gdt and update_descriptor. Source: Xen public/xen.h and public/arch-x86/xen.h; behaviour: Xen 4.17,
// do_set_gdt and do_update_descriptor.

import { Errno, FIRST_RESERVED_GDT_ENTRY } from '../../abi/index.ts';
import { FRAME_SHIFT, FRAME_SIZE, FrameType } from '../../machine/index.ts';
import type { HypercallArgs } from '../hypercall/arguments.ts';
import { forgetSelectors } from '../trap/transitions.ts';
import type { Vcpu } from '../vcpu.ts';
import { checkDescriptor } from './descriptor-check.ts';
import { loadGdt } from './descriptor-tables.ts';
import type { MemoryState } from './memory-state.ts';
import { writeEntry } from './modify-entry.ts';

/** Arguments: address of the frame numbers, number of entries. @returns 0, -EINVAL or -EFAULT */
export function setGdt(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  const entries = args.lo(1);
  if (entries > FIRST_RESERVED_GDT_ENTRY) return -Errno.EINVAL;
  const count = Math.ceil(entries / (FRAME_SIZE / 8));
  if (count > 0 && !mm.pcpu.access.copyIn(vcpu, args.vaddr(0), mm.request, 8 * count)) return -Errno.EFAULT;
  const frames: number[] = [];
  for (let i = 0; i < count; i++) frames.push(mm.request.number(8 * i));
  return loadGdt(mm, vcpu, frames, entries);
}

/**
 * Arguments: machine address, descriptor. The frame is a descriptor page in use, or one that may be written.
 * @returns 0, or -EINVAL (misaligned, not the domain's, a page table, a descriptor that may not be)
 */
export function updateDescriptor(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  const { frames, descriptor } = mm;
  const lo = args.lo(0);
  const frame = args.hi(0) * 0x100000 + (lo >>> FRAME_SHIFT);
  if ((lo & 7) !== 0 || frame >= frames.nrFrames || frames.owner[frame] !== vcpu.domain.domid) return -Errno.EINVAL;
  const type = frames.type[frame];
  const writable = type === FrameType.SEGMENT_DESCRIPTOR || type === FrameType.WRITABLE || type === FrameType.SHARED;
  if (!writable && frames.typeCount[frame] !== 0) return -Errno.EINVAL;
  descriptor.lo = args.lo(1);
  descriptor.hi = args.hi(1);
  if (!checkDescriptor(descriptor)) return -Errno.EINVAL;
  forgetSelectors(vcpu.domain);
  writeEntry(mm, frame * (FRAME_SIZE / 4) + ((lo & (FRAME_SIZE - 1)) >>> 2), descriptor.lo, descriptor.hi);
  return 0;
}
