// Bounce frames: how the hypervisor makes a vCPU enter one of its guest kernel's handlers. The frame
// looks like the one hardware pushes, with rcx and r11 below it, because the hypercall that returns
// from it needs both. Source: reference of the interface, section 3.3 (as Xen builds it).

import { FlatSelector, HypervisorVirt, VCPU_INFO, VmAssist } from '../../abi/index.ts';
import { maddr, type Vaddr, vaddr } from '../../base/index.ts';
import { Access, Cpu, type CpuState, type Engine, Gpr, Rflags, Sreg } from '../../engine/index.ts';
import { FRAME_SIZE, frameOf, type MachineMemory } from '../../machine/index.ts';
import { canonicalVaddr } from '../../x86/index.ts';
import type { GuestAccess } from '../guest-access.ts';
import type { Vcpu } from '../vcpu.ts';

/** What kind of frame to build. */
export const BounceFlag = {
  /** Mask events once the old mask is saved. */
  MASK_EVENTS: 1 << 0,
  /** Push the data segment selectors too: the failsafe callback. */
  FAILSAFE: 1 << 1,
  /** The error code is pushed. */
  ERROR_CODE: 1 << 2,
  /** Clear DF: the system call entry. */
  CLEAR_DF: 1 << 3,
} as const;

/** Flags that are off in a handler. */
const CLEARED = Rflags.AC | Rflags.VM | Rflags.RF | Rflags.NT | Rflags.TF;

/** u32 words of the longest frame: 12 u64. */
const FRAME_WORDS = 24;

/** Builds bounce frames for the vCPUs of one pCPU. */
export class Bounce {
  readonly #memory: MachineMemory;
  readonly #engine: Engine;
  readonly #access: GuestAccess;
  /** The frame from its lowest address up. */
  readonly #frame: Uint32Array = new Uint32Array(FRAME_WORDS);
  #words = 0;

  constructor(memory: MachineMemory, engine: Engine, access: GuestAccess) {
    this.#memory = memory;
    this.#engine = engine;
    this.#access = access;
  }

  /**
   * Enters a handler of the guest's kernel. @hot
   * @param lo - low half of the handler's address
   * @param hi - high half of it
   * @param flags - `BounceFlag` bits
   * @param errorCode - pushed with ERROR_CODE
   * @returns false when the frame cannot be written or there is no handler: the domain is to be crashed
   */
  enter(vcpu: Vcpu, lo: number, hi: number, flags: number, errorCode: number): boolean {
    if ((lo | hi) === 0) return false;
    const { state } = vcpu.context;
    const fromKernel = vcpu.kernelMode;
    const maskAt = vcpu.infoAddress + VCPU_INFO.evtchn_upcall_mask;
    const mask = this.#memory.u8[maskAt] ?? 0;
    this.#build(vcpu, state, flags, errorCode, fromKernel, mask);

    const stackLo = fromKernel ? (state.gpr32[2 * Gpr.RSP] ?? 0) : vcpu.kernelSpLo;
    const stackHi = fromKernel ? (state.gpr32[2 * Gpr.RSP + 1] ?? 0) : vcpu.kernelSpHi;
    const bottom = (stackLo & ~15) >>> 0;
    const topLo = bottom - this.#words * 4;
    const newLo = topLo >>> 0;
    const newHi = (topLo < 0 ? stackHi - 1 : stackHi) >>> 0;

    if (!fromKernel) vcpu.toggleMode();
    if (!this.#push(vcpu, newLo, newHi)) return false;

    if ((flags & BounceFlag.MASK_EVENTS) !== 0) this.#memory.u8[maskAt] = 1;
    state.gpr32[2 * Gpr.RSP] = newLo;
    state.gpr32[2 * Gpr.RSP + 1] = newHi;
    state.writeU32(Cpu.RIP, lo);
    state.writeU32(Cpu.RIP + 4, hi);
    state.selector[Sreg.CS] = FlatSelector.FLAT_RING3_CS64;
    state.selector[Sreg.SS] = FlatSelector.FLAT_RING3_SS64;
    const cleared = (flags & BounceFlag.CLEAR_DF) !== 0 ? CLEARED | Rflags.DF : CLEARED;
    state.writeU32(Cpu.FLAG_SYSTEM, state.readU32(Cpu.FLAG_SYSTEM) & ~cleared);
    return true;
  }

  /** Lays the frame out. @hot */
  #build(vcpu: Vcpu, state: CpuState, flags: number, errorCode: number, fromKernel: boolean, mask: number): void {
    const { selector, gpr32 } = state;
    this.#words = 0;
    this.#put(gpr32[2 * Gpr.RCX] ?? 0, gpr32[2 * Gpr.RCX + 1] ?? 0);
    this.#put(gpr32[2 * Gpr.R11] ?? 0, gpr32[2 * Gpr.R11 + 1] ?? 0);
    if ((flags & BounceFlag.FAILSAFE) !== 0) {
      this.#put(selector[Sreg.DS] ?? 0, 0);
      this.#put(selector[Sreg.ES] ?? 0, 0);
      this.#put(selector[Sreg.FS] ?? 0, 0);
      this.#put(selector[Sreg.GS] ?? 0, 0);
    }
    if ((flags & BounceFlag.ERROR_CODE) !== 0) this.#put(errorCode, 0);
    this.#put(state.readU32(Cpu.RIP), state.readU32(Cpu.RIP + 4));
    const cs = selector[Sreg.CS] ?? 0;
    this.#put(fromKernel ? cs & ~3 : cs, mask);
    this.#put(savedFlags(vcpu, state, mask), 0);
    this.#put(gpr32[2 * Gpr.RSP] ?? 0, gpr32[2 * Gpr.RSP + 1] ?? 0);
    this.#put(selector[Sreg.SS] ?? 0, 0);
  }

