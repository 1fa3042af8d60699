// What the rest of the hypervisor asks of memory management (`mm/`). A port, so that the two can be
// tested apart. Nothing here throws because of a guest; errors are negated errnos unless stated.

import type { Maddr, Mfn, Pfn, Vaddr } from '../base/index.ts';
import type { Domain } from './domain.ts';
import type { HypercallHandler } from './hypercall/arguments.ts';
import type { Vcpu } from './vcpu.ts';

/** A segment descriptor as two u32 halves; one record is reused by every lookup. */
export interface Descriptor {
  lo: number;
  hi: number;
}

/** The rules of frames and page tables. */
export interface MemoryManagement {
  /** Hypercalls that are about memory. */
  readonly mmuUpdate: HypercallHandler;
  readonly mmuextOp: HypercallHandler;
  readonly updateVaMapping: HypercallHandler;
  readonly updateVaMappingOtherdomain: HypercallHandler;
  readonly memoryOp: HypercallHandler;
  readonly setGdt: HypercallHandler;
  readonly updateDescriptor: HypercallHandler;

  /**
   * Looks at a page fault before the guest does: emulates a store to a read-only mapped L1 table.
   * @param errorCode - P, W and I bits
   * @returns true when the vCPU can go on; false when the guest must handle the fault
   */
  handlePageFault(vcpu: Vcpu, address: Vaddr, errorCode: number): boolean;

  /**
   * Descriptor that a selector names on this vCPU: its GDT, its LDT, or the flat ones.
   * @returns a reused record, or undefined when the selector is null or out of bounds
   */
  readDescriptor(vcpu: Vcpu, selector: number): Descriptor | undefined;

  /** Takes a reference to a frame that `domain` owns, with a writable type reference when `writable`. */
  getFrame(domain: Domain, frame: number, writable: boolean): frame is Mfn;
  /** Gives back what `getFrame` took. */
  putFrame(frame: Mfn, writable: boolean): void;

  /** Loads both base pointers of a vCPU that is not running, validating and referencing the tables. `user` 0: none. */
  setRoots(vcpu: Vcpu, kernel: number, user: number): number;
  /** Loads the kernel base pointer of the running vCPU, as MMUEXT_NEW_BASEPTR does. */
  loadKernelRoot(vcpu: Vcpu, frame: number): number;
  /** Sets a vCPU's GDT from machine frames, as set_gdt does. */
  loadGdt(vcpu: Vcpu, frames: ArrayLike<number>, entries: number): number;
  /** Sets a vCPU's LDT, as MMUEXT_SET_LDT does. */
  loadLdt(vcpu: Vcpu, base: Vaddr | 0, entries: number): number;
  /** Drops the roots, GDT and LDT of a vCPU. */
  releaseVcpu(vcpu: Vcpu): void;

  /**
   * Maps a granted frame at an address of the running vCPU (GNTMAP_host_map).
   * @param host - virtual address, or machine address of the page-table entry with GNTMAP_contains_pte
   * @param flags - GNTMAP_*
   * @returns a `GntStatus`
   */
  mapGrantedFrame(vcpu: Vcpu, host: GrantHost, flags: number, frame: Mfn): number;
  /**
   * Undoes `mapGrantedFrame`; the entry must map `frame`.
   * @param replacement - address whose entry moves to `host` (unmap_and_replace), or undefined to clear
   * @returns a `GntStatus`
   */
  unmapGrantedFrame(vcpu: Vcpu, host: GrantHost, flags: number, frame: Mfn, replacement: GrantHost | undefined): number;

  /** Takes a zeroed frame of the hypervisor's that `domain` may map writable (shared information, grant table). */
  allocateShared(domain: Domain): Mfn | undefined;
  /** Gives every frame of a domain pfns `first` on; writes the mfns to `mfns`. Returns how many it got. */
  populate(domain: Domain, firstPfn: Pfn, mfns: Uint32Array): number;
  /** Gives back frames of a domain that is dying, at most `budget` of them. True when all are gone. */
  relinquish(domain: Domain, budget: number): boolean;
  /** Pins a page table of a domain that is being built; level 1 to 4. */
  pin(domain: Domain, frame: number, level: number): number;
  /** Unpins one. */
  unpin(domain: Domain, frame: number): number;
}

/** Where a grant is mapped. */
export interface GrantHost {
  /** Low and high half of `host_addr` as the guest gave it. */
  lo: number;
  hi: number;
}

/** Machine address of a byte of a frame. */
export function addressIn(frame: Mfn, offset: number): Maddr {
  return (frame * 4096 + offset) as Maddr; // the sum is a machine address
}
