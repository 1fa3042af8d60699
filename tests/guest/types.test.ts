// A frame has one type at a time: a guest cannot use a table of one level as another, take the base of its
// page tables away from under itself, or break the counts by doing things twice.

import { MmuExt, XenMem } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax } = registers;
const PINS = [
  MmuExt.MMUEXT_PIN_L1_TABLE,
  MmuExt.MMUEXT_PIN_L2_TABLE,
  MmuExt.MMUEXT_PIN_L3_TABLE,
  MmuExt.MMUEXT_PIN_L4_TABLE,
] as const;

/** memory_op on one frame. */
function memoryOp(k: Kernel, command: number, frame: Value): void {
  k.set(k.cell('extent'), frame);
  k.hypercall('memory_op', command, k.record(32, [8, 0, 'cell.extent'], [8, 8, 1], [2, 24, 0x7ff0]));
}

guestTest('types: a table in use is no table of another level', (k) => {
  k.page('window');
  for (const level of [1, 2, 3, 4]) {
    k.entry('window', level);
    k.shr(rax, 12);
    k.keep('frame');
    for (const [i, cmd] of PINS.entries()) {
      if (i + 1 === level) continue;
      k.mmuext(cmd, k.cell('frame'));
      k.expectRefusal(`pinning an L${level} table as an L${i + 1} table`);
    }
    if (level === 4) continue;
    k.mmuext(MmuExt.MMUEXT_NEW_BASEPTR, k.cell('frame'));
    k.expectRefusal(`an L${level} table as the base`);
    k.mmuext(MmuExt.MMUEXT_NEW_USER_BASEPTR, k.cell('frame'));
    k.expectRefusal(`an L${level} table as the user base`);
  }
});

guestTest('types: a pinned table is no table of another level until it is unpinned', (k) => {
  k.page('table');
  k.table('table');
  k.mfn('table');
  k.keep('frame');
  for (const [level, cmd] of PINS.entries()) {
    k.mmuext(cmd, k.cell('frame'));
    k.expect(`pin as an L${level + 1} table`, 0);
    for (const other of PINS) {
      if (other === cmd) continue;
      k.mmuext(other, k.cell('frame'));
      k.expectRefusal(`pinning it as an L${other + 1} table`);
    }
    k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, k.cell('frame'));
    k.expect('unpin', 0);
  }
});

guestTest('types: pinning and unpinning twice is refused', (k) => {
  k.page('table');
  k.table('table');
  k.mfn('table');
  k.keep('frame');
  k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, k.cell('frame'));
  k.expectRefusal('unpinning a table that was never pinned');
  k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.cell('frame'));
  k.expect('pin', 0);
  k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.cell('frame'));
  k.expectRefusal('the second pin');
  k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, k.cell('frame'));
  k.expect('unpin', 0);
  k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, k.cell('frame'));
  k.expectRefusal('the second unpin');
  k.protect('table', Flags.DATA);
  k.expect('the page becomes writable', 0);
});

guestTest('types: the root lives on while it is in use, unpinned or not', (k) => {
  k.page('window');
  k.entry('window', 4);
  k.shr(rax, 12);
  k.keep('root');
  k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, k.cell('root'));
  k.expect('unpinning the root', 0);
  k.mov(at('window'), 5);
  k.entry('window', 4);
  k.and(rax, -4096);
  k.or(rax, Flags.DATA);
  k.updateVaMapping('window', k.keep('pte'));
  k.expectRefusal('mapping the root writable');
  memoryOp(k, XenMem.XENMEM_decrease_reservation, k.cell('root'));
  k.expectOneOf('giving the root back', 0, 1);
  k.mmuext(MmuExt.MMUEXT_TLB_FLUSH_LOCAL);
  k.expect('flush', 0);
  k.mov(at('window'), 6);
});

guestTest('types: a frame that is given back while it is mapped stays until it is unmapped', (k) => {
  k.page('given');
  k.mov(at('given'), 0x33);
  k.mfn('given');
  k.keep('frame');
  memoryOp(k, XenMem.XENMEM_decrease_reservation, k.cell('frame'));
  k.expectOneOf('decrease_reservation of a mapped frame', 0, 1);
  k.mov(rax, at('given'));
  k.expect('it is still there', 0x33);
  memoryOp(k, XenMem.XENMEM_decrease_reservation, k.cell('frame'));
  // It changes nothing. The real Xen counts it as done all the same.
  k.expectOneOf('decrease_reservation a second time', 0, 1);
  k.updateVaMapping('given', 0);
  k.expect('unmapping it', 0);
  k.expectTrap('a read of it', Vector.PF, () => k.mov(rax, at('given')));
  k.mov(rax, k.cell('frame'));
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  k.updateVaMapping('given', k.keep('pte'));
  k.expectRefusal('mapping it again');
});

guestTest('types: page tables that are given back keep their type while they are used', (k) => {
  k.page('window');
  for (const level of [1, 2, 3]) {
    k.entry('window', level);
    k.shr(rax, 12);
    memoryOp(k, XenMem.XENMEM_decrease_reservation, k.keep('frame'));
    k.expectOneOf(`giving back an L${level} table in use`, 0, 1);
    k.mov(rax, k.cell('frame'));
    k.shl(rax, 12);
    k.or(rax, Flags.DATA);
    k.updateVaMapping('window', k.keep('pte'));
    k.expectRefusal(`mapping it writable (L${level})`);
    k.mov(at('window'), level);
  }
});

guestTest('types: a pinned table that is given back is not free', (k) => {
  k.page('table');
  k.table('table');
  k.mfn('table');
  k.mmuext(MmuExt.MMUEXT_PIN_L1_TABLE, k.keep('frame'));
  k.expect('pin', 0);
  memoryOp(k, XenMem.XENMEM_decrease_reservation, k.cell('frame'));
  k.expectOneOf('decrease_reservation of a pinned table', 0, 1);
  k.updateVaMapping('table', 0);
  k.expect('unmapping it', 0);
  k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, k.cell('frame'));
  k.expectOneOf('unpin', 0, -22);
  k.mmuext(MmuExt.MMUEXT_UNPIN_TABLE, k.cell('frame'));
  k.expectRefusal('a second unpin');
});

guestTest('types: exchange refuses frames that are in use or not owned', (k) => {
  k.page('window');
  k.foreignFrame();
  k.keep('foreign');
  k.entry('window');
  k.shr(rax, 12);
  k.keep('table');
  for (const name of ['foreign', 'table']) {
    k.set(k.cell('in'), k.cell(name));
    k.set(k.cell('out'), 0x300);
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
    k.expectRefusal(`exchange of a ${name} frame`);
  }
  k.mov(at('window'), 1);
});
