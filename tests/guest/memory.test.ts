// Memory reservation: giving frames back, taking new ones, and the limits of both.

import { XenMem } from '../../src/abi/index.ts';
import { at, dwordOf, registers } from '../support/assembler/operands.ts';
import { Flags, M2P } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdx } = registers;

/** memory_op on the extents at a label. */
function reservation(k: Kernel, command: number, list: Value, count: Value, order = 0, flags = 0): void {
  const request = k.record(32, [8, 0, list], [8, 8, count], [4, 16, order], [4, 20, flags], [2, 24, 0x7ff0]);
  k.hypercall('memory_op', command, request);
}

guestTest('memory: a balloon deflates and inflates', (k) => {
  k.page('balloon', 4);
  k.page('extents');
  // Give four pages back.
  for (let i = 0; i < 4; i++) {
    k.load(rax, 'balloon');
    k.add(rax, i * 4096);
    k.mov(k.cell('page'), rax);
    k.mfn(k.cell('page'));
    k.mov(at('extents', i * 8), rax);
    k.mov(k.cell('old'), rax);
    k.updateVaMapping(k.cell('page'), 0);
    k.expect('unmap', 0);
  }
  reservation(k, XenMem.XENMEM_decrease_reservation, 'extents', 4);
  k.expect('decrease_reservation', 4);
  reservation(k, XenMem.XENMEM_decrease_reservation, 'extents', 4);
  k.expect('the same again', 0);
  // Take four others, for the same pfns.
  for (let i = 0; i < 4; i++) {
    k.load(rax, 'balloon');
    k.add(rax, i * 4096);
    k.sub(rax, -0x80000000);
    k.shr(rax, 12);
    k.mov(at('extents', i * 8), rax);
  }
  reservation(k, XenMem.XENMEM_populate_physmap, 'extents', 4);
  k.expect('populate_physmap', 4);
  for (let i = 0; i < 4; i++) {
    k.load(rax, 'balloon');
    k.add(rax, i * 4096);
    k.mov(k.cell('page'), rax);
    k.mov(rax, at('extents', i * 8));
    k.shl(rax, 12);
    k.or(rax, Flags.DATA);
    k.updateVaMapping(k.cell('page'), rax);
    k.expect('map', 0);
    k.mov(rdx, k.cell('page'));
    k.mov(rax, at(rdx));
    k.expect("nobody's data in a new page", 0);
    k.mov(rdx, k.cell('page'));
    k.mov(at(rdx), 0x77);
    k.mov(rax, at('extents', i * 8));
    k.mov(rcx, M2P);
    k.mov(rax, at(rcx, 0, { index: rax, scale: 8 }));
    k.shl(rax, 12);
    k.add(rax, -0x80000000);
    k.expect('its pfn in the table of frames', k.cell('page'));
  }
});

guestTest('memory: a domain cannot take more than its limit', (k) => {
  k.page('extents');
  k.set(at('extents'), 0x420);
  reservation(k, XenMem.XENMEM_populate_physmap, 'extents', 1);
  k.expectOneOf('one frame too many', 0, 1); // a toolstack may leave a little to spare
  k.mov(rbx, 3000);
  k.label('more');
  k.set(at('extents'), 0x421);
  reservation(k, XenMem.XENMEM_populate_physmap, 'extents', 1);
  k.test(rax, rax);
  k.j('e', 'limit');
  k.dec(rbx);
  k.j('ne', 'more');
  k.stop('FAILURE', 'no limit');
  k.label('limit');
  reservation(k, XenMem.XENMEM_populate_physmap, 'extents', 1, 10);
  k.expect('a large extent', 0);
  reservation(k, XenMem.XENMEM_populate_physmap, 'extents', 1, 60);
  k.expectOneOf('an extent of 2^60 pages', 0, -1, -22);
});

