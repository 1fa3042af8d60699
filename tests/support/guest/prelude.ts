// What every guest kernel does first: finds its console, maps the shared information page, and takes all
// exceptions. An exception that nobody expects ends the kernel with ERROR. Emitted by `Kernel`.
// Source of the entry state: Xen public/arch-x86/xen.h and public/xen.h, start of day.

import { CallbackType, START_INFO, Uvmf, VCPU_INFO, VmAssist, VmAssistCmd } from '../../../src/abi/index.ts';
import { hasErrorCode } from '../../../src/x86/index.ts';
import { at, byteOf, registers } from '../assembler/operands.ts';
import { CODE64, FAILSAFE, M2P } from './constants.ts';
import type { Kernel } from './kernel.ts';

const { rax, rcx, rdx, rsp, rsi, r11 } = registers;

/** Present, writable, accessed, dirty. */
const DATA_PAGE = 0x63;

/** Exceptions that a kernel takes. */
const NR_EXCEPTIONS = 20;

/** Emits the entry point up to the start of the test. */
export function prelude(k: Kernel): void {
  k.label('entry');
  k.mov(k.cell('start_info'), rsi);
  k.lea(rsp, at('stack', 4 * 4096));
  k.cld();
  findConsole(k);
  mapSharedInfo(k);
  k.hypercall('set_trap_table', 'trap_table');
  k.hypercall('vm_assist', VmAssistCmd.VMASST_CMD_enable, VmAssist.VMASST_TYPE_writable_pagetables);
  k.onCallback(CallbackType.CALLBACKTYPE_event, 'prelude.event');
  k.onCallback(CallbackType.CALLBACKTYPE_failsafe, 'prelude.failsafe');
  k.jmp('main');
  handlers(k);
  k.page('stack', 4);
  k.page('shared_info');
  k.label('main');
}

/** The ring is a page of the domain: its pfn gives its place in the first mapping. */
function findConsole(k: Kernel): void {
  k.startInfo(START_INFO.console_mfn);
  k.mov(rcx, M2P);
  k.mov(rax, at(rcx, 0, { index: rax, scale: 8 }));
  k.shl(rax, 12);
  k.add(rax, -0x80000000);
  k.mov(k.cell('console'), rax);
  k.startInfo(START_INFO.console_evtchn, 4);
  k.mov(k.cell('console.port'), rax);
}

function mapSharedInfo(k: Kernel): void {
  k.startInfo(START_INFO.shared_info);
  k.or(rax, DATA_PAGE);
  k.updateVaMapping('shared_info', rax, Uvmf.UVMF_INVLPG);
}

function handlers(k: Kernel): void {
  for (let vector = 0; vector < NR_EXCEPTIONS; vector++) {
    k.label(`prelude.trap.${vector}`);
    k.pop(rcx);
    k.pop(r11);
    if (hasErrorCode(vector)) k.pop(k.cell('trap.error'));
    else k.mov(k.cell('trap.error'), 0);
    k.mov(k.cell('trap.vector'), vector);
    k.jmp('prelude.trap');
  }
  k.label('prelude.failsafe');
  k.pop(rcx);
  k.pop(r11);
  for (const segment of ['ds', 'es', 'fs', 'gs']) k.pop(k.cell(`trap.${segment}`));
  k.mov(k.cell('trap.vector'), FAILSAFE);
  k.label('prelude.trap');
  k.mov(k.cell('trap.rax'), rax);
  for (const field of ['rip', 'cs', 'rflags', 'rsp', 'ss']) k.pop(k.cell(`trap.${field}`));
  k.mov(rax, at('shared_info', VCPU_INFO.arch_cr2));
  k.mov(k.cell('trap.cr2'), rax);
  k.mov(rdx, k.cell('resume.rip'));
  k.mov(rsp, k.cell('resume.rsp'));
  k.mov(k.cell('resume.rip'), 0);
  k.test(rdx, rdx);
  k.j('e', 'prelude.unexpected');
  k.jmp(rdx);

  // Events that nobody waits for are forgotten.
  k.label('prelude.event');
  k.pop(rcx);
  k.pop(r11);
  k.mov(byteOf(at('shared_info', VCPU_INFO.evtchn_upcall_pending)), 0);
  k.returnFromTrap();

  k.label('prelude.unexpected');
  k.lea(rsp, at('stack', 4 * 4096));
  k.print('ERROR: unexpected trap ');
  for (const field of ['vector', 'error', 'rip', 'cr2']) {
    k.printHex(k.cell(`trap.${field}`));
    k.print(field === 'cr2' ? '\n' : ' ');
  }
  k.jmp('library.power_off');

  k.later(() => {
    k.align(8);
    k.label('trap_table');
    for (let vector = 0; vector < NR_EXCEPTIONS; vector++) {
      k.bytes(vector, vector === 3 ? 3 : 0);
      k.u16(CODE64);
      k.u32(0);
      k.u64(`prelude.trap.${vector}`);
    }
    k.zeros(16);
  });
}
