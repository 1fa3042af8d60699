// Frames that become page tables and stop being ones: validation at every level, pins, continuations.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno } from '../../abi/index.ts';
import { FrameFlag, FrameType } from '../../machine/index.ts';
import { MAX_COUNT } from './frame-references.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U } from '../../../tests/support/paging-world.ts';

/** MMUEXT_PIN_L1_TABLE to MMUEXT_PIN_L4_TABLE. */
const [PIN_L1, PIN_L2, PIN_L3, PIN_L4, UNPIN] = [0, 1, 2, 3, 4];

function setUp(work?: number): { world: PagingWorld; guest: TestDomain } {
  const world = new PagingWorld(512, work);
  return { world, guest: world.addDomain(1) };
}

/** Makes the mapping of a page read-only, so that its frame can become a page table. */
function protect(guest: TestDomain, ...pages: number[]): void {
  for (const n of pages) assert.equal(guest.map(n, entry(guest.mfn(n), P | U)), 0);
}

test('page tables: a frame with a writable mapping cannot become one', () => {
  const { world, guest } = setUp();
  assert.equal(guest.extended(PIN_L1, guest.mfn(6)), -Errno.EINVAL);
  protect(guest, 6);
  assert.equal(guest.extended(PIN_L1, guest.mfn(6)), 0);
  assert.deepEqual(world.check(), []);
});

test('page tables: a page table cannot get a writable mapping', () => {
  const { world, guest } = setUp();
  for (const n of [Boot.L4, Boot.L3, Boot.L2, Boot.L1]) {
    assert.equal(guest.map(n, entry(guest.mfn(n), P | RW | U)), -Errno.EBUSY);
    assert.equal(guest.update(guest.mfn(Boot.L1), n, entry(guest.mfn(n), P | RW)), -Errno.EBUSY);
  }
  assert.deepEqual(world.check(), []);
});

test('page tables: becoming one ends stale writable translations of the frame, and of no other', () => {
  const { world, guest } = setUp();
  assert.ok(guest.store(6 * 4096, [0]));
  assert.ok(guest.store(7 * 4096, [0]));
  protect(guest, 6, 7);
  const before = world.engine.counters.tlbFlushes;
  const canStore = (page: number): boolean => world.engine.store(guest.vcpu.context, page * 4096, [0]);
  assert.ok(canStore(6), 'no flush was asked for');
  assert.equal(guest.extended(PIN_L1, guest.mfn(6)), 0);
  assert.ok(!canStore(6));
  assert.ok(canStore(7));
  assert.equal(guest.extended(PIN_L1, guest.mfn(7)), 0);
  assert.ok(!canStore(7));
  assert.equal(world.engine.counters.tlbFlushes, before);
  assert.deepEqual(world.check(), []);
});

test('page tables: an L1 table with a bad entry is refused and leaves no reference', () => {
  const { world, guest } = setUp();
  const other = world.addDomain(2);
  const bad: [string, [number, number], number][] = [
    ['cache type', entry(guest.mfn(9), P | 0x10), -Errno.EINVAL],
    ['PAT', entry(guest.mfn(9), P | 0x80), -Errno.EINVAL],
    ['another domain', entry(other.mfn(9), P), -Errno.EBUSY],
    ['the hypervisor', entry(0, P), -Errno.EBUSY],
    ['no memory', entry(512, P), -Errno.EPERM],
    ['beyond 2^32', entry(2 ** 30, P), -Errno.EPERM],
    ['a writable page table', entry(guest.mfn(Boot.L2), P | RW), -Errno.EBUSY],
    ['itself, writable', entry(guest.mfn(6), P | RW), -Errno.EBUSY],
  ];
  for (const [what, value, error] of bad) {
    world.raw(guest.mfn(6), 3, entry(guest.mfn(8), P | RW));
    world.raw(guest.mfn(6), 511, value);
    protect(guest, 6);
    assert.equal(guest.extended(PIN_L1, guest.mfn(6)), error, what);
    assert.deepEqual(world.check(), [], what);
  }
});

