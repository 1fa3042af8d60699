// Giving exceptions, NMIs, events and system calls to the guest. A guest that has no handler, or no stack
// to run it on, cannot go on: its domain is crashed, which is what a triple fault is to a machine.

import { TrapInfoFlag, VCPU_INFO } from '../../abi/index.ts';
import { Cpu, type CpuState, Gpr } from '../../engine/index.ts';
import { hasErrorCode, PageFaultError, Vector } from '../../x86/index.ts';
import { crashDomain } from '../crash.ts';
import { upcallDue } from '../event/delivery.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { BounceFlag } from './bounce.ts';

/**
 * Injects an exception; rip is what the handler is to see. @hot
 * @param errorCode - used for the vectors that have one
 */
export function injectException(pcpu: Pcpu, vcpu: Vcpu, vector: number, errorCode: number): void {
  enterGate(pcpu, vcpu, vector, hasErrorCode(vector) ? BounceFlag.ERROR_CODE : 0, errorCode);
}

/** Enters the handler of an `int n` that was found permitted; rip is behind the instruction. */
export function injectSoftwareInterrupt(pcpu: Pcpu, vcpu: Vcpu, vector: number): void {
  enterGate(pcpu, vcpu, vector, 0, 0);
}

/** @hot */
function enterGate(pcpu: Pcpu, vcpu: Vcpu, vector: number, pushes: number, errorCode: number): void {
  const { traps } = vcpu;
  const masks = ((traps.flags[vector] ?? 0) & TrapInfoFlag.MASK_EVENTS) !== 0 ? BounceFlag.MASK_EVENTS : 0;
  if (pcpu.tracer.trap) traceTrap(pcpu, vcpu, vector, errorCode);
  if (!pcpu.bounce.enter(vcpu, traps.lo[vector] ?? 0, traps.hi[vector] ?? 0, masks | pushes, errorCode)) {
    crashUndeliverable(pcpu, vcpu, `exception ${vector} (error code 0x${errorCode.toString(16)})`, traps.isSet(vector));
  }
}

/** #GP with an error code. */
export function injectGp(pcpu: Pcpu, vcpu: Vcpu, errorCode: number): void {
  injectException(pcpu, vcpu, Vector.GP, errorCode);
}

/**
 * Injects a page fault. @hot
 * @param addressLo - low half of the faulting address
 * @param addressHi - high half of it
 * @param errorCode - P, W and I bits; U is set here, because everything runs at CPL 3
 */
export function injectPageFault(pcpu: Pcpu, vcpu: Vcpu, addressLo: number, addressHi: number, errorCode: number): void {
  const word = (vcpu.infoAddress + VCPU_INFO.arch_cr2) / 4;
  pcpu.memory.u32[word] = addressLo;
  pcpu.memory.u32[word + 1] = addressHi;
  const user = vcpu.kernelMode ? 0 : PageFaultError.USER;
  injectException(pcpu, vcpu, Vector.PF, (errorCode & ~PageFaultError.USER) | user);
}

/** Enters the failsafe callback: a return that the hypervisor had to refuse. */
export function enterFailsafe(pcpu: Pcpu, vcpu: Vcpu): void {
  const { failsafeCallback: callback } = vcpu;
  const masks = callback.maskEvents ? BounceFlag.MASK_EVENTS : 0;
  if (!pcpu.bounce.enter(vcpu, callback.lo, callback.hi, BounceFlag.FAILSAFE | masks, 0)) {
    crashUndeliverable(pcpu, vcpu, 'failsafe callback', callback.isSet);
  }
}

/** Enters the system call callback from user mode. @hot */
export function enterSyscall(pcpu: Pcpu, vcpu: Vcpu): void {
  const { syscallCallback: callback } = vcpu;
  if (!callback.isSet) {
    rewind(vcpu.context.state, 2);
    injectException(pcpu, vcpu, Vector.UD, 0);
    return;
  }
  const masks = callback.maskEvents ? BounceFlag.MASK_EVENTS : 0;
  if (!pcpu.bounce.enter(vcpu, callback.lo, callback.hi, BounceFlag.CLEAR_DF | masks, 0)) {
    crashUndeliverable(pcpu, vcpu, 'system call', true);
  }
}

/** Delivers a waiting NMI, then a waiting event upcall, if the vCPU takes them. @hot */
export function deliverPending(pcpu: Pcpu, vcpu: Vcpu): void {
  if (vcpu.nmiPending && !vcpu.nmiMasked) deliverNmi(pcpu, vcpu);
  if (!upcallDue(pcpu, vcpu)) return;
  const { eventCallback: callback } = vcpu;
  if (pcpu.tracer.trap) pcpu.tracer.line('trap', `d${vcpu.domain.domid}v${vcpu.id} event upcall`);
  pcpu.profiler?.profile.upcall();
  if (!pcpu.bounce.enter(vcpu, callback.lo, callback.hi, BounceFlag.MASK_EVENTS, 0)) {
    crashUndeliverable(pcpu, vcpu, 'event upcall', callback.isSet);
  }
}

function deliverNmi(pcpu: Pcpu, vcpu: Vcpu): void {
  vcpu.nmiPending = false;
  if (!vcpu.traps.isSet(Vector.NMI)) return;
  vcpu.nmiMasked = true;
  injectException(pcpu, vcpu, Vector.NMI, 0);
}

/** Moves rip back by `length` bytes, or on when it is negative. @hot */
export function rewind(state: CpuState, length: number): void {
  const lo = state.readU32(Cpu.RIP) - length;
  state.writeU32(Cpu.RIP, lo);
  if (lo < 0) state.writeU32(Cpu.RIP + 4, state.readU32(Cpu.RIP + 4) - 1);
  else if (lo > 0xffffffff) state.writeU32(Cpu.RIP + 4, state.readU32(Cpu.RIP + 4) + 1);
}

function crashUndeliverable(pcpu: Pcpu, vcpu: Vcpu, what: string, hasHandler: boolean): void {
  const { state } = vcpu.context;
  const why = hasHandler
    ? `its stack cannot be written (rsp 0x${(state.gpr[Gpr.RSP] ?? 0n).toString(16)})`
    : 'there is no handler';
  crashDomain(pcpu, vcpu.domain, `vCPU ${vcpu.id}: cannot deliver ${what} at rip 0x${state.rip.toString(16)}: ${why}`);
}

function traceTrap(pcpu: Pcpu, vcpu: Vcpu, vector: number, errorCode: number): void {
  const { state } = vcpu.context;
  const mode = vcpu.kernelMode ? 'kernel' : 'user';
  const cr2 =
    vector === Vector.PF ? ` address 0x${(pcpu.memory.u64[(vcpu.infoAddress + 16) / 8] ?? 0n).toString(16)}` : '';
  const where = `d${vcpu.domain.domid}v${vcpu.id} ${mode} rip 0x${state.rip.toString(16)}`;
  pcpu.tracer.line('trap', `${where} vector ${vector} error 0x${errorCode.toString(16)}${cr2}`);
}
