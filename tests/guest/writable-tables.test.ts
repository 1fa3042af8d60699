// A guest cannot have a writable mapping of a page table: neither make one, nor keep one that it has, nor
// use one that its TLB still remembers.

import { MmuExt, Uvmf, XenMem } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';

const { rax, rcx, rdx, rdi } = registers;

guestTest('writable tables: no table in use can be mapped writable', (k) => {
  k.page('window');
  for (const level of [1, 2, 3, 4]) {
    k.entry('window', level);
    k.and(rax, -4096);
    k.or(rax, Flags.DATA);
    const pte = k.keep('pte');
    k.updateVaMapping('window', pte);
    k.expectRefusal(`update_va_mapping of an L${level} table`);
    k.updateEntry('window', 1, pte);
    k.expectRefusal(`mmu_update to map an L${level} table`);
    k.entry('window');
    k.mov(rcx, pte);
    k.expectTrap(`a store that maps an L${level} table`, Vector.PF, () => k.mov(at(rdx), rcx));
  }
  // Reading is allowed, and sees the entry of the mapping itself.
  k.entry('window');
  k.and(rax, -4096);
  k.or(rax, Flags.READ_ONLY);
  k.updateVaMapping('window', k.keep('pte'));
  k.expect('a read-only mapping of a table', 0);
  k.lea(rdi, at('window'));
  k.mov(rax, rdi);
  k.shr(rax, 12);
  k.and(rax, 511);
  k.mov(rax, at(rdi, 0, { index: rax, scale: 8 }));
  k.or(rax, 0x20);
  k.mov(rcx, 0x000ffffffffffffbn); // another hypervisor may add the U bit, and marks of its own
  k.and(rax, rcx);
  k.expect('the table seen through itself', k.cell('pte'));
});

guestTest('writable tables: a page that is mapped writable cannot become a table', (k) => {
  k.page('table');
  k.mfn('table');
  const frame = k.keep('frame');
  for (const [name, cmd] of Object.entries(MmuExt).slice(0, 4)) {
    k.mmuext(cmd, frame);
    k.expectRefusal(name);
  }
  // Nor by being named in a table.
  k.entry('table', 2);
  k.mov(k.cell('l2e'), rcx);
  k.mov(rax, frame);
  k.shl(rax, 12);
  k.or(rax, Flags.TABLE);
  k.mov(k.cell('entry'), rax);
  k.entry('table', 2);
  k.add(rax, 0x40); // a slot that is not used: 16 MiB further on
  k.mmuUpdate(k.keep('ptr'), k.cell('entry'));
  k.expectRefusal('an L2 entry for it');
  k.mov(at('table'), 0x55);
});

guestTest('writable tables: a table that maps itself or its parent writable is refused', (k) => {
  k.page('table');
  k.page('parent');
  k.pte('table', Flags.DATA);
  k.table('table', [0, k.keep('self')]);
  k.mfn('table');
  k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.keep('frame'));
  k.expectRefusal('pinning an L1 table that maps itself writable');
  // table maps parent writable, parent names table.
  k.protect('table', Flags.DATA);
  k.expect('writable again', 0);
  k.pte('parent', Flags.DATA);
  k.table('table', [0, k.keep('up')]);
  k.pte('table', Flags.TABLE);
  k.table('parent', [0, k.keep('down')]);
  k.mfn('parent');
  k.mmuext(MmuExt.MMUEXT_PIN_L2_TABLE, k.keep('frame'));
  k.expectRefusal('pinning an L2 table whose L1 table maps it writable');
  k.protect('table', Flags.DATA);
  k.protect('parent', Flags.DATA);
  k.mov(at('table'), 1);
  k.mov(at('parent'), 1);
});

guestTest('writable tables: a pinned table stays read-only, an unpinned one can be written', (k) => {
  k.page('table');
  k.table('table');
  k.mfn('table');
  const frame = k.keep('frame');
  k.mmuext(MmuExt.MMUEXT_PIN_L2_TABLE, frame);
  k.expect('pin', 0);
  k.pte('table', Flags.DATA);
  k.updateVaMapping('table', k.keep('pte'));
  k.expectRefusal('update_va_mapping of a pinned table');
  k.updateEntry('table', 1, k.cell('pte'));
  k.expectRefusal('mmu_update to map a pinned table');
  k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, frame);
  k.expect('unpin', 0);
  k.updateVaMapping('table', k.cell('pte'));
  k.expect('update_va_mapping after the unpin', 0);
  k.mov(at('table'), 0x77);
});

