// mmuext_op: base pointers, flushes, page operations and errors. Pins are tested with the page tables.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno, MmuExt } from '../../abi/index.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U } from '../../../tests/support/paging-world.ts';

const ARGS = Boot.ARGS * 4096;

function setUp(): { world: PagingWorld; guest: TestDomain } {
  const world = new PagingWorld();
  return { world, guest: world.addDomain(1) };
}

/** Flushes so far, of everything and of the lower half. */
function flushes(world: PagingWorld): number {
  const { tlbFlushes, tlbLowerFlushes } = world.engine.counters;
  return tlbFlushes + tlbLowerFlushes;
}

/** Makes page 6 an L4 table like the first one. */
function secondRoot(world: PagingWorld, guest: TestDomain): number {
  world.memory.u8.copyWithin(guest.mfn(6) * 4096, guest.mfn(Boot.L4) * 4096, (guest.mfn(Boot.L4) + 1) * 4096);
  assert.equal(guest.map(6, entry(guest.mfn(6), P | U)), 0);
  return guest.mfn(6);
}

test('mmuext_op: both base pointers of a context switch are loaded with one flush', () => {
  const { world, guest } = setUp();
  const root = secondRoot(world, guest);
  assert.equal(guest.extended(MmuExt.MMUEXT_INVLPG_LOCAL, 0), 0);
  const before = flushes(world);
  assert.ok(guest.writeArgs([MmuExt.MMUEXT_NEW_BASEPTR, root, 0, MmuExt.MMUEXT_NEW_USER_BASEPTR, root, 0]));
  assert.equal(guest.call(world.paging.mmuextOp, [ARGS, 2, 0, 0x7ff0]), 0);
  assert.equal(guest.vcpu.kernelRoot, root);
  assert.equal(guest.vcpu.userRoot, root);
  assert.equal(flushes(world) - before, 1);
  assert.deepEqual(world.check(), []);
  assert.equal(guest.extended(MmuExt.MMUEXT_NEW_USER_BASEPTR, 0), 0);
  assert.equal(guest.vcpu.userRoot, 0);
  assert.deepEqual(world.check(), []);
});

test('mmuext_op: a base pointer that is no L4 table of the domain’s is refused', () => {
  const { world, guest } = setUp();
  const other = world.addDomain(2);
  for (const frame of [guest.mfn(Boot.L1), guest.mfn(9), other.mfn(Boot.L4), 0, 511, 2 ** 40]) {
    assert.equal(guest.extended(MmuExt.MMUEXT_NEW_BASEPTR, frame), -Errno.EINVAL);
    if (frame !== 0) assert.equal(guest.extended(MmuExt.MMUEXT_NEW_USER_BASEPTR, frame), -Errno.EINVAL);
  }
  assert.equal(guest.vcpu.kernelRoot, guest.mfn(Boot.L4));
  assert.deepEqual(world.check(), []);
});

test('mmuext_op: the table that is loaded cannot be made writable by unpinning it', () => {
  const { world, guest } = setUp();
  const root = guest.mfn(Boot.L4);
  assert.equal(guest.extended(MmuExt.MMUEXT_PIN_L4_TABLE, root), 0);
  assert.equal(guest.extended(MmuExt.MMUEXT_UNPIN_TABLE, root), 0);
  assert.equal(guest.map(Boot.L4, entry(root, P | RW)), -Errno.EBUSY);
  assert.deepEqual(world.check(), []);
});

test('mmuext_op: flushes do what they say, with any vCPU bitmap that can be read', () => {
  const { world, guest } = setUp();
  const before = flushes(world);
  assert.equal(guest.extended(MmuExt.MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
  assert.equal(guest.extended(MmuExt.MMUEXT_TLB_FLUSH_ALL, 0), 0);
  assert.equal(guest.extended(MmuExt.MMUEXT_TLB_FLUSH_MULTI, 0, ARGS), 0);
  assert.equal(flushes(world), before + 3);
  assert.equal(guest.extended(MmuExt.MMUEXT_INVLPG_LOCAL, 9 * 4096), 0);
  assert.equal(guest.extended(MmuExt.MMUEXT_INVLPG_ALL, [0, 0xffff8000]), 0);
  assert.equal(guest.extended(MmuExt.MMUEXT_INVLPG_MULTI, 9 * 4096, ARGS), 0);
  assert.equal(guest.extended(MmuExt.MMUEXT_INVLPG_MULTI, 9 * 4096, 400 * 4096), -Errno.EINVAL);
  assert.equal(guest.extended(MmuExt.MMUEXT_TLB_FLUSH_MULTI, 0, 400 * 4096), -Errno.EINVAL);
});

test('mmuext_op: pages are cleared and copied, page tables are not', () => {
  const { world, guest } = setUp();
  world.memory.u8.fill(0x55, guest.mfn(9) * 4096, (guest.mfn(9) + 1) * 4096);
  assert.equal(guest.extended(MmuExt.MMUEXT_COPY_PAGE, guest.mfn(10), guest.mfn(9)), 0);
  assert.ok(world.memory.frame(guest.mfn(10)).every((byte) => byte === 0x55));
  assert.equal(guest.extended(MmuExt.MMUEXT_CLEAR_PAGE, guest.mfn(10)), 0);
  assert.ok(world.memory.frame(guest.mfn(10)).every((byte) => byte === 0));
  assert.equal(guest.extended(MmuExt.MMUEXT_CLEAR_PAGE, guest.mfn(Boot.L1)), -Errno.EINVAL);
  assert.equal(guest.extended(MmuExt.MMUEXT_COPY_PAGE, guest.mfn(Boot.L1), guest.mfn(9)), -Errno.EINVAL);
  assert.equal(guest.extended(MmuExt.MMUEXT_COPY_PAGE, guest.mfn(10), 0), -Errno.EINVAL);
  assert.deepEqual(world.check(), []);
});

test('mmuext_op: what a domain without devices may not, or what does not exist, has the right error', () => {
  const { world, guest } = setUp();
  assert.equal(guest.extended(MmuExt.MMUEXT_FLUSH_CACHE, 0), -Errno.EACCES);
  assert.equal(guest.extended(MmuExt.MMUEXT_FLUSH_CACHE_GLOBAL, 0), -Errno.EINVAL);
  assert.equal(guest.extended(MmuExt.MMUEXT_MARK_SUPER, 0), -Errno.EOPNOTSUPP);
  assert.equal(guest.extended(MmuExt.MMUEXT_UNMARK_SUPER, 0), -Errno.EOPNOTSUPP);
  assert.equal(guest.extended(14, 0), -Errno.ENOSYS);
  assert.equal(guest.extended(999, 0), -Errno.ENOSYS);
  assert.ok(guest.writeArgs([MmuExt.MMUEXT_TLB_FLUSH_ALL, 0, 0]));
  assert.equal(guest.call(world.paging.mmuextOp, [ARGS, 1, 0, 0]), -Errno.EPERM);
  assert.equal(guest.call(world.paging.mmuextOp, [ARGS, 1, 0, 0x7ff1]), -Errno.EPERM);
  assert.equal(guest.call(world.paging.mmuextOp, [ARGS, 1, 0, 33]), -Errno.ESRCH);
});
