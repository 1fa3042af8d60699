// mmu_update and update_va_mapping: single entries, batches, continuations, errors and foreign domains.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno } from '../../abi/index.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U } from '../../../tests/support/paging-world.ts';

const [NORMAL, MACHPHYS, PRESERVE_AD, NO_TRANSLATE] = [0, 1, 2, 3];
const SELF = 0x7ff0;
const ARGS = Boot.ARGS * 4096;

function setUp(): { world: PagingWorld; guest: TestDomain } {
  const world = new PagingWorld();
  return { world, guest: world.addDomain(1) };
}

test('mmu_update: a batch ends at the first error and says how many were done', () => {
  const { world, guest } = setUp();
  const table = guest.mfn(Boot.L1) * 4096;
  const requests = [table + 100 * 8, entry(guest.mfn(9), P), table + 101 * 8, entry(0, P), table + 102 * 8, 0] as const;
  assert.ok(guest.writeArgs([...requests]));
  assert.equal(guest.call(world.paging.mmuUpdate, [ARGS, 3, ARGS + 2048, SELF]), -Errno.EBUSY);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 256), [1, 0]);
  assert.deepEqual(world.read(guest.mfn(Boot.L1), 100), entry(guest.mfn(9), P));
  assert.deepEqual(world.check(), []);
});

test('mmu_update: a long batch is continued and counts all of it', () => {
  const world = new PagingWorld(512, 50);
  const guest = world.addDomain(1);
  const requests = Array.from({ length: 40 }, (_, i) => guest.mfn(Boot.L1) * 4096 + (100 + i) * 8);
  assert.ok(guest.writeArgs(requests.flatMap((at) => [at, entry(guest.mfn(9), P | RW)])));
  assert.equal(guest.call(world.paging.mmuUpdate, [ARGS, 40, ARGS + 2048, SELF]), 0);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 256), [40, 0]);
  assert.deepEqual(world.read(guest.mfn(Boot.L1), 139), entry(guest.mfn(9), P | RW));
  assert.deepEqual(world.check(), []);
});

test('mmu_update: PRESERVE_AD keeps the accessed and dirty bits, NORMAL does not', () => {
  const { world, guest } = setUp();
  const l1 = guest.mfn(Boot.L1);
  assert.equal(guest.update(l1, 9, entry(guest.mfn(9), P | RW | 0x60)), 0);
  assert.equal(guest.update(l1, 9, entry(guest.mfn(9), P), PRESERVE_AD), 0);
  assert.deepEqual(world.read(l1, 9), entry(guest.mfn(9), P | 0x60));
  assert.equal(guest.update(l1, 9, entry(guest.mfn(9), P), NO_TRANSLATE), 0);
  assert.deepEqual(world.read(l1, 9), entry(guest.mfn(9), P));
  assert.deepEqual(world.check(), []);
});

test('mmu_update: a frame that is no page table is written as it is', () => {
  const { world, guest } = setUp();
  world.engine.codeFrames.add(guest.mfn(9));
  assert.equal(guest.update(guest.mfn(9), 17, [0x12345678, 0x9abcdef0], NORMAL), 0);
  assert.deepEqual(world.read(guest.mfn(9), 17), [0x12345678, 0x9abcdef0]);
  assert.equal(world.engine.counters.invalidatedFrames, 1);
  assert.deepEqual(world.check(), []);
});

test('mmu_update: MACHPHYS_UPDATE sets the pfn of an own frame only', () => {
  const { world, guest } = setUp();
  const other = world.addDomain(2);
  assert.equal(guest.update(guest.mfn(9), 0, [77, 1], MACHPHYS), 0);
  assert.equal(guest.update(other.mfn(9), 0, 77, MACHPHYS), -Errno.EINVAL);
  assert.equal(guest.update(512, 0, 77, MACHPHYS), -Errno.EINVAL);
  assert.deepEqual(world.check(), []);
});

test('mmu_update: other commands do not exist', () => {
  const { guest } = setUp();
  assert.equal(guest.update(guest.mfn(9), 0, 0, 4), -Errno.ENOSYS);
});

