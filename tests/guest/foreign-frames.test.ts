// A guest cannot map a frame that it does not own, whatever way it tries: the hypervisor's, a free one, one
// that does not exist. Other domains' frames: see grants.test.ts, where there is another domain.

import { MmuExt, MmuUpdate, XenMem } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax, rcx, rdx } = registers;

/** Tries everything that could map `pte`, an entry for the page `window`. */
function tryToMap(k: Kernel, what: string, pte: Value): void {
  k.updateVaMapping('window', pte);
  k.expectRefusal(`update_va_mapping to ${what}`);
  k.updateEntry('window', 1, pte);
  k.expectRefusal(`mmu_update to ${what}`);
  k.entry('window');
  k.add(rax, MmuUpdate.MMU_PT_UPDATE_PRESERVE_AD);
  k.mov(k.cell('ptr'), rax);
  k.mmuUpdate(k.cell('ptr'), pte);
  k.expectRefusal(`mmu_update, preserving A and D, to ${what}`);
  // A store to the read-only mapped table.
  k.entry('window');
  k.load(rcx, pte);
  k.expectTrap(`a store of an entry to ${what}`, Vector.PF, () => k.mov(at(rdx), rcx));
  // The page is still what it was.
  k.set(at('window'), 0x1234);
  k.mov(rax, at('window'));
  k.expect('the page is unchanged', 0x1234);
}

guestTest('foreign frame: a frame of nobody or of the hypervisor cannot be mapped', (k) => {
  k.page('window');
  k.foreignFrame();
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  tryToMap(k, 'a foreign frame, writable', k.keep('foreign'));
  k.and(k.cell('foreign'), -3);
  tryToMap(k, 'a foreign frame, read-only', k.cell('foreign'));
});

guestTest('foreign frame: the frames of the machine-to-physical table can be named, not mapped writable', (k) => {
  k.page('window');
  const list = k.record(24, [4, 0, 1], [8, 8, 'extents']);
  k.page('extents');
  k.hypercall('memory_op', XenMem.XENMEM_machphys_mfn_list, list);
  k.expect('machphys_mfn_list', 0);
  k.mov(rax, at('extents'));
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  tryToMap(k, 'the table of frames', k.keep('m2p'));
});

guestTest('foreign frame: a frame that does not exist cannot be mapped', (k) => {
  k.page('window');
  tryToMap(k, 'a frame behind the memory', 0x000ffffffffff063n);
  tryToMap(k, 'a frame at 2^32', 0x0001000000000063n);
});

guestTest('foreign frame: a table that names one cannot be pinned', (k) => {
  k.page('table');
  k.foreignFrame();
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  k.table('table', [5, k.keep('foreign')]);
  k.mfn('table');
  k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.keep('frame'));
  k.expectRefusal('pinning an L1 table that names a foreign frame');
  k.mmuext(MmuExt.MMUEXT_PIN_L2_TABLE, k.cell('frame'));
  k.expectRefusal('pinning an L2 table that names a foreign frame');
  k.mmuext(MmuExt.MMUEXT_PIN_L3_TABLE, k.cell('frame'));
  k.expectRefusal('pinning an L3 table that names a foreign frame');
  k.mmuext(MmuExt.MMUEXT_PIN_L4_TABLE, k.cell('frame'));
  k.expectRefusal('pinning an L4 table that names a foreign frame');
  // Nothing is left of the attempts: the page can be written again.
  k.protect('table', Flags.DATA);
  k.expect('the page becomes writable', 0);
  k.mov(at('table'), 0);
});

guestTest('foreign frame: one cannot be pinned, unpinned or made the base of the page tables', (k) => {
  k.foreignFrame();
  k.keep('frame');
  for (const [name, cmd] of Object.entries(MmuExt).slice(0, 5)) {
    k.mmuext(cmd, k.cell('frame'));
    k.expectRefusal(`${name} of a foreign frame`);
  }
  for (const [name, cmd] of Object.entries({
    NEW_BASEPTR: MmuExt.MMUEXT_NEW_BASEPTR,
    NEW_USER_BASEPTR: MmuExt.MMUEXT_NEW_USER_BASEPTR,
  })) {
    k.mmuext(cmd, k.cell('frame'));
    k.expectRefusal(`${name} of a foreign frame`);
    k.mmuext(cmd, 0xfffffffffffn);
    k.expectRefusal(`${name} of a frame that does not exist`);
    k.mmuext(cmd, 0x123456789abcdef0n);
    k.expectRefusal(`${name} of no frame number`);
  }
  k.mmuext(MmuExt.MMUEXT_NEW_BASEPTR, 0);
  k.expectRefusal('NEW_BASEPTR of frame 0');
});

guestTest('foreign frame: one cannot be cleared or copied by mmuext_op', (k) => {
  k.page('own');
  k.foreignFrame();
  k.keep('frame');
  k.mmuext(MmuExt.MMUEXT_CLEAR_PAGE, k.cell('frame'));
  k.expectRefusal('CLEAR_PAGE of a foreign frame');
  k.mfn('own');
  k.keep('own');
  k.mmuext(MmuExt.MMUEXT_COPY_PAGE, k.cell('own'), k.cell('frame'));
  k.expectRefusal('COPY_PAGE from a foreign frame');
  k.mmuext(MmuExt.MMUEXT_COPY_PAGE, k.cell('frame'), k.cell('own'));
  k.expectRefusal('COPY_PAGE to a foreign frame');
  k.entry('own');
  k.shr(rax, 12);
  k.mmuext(MmuExt.MMUEXT_CLEAR_PAGE, k.keep('frame'));
  k.expectRefusal('CLEAR_PAGE of a page table');
  k.mmuext(MmuExt.MMUEXT_COPY_PAGE, k.cell('frame'), k.cell('own'));
  k.expectRefusal('COPY_PAGE to a page table');
});

guestTest("foreign frame: another domain's frames are refused by domain identifier", (k) => {
  k.page('window');
  k.mfn('window');
  k.keep('frame');
  for (const [name, domid] of Object.entries({ 'domain 0': 0, DOMID_XEN: 0x7ff2, 'no domain': 0x7000 })) {
    k.entry('window');
    k.mmuUpdate(rax, 0, domid);
    k.expectRefusal(`mmu_update as ${name}`);
    k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.cell('frame'), 0, domid);
    k.expectRefusal(`mmuext_op as ${name}`);
    k.hypercall('update_va_mapping_otherdomain', 'window', 0, 2, domid);
    k.expectRefusal(`update_va_mapping_otherdomain as ${name}`);
  }
  k.set(at('window'), 1);
});
