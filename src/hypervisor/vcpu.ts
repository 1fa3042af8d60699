// One virtual processor: the state that is not in the engine's registers. The general registers, the
// segment bases in force, the mode bit and both base pointers live in the engine's state block
// (`context.state`); everything a hypercall sets up for later lives here.

import { FIRST_RESERVED_GDT_PAGE, NR_VIRQS, Runstate, type RunstateValue } from '../abi/index.ts';
import { type Maddr, maddr, type Mfn, mfn, type Vaddr } from '../base/index.ts';
import { Cpu, type VcpuContext } from '../engine/index.ts';
import type { Domain } from './domain.ts';
import { EntryPoint, TrapTable } from './entry-point.ts';

/** Debug register 6 and 7 at reset. Intel SDM vol. 3A, table 9-1. */
const DR6_RESET = 0xffff0ff0;
const DR7_RESET = 0x400;

/** GDT pages that a guest can have; `vcpu_guest_context` has room for two more, which are reserved. */
export const MAX_GDT_FRAMES = FIRST_RESERVED_GDT_PAGE;

/** A virtual processor of a domain. */
export class Vcpu {
  readonly domain: Domain;
  /** Number within the domain, from 0. */
  readonly id: number;
  /** Registers, in the engine's keeping. */
  readonly context: VcpuContext;

  /** Exception handlers. */
  readonly traps: TrapTable;
  readonly eventCallback: EntryPoint;
  readonly failsafeCallback: EntryPoint;
  readonly syscallCallback: EntryPoint;
  readonly sysenterCallback: EntryPoint;
  readonly syscall32Callback: EntryPoint;

  /** Stack that a bounce from user mode starts on. */
  kernelSs = 0;
  /** The engine's copy of what it needs to make transitions is out of date; see `trap/transitions.ts`. */
  transitionsStale = true;

  /** Frames of the guest's GDT, `gdtEntries / 512` of them rounded up. Owned by mm. */
  readonly gdtFrames: Uint32Array = new Uint32Array(MAX_GDT_FRAMES);
  gdtEntries = 0;
  /** Virtual address of the LDT; meaningful when `ldtEntries` is not 0. Owned by mm. */
  ldtBase: Vaddr | 0 = 0;
  ldtEntries = 0;
  /** Frames of the LDT that have been used since it was set, by page; 0 for the others. Owned by mm. */
  readonly ldtFrames: Uint32Array = new Uint32Array(16);

  /** Debug registers: low half of register n at 2n, high half at 2n + 1. Stored, without effect. */
  readonly debug: Uint32Array = new Uint32Array(16);
  /** CR0.TS as fpu_taskswitch sets it. Stored, without effect: the engine never raises #NM. */
  taskSwitched = false;
  /** CR4 as the guest wrote it. */
  cr4 = 0;
  /** Virtual I/O privilege level, 0 to 3. */
  iopl = 0;

  #infoAddress: Maddr = maddr(0);
  /** Frame registered by VCPUOP_register_vcpu_info, of which we hold a writable reference. */
  infoFrame: Mfn | undefined = undefined;

  /** Absolute deadlines in ns; Infinity when not armed. */
  singleshotNs = Infinity;
  periodicNs = Infinity;
  /** Period of the periodic timer in ns; 0 when stopped. */
  periodNs = 0;
  pollTimeoutNs = Infinity;

  /** What the vCPU is doing, since when, and for how long it did each thing. */
  runstate: RunstateValue = Runstate.RUNSTATE_offline;
  runstateEntryNs = 0;
  readonly runstateNs: Float64Array = new Float64Array(4);
  /** Guest's copy of the above, as a kernel virtual address; -1 when not registered. */
  runstateArea: Vaddr | -1 = -1;
  /** Guest's second copy of the time record, as a kernel virtual address; -1 when not registered. */
  timeArea: Vaddr | -1 = -1;
  /** The time record in `timeArea` is to be written when the vCPU runs next. */
  timeAreaStale = false;

  /** Has registers: VCPUOP_initialise or the builder gave it a context. */
  initialised = false;
  /** Not brought up, or taken down again. */
  down = true;
  /** In sched_op block or poll. */
  blocked = false;
  /** Ports that sched_op poll waits for; empty when it is not polling. */
  pollPorts: readonly number[] = [];
  /** Is in the scheduler's hands. */
  queued = false;

  #nmiPending = false;
  #nmiMasked = false;

  /** Port that each per-vCPU virtual interrupt is bound to; 0 when unbound. */
  readonly virqPort: Uint16Array = new Uint16Array(NR_VIRQS);
  /** Ports that kernel and user mode may use despite IOPL: bit set = denied; undefined = all denied. */
  ioBitmap: Uint8Array | undefined = undefined;

