// A guest cannot install a page-table entry that is bad at any level: reserved bits, large pages, children
// of the wrong type, frames that do not exist, and the hypervisor's own slots.

import { MmuExt } from '../../src/abi/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { Flags, M2P } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax, rcx, rdi } = registers;

/** An address in an L4, L3, L2 and L1 slot that nothing uses, but for the tables that lead to the image. */
const FREE_SLOT_BYTES = 8 * 100;

/** Writes `entry` into an unused slot of the table of `level` that the image is mapped by. */
function writeFreeSlot(k: Kernel, level: number, entry: Value): void {
  k.set(k.cell('free.entry'), entry);
  k.entry('window', level);
  k.and(rax, -4096);
  k.add(rax, FREE_SLOT_BYTES);
  k.mmuUpdate(k.keep('free.ptr'), k.cell('free.entry'));
}

/** `child` page as an entry with `flags`. */
function entryFor(k: Kernel, child: string, flags: Value): Value {
  k.pte(child, 0);
  k.load(rcx, flags);
  k.or(rax, rcx);
  return k.keep(`entry.${child}`);
}

for (const level of [2, 3, 4]) {
  guestTest(`bad entries: an L${level} entry with reserved bits, a large page or a wrong child is refused`, (k) => {
    k.page('window');
    k.page('child');
    k.page('data');
    k.table('child');
    for (const [what, flags] of Object.entries({
      'the PS bit': Flags.TABLE | 0x80,
      'the G bit': Flags.TABLE | 0x100,
      'bit 51': (1n << 51n) | BigInt(Flags.TABLE),
      'bit 47': (1n << 47n) | BigInt(Flags.TABLE),
    })) {
      // Global upper entries mean nothing to hardware; a hypervisor may let them pass.
      if (what === 'the G bit') continue;
      writeFreeSlot(k, level, entryFor(k, 'child', flags));
      k.expectRefusal(`an L${level} entry with ${what}`);
    }
    writeFreeSlot(k, level, entryFor(k, 'data', Flags.TABLE));
    k.expectRefusal(`an L${level} entry that names a page with a writable mapping`);
    for (let other = 1; other <= 4; other++) {
      if (other === level - 1) continue;
      k.entry('window', other);
      k.and(rax, -4096);
      k.or(rax, Flags.TABLE);
      writeFreeSlot(k, level, k.keep('other'));
      k.expectRefusal(`an L${level} entry that names an L${other} table`);
    }
    writeFreeSlot(k, level, 0x000ffffffffff067n);
    k.expectRefusal(`an L${level} entry that names no frame`);
    // A good one is taken, and taken back.
    writeFreeSlot(k, level, entryFor(k, 'child', Flags.TABLE));
    k.expect(`an empty child of an L${level} table`, 0);
    writeFreeSlot(k, level, 0);
    k.expect('its removal', 0);
    k.protect('child', Flags.DATA);
    k.expect('the child becomes writable again', 0);
  });
}

guestTest('bad entries: pinning looks at every slot', (k) => {
  k.page('table');
  k.mfn('table');
  k.keep('frame');
  for (const slot of [0, 1, 255, 272, 511]) {
    for (const [level, cmd] of [
      [1, MmuExt.MMUEXT_PIN_L1_TABLE],
      [2, MmuExt.MMUEXT_PIN_L2_TABLE],
      [3, MmuExt.MMUEXT_PIN_L3_TABLE],
      [4, MmuExt.MMUEXT_PIN_L4_TABLE],
    ] as const) {
      k.table('table', [slot, 0x000ffffffffff067n]);
      k.mmuext(cmd, k.cell('frame'));
      k.expectRefusal(`an L${level} table with a bad entry ${slot}`);
      k.protect('table', Flags.DATA);
      k.expect('writable again', 0);
      k.mov(at('table', slot * 8), 0);
    }
  }
});

guestTest('bad entries: random bytes are no page table of any level', (k) => {
  k.page('garbage');
  k.lea(rdi, at('garbage'));
  k.mov(rax, 0x9e3779b97f4a7c15n);
  k.repeat(512, () => {
    k.mov(at(rdi), rax);
    k.mov(rcx, 0x2545f4914f6cdd1dn);
    k.imul(rax, rcx);
    k.inc(rax);
    k.add(rdi, 8);
  });
  k.protect('garbage', Flags.READ_ONLY);
  k.mfn('garbage');
  k.keep('frame');
  for (const cmd of [0, 1, 2, 3, MmuExt.MMUEXT_NEW_BASEPTR, MmuExt.MMUEXT_NEW_USER_BASEPTR]) {
    k.mmuext(cmd, k.cell('frame'));
    k.expectRefusal(`mmuext command ${cmd}`);
  }
  k.protect('garbage', Flags.DATA);
  k.expect('writable again', 0);
});

guestTest("bad entries: the hypervisor's slots of an L4 table cannot be written", (k) => {
  k.page('child');
  k.page('window');
  k.table('child');
  for (const slot of [256, 257, 263, 271]) {
    k.pte('child', Flags.TABLE);
    k.keep('entry');
    k.entry('window', 4);
    k.and(rax, -4096);
    k.add(rax, slot * 8);
    k.mmuUpdate(k.keep('ptr'), k.cell('entry'));
    k.expectRefusal(`slot ${slot}`);
    k.mmuUpdate(k.cell('ptr'), 0);
    k.expectRefusal(`clearing slot ${slot}`);
  }
  k.updateVaMapping(M2P, k.cell('entry'));
  k.expectRefusal('update_va_mapping of the table of frames');
  k.updateVaMapping(0xffff830000000000n, k.cell('entry'));
  k.expectRefusal("update_va_mapping of the hypervisor's memory");
});

guestTest('bad entries: an L4 table made with entries in the hypervisor slots does not keep them', (k) => {
  k.page('root');
  k.page('l3');
  k.page('window');
  // A copy of the root, with a table of ours where the table of frames is.
  k.entry('window', 4);
  k.mov(registers.rsi, registers.rdx);
  k.and(registers.rsi, -4096);
  k.lea(rdi, at('root'));
  k.mov(rcx, 512);
  k.rep();
  k.movsq();
  k.table('l3');
  k.pte('l3', Flags.TABLE);
  k.table('root', [256, k.keep('l3')]);
  k.mfn('root');
  k.mmuext(MmuExt.MMUEXT_NEW_BASEPTR, k.keep('frame'));
  k.expectOneOf('NEW_BASEPTR', 0, -22);
  // Whatever the answer: the table of frames is still there.
  k.mfn('window');
  k.mov(rcx, M2P);
  k.mov(rax, at(rcx, 0, { index: rax, scale: 8 }));
  k.shl(rax, 12);
  k.add(rax, -0x80000000);
  k.expect('the pfn of a page', 'window');
});

guestTest('bad entries: a slot that leads back to its own table cannot be writable', (k) => {
  k.page('window');
  for (const level of [2, 3, 4]) {
    k.entry('window', level);
    k.and(rax, -4096);
    k.or(rax, Flags.TABLE);
    writeFreeSlot(k, level, k.keep('self'));
    k.expectRefusal(`an L${level} table that names itself, writable`);
  }
});
