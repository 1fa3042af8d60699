// GDT, LDT and single descriptors as a guest sets and uses them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno, MmuExt } from '../../abi/index.ts';
import { FrameType } from '../../machine/index.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U, type Word } from '../../../tests/support/paging-world.ts';

const ARGS = Boot.ARGS * 4096;
/** A 64-bit code segment of privilege level 0. */
const CODE: readonly [number, number] = [0xffff, 0x00af9b00];

function setUp(): { world: PagingWorld; guest: TestDomain } {
  const world = new PagingWorld();
  return { world, guest: world.addDomain(1) };
}

function protect(guest: TestDomain, n: number): void {
  assert.equal(guest.map(n, entry(guest.mfn(n), P | U)), 0);
}

function setGdt(world: PagingWorld, guest: TestDomain, frames: readonly number[], entries: number): number {
  assert.ok(guest.writeArgs(frames));
  return guest.call(world.paging.setGdt, [ARGS, entries]);
}

test('set_gdt: the frames become read-only descriptor pages until another GDT is set', () => {
  const { world, guest } = setUp();
  world.raw(guest.mfn(9), 2, CODE);
  assert.equal(setGdt(world, guest, [guest.mfn(9)], 16), -Errno.EINVAL, 'still writable');
  assert.ok(guest.store(9 * 4096, [0]));
  protect(guest, 9);
  assert.equal(setGdt(world, guest, [guest.mfn(9)], 16), 0);
  assert.equal(world.frames.type[guest.mfn(9)], FrameType.SEGMENT_DESCRIPTOR);
  assert.ok(!guest.store(9 * 4096, [0]), 'no stale translation is left');
  assert.equal(guest.map(9, entry(guest.mfn(9), P | RW)), -Errno.EBUSY);
  assert.deepEqual(world.read(guest.mfn(9), 2), [0xffff, 0x00affb00], 'its level is 3 now');
  assert.deepEqual(world.check(), []);
  assert.equal(setGdt(world, guest, [], 0), 0);
  assert.equal(guest.map(9, entry(guest.mfn(9), P | RW)), 0);
  assert.deepEqual(world.check(), []);
});

test('set_gdt: system descriptors are refused, and the old GDT stays', () => {
  const { world, guest } = setUp();
  protect(guest, 9);
  protect(guest, 10);
  assert.equal(setGdt(world, guest, [guest.mfn(9)], 16), 0);
  for (const hi of [0x8900, 0x8200, 0x8e00, 0x8500, 0x8c01]) {
    world.raw(guest.mfn(10), 511, [0, hi]);
    assert.equal(setGdt(world, guest, [guest.mfn(9), guest.mfn(10)], 1024), -Errno.EINVAL);
  }
  assert.equal(guest.vcpu.gdtEntries, 16);
  assert.equal(setGdt(world, guest, [guest.mfn(9)], 7169), -Errno.EINVAL);
  assert.equal(guest.call(world.paging.setGdt, [400 * 4096, 16]), -Errno.EFAULT);
  assert.deepEqual(world.check(), []);
});

test('update_descriptor: changes descriptor pages and pages that may be written, nothing else', () => {
  const { world, guest } = setUp();
  protect(guest, 9);
  assert.equal(setGdt(world, guest, [guest.mfn(9)], 16), 0);
  const update = (frame: number, value: Word, offset = 24) =>
    guest.call(world.paging.updateDescriptor, [frame * 4096 + offset, value]);
  assert.equal(update(guest.mfn(9), CODE), 0);
  assert.deepEqual(world.read(guest.mfn(9), 3), [0xffff, 0x00affb00]);
  assert.equal(update(guest.mfn(9), [0, 0x8900]), -Errno.EINVAL, 'a TSS');
  assert.equal(update(guest.mfn(9), [0x00e03008, 0x00008c00]), 0, 'a call gate');
  assert.deepEqual(world.read(guest.mfn(9), 3), [0x00e33008, 0x00008c00], 'which always faults');
  assert.equal(update(guest.mfn(9), CODE, 25), -Errno.EINVAL, 'misaligned');
  assert.equal(update(guest.mfn(10), CODE), 0, 'a writable page');
  assert.equal(update(guest.mfn(Boot.L1), CODE), -Errno.EINVAL, 'a page table');
  assert.equal(update(0, CODE), -Errno.EINVAL, 'the hypervisor’s');
  assert.equal(update(2 ** 30, CODE), -Errno.EINVAL, 'no memory');
  assert.deepEqual(world.check(), []);
});

test('descriptors: the flat ones are there whatever the guest sets', () => {
  const { world, guest } = setUp();
  const read = (selector: number) => world.paging.readDescriptor(guest.vcpu, selector);
  assert.deepEqual(read(0xe033), { lo: 0xffff, hi: 0x00affb00 });
  assert.deepEqual(read(0xe02b), { lo: 0xffff, hi: 0x00cff300 });
  assert.deepEqual(read(0xe023), { lo: 0xffff, hi: 0x00cffb00 });
  assert.equal(read(0x10), undefined);
  assert.equal(read(0), undefined);
  assert.equal(read(0xe000), undefined);
  protect(guest, 9);
  world.raw(guest.mfn(9), 2, CODE);
  assert.equal(setGdt(world, guest, [guest.mfn(9)], 16), 0);
  assert.deepEqual(read(0x13), { lo: 0xffff, hi: 0x00affb00 });
  assert.equal(read(16 * 8), undefined);
});

test('LDT: pages are looked up and checked at first use, and given up when it or the address space changes', () => {
  const { world, guest } = setUp();
  const read = (selector: number) => world.paging.readDescriptor(guest.vcpu, selector);
  world.raw(guest.mfn(9), 1, CODE);
  assert.equal(guest.extended(MmuExt.MMUEXT_SET_LDT, 9 * 4096, 600), 0);
  assert.equal(read(1 * 8 + 7), undefined, 'the page is writable');
  protect(guest, 9);
  assert.deepEqual(read(1 * 8 + 7), { lo: 0xffff, hi: 0x00affb00 });
  assert.equal(read(600 * 8 + 7), undefined);
  assert.equal(guest.map(9, entry(guest.mfn(9), P | RW)), -Errno.EBUSY);
  assert.deepEqual(world.check(), []);

  world.memory.u8.copyWithin(guest.mfn(6) * 4096, guest.mfn(Boot.L4) * 4096, (guest.mfn(Boot.L4) + 1) * 4096);
  protect(guest, 6);
  assert.equal(guest.extended(MmuExt.MMUEXT_NEW_BASEPTR, guest.mfn(6)), 0);
  assert.equal(guest.map(9, entry(guest.mfn(9), P | RW)), 0);
  assert.deepEqual(world.check(), []);
  assert.equal(guest.extended(MmuExt.MMUEXT_SET_LDT, 9 * 4096 + 8, 1), -Errno.EINVAL);
  assert.equal(guest.extended(MmuExt.MMUEXT_SET_LDT, 9 * 4096, 8193), -Errno.EINVAL);
  assert.equal(guest.extended(MmuExt.MMUEXT_SET_LDT, [0, 0xffff8000], 1), -Errno.EINVAL);
  assert.equal(guest.extended(MmuExt.MMUEXT_SET_LDT, 0, 0), 0);
});