test('mmu_update: tables and frames of others are out of reach', () => {
  const { world, guest } = setUp();
  const other = world.addDomain(2);
  assert.equal(guest.update(other.mfn(Boot.L1), 9, 0), -Errno.EINVAL);
  assert.equal(guest.update(guest.mfn(Boot.L1), 9, entry(other.mfn(9), P)), -Errno.EBUSY);
  const call = (domains: number) => guest.call(world.paging.mmuUpdate, [ARGS, 1, 0, domains]);
  assert.ok(guest.writeArgs([guest.mfn(Boot.L1) * 4096 + 9 * 8, entry(other.mfn(9), P)]));
  assert.equal(call(2), -Errno.EPERM);
  assert.equal(call(0), -Errno.EPERM);
  assert.equal(call(1), -Errno.ESRCH, 'its own number');
  assert.equal(call(99), -Errno.ESRCH);
  assert.equal(call(SELF + 0x30000), -Errno.EPERM, 'page tables of domain 2');
  assert.equal(call(SELF + 0x640000), -Errno.EINVAL, 'page tables of nobody');
  assert.equal(call(0x7ff1), -Errno.EBUSY, 'memory as a device');
  assert.ok(guest.writeArgs([guest.mfn(Boot.L1) * 4096 + 9 * 8, entry(0xfee00, P)]));
  assert.equal(call(0x7ff1), -Errno.EPERM, 'a device');
  assert.deepEqual(world.check(), []);
});

test('mmu_update: an address that is not the guest’s gives -EFAULT', () => {
  const { world, guest } = setUp();
  for (const where of [400 * 4096, 0x8000_0000_0000, 0xffff_ffff_f000] as const) {
    assert.equal(guest.call(world.paging.mmuUpdate, [where, 1, 0, SELF]), -Errno.EFAULT);
  }
});

test('update_va_mapping: an entry changes with the flush that was asked for', () => {
  const { world, guest } = setUp();
  assert.ok(guest.store(9 * 4096, [1]));
  const other = entry(guest.mfn(10), P | RW | U);
  assert.equal(guest.map(9, other), 0);
  guest.store(9 * 4096, [2]);
  assert.equal(world.memory.u8[guest.mfn(9) * 4096], 2, 'no flush was asked for: the old translation is in use');
  assert.equal(guest.map(9, other, 2), 0);
  guest.store(9 * 4096, [3]);
  assert.equal(world.memory.u8[guest.mfn(10) * 4096], 3);
  assert.deepEqual(world.check(), []);
});

test('update_va_mapping: a bad address, entry or bitmap has its own error', () => {
  const { world, guest } = setUp();
  assert.equal(guest.map(600, 0), -Errno.EINVAL, 'no L1 table');
  const call = (...args: (number | [number, number])[]) => guest.call(world.paging.updateVaMapping, args);
  assert.equal(call([0, 0x00ff0000], 0, 0), -Errno.EINVAL, 'not canonical');
  assert.equal(call([0, 0xffff8000], 0, 0), -Errno.EINVAL, 'the hypervisor’s');
  assert.equal(call(9 * 4096, entry(0, P), 0), -Errno.EBUSY);
  assert.equal(call(9 * 4096, 0, 400 * 4096 + 1), -Errno.EFAULT);
  assert.equal(call(9 * 4096, 0, 5), 0);
  assert.equal(call(9 * 4096, 0, ARGS + 1), 0, 'a readable bitmap');
  assert.deepEqual(world.check(), []);
});

test('update_va_mapping_otherdomain: other domains’ frames are refused', () => {
  const { world, guest } = setUp();
  const other = world.addDomain(2);
  const call = (id: number) =>
    guest.call(world.paging.updateVaMappingOtherdomain, [9 * 4096, entry(other.mfn(9), P), 0, id]);
  assert.equal(call(2), -Errno.EPERM);
  assert.equal(call(77), -Errno.ESRCH);
  assert.equal(call(SELF), -Errno.EBUSY);
});