test('page tables: forbidden bits are refused above L1', () => {
  const { world, guest } = setUp();
  protect(guest, 6, 7, 8);
  assert.equal(guest.extended(PIN_L1, guest.mfn(6)), 0);
  for (const flags of [0x80, 0x100, 0x08, 0x10]) {
    world.raw(guest.mfn(7), 0, entry(guest.mfn(6), P | flags));
    assert.equal(guest.extended(PIN_L2, guest.mfn(7)), -Errno.EINVAL);
    assert.equal(guest.update(guest.mfn(Boot.L2), 5, entry(guest.mfn(6), P | flags)), -Errno.EINVAL);
    const same = entry(guest.mfn(Boot.L1), P | RW | U | flags);
    assert.equal(guest.update(guest.mfn(Boot.L2), 0, same), -Errno.EINVAL, 'the entry that is there, with another bit');
  }
  assert.deepEqual(world.check(), []);
});

test('page tables: every level only takes tables of the level below, so that none is recursive', () => {
  const { world, guest } = setUp();
  for (const [level, n] of [
    [2, Boot.L2],
    [3, Boot.L3],
    [4, Boot.L4],
  ] as const) {
    assert.equal(guest.update(guest.mfn(n), 9, entry(guest.mfn(n), P)), -Errno.EINVAL, `L${level} to itself`);
  }
  assert.equal(guest.update(guest.mfn(Boot.L4), 9, entry(guest.mfn(Boot.L2), P)), -Errno.EINVAL);
  assert.equal(guest.update(guest.mfn(Boot.L3), 9, entry(guest.mfn(Boot.L1), P)), -Errno.EINVAL);
  protect(guest, 6);
  world.raw(guest.mfn(6), 0, entry(guest.mfn(6), P));
  assert.equal(guest.extended(PIN_L4, guest.mfn(6)), -Errno.EINVAL);
  assert.deepEqual(world.check(), []);
});

test('page tables: XD and the available bits are the guest’s at every level', () => {
  const { world, guest } = setUp();
  protect(guest, 6);
  const value = entry(guest.mfn(6), P | 0xe00, 0xfff00000);
  assert.equal(guest.update(guest.mfn(Boot.L2), 5, value), 0);
  assert.deepEqual(world.read(guest.mfn(Boot.L2), 5), value);
  assert.equal(guest.map(9, entry(guest.mfn(9), P | 0xf00, 0xfff00000)), 0);
  assert.deepEqual(world.check(), []);
});

test('page tables: the hypervisor’s slots of an L4 table are emptied and cannot be set', () => {
  const { world, guest } = setUp();
  protect(guest, 6);
  world.raw(guest.mfn(6), 256, entry(guest.mfn(Boot.L3), P | RW | U));
  world.raw(guest.mfn(6), 271, entry(0, P | RW | U));
  assert.equal(guest.extended(PIN_L4, guest.mfn(6)), 0);
  assert.deepEqual(world.read(guest.mfn(6), 256), [0, 0]);
  assert.deepEqual(world.read(guest.mfn(6), 271), [0, 0]);
  for (const slot of [256, 263, 271]) {
    assert.equal(guest.update(guest.mfn(6), slot, entry(guest.mfn(Boot.L3), P)), -Errno.EINVAL);
    assert.equal(guest.update(guest.mfn(6), slot, 0), -Errno.EINVAL);
  }
  assert.equal(guest.update(guest.mfn(6), 272, entry(guest.mfn(Boot.L3), P)), 0);
  assert.deepEqual(world.check(), []);
});

