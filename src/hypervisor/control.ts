// What domain 0 may ask of the hypervisor: the control port. All arguments and results are plain data,
// because the caller is on another thread. Domain 0 is trusted to mean well but not to be right: a wrong
// domid or frame is a VmmError or an errno, never a broken invariant.

import { Errno, FlatSelector, GntStatus, GnttabReserved, GRANT_ENTRY_V1, Gtf } from '../abi/index.ts';
import { domid, type Domid, maddr, type Maddr, mfn, pfn, vaddr, VmmError } from '../base/index.ts';
import { Access, Cpu, Gpr, Rflags, Sreg } from '../engine/index.ts';
import { addressOf } from '../machine/index.ts';
import { canonicalVaddr } from '../x86/index.ts';
import { type CrashReport, type VcpuReport, reportVcpu } from './crash.ts';
import { createDomain } from './create-domain.ts';
import { beginDestroy, continueDestroy } from './destroy-domain.ts';
import type { Domain } from './domain.ts';
import {
  allocateUnbound,
  bindToDomain0,
  closeByDomain0,
  DOMAIN0,
  raiseVirq,
  sendFromDomain0,
} from './event/operations.ts';
import { beginUse, endUse } from './grant/use.ts';
import { bringUp } from './hypercall/vcpu/vcpu-op.ts';
import type { Pcpu } from './pcpu.ts';
import type { ProfileReport } from './profile/profile.ts';
import { refreshDomain } from './schedule/blocking.ts';
import type { Vcpu } from './vcpu.ts';

/** vCPUs that a domain can have: those with a place in the shared information page. */
export const MAX_VCPUS = 32;

/** Domain identifiers that can be given out. */
const LAST_DOMID = 0x7fef;

/** What a new domain is to be. */
export interface CreateDomainRequest {
  readonly name: string;
  /** 1 to `MAX_VCPUS`. */
  readonly maxVcpus: number;
  /** Frames that the domain may own. */
  readonly maxFrames: number;
  /** 16-byte handle that the guest can ask for. */
  readonly handle?: Uint8Array;
}

/** A new domain. */
export interface CreatedDomain {
  readonly domid: Domid;
  /** Machine address of the shared information page, for start_info. */
  readonly sharedInfo: Maddr;
  /** First frame of the grant table. */
  readonly grantFrame: number;
}

/** Registers of vCPU 0 at a guest's entry point; everything else has its value at the start. */
export interface InitialContext {
  readonly rip: bigint;
  readonly rsp: bigint;
  /** Address of the start information page. */
  readonly rsi: bigint;
  /** Frame of the L4 table. */
  readonly root: number;
}

/** What is known of a domain. */
export interface DomainInfo {
  readonly domid: Domid;
  readonly name: string;
  readonly nrFrames: number;
  readonly maxFrames: number;
  readonly maxVcpus: number;
  readonly onlineVcpus: number;
  readonly paused: boolean;
  readonly dying: boolean;
  /** Every vCPU that is up sleeps. */
  readonly blocked: boolean;
  /** Reason of a shutdown, by `Shutdown` number; undefined while the domain lives. */
  readonly shutdownReason: number | undefined;
  readonly cpuTimeNs: number;
  readonly unknownHypercalls: number;
}

/** Domain 0's view of one pCPU. */
export class Control {
  readonly #pcpu: Pcpu;
  #lastDomid = 0;

  constructor(pcpu: Pcpu) {
    this.#pcpu = pcpu;
  }

  /** Frames of the machine that no domain has. */
  nrFreeFrames(): number {
    return this.#pcpu.allocator.nrFree;
  }

  /** Makes an empty, paused domain. Throws `VmmError` for limits that cannot be, or when memory is short. */
  createDomain(request: CreateDomainRequest): CreatedDomain {
    const { name, maxVcpus, maxFrames } = request;
    if (!Number.isInteger(maxVcpus) || maxVcpus < 1 || maxVcpus > MAX_VCPUS) {
      throw new VmmError(
        'BAD_VCPUS',
        `Domain ${name}: ${maxVcpus} vCPUs asked for, but a domain has 1 to ${MAX_VCPUS}.`,
      );
    }
    const domain = createDomain(this.#pcpu, this.#freeDomid(), name, { maxVcpus, maxFrames });
    if (request.handle !== undefined) domain.handle.set(request.handle.subarray(0, 16));
    domain.pauseCount = 1;
    return { domid: domain.domid, sharedInfo: addressOf(domain.sharedInfo), grantFrame: domain.grants.frames[0] ?? 0 };
  }

  /** Gives a domain frames for the pfns from `firstPfn` on. @returns their mfns; fewer than asked when memory is short */
  populate(id: Domid, firstPfn: number, count: number): Uint32Array {
    const frames = new Uint32Array(count);
    const got = this.#pcpu.mm.populate(this.#domain(id), pfn(firstPfn), frames);
    return frames.subarray(0, got);
  }

  /** Pins a page table. @returns 0 or a negated errno */
  pinTable(id: Domid, frame: number, level: number): number {
    return this.#pcpu.mm.pin(this.#domain(id), frame, level);
  }

  /** Unpins a page table. @returns 0 or a negated errno */
  unpinTable(id: Domid, frame: number): number {
    return this.#pcpu.mm.unpin(this.#domain(id), frame);
  }

  /** Grants domain 0 the frames of the console and store rings, in the entries reserved for them. */
  grantReserved(id: Domid, consoleFrame: number, storeFrame: number): void {
    const domain = this.#domain(id);
    this.#writeGrant(domain, GnttabReserved.GNTTAB_RESERVED_CONSOLE, consoleFrame);
    this.#writeGrant(domain, GnttabReserved.GNTTAB_RESERVED_XENSTORE, storeFrame);
  }

  #writeGrant(domain: Domain, ref: number, frame: number): void {
    const word = domain.grants.wordOf(ref);
    const { u32 } = this.#pcpu.memory;
    u32[word + GRANT_ENTRY_V1.frame / 4] = frame;
    u32[word] = Gtf.GTF_permit_access | (DOMAIN0 << 16);
  }

