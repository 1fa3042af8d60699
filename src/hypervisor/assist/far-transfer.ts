// Far control transfers that stay at CPL 3: iretq in a kernel that serialises itself, far returns, far
// calls and jumps through memory. They never change the mode: only a bounce and the iret hypercall do.
// Source: Intel SDM vol. 2A, IRET, CALL, JMP, RET.

import { maddr, vaddr } from '../../base/index.ts';
import { Access, Cpu, type ExitRecord, Gpr, Rflags, Sreg } from '../../engine/index.ts';
import { frameOf } from '../../machine/index.ts';
import { canonicalVaddr } from '../../x86/index.ts';
import type { Pcpu } from '../pcpu.ts';
import { readStack } from '../trap/guest-stack.ts';
import { injectGp, injectPageFault } from '../trap/inject.ts';
import { checkCodeSelector, CodeSelector, isStackSelector } from '../trap/selectors.ts';
import type { Vcpu } from '../vcpu.ts';

/** Flags that iret sets at CPL 3: not IF and IOPL, as with popf. */
const RETURNABLE =
  Rflags.CF |
  Rflags.PF |
  Rflags.AF |
  Rflags.ZF |
  Rflags.SF |
  Rflags.TF |
  Rflags.DF |
  Rflags.OF |
  Rflags.NT |
  Rflags.RF |
  Rflags.AC |
  Rflags.ID;

/** Executes iret, iretd or iretq. @param size - operand bytes */
export function nativeIret(pcpu: Pcpu, vcpu: Vcpu, size: number): void {
  const { state } = vcpu.context;
  const words = new Uint32Array(10);
  if (!readStack(pcpu, vcpu, state.gpr32[2 * Gpr.RSP] ?? 0, state.gpr32[2 * Gpr.RSP + 1] ?? 0, size, words)) return;
  const [ripLo = 0, ripHi = 0, csWord = 0, , flags = 0, , rspLo = 0, rspHi = 0, ssWord = 0] = words;
  const cs = csWord & 0xffff;
  const ss = ssWord & 0xffff;
  if (!mayJump(pcpu, vcpu, cs, ripLo, ripHi)) return;
  if (!isStackSelector(pcpu, vcpu, ss)) {
    injectGp(pcpu, vcpu, ss & ~3);
    return;
  }
  const setMask = size === 2 ? RETURNABLE & 0xffff : RETURNABLE;
  state.rflags = (state.rflags & ~setMask) | (flags & setMask);
  jump(vcpu, cs, ripLo, ripHi);
  state.gpr32[2 * Gpr.RSP] = rspLo;
  state.gpr32[2 * Gpr.RSP + 1] = rspHi;
  state.selector[Sreg.SS] = ss;
}

/** Executes a far return. @param release - bytes to drop from the stack besides the address */
export function returnFar(pcpu: Pcpu, vcpu: Vcpu, size: number, release: number): void {
  const { state } = vcpu.context;
  const words = new Uint32Array(4);
  if (!readStack(pcpu, vcpu, state.gpr32[2 * Gpr.RSP] ?? 0, state.gpr32[2 * Gpr.RSP + 1] ?? 0, size, words)) return;
  const [ripLo = 0, ripHi = 0, csWord = 0] = words;
  const cs = csWord & 0xffff;
  if (!mayJump(pcpu, vcpu, cs, ripLo, ripHi)) return;
  state.gpr[Gpr.RSP] = (state.gpr[Gpr.RSP] ?? 0n) + BigInt(2 * size + (release & 0xffff));
  jump(vcpu, cs, ripLo, ripHi);
}

/** Executes a far jump or call through memory. */
export function farTransfer(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): void {
  const { state } = vcpu.context;
  const cs = exit.value & 0xffff;
  const ripLo = state.readU32(Cpu.TEMP);
  const ripHi = state.readU32(Cpu.TEMP + 4);
  if (!mayJump(pcpu, vcpu, cs, ripLo, ripHi)) return;
  if (exit.index === 1 && !pushReturn(pcpu, vcpu, exit)) return;
  jump(vcpu, cs, ripLo, ripHi);
}

/** Pushes CS and the address behind a far call. @returns false when a fault was injected */
function pushReturn(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): boolean {
  const { state } = vcpu.context;
  const bytes = new Uint8Array(2 * exit.size);
  const image = new DataView(new ArrayBuffer(16));
  image.setBigUint64(0, exit.nextRip, true);
  image.setUint16(8, state.selector[Sreg.CS] ?? 0, true);
  for (let i = 0; i < exit.size; i++) {
    bytes[i] = image.getUint8(i);
    bytes[exit.size + i] = image.getUint8(8 + i);
  }
  const rsp = BigInt.asUintN(64, (state.gpr[Gpr.RSP] ?? 0n) - BigInt(bytes.length));
  const targets: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const address = BigInt.asUintN(64, rsp + BigInt(i));
    const lo = Number(address & 0xffffffffn);
    const hi = Number(address >> 32n);
    const low48 = canonicalVaddr(lo, hi);
    const to = low48 < 0 ? -1 : pcpu.engine.translate(vcpu.context, vaddr(low48), Access.WRITE, vcpu.kernelMode);
    if (to < 0) {
      injectPageFault(pcpu, vcpu, lo, hi, 2);
      return false;
    }
    targets.push(to);
  }
  for (const [i, to] of targets.entries()) {
    pcpu.memory.u8[to] = bytes[i] ?? 0;
    pcpu.access.noteWrite(frameOf(maddr(to)));
  }
  state.gpr[Gpr.RSP] = rsp;
  return true;
}

/** Checks the target of a far transfer. @returns false when a fault was injected */
function mayJump(pcpu: Pcpu, vcpu: Vcpu, cs: number, ripLo: number, ripHi: number): boolean {
  const judged = checkCodeSelector(pcpu, vcpu, cs);
  if (judged === CodeSelector.OK && canonicalVaddr(ripLo, ripHi) >= 0) return true;
  injectGp(pcpu, vcpu, judged === CodeSelector.BAD ? cs & ~3 : 0);
  return false;
}

function jump(vcpu: Vcpu, cs: number, ripLo: number, ripHi: number): void {
  const { state } = vcpu.context;
  state.selector[Sreg.CS] = cs;
  state.writeU32(Cpu.RIP, ripLo);
  state.writeU32(Cpu.RIP + 4, ripHi);
}