test('page tables: pins are taken once and given back once', () => {
  const { world, guest } = setUp();
  protect(guest, 6);
  assert.equal(guest.extended(UNPIN, guest.mfn(6)), -Errno.EINVAL);
  assert.equal(guest.extended(PIN_L1, guest.mfn(6)), 0);
  assert.equal(guest.extended(PIN_L1, guest.mfn(6)), -Errno.EINVAL);
  assert.equal(guest.extended(PIN_L2, guest.mfn(6)), -Errno.EINVAL);
  assert.equal(world.frames.flags[guest.mfn(6)], FrameFlag.ALLOCATED | FrameFlag.PINNED | FrameFlag.VALIDATED);
  assert.equal(guest.extended(UNPIN, guest.mfn(6)), 0);
  assert.equal(guest.extended(UNPIN, guest.mfn(6)), -Errno.EINVAL);
  assert.equal(guest.map(6, entry(guest.mfn(6), P | RW)), 0);
  assert.equal(world.frames.type[guest.mfn(6)], FrameType.WRITABLE);
  assert.deepEqual(world.check(), []);
});

test('page tables: unlinking the last use of a tree makes all its frames writable again', () => {
  const { world, guest } = setUp();
  protect(guest, 6, 7, 8);
  world.raw(guest.mfn(8), 1, entry(guest.mfn(9), P | RW));
  world.raw(guest.mfn(7), 1, entry(guest.mfn(8), P | RW));
  world.raw(guest.mfn(6), 1, entry(guest.mfn(7), P | RW));
  assert.equal(guest.update(guest.mfn(Boot.L4), 3, entry(guest.mfn(6), P | RW)), 0);
  for (const n of [6, 7, 8]) assert.equal(guest.map(n, entry(guest.mfn(n), P | RW)), -Errno.EBUSY);
  assert.equal(guest.update(guest.mfn(Boot.L4), 3, 0), 0);
  for (const n of [6, 7, 8]) assert.equal(guest.map(n, entry(guest.mfn(n), P | RW)), 0);
  assert.deepEqual(world.check(), []);
});

test('page tables: validation cut short is continued and ends as if it had not been', () => {
  const { world, guest } = setUp(100);
  protect(guest, 6, 7, 8, 9, 10);
  for (const [i, n] of [9, 10].entries()) {
    for (let slot = 0; slot < 512; slot++) world.raw(guest.mfn(n), slot, entry(guest.mfn(12 + (slot % 8)), P | RW));
    world.raw(guest.mfn(8), i * 300, entry(guest.mfn(n), P | RW));
  }
  world.raw(guest.mfn(7), 1, entry(guest.mfn(8), P | RW));
  world.raw(guest.mfn(6), 1, entry(guest.mfn(7), P | RW));
  assert.equal(guest.extended(PIN_L4, guest.mfn(6), 0, 1), -(2 ** 40), 'asks to be continued');
  assert.deepEqual(world.check(), []);
  assert.equal(guest.extended(PIN_L4, guest.mfn(6)), 0);
  assert.deepEqual(world.check(), []);
  assert.equal(guest.extended(UNPIN, guest.mfn(6)), 0);
  for (const n of [6, 7, 8, 9, 10]) assert.equal(guest.map(n, entry(guest.mfn(n), P | RW)), 0);
  assert.deepEqual(world.check(), []);
});

test('page tables: a half-validated table refuses updates and other types', () => {
  const { world, guest } = setUp(100);
  protect(guest, 6, 7, 8, 9);
  world.raw(guest.mfn(8), 0, entry(guest.mfn(9), P | RW));
  world.raw(guest.mfn(7), 0, entry(guest.mfn(8), P | RW));
  world.raw(guest.mfn(7), 1, entry(guest.mfn(8), P | RW));
  assert.equal(guest.extended(PIN_L3, guest.mfn(7), 0, 1), -(2 ** 40));
  assert.notEqual((world.frames.flags[guest.mfn(7)] ?? 0) & FrameFlag.PARTIAL, 0);
  assert.equal(guest.update(guest.mfn(7), 2, 0), -Errno.EINVAL);
  assert.equal(guest.map(7, entry(guest.mfn(7), P | RW)), -Errno.EBUSY);
  assert.equal(guest.extended(PIN_L2, guest.mfn(7)), -Errno.EINVAL);
  assert.deepEqual(world.check(), []);
  assert.equal(guest.extended(PIN_L3, guest.mfn(7)), 0);
  assert.deepEqual(world.check(), []);
});