  /** @hot */
  #put(lo: number, hi: number): void {
    this.#frame[this.#words] = lo;
    this.#frame[this.#words + 1] = hi;
    this.#words += 2;
  }

  /** Writes the frame at an address that is a multiple of 8, with the kernel's rights. @hot */
  #push(vcpu: Vcpu, lo: number, hi: number): boolean {
    const address = canonicalVaddr(lo, hi);
    if (address < 0 || (address >= HypervisorVirt.START && address < HypervisorVirt.END)) return false;
    const inFirst = Math.min(this.#words, (FRAME_SIZE - (address % FRAME_SIZE)) / 4);
    // Both pages are checked before either is written.
    const second = inFirst < this.#words ? this.#target(vcpu, address + inFirst * 4) : 0;
    const first = this.#target(vcpu, address);
    if (first < 0 || second < 0) return false;
    this.#copy(first, 0, inFirst);
    if (inFirst < this.#words) this.#copy(second, inFirst, this.#words);
    return true;
  }

  /** @hot */
  #target(vcpu: Vcpu, address: number): number {
    if (address >= 2 ** 48) return -1;
    const at: Vaddr = vaddr(address);
    return this.#engine.translate(vcpu.context, at, Access.WRITE, true);
  }

  /** @hot */
  #copy(to: number, first: number, end: number): void {
    const { u32 } = this.#memory;
    const base = to / 4 - first;
    for (let i = first; i < end; i++) u32[base + i] = this.#frame[i] ?? 0;
    this.#access.noteWrite(frameOf(maddr(to)));
  }
}

/** RFLAGS as the guest sees them: IF stands for the event mask, IOPL for the virtual one. @hot */
export function savedFlags(vcpu: Vcpu, state: CpuState, mask: number): number {
  const flags = state.rflags & ~(Rflags.IF | Rflags.IOPL);
  const iopl =
    (vcpu.domain.vmAssist & (1 << VmAssist.VMASST_TYPE_architectural_iopl)) !== 0 ? (vcpu.iopl << 12) & Rflags.IOPL : 0;
  return flags | iopl | (mask === 0 ? Rflags.IF : 0);
}
