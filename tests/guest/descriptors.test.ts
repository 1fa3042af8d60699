// Descriptor tables: a guest's GDT and LDT pages are checked, stay read-only while they are in use, and
// cannot give it a descriptor with more privilege. The use of an LDT that is not mapped is #GP here; the real Xen
// shows the guest the page fault of its own read of the table.

import { MmuExt } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, registers, wordOf } from '../support/assembler/operands.ts';
import { Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax } = registers;

/** Descriptors: flat ones for ring 0 and 3, and system ones. */
const KERNEL_CODE = 0x00af9b000000ffffn;
const USER_DATA = 0x00cff3000000ffffn;
const TSS = 0x0000890000000067n;
const LDT = 0x0000820000000fffn;
const INTERRUPT_GATE = 0x80008e0000080000n;
const CALL_GATE_TO_HYPERVISOR = 0x8000ec00e0080000n;

/** set_gdt with the frame of `page`. */
function setGdt(k: Kernel, page: string, entries: Value): void {
  k.mfn(page);
  k.mov(k.cell('gdt.frame'), rax);
  k.hypercall('set_gdt', 'cell.gdt.frame', entries);
}

/** update_descriptor of entry `index` of `page`. */
function updateDescriptor(k: Kernel, page: string, offset: number, descriptor: Value): void {
  k.pte(page, 0);
  k.add(rax, offset);
  k.mov(k.cell('descriptor.at'), rax);
  k.hypercall('update_descriptor', k.cell('descriptor.at'), descriptor);
}

guestTest('descriptors: a GDT page in use cannot be mapped writable, and a writable page is no GDT page', (k) => {
  k.page('gdt');
  setGdt(k, 'gdt', 512);
  k.expectRefusal('a page that is mapped writable');
  k.protect('gdt', Flags.READ_ONLY);
  setGdt(k, 'gdt', 512);
  k.expect('a read-only page', 0);
  k.pte('gdt', Flags.DATA);
  k.updateVaMapping('gdt', k.keep('pte'));
  k.expectRefusal('update_va_mapping, writable');
  k.updateEntry('gdt', 1, k.cell('pte'));
  k.expectRefusal('mmu_update, writable');
  k.expectTrap('a store to it', Vector.PF, () => k.mov(at('gdt'), 0));
  k.mfn('gdt');
  k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.keep('frame'));
  k.expectRefusal('pinning it as a page table');
  k.hypercall('set_gdt', 0, 0);
  k.expect('giving it up', 0);
  k.updateVaMapping('gdt', k.cell('pte'));
  k.expect('update_va_mapping afterwards', 0);
  k.mov(at('gdt'), 1);
});

guestTest('descriptors: a stale translation does not write to a GDT page', (k) => {
  k.page('gdt');
  k.mov(at('gdt'), 0);
  k.pte('gdt', Flags.READ_ONLY);
  k.updateVaMapping('gdt', rax, 0);
  k.expect('read-only, without a flush', 0);
  setGdt(k, 'gdt', 512);
  k.expect('set_gdt', 0);
  k.expectTrap('a store to it', Vector.PF, () => k.mov(at('gdt'), -1));
});

for (const [name, descriptor] of Object.entries({ TSS, LDT, INTERRUPT_GATE, CALL_GATE_TO_HYPERVISOR })) {
  guestTest(`descriptors: a page or an update with the descriptor ${name} is refused`, (k) => {
    k.page('gdt');
    k.set(at('gdt', 0x18), descriptor);
    k.protect('gdt', Flags.READ_ONLY);
    setGdt(k, 'gdt', 512);
    k.expectRefusal('set_gdt');
    k.protect('gdt', Flags.DATA);
    k.set(at('gdt', 0x18), 0);
    k.protect('gdt', Flags.READ_ONLY);
    setGdt(k, 'gdt', 512);
    k.expect('set_gdt without it', 0);
    updateDescriptor(k, 'gdt', 0x18, descriptor);
    k.expectRefusal('update_descriptor');
  });
}

guestTest('descriptors: a descriptor for ring 0 becomes one for ring 3', (k) => {
  k.page('gdt');
  k.set(at('gdt', 0x10), KERNEL_CODE);
  k.protect('gdt', Flags.READ_ONLY);
  setGdt(k, 'gdt', 512);
  k.expect('set_gdt', 0);
  k.mov(rax, at('gdt', 0x10));
  k.shr(rax, 45);
  k.and(rax, 3);
  k.expect('its level', 3);
  updateDescriptor(k, 'gdt', 0x18, 0x00cf93000000ffffn);
  k.expect('update_descriptor', 0);
  k.mov(rax, at('gdt', 0x18));
  k.shr(rax, 45);
  k.and(rax, 3);
  k.expect('the level of an updated one', 3);
  k.mov(rax, 0x1b);
  k.movToSegment('es', rax);
  k.expectTrap('a selector behind the table', Vector.GP, () => {
    k.mov(rax, 0x1003);
    k.movToSegment('es', rax);
  });
});

