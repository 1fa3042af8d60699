// Hypercalls with pointers that a guest should not give: the hypervisor's space, addresses that are not
// canonical or not mapped, read-only pages, structures that run into a hole. All are refused; nothing is
// written where the guest could not write.

import { SchedOp, XenMem, XenVer } from '../../src/abi/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { Flags, M2P } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { HypercallName, Kernel, Value } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdi } = registers;

/** Hypercalls that read or write at an address: name, arguments, and which one is the address. */
const calls: readonly (readonly [HypercallName, readonly number[], number])[] = [
  ['set_trap_table', [0], 0],
  ['mmu_update', [0, 1, 0, 0x7ff0], 0],
  ['set_gdt', [0, 16], 0],
  ['memory_op', [XenMem.XENMEM_decrease_reservation, 0], 1],
  ['memory_op', [XenMem.XENMEM_populate_physmap, 0], 1],
  ['memory_op', [XenMem.XENMEM_exchange, 0], 1],
  ['memory_op', [XenMem.XENMEM_memory_map, 0], 1],
  ['memory_op', [XenMem.XENMEM_machphys_mapping, 0], 1],
  ['multicall', [0, 1], 0],
  ['xen_version', [XenVer.XENVER_extraversion, 0], 1],
  ['xen_version', [XenVer.XENVER_capabilities, 0], 1],
  ['xen_version', [XenVer.XENVER_get_features, 0], 1],
  ['grant_table_op', [6, 0, 1], 1],
  ['grant_table_op', [2, 0, 1], 1],
  ['grant_table_op', [0, 0, 1], 1],
  ['grant_table_op', [5, 0, 1], 1],
  ['vcpu_op', [4, 0, 0], 2],
  ['vcpu_op', [8, 0, 0], 2],
  ['vcpu_op', [10, 0, 0], 2],
  ['mmuext_op', [0, 1, 0, 0x7ff0], 0],
  ['sched_op', [SchedOp.SCHEDOP_poll, 0], 1],
  ['callback_op', [0, 0], 1],
  ['event_channel_op', [6, 0], 1],
  ['event_channel_op', [4, 0], 1],
  ['physdev_op', [6, 0], 1],
];

/** Calls all of them with `address`. */
function callAll(k: Kernel, what: string, address: Value): void {
  for (const [name, args, position] of calls) {
    const values: Value[] = [...args];
    values[position] = address;
    k.hypercall(name, ...values);
    const text = `${name} ${args.join(' ')} with ${what}`;
    // The reservation calls say how many extents they did.
    if (name === 'memory_op' && args[0] !== undefined && args[0] <= XenMem.XENMEM_populate_physmap) k.expect(text, 0);
    else k.expectRefusal(text);
  }
}

guestTest("arguments: the hypervisor's space is refused", (k) => {
  callAll(k, 'memory of the hypervisor', 0xffff_8300_0000_0000n);
});

guestTest('arguments: the end of the table of frames is refused', (k) => {
  callAll(k, 'the last bytes of the slots of the hypervisor', 0xffff_87ff_ffff_fff8n);
});

guestTest('arguments: addresses that are not canonical are refused', (k) => {
  callAll(k, 'an address that is not canonical', 0x8000_0000_0000n);
});

guestTest('arguments: the last byte of the address space is refused', (k) => {
  callAll(k, 'the last byte', -1);
});

guestTest('arguments: addresses that are not mapped are refused', (k) => {
  callAll(k, 'an address that is not mapped', 0x7000_0000_0000n);
});

guestTest('arguments: a structure that runs into a hole is refused', (k) => {
  k.page('last');
  k.page('hole');
  k.updateVaMapping('hole', 0);
  k.expect('unmapped', 0);
  k.load(rax, 'last');
  k.add(rax, 4095);
  callAll(k, 'a structure across the end of a page', k.keep('edge'));
});

guestTest('arguments: results cannot be written over read-only pages or the table of frames', (k) => {
  k.page('read.only');
  k.set(at('read.only'), 0x1234);
  k.protect('read.only', Flags.READ_ONLY);
  for (const [what, address] of Object.entries({ 'a read-only page': 'read.only', 'the table of frames': M2P })) {
    k.hypercall('xen_version', XenVer.XENVER_extraversion, address);
    k.expectRefusal(`extraversion into ${what}`);
    k.hypercall('xen_version', XenVer.XENVER_capabilities, address);
    k.expectRefusal(`capabilities into ${what}`);
    k.hypercall('memory_op', XenMem.XENMEM_machphys_mapping, address);
    k.expectRefusal(`machphys_mapping into ${what}`);
    k.hypercall('vcpu_op', 4, 0, address);
    k.expectRefusal(`runstate into ${what}`);
  }
  k.mov(rax, at('read.only'));
  k.expect('the page', 0x1234);
  // A page table is read-only too.
  k.entry('main');
  k.mov(k.cell('table'), registers.rdx);
  k.hypercall('xen_version', XenVer.XENVER_extraversion, k.cell('table'));
  k.expectRefusal('extraversion into a page table');
});

guestTest('arguments: every hypercall number with zeros and with ones is survived', (k) => {
  // iret, shutting down and blocking are left out: they are meant to stop the caller.
  for (const argument of [0, -1, 0x7fffffff]) {
    k.mov(rbx, 0);
    const next = k.fresh('next');
    const skip = k.fresh('skip');
    k.label(next);
    for (const number of [6, 23, 29, 3]) {
      k.cmp(rbx, number);
      k.j('e', skip);
    }
    k.mov(rax, rbx);
    for (const reg of [rdi, registers.rsi, registers.rdx, registers.r10, registers.r8]) k.mov(reg, argument);
    k.syscall();
    k.label(skip);
    k.inc(rbx);
    k.cmp(rbx, 80);
    k.j('b', next);
    // Some were meant: the handlers are gone now.
    k.hypercall('set_trap_table', 'trap_table');
    k.expect('set_trap_table', 0);
  }
  k.mov(rax, 1n << 32n);
  k.syscall();
  k.expect('a number above 32 bits', -38);
  k.mov(rax, -1);
  k.syscall();
  k.expect('the number -1', -38);
});

guestTest('arguments: multicall runs entries in order, and does not nest', (k) => {
  const calls = k.record(
    4 * 64,
    [8, 0, 17],
    [8, 64, 13],
    [8, 64 + 16, 'main'],
    [8, 64 + 24, 1],
    [8, 128, 21],
    [8, 128 + 16, 77],
    [8, 192, 99],
  );
  k.hypercall('multicall', calls, 4);
  k.expect('multicall', 0);
  k.mov(rax, at(calls, 8));
  k.shr(rax, 16);
  k.expect('xen_version', 4);
  k.mov(rax, at(calls, 64 + 8));
  k.expectRefusal('a multicall inside');
  k.mov(rax, at(calls, 192 + 8));
  k.expect('a number that does not exist', -38);
  k.hypercall('multicall', calls, 0);
  k.expect('no entries', 0);
  k.mov(rax, at(calls, 128 + 8));
  k.expectRefusal('a refused call inside');
  k.hypercall('multicall', 0x7000_0000_0000n, 0xffffffffffffn);
  k.expectRefusal('more entries than can be');
  // The list can be on a page that becomes unreadable in the middle.
  k.page('list');
  k.set(at('list', 0), 14);
  k.set(at('list', 16), 'list');
  k.set(at('list', 24), 0);
  k.set(at('list', 32), 2);
  k.set(at('list', 64), 17);
  k.hypercall('multicall', 'list', 2);
  k.expectRefusal('a list that unmaps itself');
  k.mov(rcx, 0);
});
