// Subroutines of every guest kernel: printing through the console ring, walking the page tables that the
// builder made, powering off. They change every register but rsp, rbx, rbp and r12 to r15.

import { EvtchnOp, SchedOp, START_INFO, XENCONS_INTERFACE, XENCONS_OUT_SIZE } from '../../../src/abi/index.ts';
import { at, byteOf, dwordOf, registers } from '../assembler/operands.ts';
import { M2P } from './constants.ts';
import type { Kernel } from './kernel.ts';

const { rax, rcx, rdx, rsi, rdi, r8, r9, r10, eax, ecx, edx, al, cl } = registers;

/** Times that a kernel lets others run before it gives up on its console being read. */
const PATIENCE = 200_000;

/** Emits all subroutines. */
export function library(k: Kernel): void {
  print(k);
  printHex(k);
  powerOff(k);
  mfnOfPage(k);
  foreignFrame(k);
  walk(k);
}

/** rsi = zero-terminated text. */
function print(k: Kernel): void {
  const { out, out_cons, out_prod } = XENCONS_INTERFACE;
  k.label('library.print');
  k.label('print.next');
  k.movzx(eax, byteOf(at(rsi)));
  k.test(al, al);
  k.j('e', 'print.notify');
  k.mov(rdi, k.cell('console'));
  k.mov(ecx, dwordOf(at(rdi, out_prod)));
  k.mov(edx, ecx);
  k.sub(edx, dwordOf(at(rdi, out_cons)));
  k.cmp(edx, XENCONS_OUT_SIZE);
  k.j('ae', 'print.full');
  k.mov(edx, ecx);
  k.and(edx, XENCONS_OUT_SIZE - 1);
  k.mov(byteOf(at(rdi, out, { index: rdx })), al);
  k.inc(ecx);
  k.mov(dwordOf(at(rdi, out_prod)), ecx);
  k.inc(rsi);
  k.jmp('print.next');
  k.label('print.full');
  k.push(rsi);
  k.call('print.notify');
  k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
  k.pop(rsi);
  k.jmp('print.next');
  k.label('print.notify');
  const send = k.record(4, [4, 0, k.cell('console.port')]);
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_send, send);
  k.ret();
}

/** rax = value. */
function printHex(k: Kernel): void {
  k.label('library.print_hex');
  k.lea(rdi, at('hex', 17));
  k.label('hex.next');
  k.dec(rdi);
  k.mov(ecx, eax);
  k.and(ecx, 15);
  k.cmp(ecx, 10);
  k.j('b', 'hex.digit');
  k.add(ecx, 0x61 - 0x30 - 10);
  k.label('hex.digit');
  k.add(ecx, 0x30);
  k.mov(byteOf(at(rdi)), cl);
  k.shr(rax, 4);
  k.j('ne', 'hex.next');
  k.mov(rsi, rdi);
  k.jmp('library.print');
  k.later(() => {
    k.align(8);
    k.label('hex');
    k.zeros(24);
  });
}

/** Waits until the console has been read, then shuts down. */
function powerOff(k: Kernel): void {
  const { out_cons, out_prod } = XENCONS_INTERFACE;
  k.label('library.power_off');
  k.mov(registers.rbx, PATIENCE);
  k.label('power_off.wait');
  k.mov(rdi, k.cell('console'));
  k.mov(eax, dwordOf(at(rdi, out_prod)));
  k.cmp(eax, dwordOf(at(rdi, out_cons)));
  k.j('e', 'power_off.now');
  k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
  k.dec(registers.rbx);
  k.j('ne', 'power_off.wait');
  k.label('power_off.now');
  k.shutdown();
  k.ud2();
}

/** rdi = address in the first mapping; rax = its frame. */
function mfnOfPage(k: Kernel): void {
  k.label('library.mfn');
  k.mov(rax, rdi);
  k.sub(rax, -0x80000000);
  k.shr(rax, 12);
  k.mov(rdx, k.cell('start_info'));
  k.mov(rdx, at(rdx, START_INFO.mfn_list));
  k.mov(rax, at(rdx, 0, { index: rax, scale: 8 }));
  k.ret();
}

/** rax = the first frame from 2 on whose pfn, by the hypervisor's table, is not in this domain's list with it. */
function foreignFrame(k: Kernel): void {
  k.label('library.foreign');
  k.mov(rdi, k.cell('start_info'));
  k.mov(rsi, at(rdi, START_INFO.mfn_list));
  k.mov(rax, 1);
  k.mov(r8, M2P);
  k.label('foreign.next');
  k.inc(rax);
  k.mov(rcx, at(r8, 0, { index: rax, scale: 8 }));
  k.cmp(rcx, at(rdi, START_INFO.nr_pages));
  k.j('ae', 'foreign.found');
  k.cmp(rax, at(rsi, 0, { index: rcx, scale: 8 }));
  k.j('e', 'foreign.next');
  k.label('foreign.found');
  k.ret();
}

/**
 * rdi = address, rsi = level; rax = machine address of the entry, rdx = its virtual address, rcx = the entry.
 * Everything is 0 when a table on the way is missing.
 */
function walk(k: Kernel): void {
  k.label('library.walk');
  k.mov(r10, rdi);
  k.mov(rdx, k.cell('start_info'));
  k.mov(r8, at(rdx, START_INFO.pt_base));
  k.mov(rdi, r8);
  k.call('library.mfn');
  k.mov(r9, rax);
  for (let level = 4; level > 0; level--) {
    k.mov(rax, r10);
    k.shr(rax, 3 + 9 * level);
    k.and(rax, 511);
    k.lea(rdx, at(r8, 0, { index: rax, scale: 8 }));
    k.mov(rcx, at(rdx));
    k.cmp(rsi, level);
    k.j('e', 'walk.found');
    if (level === 1) break;
    k.test(rcx, 1);
    k.j('e', 'walk.missing');
    k.mov(rax, 0x000ffffffffff000n);
    k.and(rax, rcx);
    k.shr(rax, 12);
    k.mov(r9, rax);
    k.mov(r8, M2P);
    k.mov(r8, at(r8, 0, { index: rax, scale: 8 }));
    k.shl(r8, 12);
    k.add(r8, -0x80000000);
  }
  k.label('walk.missing');
  k.mov(rax, 0);
  k.mov(rdx, 0);
  k.mov(rcx, 0);
  k.ret();
  k.label('walk.found');
  k.mov(rax, rdx);
  k.and(rax, 0xfff);
  k.shl(r9, 12);
  k.or(rax, r9);
  k.ret();
}
