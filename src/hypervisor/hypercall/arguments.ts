// Arguments and results of hypercalls. A handler gets its six arguments as u32 halves, from the
// registers or from a multicall entry, and never touches the registers itself.

import { HypervisorVirt } from '../../abi/index.ts';
import { type Vaddr, vaddr } from '../../base/index.ts';
import { canonicalVaddr } from '../../x86/index.ts';
import { Gpr } from '../../engine/index.ts';
import type { Vcpu } from '../vcpu.ts';

/** Registers that hold the arguments, in order. Source: Xen public/arch-x86/xen-x86_64.h. */
export const ARGUMENT_REGISTERS = [Gpr.RDI, Gpr.RSI, Gpr.RDX, Gpr.R10, Gpr.R8, Gpr.R9] as const;

/**
 * Result of a handler that has not finished: it has stored its progress in the arguments, and the
 * guest is to issue the same hypercall again with them. Bounds the work done in one entry.
 */
export const CONTINUE = -(2 ** 40);

/** Result of a handler after which the vCPU's registers are as they should be: rax is not written. */
export const NO_RESULT = -(2 ** 41);

/** Most elements of a guest's array that one entry works on before it asks to be continued. */
export const ELEMENTS_PER_ENTRY = 256;

/** Bytes of arguments, read once; one record is reused for all hypercalls. */
export class HypercallArgs {
  /** Low half of argument n at 2n, high half at 2n + 1. */
  readonly u32: Uint32Array = new Uint32Array(12);

  /** Low half of an argument. @hot */
  lo(index: number): number {
    return this.u32[2 * index] ?? 0;
  }

  /** High half of an argument. @hot */
  hi(index: number): number {
    return this.u32[2 * index + 1] ?? 0;
  }

  /** Low half as a signed number. */
  int(index: number): number {
    return this.lo(index) | 0;
  }

  /** An argument as an unsigned number: exact below 2^53, near its value above. @hot */
  number(index: number): number {
    return this.hi(index) * 0x100000000 + this.lo(index);
  }

  /** An argument that is an address of the guest, or -1 when it is not canonical or is the hypervisor's. @hot */
  vaddr(index: number): Vaddr | -1 {
    return guestAddress(this.lo(index), this.hi(index));
  }

  /** Stores progress for a continuation. `value` is below 2^53. */
  set(index: number, value: number): void {
    this.u32[2 * index] = value;
    this.u32[2 * index + 1] = Math.floor(value / 0x100000000);
  }

  /** Moves an address argument on by `bytes`. */
  advance(index: number, bytes: number): void {
    const lo = this.lo(index) + bytes;
    this.u32[2 * index] = lo;
    if (lo > 0xffffffff) this.u32[2 * index + 1] = this.hi(index) + 1;
  }
}

/**
 * Carries out one hypercall of the running vCPU, which is in kernel mode.
 * @returns 0 or more, a negated errno (both exact below 2^53), `CONTINUE` or `NO_RESULT`
 */
export type HypercallHandler = (vcpu: Vcpu, args: HypercallArgs) => number;

/** Address from two halves, or -1 when it is not canonical or lies in the hypervisor's part. @hot */
export function guestAddress(lo: number, hi: number): Vaddr | -1 {
  const address = canonicalVaddr(lo, hi);
  if (address < 0 || (address >= HypervisorVirt.START && address < HypervisorVirt.END)) return -1;
  return vaddr(address);
}
