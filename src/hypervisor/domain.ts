// One domain: the unit of resource ownership. Holds what its vCPUs share. What its frames are used as
// is in the machine's frame table; the rules for that are mm's.

import type { Domid, Mfn } from '../base/index.ts';
import type { CrashReport } from './crash.ts';
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
  readonly maxVcpus: number;
  /** Frames that the domain may own. */
  maxFrames: number;
  /** Frames that it owns now. Kept by mm. */
  nrFrames = 0;
  /** Frame of the shared information page; allocated before the first vCPU exists. */
  sharedInfo: Mfn;
  /** All vCPUs by id, those not brought up included. */
  readonly vcpus: Vcpu[] = [];

  /** Bits of vm_assist by `VmAssist` number, those below 32. */
  vmAssist = 0;
  /** Domain 0 has paused it, so often. */
  pauseCount = 0;
  /** Reason of SCHEDOP_shutdown or of a crash; undefined while it lives. */
  shutdownReason: number | undefined = undefined;
  /** Domain 0 is taking it apart. */
  dying = false;
  /** What happened when the hypervisor crashed it. */
  crashReport: CrashReport | undefined = undefined;

  constructor(domid: Domid, name: string, limits: DomainLimits, sharedInfo: Mfn) {
    this.domid = domid;
    this.name = name;
    this.maxVcpus = limits.maxVcpus;
    this.maxFrames = limits.maxFrames;
    this.sharedInfo = sharedInfo;
  }

  /** True when its vCPUs may run. @hot */
  get runnable(): boolean {
    return this.pauseCount === 0 && this.shutdownReason === undefined && !this.dying;
  }
}