test('page tables: a half-validated table does not keep a domain from ending', () => {
  const { world, guest } = setUp(100);
  const free = world.allocator.nrFree;
  protect(guest, 7, 8, 9);
  world.raw(guest.mfn(8), 0, entry(guest.mfn(9), P | RW));
  world.raw(guest.mfn(7), 0, entry(guest.mfn(8), P | RW));
  world.raw(guest.mfn(7), 1, entry(guest.mfn(8), P | RW));
  assert.equal(guest.extended(PIN_L3, guest.mfn(7), 0, 1), -(2 ** 40));
  guest.domain.dying = true;
  for (let i = 0; i < 1000 && !world.paging.relinquish(guest.domain, 100); i++) assert.deepEqual(world.check(), []);
  assert.equal(world.allocator.nrFree, free + 33);
  assert.deepEqual(world.check(), []);
});

test('page tables: a bad entry deep in a large tree releases all that was validated before', () => {
  const { world, guest } = setUp(100);
  protect(guest, 6, 7, 8, 9);
  for (let slot = 0; slot < 4; slot++) world.raw(guest.mfn(9), slot, entry(guest.mfn(12), P | RW));
  for (let slot = 0; slot < 4; slot++) world.raw(guest.mfn(8), slot, entry(guest.mfn(9), P | RW));
  for (let slot = 0; slot < 4; slot++) world.raw(guest.mfn(7), slot, entry(guest.mfn(8), P | RW));
  world.raw(guest.mfn(7), 400, entry(guest.mfn(6), P | RW));
  world.raw(guest.mfn(6), 5, entry(0, P));
  assert.equal(guest.extended(PIN_L3, guest.mfn(7)), -Errno.EINVAL);
  assert.deepEqual(world.check(), []);
  for (const n of [6, 7, 8, 9]) assert.equal(guest.map(n, entry(guest.mfn(n), P | RW)), 0);
  assert.deepEqual(world.check(), []);
});

test('page tables: a frame that the hypervisor shares can be mapped writable, and is never a page table', () => {
  const { world, guest } = setUp();
  const shared = guest.domain.sharedInfo;
  assert.equal(guest.map(9, entry(shared, P | RW)), 0);
  assert.equal(guest.extended(PIN_L1, shared), -Errno.EINVAL);
  assert.equal(guest.map(9, 0), 0);
  assert.equal(guest.extended(PIN_L1, shared), -Errno.EINVAL);
  assert.deepEqual(world.check(), []);
});

test('page tables: a full count refuses more references', () => {
  const { world, guest } = setUp();
  const { typeCount, refCount } = world.frames;
  const attempt = (counts: Uint32Array, n: number, operation: () => number, error: number) => {
    const before = counts[guest.mfn(n)] ?? 0;
    counts[guest.mfn(n)] = MAX_COUNT;
    assert.equal(operation(), error);
    counts[guest.mfn(n)] = before;
  };
  const pin = () => guest.extended(PIN_L1, guest.mfn(Boot.L1));
  const map = () => guest.map(100, entry(guest.mfn(9), P | RW));
  attempt(typeCount, Boot.L1, pin, -Errno.EINVAL);
  attempt(refCount, Boot.L1, pin, -Errno.EINVAL);
  attempt(typeCount, 9, map, -Errno.EBUSY);
  attempt(refCount, 9, map, -Errno.EBUSY);
  assert.deepEqual(world.check(), []);
});

test('page tables: a table that is being taken apart is not taken up again half-way', () => {
  const { world, guest } = setUp();
  const [root, old] = [guest.mfn(6), guest.mfn(Boot.L4)];
  world.memory.u8.copyWithin(root * 4096, old * 4096, (old + 1) * 4096);
  protect(guest, 6);
  assert.equal(world.paging.setRoots(guest.vcpu, root, old), -Errno.ERESTART);
  assert.deepEqual(world.check(), []);
  assert.equal(world.paging.setRoots(guest.vcpu, root, old), 0);
  assert.equal(guest.vcpu.userRoot, old);
  assert.deepEqual(world.check(), []);
});