guestTest('memory: lists that cannot be read or are endless are refused', (k) => {
  for (const command of [XenMem.XENMEM_decrease_reservation, XenMem.XENMEM_populate_physmap]) {
    reservation(k, command, 0x7000_0000_0000n, 1);
    k.expect('a list that is not mapped', 0);
    reservation(k, command, 0xffff_8300_0000_0000n, 1);
    k.expectOneOf("a list in the hypervisor's space", 0, -14);
    k.page(`list.${command}`);
    reservation(k, command, `list.${command}`, 1n << 62n);
    k.expectOneOf('2^62 extents', 0, -14, -22);
    reservation(k, command, `list.${command}`, 1, 9);
    k.expectOneOf('an extent of frame 0', 0, 1);
  }
  k.hypercall('memory_op', XenMem.XENMEM_decrease_reservation, k.record(32, [8, 0, 'stack'], [8, 8, 1], [2, 24, 0]));
  k.expectOneOf("domain 0's memory", 0, -1);
  k.hypercall('memory_op', 63, 0);
  k.expectRefusal('a command that does not exist');
});

guestTest('memory: frames of others cannot be given back', (k) => {
  k.foreignFrame();
  k.keep('extent');
  reservation(k, XenMem.XENMEM_decrease_reservation, 'cell.extent', 1);
  k.expect('a foreign frame', 0);
  k.set(k.cell('extent'), 0xffffffffffffn);
  reservation(k, XenMem.XENMEM_decrease_reservation, 'cell.extent', 1);
  k.expect('a frame that does not exist', 0);
  k.startInfo(40);
  k.shr(rax, 12);
  k.keep('extent');
  reservation(k, XenMem.XENMEM_decrease_reservation, 'cell.extent', 1);
  k.expectOneOf('the shared page', 0, 1);
  k.mov(rax, at('shared_info', 3072));
  k.hypercall('xen_version', 0, 0);
  k.shr(rax, 16);
  k.expect('the shared page is still there', 4);
});

guestTest('memory: the memory map says what the domain has', (k) => {
  k.page('map');
  const request = k.record(16, [4, 0, 32], [8, 8, 'map']);
  k.hypercall('memory_op', XenMem.XENMEM_memory_map, request);
  k.expect('memory_map', 0);
  k.mov(rax, at('map'));
  k.expect('it starts at 0', 0);
  k.mov(registers.eax, dwordOf(at('map', 16)));
  k.expect('with memory', 1);
  k.startInfo(32);
  k.shl(rax, 12);
  k.mov(rcx, at('map', 8));
  k.cmp(rcx, rax);
  k.j('ae', 'enough');
  k.stop('FAILURE', 'less than the pages of the start information');
  k.label('enough');
});

guestTest('memory: an exchanged frame is another one, with the same pfn', (k) => {
  k.page('page');
  k.mfn('page');
  k.keep('in');
  k.mov(k.cell('old'), rax);
  k.updateVaMapping('page', 0);
  k.expect('unmapped', 0);
  k.load(rax, 'page');
  k.sub(rax, -0x80000000);
  k.shr(rax, 12);
  k.keep('out');
  const exchange = k.record(
    72,
    [8, 0, 'cell.in'],
    [8, 8, 1],
    [2, 24, 0x7ff0],
    [8, 32, 'cell.out'],
    [8, 40, 1],
    [2, 56, 0x7ff0],
  );
  k.hypercall('memory_op', XenMem.XENMEM_exchange, exchange);
  k.expect('exchange', 0);
  k.mov(rax, at(exchange, 64));
  k.expect('exchanged', 1);
  k.mov(rax, k.cell('out'));
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  k.updateVaMapping('page', rax);
  k.expect('mapping the new frame', 0);
  k.mov(rax, at('page'));
  k.expect('nothing in it', 0);
  k.mov(rax, k.cell('old'));
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  k.updateVaMapping('page', rax);
  k.expectRefusal('mapping the old frame');
});