  /**
   * Gives vCPU 0 its registers at the guest's entry and brings it up.
   * @returns 0, or a negated errno when the root table is not a valid L4 of the domain
   */
  setInitialContext(id: Domid, initial: InitialContext): number {
    const vcpu = this.#vcpu(id, 0);
    for (const address of [initial.rip, initial.rsp, initial.rsi]) {
      if (canonicalVaddr(Number(address & 0xffffffffn), Number((address >> 32n) & 0xffffffffn)) < 0)
        return -Errno.EINVAL;
    }
    let roots: number = -Errno.ERESTART;
    while (roots === -Errno.ERESTART) roots = this.#pcpu.mm.setRoots(vcpu, initial.root, 0);
    if (roots !== 0) return roots;
    const { state } = vcpu.context;
    state.gpr.fill(0n);
    state.gpr[Gpr.RSP] = initial.rsp;
    state.gpr[Gpr.RSI] = initial.rsi;
    state.rip = initial.rip;
    state.rflags = Rflags.IF | Rflags.FIXED;
    state.selector.fill(0);
    state.selector[Sreg.CS] = FlatSelector.FLAT_RING3_CS64;
    state.selector[Sreg.SS] = FlatSelector.FLAT_RING3_SS64;
    state.writeU32(Cpu.KERNEL_MODE, 1);
    vcpu.kernelSs = FlatSelector.FLAT_RING3_SS64;
    vcpu.setKernelStack(state.gpr32[2 * Gpr.RSP] ?? 0, state.gpr32[2 * Gpr.RSP + 1] ?? 0);
    vcpu.initialised = true;
    return bringUp(this.#pcpu, vcpu);
  }

  /** Sets a port of the guest aside for domain 0 and connects it. @returns the guest's port or a negated errno */
  allocatePort(id: Domid): number {
    const domain = this.#domain(id);
    const local = allocateUnbound(domain, DOMAIN0);
    if (local > 0) bindToDomain0(domain, local);
    return local;
  }

  /** Connects domain 0 to a port that the guest set aside for it. @returns 0 or a negated errno */
  bindPort(id: Domid, port: number): number {
    return bindToDomain0(this.#domain(id), port);
  }

  /** Gives up domain 0's end of a channel. @returns 0 or a negated errno */
  closePort(id: Domid, port: number): number {
    const domain = this.#pcpu.domains.get(id);
    return domain === undefined ? -Errno.ESRCH : closeByDomain0(domain, port);
  }

  /** Notifies a guest. @returns 0 or a negated errno */
  sendEvent(id: Domid, port: number): number {
    const domain = this.#pcpu.domains.get(id);
    return domain === undefined ? -Errno.ESRCH : sendFromDomain0(this.#pcpu, domain, port);
  }

  /** Raises a virtual interrupt of vCPU 0, such as VIRQ_DEBUG. */
  raiseVirq(id: Domid, virq: number): void {
    raiseVirq(this.#pcpu, this.#vcpu(id, 0), virq);
  }

  /** Begins the use of a grant by a backend. @returns its machine address, or a negative `GntStatus` */
  mapGrant(id: Domid, ref: number, writable: boolean): number {
    const domain = this.#pcpu.domains.get(id);
    if (domain === undefined) return GntStatus.GNTST_bad_domain;
    const frame = beginUse(this.#pcpu, domain, DOMAIN0, ref, writable);
    return frame < 0 ? frame : addressOf(mfn(frame));
  }

  /** Ends a use that `mapGrant` began, with the same arguments. */
  unmapGrant(id: Domid, ref: number, writable: boolean): void {
    const domain = this.#pcpu.domains.get(id);
    const active = domain?.grants.active.get(ref);
    const held = active?.grantee === DOMAIN0 && (writable ? active.writers : active.readers) > 0;
    if (domain === undefined || !held) {
      throw new VmmError('GRANT_NOT_MAPPED', `Grant ${ref} of domain ${id} is not mapped by domain 0.`);
    }
    // What a backend wrote may be code.
    if (writable && active !== undefined) this.#pcpu.access.noteWrite(active.frame);
    endUse(this.#pcpu, domain, ref, writable);
  }

  /** Tells the engine that a frame of a guest was written by domain 0. */
  noteWrite(frame: number): void {
    if (frame >= 0 && frame < this.#pcpu.frames.nrFrames) this.#pcpu.access.noteWrite(mfn(frame));
  }

  /** Stops a domain's vCPUs until `unpause`; calls add up. */
  pause(id: Domid): void {
    const domain = this.#domain(id);
    domain.pauseCount++;
    refreshDomain(this.#pcpu, domain);
  }

  /** Takes back one `pause`. */
  unpause(id: Domid): void {
    const domain = this.#domain(id);
    if (domain.pauseCount > 0) domain.pauseCount--;
    // Timers that came due meanwhile fire now.
    this.#pcpu.nextDeadlineNs = 0;
    refreshDomain(this.#pcpu, domain);
  }

  /**
   * Takes a domain apart, a slice at each call.
   * @returns true when it is gone; false when it is to be called again, after backends have given up their mappings
   */
  destroy(id: Domid): boolean {
    const domain = this.#pcpu.domains.get(id);
    if (domain === undefined) return true;
    beginDestroy(this.#pcpu, domain);
    return continueDestroy(this.#pcpu, domain);
  }

  /** What is known of a domain; undefined when there is none. */
  domainInfo(id: Domid): DomainInfo | undefined {
    const domain = this.#pcpu.domains.get(id);
    return domain === undefined ? undefined : describe(domain);
  }

  /** Where the pCPU's time went so far; undefined when it was not made to measure that. */
  profile(): ProfileReport | undefined {
    return this.#pcpu.profiler?.report();
  }

  /** All domains. */
  listDomains(): DomainInfo[] {
    return [...this.#pcpu.domains.values()].map(describe);
  }

  /** Report of the crash of a domain; undefined when it has not crashed. */
  crashReport(id: Domid): CrashReport | undefined {
    return this.#domain(id).crashReport;
  }

  /** Registers, stack and code of a vCPU as they are now. */
  inspectVcpu(id: Domid, vcpu: number): VcpuReport {
    return reportVcpu(this.#pcpu, this.#vcpu(id, vcpu));
  }

  /** Machine address of a byte that a guest's kernel reads at a virtual address; undefined when it cannot. */
  translate(id: Domid, vcpuId: number, address: bigint): Maddr | undefined {
    const vcpu = this.#vcpu(id, vcpuId);
    const low48 = canonicalVaddr(Number(address & 0xffffffffn), Number((address >> 32n) & 0xffffffffn));
    if (low48 < 0) return undefined;
    const at = this.#pcpu.engine.translate(vcpu.context, vaddr(low48), Access.READ, true);
    return at < 0 ? undefined : maddr(at);
  }

  #freeDomid(): Domid {
    for (let tries = 0; tries < LAST_DOMID; tries++) {
      this.#lastDomid = (this.#lastDomid % LAST_DOMID) + 1;
      const id = domid(this.#lastDomid);
      if (!this.#pcpu.domains.has(id)) return id;
    }
    throw new VmmError('TOO_MANY_DOMAINS', 'Every domain identifier is in use: destroy a domain first.');
  }

  #domain(id: Domid): Domain {
    const domain = this.#pcpu.domains.get(id);
    if (domain === undefined) throw new VmmError('NO_SUCH_DOMAIN', `There is no domain ${id}.`);
    return domain;
  }

  #vcpu(id: Domid, vcpuId: number): Vcpu {
    const vcpu = this.#domain(id).vcpus[vcpuId];
    if (vcpu === undefined) throw new VmmError('NO_SUCH_VCPU', `Domain ${id} has no vCPU ${vcpuId}.`);
    return vcpu;
  }
}

function describe(domain: Domain): DomainInfo {
  const online = domain.vcpus.filter((vcpu) => !vcpu.down);
  return {
    domid: domain.domid,
    name: domain.name,
    nrFrames: domain.nrFrames,
    maxFrames: domain.maxFrames,
    maxVcpus: domain.maxVcpus,
    onlineVcpus: online.length,
    paused: domain.pauseCount > 0,
    dying: domain.dying,
    blocked: online.length > 0 && online.every((vcpu) => vcpu.blocked),
    shutdownReason: domain.shutdownReason,
    cpuTimeNs: domain.vcpus.reduce((sum, vcpu) => sum + (vcpu.runstateNs[0] ?? 0), 0),
    unknownHypercalls: domain.unknownHypercalls,
  };
}
