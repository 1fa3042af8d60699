// Granted frames in another domain's page tables, without the grant tables themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno, GntMap, GntStatus } from '../../abi/index.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U } from '../../../tests/support/paging-world.ts';

const { GNTMAP_host_map, GNTMAP_readonly, GNTMAP_contains_pte, GNTMAP_application_map } = GntMap;
const PAGE_9 = { lo: 9 * 4096, hi: 0 };

function setUp(): { world: PagingWorld; granter: TestDomain; grantee: TestDomain } {
  const world = new PagingWorld();
  return { world, granter: world.addDomain(1), grantee: world.addDomain(2) };
}

/** A machine address as a grant host. */
function at(frame: number, offset: number): typeof PAGE_9 {
  return { lo: frame * 4096 + offset, hi: 0 };
}

/** Takes the references and maps, as the grant code does. */
function map(world: PagingWorld, granter: TestDomain, grantee: TestDomain, host: typeof PAGE_9, flags: number): number {
  const frame = granter.mfn(10);
  assert.ok(world.paging.getFrame(granter.domain, frame, (flags & GNTMAP_readonly) === 0));
  return world.paging.mapGrantedFrame(grantee.vcpu, host, GNTMAP_host_map | flags, frame);
}

test('granted frames: are mapped writable or not, and unmapped', () => {
  const { world, granter, grantee } = setUp();
  for (const flags of [0, GNTMAP_readonly, GNTMAP_application_map, 0x10000]) {
    assert.equal(map(world, granter, grantee, PAGE_9, flags), GntStatus.GNTST_okay);
    const [lo] = world.read(grantee.mfn(Boot.L1), 9);
    assert.equal((lo & RW) !== 0, flags !== GNTMAP_readonly);
    assert.equal((lo & U) !== 0, flags === GNTMAP_application_map);
    assert.equal((lo & 0x200) !== 0, flags === 0x10000);
    assert.deepEqual(world.check(), []);
    const unmap = (f: number) => world.paging.unmapGrantedFrame(grantee.vcpu, PAGE_9, f, granter.mfn(10), undefined);
    assert.equal(unmap(flags ^ GNTMAP_readonly), GntStatus.GNTST_general_error, 'the entry is not like that');
    assert.equal(unmap(flags), GntStatus.GNTST_okay);
    world.paging.putFrame(granter.mfn(10), flags !== GNTMAP_readonly);
    assert.equal(unmap(flags), GntStatus.GNTST_general_error, 'a second time');
    assert.deepEqual(world.check(), []);
  }
});

test('granted frames: no translation stays cached after unmapping', () => {
  const { world, granter, grantee } = setUp();
  assert.equal(map(world, granter, grantee, PAGE_9, 0), GntStatus.GNTST_okay);
  world.engine.flushTlb();
  assert.ok(grantee.store(9 * 4096, [5]));
  assert.equal(world.memory.u8[granter.mfn(10) * 4096], 5);
  assert.equal(world.paging.unmapGrantedFrame(grantee.vcpu, PAGE_9, 0, granter.mfn(10), undefined), 0);
  world.paging.putFrame(granter.mfn(10), true);
  assert.ok(!grantee.store(9 * 4096, [6]));
});

test('granted frames: a granter cannot make a page table of a frame that a grantee can write', () => {
  const { world, granter, grantee } = setUp();
  assert.equal(map(world, granter, grantee, PAGE_9, 0), GntStatus.GNTST_okay);
  assert.equal(granter.map(10, entry(granter.mfn(10), P)), 0);
  assert.equal(granter.extended(0, granter.mfn(10)), -Errno.EINVAL);
  assert.deepEqual(world.check(), []);
});

test('granted frames: a page table or a foreign frame cannot be granted', () => {
  const { world, granter, grantee } = setUp();
  assert.ok(!world.paging.getFrame(granter.domain, granter.mfn(Boot.L1), true));
  assert.ok(world.paging.getFrame(granter.domain, granter.mfn(Boot.L1), false), 'reading is harmless');
  world.paging.putFrame(granter.mfn(Boot.L1), false);
  assert.ok(!world.paging.getFrame(granter.domain, grantee.mfn(9), false));
  assert.ok(!world.paging.getFrame(granter.domain, 0, false));
  assert.ok(!world.paging.getFrame(granter.domain, 2 ** 33, false));
});

