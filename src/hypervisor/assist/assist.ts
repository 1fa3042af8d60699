// Emulation of the instructions that an engine leaves to the hypervisor. Each either takes effect and rip
// moves on, or the guest gets the fault that hardware would give at CPL 3. Only the guest's kernel has
// privileges, and only those that Xen grants. Source: reference of the interface, sections 3.6 to 3.10.

import { Errno } from '../../abi/index.ts';
import { Assist, type AssistKind, Cpu, type ExitRecord } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import type { Pcpu } from '../pcpu.ts';
import { injectException, injectGp } from '../trap/inject.ts';
import type { Vcpu } from '../vcpu.ts';
import {
  loadCr3,
  readControlRegister,
  readDebugRegister,
  writeControlRegister,
  writeDebugRegister,
} from './control-registers.ts';
import { emulateCpuid } from './cpuid.ts';
import { farTransfer, nativeIret, returnFar } from './far-transfer.ts';
import { readMsr, writeMsr } from './msr.ts';
import { hasIoPrivilege, readPort, writePort } from './port-io.ts';
import { loadAccessRights, loadSegment, verifySegment } from './segments.ts';

/** Carries out the instruction of an ASSIST exit. */
export function handleAssist(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): void {
  if (pcpu.tracer.trap) traceAssist(pcpu, vcpu, exit);
  switch (exit.assist) {
    case Assist.LOAD_SREG:
      loadSegment(pcpu, vcpu, exit);
      return;
    case Assist.IRET:
      nativeIret(pcpu, vcpu, exit.size);
      return;
    case Assist.RETF:
      returnFar(pcpu, vcpu, exit.size, exit.value);
      return;
    case Assist.FAR_TRANSFER:
      farTransfer(pcpu, vcpu, exit);
      return;
    case Assist.XGETBV:
      injectException(pcpu, vcpu, Vector.UD, 0); // CPUID does not show OSXSAVE
      return;
    default:
      break;
  }
  if (exit.assist === Assist.MOV_TO_CR && exit.index === 3 && vcpu.kernelMode) {
    const result = loadCr3(pcpu, vcpu, exit.reg);
    if (result === -Errno.ERESTART) return;
    if (result === 0) vcpu.context.state.writeU64(Cpu.RIP, exit.nextRip);
    else injectGp(pcpu, vcpu, 0);
    return;
  }
  if (isDone(pcpu, vcpu, exit) || isTooEarlyToFault(vcpu, exit.assist))
    vcpu.context.state.writeU64(Cpu.RIP, exit.nextRip);
  else injectGp(pcpu, vcpu, 0);
}

/** Executes what needs no fault but #GP(0). @returns false for that fault */
function isDone(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): boolean {
  switch (exit.assist) {
    case Assist.CPUID:
      emulateCpuid(pcpu, vcpu);
      return true;
    case Assist.IN:
      return readPort(vcpu, exit.value, exit.size);
    case Assist.OUT:
      return writePort(vcpu, exit.value, exit.size);
    case Assist.CLI:
    case Assist.STI:
      return hasIoPrivilege(vcpu); // masks no events: those have a mask of their own
    case Assist.LAR:
    case Assist.LSL:
      loadAccessRights(pcpu, vcpu, exit);
      return true;
    case Assist.VERR:
    case Assist.VERW:
      verifySegment(pcpu, vcpu, exit);
      return true;
    default:
      return vcpu.kernelMode && isDoneForKernel(pcpu, vcpu, exit);
  }
}

function isDoneForKernel(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): boolean {
  switch (exit.assist) {
    case Assist.RDMSR:
      return readMsr(pcpu, vcpu);
    case Assist.WRMSR:
      return writeMsr(pcpu, vcpu);
    case Assist.MOV_FROM_CR:
      return readControlRegister(pcpu, vcpu, exit.index, exit.reg);
    case Assist.MOV_TO_CR:
      return writeControlRegister(pcpu, vcpu, exit.index, exit.reg);
    case Assist.MOV_FROM_DR:
      return readDebugRegister(vcpu, exit.index, exit.reg);
    case Assist.MOV_TO_DR:
      return writeDebugRegister(vcpu, exit.index, exit.reg);
    case Assist.WBINVD:
    case Assist.INVD:
      return true; // there are no caches to write back
    case Assist.INVLPG:
      pcpu.engine.flushTlb();
      return true;
    case Assist.CLTS:
      vcpu.taskSwitched = false;
      return true;
    default:
      return false;
  }
}

/** Before a guest's kernel has handlers, a privileged access that means nothing is skipped, not faulted. */
function isTooEarlyToFault(vcpu: Vcpu, assist: AssistKind | 0): boolean {
  return vcpu.kernelMode && !vcpu.traps.isSet(Vector.GP) && (assist === Assist.RDMSR || assist === Assist.WRMSR);
}

function traceAssist(pcpu: Pcpu, vcpu: Vcpu, exit: ExitRecord): void {
  const name = Object.entries(Assist).find(([, value]) => value === exit.assist)?.[0] ?? 'unknown';
  const rip = vcpu.context.state.rip.toString(16);
  pcpu.tracer.line(
    'trap',
    `d${vcpu.domain.domid}v${vcpu.id} rip 0x${rip} assist ${name} value 0x${exit.value.toString(16)}`,
  );
}
