// Segment registers and the instructions that ask about selectors. In 64-bit mode only the bases of FS
// and GS and the selectors themselves matter; the checks are hardware's, because programs rely on them.
// Source: Intel SDM vol. 2A and 2B, MOV, POP, LAR, LSL, VERR, VERW.

import { Assist, Cpu, type ExitRecord, Gpr, Rflags, Sreg } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import type { Pcpu } from '../pcpu.ts';
import { injectException } from '../trap/inject.ts';
import { baseOf, DescriptorHi, dplOf, isDataDescriptor, isStackSelector, limitOf } from '../trap/selectors.ts';
import type { Vcpu } from '../vcpu.ts';

/** Access rights that LAR loads. */
const LAR_MASK = 0x00f0ff00;

/** Types of system descriptors that LAR and LSL accept in 64-bit mode. */
const SystemType = { LDT: 2, TSS_AVAILABLE: 9, TSS_BUSY: 11, CALL_GATE: 12 } as const;

/** mov or pop to a segment register. */
export function loadSegment(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): void {
  const selector = exit.value & 0xffff;
  const fault = setSegment(pcpu, vcpu, exit.index, selector);
  if (fault !== 0) {
    injectException(pcpu, vcpu, fault, selector & ~3);
    return;
  }
  const { state } = vcpu.context;
  if (exit.stackDelta !== 0) {
    const rsp = (state.gpr32[2 * Gpr.RSP] ?? 0) + exit.stackDelta;
    state.gpr32[2 * Gpr.RSP] = rsp;
    if (rsp > 0xffffffff) state.gpr32[2 * Gpr.RSP + 1] = (state.gpr32[2 * Gpr.RSP + 1] ?? 0) + 1;
  }
  state.writeU64(Cpu.RIP, exit.nextRip);
}

/** Loads a segment register other than CS. @returns 0, or the vector of the fault; its error code is the selector's index */
export function setSegment(pcpu: Pcpu, vcpu: Vcpu, register: number, selector: number): number {
  if (register === Sreg.CS || register > Sreg.GS) return Vector.UD;
  const { state } = vcpu.context;
  if (register === Sreg.SS) {
    if (!isStackSelector(pcpu, vcpu, selector)) return Vector.GP;
  } else {
    const descriptor = (selector & ~3) === 0 ? undefined : pcpu.mm.readDescriptor(vcpu, selector);
    if ((selector & ~3) !== 0) {
      if (descriptor === undefined || !isDataDescriptor(descriptor.hi)) return Vector.GP;
      if ((descriptor.hi & DescriptorHi.PRESENT) === 0) return Vector.NP;
    }
    if (register === Sreg.FS || register === Sreg.GS) {
      const field = register === Sreg.FS ? Cpu.FS_BASE : Cpu.GS_BASE;
      state.writeU32(field, descriptor === undefined ? 0 : baseOf(descriptor.lo, descriptor.hi));
      state.writeU32(field + 4, 0);
    }
  }
  state.selector[register] = selector;
  return 0;
}

/** lar and lsl: result into the register, ZF tells whether there was one. */
export function loadAccessRights(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): void {
  const selector = exit.value & 0xffff;
  const descriptor = (selector & ~3) === 0 ? undefined : pcpu.mm.readDescriptor(vcpu, selector);
  const isLar = exit.assist === Assist.LAR;
  const ok = descriptor !== undefined && isVisible(descriptor.hi) && hasType(descriptor.hi, isLar);
  setZeroFlag(vcpu, ok);
  if (!ok) return;
  const value = isLar ? descriptor.hi & LAR_MASK : limitOf(descriptor.lo, descriptor.hi);
  const { gpr32 } = vcpu.context.state;
  const old = gpr32[2 * exit.reg] ?? 0;
  gpr32[2 * exit.reg] = exit.size === 2 ? (old & 0xffff0000) | (value & 0xffff) : value;
  if (exit.size !== 2) gpr32[2 * exit.reg + 1] = 0;
}

/** verr and verw: ZF tells whether the segment can be read or written. */
export function verifySegment(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): void {
  const selector = exit.value & 0xffff;
  const descriptor = (selector & ~3) === 0 ? undefined : pcpu.mm.readDescriptor(vcpu, selector);
  let ok = descriptor !== undefined && (descriptor.hi & DescriptorHi.NOT_SYSTEM) !== 0 && isVisible(descriptor.hi);
  if (ok && descriptor !== undefined) {
    const isCode = (descriptor.hi & DescriptorHi.CODE) !== 0;
    const allowed = (descriptor.hi & DescriptorHi.READ_WRITE) !== 0;
    ok = exit.assist === Assist.VERR ? !isCode || allowed : !isCode && allowed;
  }
  setZeroFlag(vcpu, ok);
}

/** True when CPL 3 may see a descriptor. */
function isVisible(hi: number): boolean {
  const conforming = DescriptorHi.NOT_SYSTEM | DescriptorHi.CODE | DescriptorHi.CONFORMING;
  return (hi & conforming) === conforming || dplOf(hi) === 3;
}

function hasType(hi: number, isLar: boolean): boolean {
  if ((hi & DescriptorHi.NOT_SYSTEM) !== 0) return true;
  switch ((hi >>> 8) & 0xf) {
    case SystemType.LDT:
    case SystemType.TSS_AVAILABLE:
    case SystemType.TSS_BUSY:
      return true;
    case SystemType.CALL_GATE:
      return isLar;
    default:
      return false;
  }
}

function setZeroFlag(vcpu: Vcpu, on: boolean): void {
  const { state } = vcpu.context;
  state.rflags = on ? state.rflags | Rflags.ZF : state.rflags & ~Rflags.ZF;
}
