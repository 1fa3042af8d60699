// mmuext_op: a batch of operations on page tables and TLBs. Source: Xen public/xen.h,
// HYPERVISOR_mmuext_op; behaviour: Xen 4.17, do_mmuext_op. The TLB is flushed once at the end of the batch
// for all base pointers and flushes in it: the guest runs no instruction in between, and the frame stamps
// keep frames from being reused before.

import { Errno, MMUEXT_OP, MMUEXT_OP_SIZE, MMU_UPDATE_PREEMPTED, MmuExt } from '../../abi/index.ts';
import { mfn } from '../../base/index.ts';
import { addressOf, FRAME_SIZE } from '../../machine/index.ts';
import { CONTINUE, type HypercallArgs } from '../hypercall/arguments.ts';
import type { Vcpu } from '../vcpu.ts';
import { pinTable, setKernelRoot, setUserRoot, unpinTable } from './base-pointers.ts';
import { loadLdt } from './descriptor-tables.ts';
import { frameOwner, OWN_FRAMES } from './foreign-domain.ts';
import { getFrame, getWritableType, putFrame, putWritableType } from './frame-references.ts';
import type { MemoryState } from './memory-state.ts';
import { elementAddress, preemptBatch, reportDone } from './mmu-update.ts';
import { drainDemotions } from './page-tables.ts';
import { readVcpuMask } from './tlb-requests.ts';

/** Budget that one operation uses up besides the entries it looks at. */
const OPERATION_COST = 256;

/**
 * Arguments: operations, count, where to put the number done (may be null), domain.
 * @returns 0, a negated errno, or `CONTINUE`
 */
export function mmuextOp(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  mm.startWork();
  if (!drainDemotions(mm, vcpu.domain)) return CONTINUE;
  const owner = frameOwner(mm, vcpu.domain, args.lo(3));
  if (owner !== OWN_FRAMES) return owner < 0 ? owner : -Errno.EPERM;
  const result = runBatch(mm, vcpu, args);
  if (mm.flushWanted) {
    mm.flushWanted = false;
    mm.flushForGuest();
  }
  return result;
}

function runBatch(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs): number {
  const resumed = (args.lo(1) & MMU_UPDATE_PREEMPTED) !== 0;
  const count = args.lo(1) & ~MMU_UPDATE_PREEMPTED;
  const operations = args.vaddr(0);
  let result = 0;
  let i = 0;
  for (; i < count; i++) {
    if (mm.budget <= 0) return preempt(mm, vcpu, args, i, resumed);
    const from = elementAddress(operations, i, MMUEXT_OP_SIZE);
    if (!mm.pcpu.access.copyIn(vcpu, from, mm.request, MMUEXT_OP_SIZE)) {
      result = -Errno.EFAULT;
      break;
    }
    result = runOperation(mm, vcpu);
    mm.budget -= OPERATION_COST;
    if (result === -Errno.ERESTART) return preempt(mm, vcpu, args, i, resumed);
    if (result !== 0) break;
    if (!drainDemotions(mm, vcpu.domain) && i + 1 < count) return preempt(mm, vcpu, args, i + 1, resumed);
  }
  reportDone(mm, vcpu, args, i, resumed);
  return result;
}

function preempt(mm: MemoryState, vcpu: Vcpu, args: HypercallArgs, done: number, resumed: boolean): number {
  return done === 0 && !resumed ? CONTINUE : preemptBatch(mm, vcpu, args, done, MMUEXT_OP_SIZE);
}

