// Memory management as the rest of the hypervisor sees it: direct paging, where guests own their page
// tables and every change is validated. This class only joins the port to the functions of the files
// beside it and traces their calls.

import type { Mfn, Pfn, Vaddr } from '../../base/index.ts';
import { Errno } from '../../abi/index.ts';
import type { Domain } from '../domain.ts';
import { CONTINUE, type HypercallArgs, type HypercallHandler } from '../hypercall/arguments.ts';
import type { Descriptor, GrantHost, MemoryManagement } from '../memory-management.ts';
import type { Vcpu } from '../vcpu.ts';
import { allocateShared, populate } from './allocation.ts';
import { audit, type AuditPorts } from './audit.ts';
import { pinTable, setKernelRoot, setUserRoot, unpinTable } from './base-pointers.ts';
import { setGdt, updateDescriptor } from './descriptor-calls.ts';
import { loadGdt, loadLdt, readDescriptor } from './descriptor-tables.ts';
import { getFrameFor, mapGrantedFrame, putFrameFor, unmapGrantedFrame } from './grant-mappings.ts';
import { memoryOp } from './memory-op.ts';
import { type MemoryPorts, MemoryState } from './memory-state.ts';
import { mmuUpdate } from './mmu-update.ts';
import { mmuextOp } from './mmuext-op.ts';
import { PageTableWriter } from './page-table-write.ts';
import { drainDemotions, type TableLevel } from './page-tables.ts';
import { relinquish, releaseVcpu } from './relinquish.ts';
import { updateVaMapping, updateVaMappingOtherdomain } from './update-va-mapping.ts';

/** A function of memory management that is a hypercall. */
type Call = (mm: MemoryState, vcpu: Vcpu, args: HypercallArgs) => number;

