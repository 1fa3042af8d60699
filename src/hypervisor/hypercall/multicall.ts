// multicall: carries out an array of hypercalls in order. Each entry is copied in once; its result is
// written back on its own. An entry that wants to be continued has its progress written back too.
// Source: Xen public/xen.h, struct multicall_entry.

import { Errno, Hypercall, MULTICALL_ENTRY, MULTICALL_ENTRY_SIZE } from '../../abi/index.ts';
import { vaddr } from '../../base/index.ts';
import { GuestBuffer } from '../guest-access.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { CONTINUE, HypercallArgs } from './arguments.ts';

/** Entries that one hypercall carries out before it asks to be continued. */
const ENTRIES_PER_HYPERCALL = 64;

/** Entries between looks at the clock, and how long a list may take: each entry alone may use up its share of work. */
const ENTRIES_PER_LOOK = 8;
const MOST_NS = 500_000;

/** Calls a hypercall by its number. */
export type Call = (vcpu: Vcpu, number: number, args: HypercallArgs) => number;

/** Carries out multicalls of one pCPU. */
export class Multicall {
  readonly #pcpu: Pcpu;
  readonly #call: Call;
  readonly #entry: GuestBuffer = new GuestBuffer(MULTICALL_ENTRY_SIZE);
  readonly #args: HypercallArgs = new HypercallArgs();

  constructor(pcpu: Pcpu, call: Call) {
    this.#pcpu = pcpu;
    this.#call = call;
  }

  /** multicall(entries, count) */
  run(vcpu: Vcpu, args: HypercallArgs): number {
    let count = args.lo(1);
    const endNs = this.#pcpu.clock.nowNs() + MOST_NS;
    for (let i = 0; i < ENTRIES_PER_HYPERCALL && count > 0; i++) {
      const address = args.vaddr(0);
      if (address < 0 || !this.#pcpu.access.copyIn(vcpu, address, this.#entry, MULTICALL_ENTRY_SIZE))
        return -Errno.EFAULT;
      this.#args.u32.set(this.#entry.u32.subarray(MULTICALL_ENTRY.args / 4, MULTICALL_ENTRY.args / 4 + 12));
      const result = this.#dispatch(vcpu);
      if (result === CONTINUE) {
        this.#entry.u32.set(this.#args.u32, MULTICALL_ENTRY.args / 4);
        return this.#pcpu.access.copyOut(vcpu, address, this.#entry, MULTICALL_ENTRY_SIZE) ? CONTINUE : -Errno.EFAULT;
      }
      const hi = Math.floor(result / 0x100000000);
      if (!this.#pcpu.access.writeU64(vcpu, vaddr(address + MULTICALL_ENTRY.result), result, hi)) return -Errno.EFAULT;
      args.advance(0, MULTICALL_ENTRY_SIZE);
      args.set(1, --count);
      if (!vcpu.domain.runnable) return 0;
      if (i % ENTRIES_PER_LOOK === ENTRIES_PER_LOOK - 1 && this.#pcpu.clock.nowNs() >= endNs) break;
    }
    return count === 0 ? 0 : CONTINUE;
  }

  /** Calls that replace the registers, or this one again, cannot be in a list. */
  #dispatch(vcpu: Vcpu): number {
    const number = this.#entry.hi(MULTICALL_ENTRY.op) === 0 ? this.#entry.lo(MULTICALL_ENTRY.op) : -1;
    if (number === Hypercall.__HYPERVISOR_multicall || number === Hypercall.__HYPERVISOR_iret) return -Errno.EINVAL;
    return this.#call(vcpu, number, this.#args);
  }
}
