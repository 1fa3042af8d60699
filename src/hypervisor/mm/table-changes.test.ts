// Which changes of page tables make the next flush that a guest asks for one of everything.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmuExt } from '../../abi/index.ts';
import { mfn } from '../../base/index.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U } from '../../../tests/support/paging-world.ts';

const ACCESSED = 0x20;
const DIRTY = 0x40;
const NX: readonly [number, number] = [0, 0x80000000];

function setUp(): { world: PagingWorld; guest: TestDomain } {
  const world = new PagingWorld();
  const guest = world.addDomain(1);
  world.engine.upperHalfTables = new Set([mfn(guest.mfn(Boot.L1)), mfn(guest.mfn(Boot.L2))]);
  flush(world, guest);
  return { world, guest };
}

/** Flushes as the guest asks for it. */
function flush(world: PagingWorld, guest: TestDomain): string {
  const { tlbFlushes, tlbLowerFlushes } = world.engine.counters;
  assert.equal(guest.extended(MmuExt.MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
  const full = world.engine.counters.tlbFlushes - tlbFlushes;
  assert.equal(full + world.engine.counters.tlbLowerFlushes - tlbLowerFlushes, 1);
  return full === 1 ? 'everything' : 'the lower half';
}

test('table changes: flushes leave the upper half alone as long as nothing has changed there', () => {
  const { world, guest } = setUp();
  for (let i = 0; i < 3; i++) assert.equal(flush(world, guest), 'the lower half');
});

test('table changes: what a kept translation would not follow makes one flush of everything', () => {
  const changes: [string, (guest: TestDomain) => readonly [number, number], string][] = [
    ['gone', () => [0, 0], 'everything'],
    ['another frame', (guest) => entry(guest.mfn(10), P | RW | U | ACCESSED | DIRTY), 'everything'],
    ['no execute', (guest) => [entry(guest.mfn(9), P | RW | U | ACCESSED | DIRTY)[0], NX[1]], 'everything'],
    ['not accessed', (guest) => entry(guest.mfn(9), P | RW | U | DIRTY), 'everything'],
    ['not dirty', (guest) => entry(guest.mfn(9), P | RW | U | ACCESSED), 'everything'],
    ['read-only', (guest) => entry(guest.mfn(9), P | U | ACCESSED | DIRTY), 'the lower half'],
    ['the same', (guest) => entry(guest.mfn(9), P | RW | U | ACCESSED | DIRTY), 'the lower half'],
  ];
  for (const [what, value, flushed] of changes) {
    const { world, guest } = setUp();
    assert.equal(guest.map(9, entry(guest.mfn(9), P | RW | U | ACCESSED | DIRTY)), 0);
    flush(world, guest);
    assert.equal(guest.map(9, value(guest)), 0);
    assert.equal(flush(world, guest), flushed, what);
    assert.equal(flush(world, guest), 'the lower half', what);
  }
});

test('table changes: a right to write that is lost is lost at once', () => {
  const { world, guest } = setUp();
  const canStore = (): boolean => world.engine.store(guest.vcpu.context, 9 * 4096, [1]);
  assert.ok(canStore());
  assert.equal(guest.map(9, entry(guest.mfn(9), P | U | ACCESSED | DIRTY)), 0);
  assert.ok(!canStore());
});

test('table changes: a table that the upper half is not reached through may change', () => {
  const { world, guest } = setUp();
  world.engine.upperHalfTables = new Set();
  assert.equal(guest.map(9, [0, 0]), 0);
  assert.equal(flush(world, guest), 'the lower half');
});

test('table changes: a change of an upper level makes a flush of everything, of L4 whoever uses it', () => {
  for (const level of [Boot.L2, Boot.L4]) {
    const { world, guest } = setUp();
    const table = guest.mfn(level);
    assert.equal(guest.update(table, 5, entry(guest.mfn(level + 1), P | RW | U)), 0);
    assert.equal(flush(world, guest), 'the lower half', 'a new entry is nothing that could be stale');
    assert.equal(guest.update(table, 5, [0, 0]), 0);
    assert.equal(flush(world, guest), 'everything');
  }
});

test('table changes: a base pointer with another upper half makes a flush of everything', () => {
  for (const slot of [20, 300]) {
    const { world, guest } = setUp();
    world.memory.u8.copyWithin(guest.mfn(6) * 4096, guest.mfn(Boot.L4) * 4096, (guest.mfn(Boot.L4) + 1) * 4096);
    world.raw(guest.mfn(6), slot, entry(guest.mfn(Boot.L3), P | U | RW));
    assert.equal(guest.map(6, entry(guest.mfn(6), P | U)), 0);
    flush(world, guest);
    const before = world.engine.counters.tlbFlushes;
    assert.equal(guest.extended(MmuExt.MMUEXT_NEW_BASEPTR, guest.mfn(6)), 0);
    assert.equal(world.engine.counters.tlbFlushes - before, slot === 300 ? 1 : 0);
    assert.deepEqual(world.check(), []);
  }
});