/** Direct paging for all domains of a pCPU. */
export class DirectPaging implements MemoryManagement {
  readonly mmuUpdate: HypercallHandler = this.#handler('mmu_update', mmuUpdate);
  readonly mmuextOp: HypercallHandler = this.#handler('mmuext_op', mmuextOp);
  readonly updateVaMapping: HypercallHandler = this.#handler('update_va_mapping', updateVaMapping);
  readonly updateVaMappingOtherdomain: HypercallHandler = this.#handler(
    'update_va_mapping_otherdomain',
    updateVaMappingOtherdomain,
  );
  readonly memoryOp: HypercallHandler = this.#handler('memory_op', memoryOp);
  readonly setGdt: HypercallHandler = this.#handler('set_gdt', setGdt);
  readonly updateDescriptor: HypercallHandler = this.#handler('update_descriptor', updateDescriptor);
  readonly #mm: MemoryState;
  readonly #writer: PageTableWriter;

  /**
   * Takes the hypervisor's own frames and gives the engine its root. Once per pCPU.
   * @param workPerHypercall - entries that one hypercall may look at before it is continued; tests make it small
   */
  constructor(pcpu: MemoryPorts, workPerHypercall?: number) {
    this.#mm = new MemoryState(pcpu, workPerHypercall);
    this.#writer = new PageTableWriter(this.#mm);
  }

  handlePageFault(vcpu: Vcpu, address: Vaddr, errorCode: number): boolean {
    const handled = this.#writer.handle(vcpu, address, errorCode);
    const { tracer } = this.#mm.pcpu;
    if (tracer.mmu) {
      const outcome = handled ? 'a store to a page table' : 'for the guest';
      tracer.line('mmu', `d${vcpu.domain.domid}v${vcpu.id} page fault at ${hex(address)} (${errorCode}): ${outcome}`);
    }
    return handled;
  }

  readDescriptor(vcpu: Vcpu, selector: number): Descriptor | undefined {
    return readDescriptor(this.#mm, vcpu, selector);
  }

  getFrame(domain: Domain, frame: number, writable: boolean): frame is Mfn {
    return getFrameFor(this.#mm, domain.domid, frame, writable);
  }

  putFrame(frame: Mfn, writable: boolean): void {
    putFrameFor(this.#mm, frame, writable);
  }

  setRoots(vcpu: Vcpu, kernel: number, user: number): number {
    return this.#withWork(vcpu.domain, () => {
      if (kernel === 0) return -Errno.EINVAL;
      const result = setKernelRoot(this.#mm, vcpu, kernel);
      return result === 0 ? setUserRoot(this.#mm, vcpu, user) : result;
    });
  }

  loadKernelRoot(vcpu: Vcpu, frame: number): number {
    return this.#withWork(vcpu.domain, () => setKernelRoot(this.#mm, vcpu, frame));
  }

  loadGdt(vcpu: Vcpu, frames: ArrayLike<number>, entries: number): number {
    return loadGdt(this.#mm, vcpu, frames, entries);
  }

  loadLdt(vcpu: Vcpu, base: Vaddr | 0, entries: number): number {
    return loadLdt(this.#mm, vcpu, base, entries);
  }

  releaseVcpu(vcpu: Vcpu): void {
    releaseVcpu(this.#mm, vcpu);
  }

  mapGrantedFrame(vcpu: Vcpu, host: GrantHost, flags: number, frame: Mfn): number {
    return mapGrantedFrame(this.#mm, vcpu, host, flags, frame);
  }

  unmapGrantedFrame(
    vcpu: Vcpu,
    host: GrantHost,
    flags: number,
    frame: Mfn,
    replacement: GrantHost | undefined,
  ): number {
    return unmapGrantedFrame(this.#mm, vcpu, host, flags, frame, replacement);
  }

  allocateShared(domain: Domain): Mfn | undefined {
    return allocateShared(this.#mm, domain);
  }

  populate(domain: Domain, firstPfn: Pfn, mfns: Uint32Array): number {
    return populate(this.#mm, domain, firstPfn, mfns);
  }

  relinquish(domain: Domain, budget: number): boolean {
    return relinquish(this.#mm, domain, budget);
  }

  pin(domain: Domain, frame: number, level: number): number {
    if (level < 1 || level > 4) return -Errno.EINVAL;
    return this.#toTheEnd(domain, () => pinTable(this.#mm, domain, frame, level as TableLevel)); // checked just before
  }

  unpin(domain: Domain, frame: number): number {
    return this.#toTheEnd(domain, () => unpinTable(this.#mm, domain, frame));
  }

  /** Recounts all references. For tests and for looking into a bug. @returns one line for each disagreement */
  audit(ports?: AuditPorts): string[] {
    return audit(this.#mm, ports);
  }

  /** One slice of an operation. @returns what it returns, or -ERESTART when it is to be called again */
  #withWork(domain: Domain, operation: () => number): number {
    const mm = this.#mm;
    mm.startWork();
    if (!drainDemotions(mm, domain)) return -Errno.ERESTART;
    const result = operation();
    mm.flushTlb();
    drainDemotions(mm, domain);
    return result;
  }

  /** An operation of domain 0's, slice after slice. */
  #toTheEnd(domain: Domain, operation: () => number): number {
    for (;;) {
      const result = this.#withWork(domain, operation);
      if (result !== -Errno.ERESTART) return result;
    }
  }

  #handler(name: string, call: Call): HypercallHandler {
    return (vcpu, args) => {
      const result = call(this.#mm, vcpu, args);
      const { tracer } = this.#mm.pcpu;
      if (tracer.mmu) tracer.line('mmu', describeCall(name, vcpu, args, result));
      return result;
    };
  }
}

function describeCall(name: string, vcpu: Vcpu, args: HypercallArgs, result: number): string {
  const list = [0, 1, 2, 3].map((i) => hex(args.number(i))).join(', ');
  return `d${vcpu.domain.domid}v${vcpu.id} ${name}(${list}) = ${result === CONTINUE ? 'continued' : result}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
