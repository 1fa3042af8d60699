// One domain: the unit of resource ownership. Holds what its vCPUs share. What its frames are used as
// is in the machine's frame table; the rules for that are mm's.

import { type Domid, type Mfn, mfn } from '../base/index.ts';
import type { CrashReport } from './crash.ts';
import { PortTable } from './event/port-table.ts';
import { GrantTable } from './grant/grant-table.ts';
import type { Vcpu } from './vcpu.ts';

/** Limits and identity of a domain, fixed when it is created. */
export interface DomainLimits {
  /** vCPUs that the guest may bring up, 1 to 32. */
  maxVcpus: number;
  /** Frames that the domain may own, the hypervisor's own for it not counted. */
  maxFrames: number;
}

/** A domain. */
export class Domain {
  readonly domid: Domid;
  readonly name: string;
  /** 16-byte handle (UUID) that the guest can ask for. */
  readonly handle: Uint8Array = new Uint8Array(16);
  readonly maxVcpus: number;
  /** Frames that the domain may own. */
  maxFrames: number;
  /** Frames that it owns now. Kept by mm. */
  nrFrames = 0;
  /** Frame of the shared information page; allocated before the first vCPU exists. */
  sharedInfo: Mfn = mfn(0);
  /** All vCPUs by id, those not brought up included. */
  readonly vcpus: Vcpu[] = [];
  /** Event channels. */
  readonly ports: PortTable = new PortTable();
  /** What it grants to others, and what it has mapped of theirs. */
  readonly grants: GrantTable = new GrantTable();

  /** Bits of vm_assist by `VmAssist` number, those below 32. */
  vmAssist = 0;
  /** Domain 0 has paused it, so often. */
  pauseCount = 0;
  /** Hypercalls that it issued with a number we do not know. */
  unknownHypercalls = 0;
  /** Deadlines of the two watchdogs of SCHEDOP_watchdog; Infinity when off. */
  readonly watchdogNs: [number, number] = [Infinity, Infinity];
  /** Reason of SCHEDOP_shutdown or of a crash; undefined while it lives. */
  shutdownReason: number | undefined = undefined;
  /** Domain 0 is taking it apart. */
  dying = false;
  /** What happened when the hypervisor crashed it. */
  crashReport: CrashReport | undefined = undefined;

  constructor(domid: Domid, name: string, limits: DomainLimits) {
    this.domid = domid;
    this.name = name;
    this.maxVcpus = limits.maxVcpus;
    this.maxFrames = limits.maxFrames;
  }

  /** True when its vCPUs may run. @hot */
  get runnable(): boolean {
    return this.pauseCount === 0 && this.shutdownReason === undefined && !this.dying;
  }
}