for (const [flush, how] of [
  [Uvmf.UVMF_NONE, 'without a flush'],
  [Uvmf.UVMF_INVLPG, 'with invlpg'],
] as const) {
  guestTest(`writable tables: a stale translation does not write to a table, ${how}`, (k) => {
    k.page('table');
    k.mov(at('table'), 0); // the TLB has a writable translation now
    k.pte('table', Flags.READ_ONLY);
    k.updateVaMapping('table', rax, flush);
    k.expect('read-only', 0);
    k.mfn('table');
    k.mmuext(MmuExt.MMUEXT_PIN_L2_TABLE, k.keep('frame'));
    k.expect('pin', 0);
    k.expectTrap('a store to the pinned table', Vector.PF, () => k.mov(at('table'), 0x67));
    k.mov(rax, at('table'));
    k.expect('the table is as it was', 0);
  });
}

guestTest('writable tables: a stale translation left by mmu_update does not write to a table', (k) => {
  k.page('table');
  k.mov(at('table'), 0);
  k.pte('table', Flags.READ_ONLY);
  k.updateEntry('table', 1, k.keep('pte'));
  k.expect('read-only', 0);
  k.mfn('table');
  k.mmuext(MmuExt.MMUEXT_PIN_L2_TABLE, k.keep('frame'));
  k.expect('pin', 0);
  k.expectTrap('a store to the pinned table', Vector.PF, () => k.mov(at('table'), 0x67));
});

guestTest('writable tables: a stale translation left by an emulated store does not write to a table', (k) => {
  k.page('table');
  k.mov(at('table'), 0);
  k.pte('table', Flags.READ_ONLY);
  k.keep('pte');
  k.entry('table');
  k.mov(rcx, k.cell('pte'));
  k.mov(at(rdx), rcx);
  k.mfn('table');
  k.mmuext(MmuExt.MMUEXT_PIN_L2_TABLE, k.keep('frame'));
  k.expect('pin', 0);
  k.expectTrap('a store to the pinned table', Vector.PF, () => k.mov(at('table'), 0x67));
});

guestTest(
  'writable tables: a stale translation of a page that was given back does not reach its next use',
  (k) => {
    const { rbx } = registers;
    k.page('given');
    k.mov(at('given'), 0x11);
    k.mfn('given');
    const frame = k.keep('frame');
    k.updateVaMapping('given', 0, Uvmf.UVMF_NONE);
    k.expect('unmapped', 0);
    k.set(k.cell('extent'), frame);
    const give = k.record(32, [8, 0, 'cell.extent'], [8, 8, 1], [2, 24, 0x7ff0]);
    k.hypercall('memory_op', XenMem.XENMEM_decrease_reservation, give);
    k.expect('decrease_reservation', 1);
    // Take and give back single pages until it is that one. With little memory to spare it will be soon.
    k.mov(rbx, 5000);
    k.label('again');
    k.set(k.cell('extent'), 5);
    const take = k.record(32, [8, 0, 'cell.extent'], [8, 8, 1], [2, 24, 0x7ff0]);
    k.hypercall('memory_op', XenMem.XENMEM_populate_physmap, take);
    k.cmp(rax, 1);
    k.j('ne', 'skip');
    k.mov(rax, k.cell('extent'));
    k.cmp(rax, frame);
    k.j('e', 'same');
    k.hypercall('memory_op', XenMem.XENMEM_decrease_reservation, give);
    k.dec(rbx);
    k.j('ne', 'again');
    k.label('skip');
    k.stop('SKIP', 'the same frame did not come back');
    k.label('same');
    k.expectTrap('a store by the old translation', Vector.PF, () => k.mov(at('given'), 0x22));
  },
  { nrPages: 3950 },
);