test('granted frames: an entry that the guest overwrites gives the references back, and cannot be put back', () => {
  const { world, granter, grantee } = setUp();
  assert.equal(map(world, granter, grantee, PAGE_9, 0), GntStatus.GNTST_okay);
  const granted = world.read(grantee.mfn(Boot.L1), 9);
  assert.equal(grantee.map(9, 0), 0);
  assert.deepEqual(world.check(), []);
  assert.equal(grantee.map(9, granted), -Errno.EBUSY);
  assert.equal(grantee.map(11, granted), -Errno.EBUSY);
  assert.equal(
    world.paging.unmapGrantedFrame(grantee.vcpu, PAGE_9, 0, granter.mfn(10), undefined),
    GntStatus.GNTST_general_error,
  );
  assert.deepEqual(world.check(), []);
});

test('granted frames: are mapped by the machine address of an entry too, if it is in a live L1 table', () => {
  const { world, granter, grantee } = setUp();
  assert.equal(map(world, granter, grantee, at(grantee.mfn(Boot.L1), 72), GNTMAP_contains_pte), 0);
  assert.deepEqual(world.check(), []);
  const hosts = [
    at(grantee.mfn(Boot.L1), 73),
    at(grantee.mfn(Boot.L2), 72),
    at(grantee.mfn(9), 72),
    at(granter.mfn(Boot.L1), 72),
    { lo: 0, hi: 0xffffffff },
  ];
  for (const host of hosts) {
    assert.equal(map(world, granter, grantee, host, GNTMAP_contains_pte), GntStatus.GNTST_general_error);
    world.paging.putFrame(granter.mfn(10), true);
  }
  assert.deepEqual(world.check(), []);
});

test('granted frames: unmapping can move another entry in their place', () => {
  const { world, granter, grantee } = setUp();
  assert.equal(map(world, granter, grantee, PAGE_9, 0), GntStatus.GNTST_okay);
  const frame = granter.mfn(10);
  const replace = (host: typeof PAGE_9) => world.paging.unmapGrantedFrame(grantee.vcpu, PAGE_9, 0, frame, host);
  assert.equal(replace(PAGE_9), GntStatus.GNTST_general_error);
  assert.equal(replace({ lo: 0, hi: 0xffff8000 }), GntStatus.GNTST_general_error);
  const moved = world.read(grantee.mfn(Boot.L1), 12);
  assert.equal(replace({ lo: 12 * 4096, hi: 0 }), GntStatus.GNTST_okay);
  world.paging.putFrame(frame, true);
  assert.deepEqual(world.read(grantee.mfn(Boot.L1), 9), moved);
  assert.deepEqual(world.read(grantee.mfn(Boot.L1), 12), [0, 0]);
  assert.deepEqual(world.check(), []);
});

test('granted frames: the audit tells a mapping without a grant', () => {
  const { world, granter, grantee } = setUp();
  assert.equal(map(world, granter, grantee, PAGE_9, 0), GntStatus.GNTST_okay);
  assert.deepEqual(world.paging.audit({ isGranted: (mapper, frame) => mapper === 2 && frame === granter.mfn(10) }), []);
  assert.equal(world.paging.audit({ isGranted: () => false }).length, 1);
});

test('a dying domain: its frames stay until a grantee lets go', () => {
  const { world, granter, grantee } = setUp();
  assert.equal(map(world, granter, grantee, PAGE_9, 0), GntStatus.GNTST_okay);
  granter.domain.dying = true;
  for (let i = 0; i < 100; i++) world.paging.relinquish(granter.domain, 10_000);
  assert.equal(granter.domain.nrFrames, 1);
  assert.equal(world.frames.owner[granter.mfn(10)], 1);
  assert.deepEqual(world.check(), []);
  assert.equal(grantee.map(9, 0), 0);
  assert.ok(world.paging.relinquish(granter.domain, 10_000));
  assert.deepEqual(world.check(), []);
});
