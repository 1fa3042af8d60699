// TLB flushes that guests ask for. All vCPUs of a domain run on one pCPU, so a flush for any of them is a
// flush for all; the vCPU bitmaps are still read, because a bad pointer is an error.

import { Errno, Uvmf } from '../../abi/index.ts';
import type { Vaddr } from '../../base/index.ts';
import { guestAddress } from '../hypercall/arguments.ts';
import type { Vcpu } from '../vcpu.ts';
import type { MemoryState } from './memory-state.ts';

/** Bits of the flush flags that are not the flush type: an address, or UVMF_ALL. */
const TARGET = ~Uvmf.UVMF_FLUSHTYPE_MASK;

/**
 * Carries out the flush flags of update_va_mapping. @hot
 * @param address - whose mapping has changed
 * @param lo - low half of the flags, `hi` the high half
 * @returns 0, or -EFAULT (unreadable vCPU bitmap)
 */
export function flushAsFlags(mm: MemoryState, vcpu: Vcpu, address: Vaddr, lo: number, hi: number): number {
  const type = lo & Uvmf.UVMF_FLUSHTYPE_MASK;
  if (type !== Uvmf.UVMF_TLB_FLUSH && type !== Uvmf.UVMF_INVLPG) return 0;
  const target = lo & TARGET;
  const named = hi !== 0 || (target !== 0 && target !== Uvmf.UVMF_ALL);
  if (named && !readVcpuMask(mm, vcpu, guestAddress(target >>> 0, hi))) return -Errno.EFAULT;
  if (type === Uvmf.UVMF_INVLPG) mm.engine.flushTlbPage(address);
  else mm.flushForGuest();
  return 0;
}

/** True when the bitmap of vCPUs at a guest's address can be read. */
export function readVcpuMask(mm: MemoryState, vcpu: Vcpu, address: Vaddr | -1): boolean {
  return mm.pcpu.access.copyIn(vcpu, address, mm.word, 8);
}