/** Carries out the operation in `mm.request`. @hot */
function runOperation(mm: MemoryState, vcpu: Vcpu): number {
  const { request } = mm;
  const command = request.lo(MMUEXT_OP.cmd);
  const frame = request.number(MMUEXT_OP.arg1);
  switch (command) {
    case MmuExt.MMUEXT_PIN_L1_TABLE:
      return pinTable(mm, vcpu.domain, frame, 1);
    case MmuExt.MMUEXT_PIN_L2_TABLE:
      return pinTable(mm, vcpu.domain, frame, 2);
    case MmuExt.MMUEXT_PIN_L3_TABLE:
      return pinTable(mm, vcpu.domain, frame, 3);
    case MmuExt.MMUEXT_PIN_L4_TABLE:
      return pinTable(mm, vcpu.domain, frame, 4);
    case MmuExt.MMUEXT_UNPIN_TABLE:
      return unpinTable(mm, vcpu.domain, frame);
    case MmuExt.MMUEXT_NEW_BASEPTR:
      return flushAfter(mm, setKernelRoot(mm, vcpu, frame));
    case MmuExt.MMUEXT_NEW_USER_BASEPTR:
      return flushAfter(mm, setUserRoot(mm, vcpu, frame));
    case MmuExt.MMUEXT_SET_LDT:
      return loadLdt(mm, vcpu, request.address(MMUEXT_OP.arg1), request.lo(MMUEXT_OP.arg2));
    case MmuExt.MMUEXT_CLEAR_PAGE:
      return clearPage(mm, vcpu, frame);
    case MmuExt.MMUEXT_COPY_PAGE:
      return copyPage(mm, vcpu, frame, request.number(MMUEXT_OP.arg2));
    // A guest without devices has no business with caches. Source: Xen 4.17, do_mmuext_op.
    case MmuExt.MMUEXT_FLUSH_CACHE:
      return -Errno.EACCES;
    case MmuExt.MMUEXT_FLUSH_CACHE_GLOBAL:
      return -Errno.EINVAL;
    case MmuExt.MMUEXT_MARK_SUPER:
    case MmuExt.MMUEXT_UNMARK_SUPER:
      return -Errno.EOPNOTSUPP;
    default:
      return flushOperation(mm, vcpu, command);
  }
}

function flushOperation(mm: MemoryState, vcpu: Vcpu, command: number): number {
  const { request } = mm;
  const address = request.address(MMUEXT_OP.arg1);
  switch (command) {
    case MmuExt.MMUEXT_TLB_FLUSH_MULTI:
    case MmuExt.MMUEXT_INVLPG_MULTI:
      if (!readVcpuMask(mm, vcpu, request.address(MMUEXT_OP.arg2))) return -Errno.EINVAL;
      break;
    case MmuExt.MMUEXT_TLB_FLUSH_LOCAL:
    case MmuExt.MMUEXT_TLB_FLUSH_ALL:
    case MmuExt.MMUEXT_INVLPG_LOCAL:
    case MmuExt.MMUEXT_INVLPG_ALL:
      break;
    default:
      return -Errno.ENOSYS;
  }
  const onePage =
    command === MmuExt.MMUEXT_INVLPG_LOCAL ||
    command === MmuExt.MMUEXT_INVLPG_MULTI ||
    command === MmuExt.MMUEXT_INVLPG_ALL;
  if (!onePage) mm.flushWanted = true;
  else if (address !== -1) mm.engine.flushTlbPage(address);
  return 0;
}

/** Asks for a flush when a base pointer was loaded. @hot */
function flushAfter(mm: MemoryState, result: number): number {
  if (result === 0) mm.flushWanted = true;
  return result;
}

function clearPage(mm: MemoryState, vcpu: Vcpu, frame: number): number {
  if (!getWritableFrame(mm, vcpu, frame)) return -Errno.EINVAL;
  mm.memory.clearFrame(mfn(frame));
  mm.noteWrite(frame);
  putWritableFrame(mm, frame);
  return 0;
}

function copyPage(mm: MemoryState, vcpu: Vcpu, frame: number, source: number): number {
  if (!getFrame(mm.frames, source, vcpu.domain.domid)) return -Errno.EINVAL;
  const writable = getWritableFrame(mm, vcpu, frame);
  if (writable) {
    const from = addressOf(mfn(source));
    mm.memory.u8.copyWithin(addressOf(mfn(frame)), from, from + FRAME_SIZE);
    mm.noteWrite(frame);
    putWritableFrame(mm, frame);
  }
  putFrame(mm, source);
  return writable ? 0 : -Errno.EINVAL;
}

/** References to a frame for the time of one operation; refused when it is a page table or descriptor page. */
function getWritableFrame(mm: MemoryState, vcpu: Vcpu, frame: number): boolean {
  if (!getFrame(mm.frames, frame, vcpu.domain.domid)) return false;
  if (getWritableType(mm.frames, frame)) return true;
  putFrame(mm, frame);
  return false;
}

function putWritableFrame(mm: MemoryState, frame: number): void {
  putWritableType(mm, frame);
  putFrame(mm, frame);
}