guestTest('descriptors: update_descriptor cannot write where the guest cannot', (k) => {
  k.page('data');
  k.page('table');
  updateDescriptor(k, 'data', 8, USER_DATA);
  k.expect('a page of data', 0);
  k.mov(rax, at('data', 8));
  k.expect('its contents', USER_DATA);
  updateDescriptor(k, 'data', 4, USER_DATA);
  k.expectRefusal('an address that is not aligned');
  k.entry('data');
  k.mov(k.cell('at'), rax);
  k.hypercall('update_descriptor', k.cell('at'), USER_DATA);
  k.expectRefusal('a page table');
  k.foreignFrame();
  k.shl(rax, 12);
  k.mov(k.cell('at'), rax);
  k.hypercall('update_descriptor', k.cell('at'), USER_DATA);
  k.expectRefusal('a foreign frame');
  k.hypercall('update_descriptor', 0x000f_ffff_ffff_f000n, USER_DATA);
  k.expectRefusal('a frame that does not exist');
  k.startInfo(40);
  k.mov(k.cell('at'), rax);
  k.hypercall('update_descriptor', k.cell('at'), 0);
  k.expectOneOf('the shared page, which is writable', 0, -22);
});

guestTest('descriptors: set_gdt refuses foreign frames, too many entries and bad lists', (k) => {
  k.page('gdt');
  k.protect('gdt', Flags.READ_ONLY);
  k.foreignFrame();
  k.mov(k.cell('list'), rax);
  k.hypercall('set_gdt', 'cell.list', 16);
  k.expectRefusal('a foreign frame');
  k.set(k.cell('list'), 0xffffffffffffn);
  k.hypercall('set_gdt', 'cell.list', 16);
  k.expectRefusal('a frame that does not exist');
  setGdt(k, 'gdt', 7169);
  k.expectRefusal('entries of the hypervisor');
  k.hypercall('set_gdt', 'cell.list', 0xffffffff);
  k.expectRefusal('4 G entries');
  k.hypercall('set_gdt', 0x7000_0000_0000n, 16);
  k.expectRefusal('a list that cannot be read');
  k.entry('gdt');
  k.shr(rax, 12);
  k.mov(k.cell('list'), rax);
  k.hypercall('set_gdt', 'cell.list', 16);
  k.expectRefusal('a page table');
});

guestTest('descriptors: an LDT works from read-only pages only', (k) => {
  k.page('ldt');
  k.set(at('ldt', 8), USER_DATA);
  k.protect('ldt', Flags.READ_ONLY);
  k.mmuext(MmuExt.MMUEXT_SET_LDT, 'ldt', 512);
  k.expect('SET_LDT', 0);
  k.mov(rax, 0xf); // entry 1 of the LDT, ring 3
  k.movToSegment('es', rax);
  k.pte('ldt', Flags.DATA);
  k.updateVaMapping('ldt', k.keep('pte'));
  k.expectRefusal('mapping it writable');
  k.mov(rax, 0);
  k.movToSegment('es', rax);
  k.mmuext(MmuExt.MMUEXT_SET_LDT, 0, 0);
  k.expect('giving it up', 0);
  k.expectTrap('a selector of it', Vector.GP, () => {
    k.mov(rax, 0xf);
    k.movToSegment('es', rax);
  });
  k.updateVaMapping('ldt', k.cell('pte'));
  k.expect('mapping it writable afterwards', 0);
  k.mov(wordOf(at('ldt')), 1);
});

guestTest('descriptors: an LDT that is not there, not aligned or too long is refused or faults', (k) => {
  k.mmuext(MmuExt.MMUEXT_SET_LDT, 0x7000_0000_0000n, 8193);
  k.expectRefusal('too many entries');
  k.mmuext(MmuExt.MMUEXT_SET_LDT, 0x7000_0000_0008n, 16);
  k.expectRefusal('an address that is not aligned');
  k.mmuext(MmuExt.MMUEXT_SET_LDT, 0x8000_0000_0000n, 16);
  k.expectRefusal('an address that is not canonical');
  k.mmuext(MmuExt.MMUEXT_SET_LDT, 0xffff_8300_0000_0000n, 16);
  k.expectRefusal("the hypervisor's space");
  k.mmuext(MmuExt.MMUEXT_SET_LDT, 0x7000_0000_0000n, 16);
  k.expect('an address that is not mapped is found out later', 0);
  k.expectTrap('its use', undefined, () => {
    k.mov(rax, 0xf);
    k.movToSegment('es', rax);
  });
});