  /** Instructions retired, to within one block for each slice. */
  instructions = 0;

  constructor(domain: Domain, id: number, context: VcpuContext) {
    this.domain = domain;
    this.id = id;
    this.context = context;
    const changed = (): void => {
      this.transitionsStale = true;
    };
    this.traps = new TrapTable(changed);
    this.eventCallback = new EntryPoint(changed);
    this.failsafeCallback = new EntryPoint(changed);
    this.syscallCallback = new EntryPoint(changed);
    this.sysenterCallback = new EntryPoint(changed);
    this.syscall32Callback = new EntryPoint(changed);
    this.resetDebugRegisters();
  }

  /** Puts the debug registers into their state at reset. */
  resetDebugRegisters(): void {
    this.debug.fill(0);
    this.debug[12] = DR6_RESET;
    this.debug[14] = DR7_RESET;
  }

  /** True in guest-kernel mode. @hot */
  get kernelMode(): boolean {
    return this.context.state.readU32(Cpu.KERNEL_MODE) !== 0;
  }

  /** Frame of the L4 table that kernel mode runs on; 0 before there is one. */
  get kernelRoot(): Mfn {
    return mfn(this.context.state.readU32(Cpu.KERNEL_ROOT) >>> 12);
  }

  set kernelRoot(root: Mfn) {
    this.context.state.writeU32(Cpu.KERNEL_ROOT, root << 12);
  }

  /** Frame of the L4 table that user mode runs on; 0 when there is none. */
  get userRoot(): Mfn {
    return mfn(this.context.state.readU32(Cpu.USER_ROOT) >>> 12);
  }

  set userRoot(root: Mfn) {
    this.context.state.writeU32(Cpu.USER_ROOT, root << 12);
  }

  /** Where the `vcpu_info` in use is. */
  get infoAddress(): Maddr {
    return this.#infoAddress;
  }

  set infoAddress(address: Maddr) {
    this.#infoAddress = address;
    this.transitionsStale = true;
  }

  get nmiPending(): boolean {
    return this.#nmiPending;
  }

  set nmiPending(pending: boolean) {
    this.#nmiPending = pending;
    this.transitionsStale = true;
  }

  /** An NMI handler runs; ends with the iret hypercall. */
  get nmiMasked(): boolean {
    return this.#nmiMasked;
  }

  set nmiMasked(masked: boolean) {
    if (masked === this.#nmiMasked) return;
    this.#nmiMasked = masked;
    this.transitionsStale = true;
  }

  /** Low half of the stack that a bounce from user mode starts on. @hot */
  get kernelSpLo(): number {
    return this.context.state.readU32(Cpu.KERNEL_STACK);
  }

  /** High half of it. @hot */
  get kernelSpHi(): number {
    return this.context.state.readU32(Cpu.KERNEL_STACK + 4);
  }

  /** Sets the stack that a bounce from user mode starts on. @hot */
  setKernelStack(lo: number, hi: number): void {
    this.context.state.writeU32(Cpu.KERNEL_STACK, lo);
    this.context.state.writeU32(Cpu.KERNEL_STACK + 4, hi);
  }

  /** Low half of the base of GS that is not in force: the user's in kernel mode, the kernel's in user mode. */
  get inactiveGsLo(): number {
    return this.context.state.readU32(Cpu.OTHER_GS_BASE);
  }

  /** High half of it. */
  get inactiveGsHi(): number {
    return this.context.state.readU32(Cpu.OTHER_GS_BASE + 4);
  }

  /** Sets the base of GS that is not in force. @hot */
  setInactiveGs(lo: number, hi: number): void {
    this.context.state.writeU32(Cpu.OTHER_GS_BASE, lo);
    this.context.state.writeU32(Cpu.OTHER_GS_BASE + 4, hi);
  }

  /** True when the scheduler may run it, the domain's state left aside. */
  get runnable(): boolean {
    return this.initialised && !this.down && !this.blocked;
  }

  /** Flips between user and kernel mode: the mode bit and the two GS bases. @hot */
  toggleMode(): void {
    const { state } = this.context;
    const lo = state.readU32(Cpu.GS_BASE);
    const hi = state.readU32(Cpu.GS_BASE + 4);
    state.writeU32(Cpu.GS_BASE, state.readU32(Cpu.OTHER_GS_BASE));
    state.writeU32(Cpu.GS_BASE + 4, state.readU32(Cpu.OTHER_GS_BASE + 4));
    state.writeU32(Cpu.OTHER_GS_BASE, lo);
    state.writeU32(Cpu.OTHER_GS_BASE + 4, hi);
    state.writeU32(Cpu.KERNEL_MODE, state.readU32(Cpu.KERNEL_MODE) ^ 1);
  }
}
