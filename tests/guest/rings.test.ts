// The pages of the store's and the console's rings: domain 0 writes there what the guest lets it, such as a value
// read from the store. So while domain 0 uses them they must stay what they are: data of this guest.

import { MmuExt, START_INFO, XenMem } from '../../src/abi/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { Flags, M2P } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel } from '../support/guest/kernel.ts';

const { rax, rcx } = registers;

/** Leaves frame and address of a ring page in the cells `ring.mfn` and `ring`, and takes the right to write from its mapping. */
function takeRing(k: Kernel, field: number): void {
  k.startInfo(field);
  k.keep('ring.mfn');
  k.mov(rcx, M2P);
  k.mov(rax, at(rcx, 0, { index: rax, scale: 8 }));
  k.shl(rax, 12);
  k.add(rax, -0x80000000);
  k.keep('ring');
  k.mov(rax, k.cell('ring.mfn'));
  k.shl(rax, 12);
  k.or(rax, Flags.READ_ONLY);
  k.updateVaMapping(k.cell('ring'), rax);
  k.expect('the ring becomes read-only', 0);
}

guestTest('rings: a page that domain 0 writes to becomes no page table and no descriptor page', (k) => {
  takeRing(k, START_INFO.store_mfn);
  for (const [i, command] of [
    MmuExt.MMUEXT_PIN_L1_TABLE,
    MmuExt.MMUEXT_PIN_L2_TABLE,
    MmuExt.MMUEXT_PIN_L3_TABLE,
    MmuExt.MMUEXT_PIN_L4_TABLE,
  ].entries()) {
    k.mmuext(command, k.cell('ring.mfn'));
    k.expectRefusal(`pinning the ring as an L${i + 1} table`);
  }
  k.hypercall('set_gdt', 'cell.ring.mfn', 512);
  k.expectRefusal('the ring as GDT');
});

guestTest('rings: a page that the guest gives back stays out of use while domain 0 writes to it', (k) => {
  takeRing(k, START_INFO.store_mfn);
  k.updateVaMapping(k.cell('ring'), 0);
  k.expect('the ring is unmapped', 0);
  const list = k.record(32, [8, 0, 'cell.ring.mfn'], [8, 8, 1], [2, 24, 0x7ff0]);
  k.hypercall('memory_op', XenMem.XENMEM_decrease_reservation, list);
  k.expect('the ring is given back', 1);
  // A frame that is free has no pfn.
  k.mov(rax, k.cell('ring.mfn'));
  k.mov(rcx, M2P);
  k.mov(rax, at(rcx, 0, { index: rax, scale: 8 }));
  k.cmp(rax, -1);
  k.j('ne', 'held');
  k.stop('FAILURE', 'the frame was freed');
  k.label('held');
});
