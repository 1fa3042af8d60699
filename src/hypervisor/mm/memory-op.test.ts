// Reservation calls: what a balloon driver does, and what a guest may ask about memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno, XenMem } from '../../abi/index.ts';
import { domid, pfn, vaddr } from '../../base/index.ts';
import { Access } from '../../engine/index.ts';
import { Domain } from '../domain.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U, type Word } from '../../../tests/support/paging-world.ts';

const SELF = 0x7ff0;
const ARGS = Boot.ARGS * 4096;
const LIST = ARGS + 1024;
/** Word of the argument page at which `LIST` starts. */
const LIST_WORD = 128;

function setUp(work?: number): { world: PagingWorld; guest: TestDomain } {
  const world = new PagingWorld(512, work);
  return { world, guest: world.addDomain(1) };
}

/** A list call of memory_op. */
function change(
  world: PagingWorld,
  guest: TestDomain,
  command: number,
  list: readonly Word[],
  order = 0,
  id = SELF,
): number {
  const head: Word[] = [LIST, list.length, [order, 0], [id, 0]];
  const padding = Array.from({ length: LIST_WORD - head.length }, () => 0);
  assert.ok(guest.writeArgs([...head, ...padding, ...list]));
  return guest.call(world.paging.memoryOp, [command, ARGS]);
}

function pfnOf(world: PagingWorld, guest: TestDomain, frame: number): [number, number] {
  const at = world.engine.translate(guest.vcpu.context, vaddr(0x800000000000 + 8 * frame), Access.READ, true);
  assert.ok(at >= 0, 'the machine-to-phys table is mapped');
  return [world.memory.u32[at / 4] ?? 0, world.memory.u32[at / 4 + 1] ?? 0];
}

test('memory_op: a frame given back is free when its last mapping is gone', () => {
  const { world, guest } = setUp();
  const free = world.allocator.nrFree;
  const nr = guest.domain.nrFrames;
  assert.equal(change(world, guest, XenMem.XENMEM_decrease_reservation, [guest.mfn(9)]), 1);
  assert.equal(world.allocator.nrFree, free);
  assert.equal(change(world, guest, XenMem.XENMEM_decrease_reservation, [guest.mfn(9)]), 0, 'a second time');
  assert.equal(guest.map(9, 0), 0);
  assert.equal(world.allocator.nrFree, free + 1);
  assert.equal(guest.domain.nrFrames, nr - 1);
  assert.deepEqual(pfnOf(world, guest, guest.mfn(9)), [0xffffffff, 0xffffffff]);
  assert.deepEqual(world.check(), []);
});

test('memory_op: what is not the guest’s to give is refused', () => {
  const { world, guest } = setUp();
  const other = world.addDomain(2);
  const decrease = (frame: Word) => change(world, guest, XenMem.XENMEM_decrease_reservation, [frame]);
  for (const frame of [other.mfn(9), guest.domain.sharedInfo, 0, 511, 512, 2 ** 50]) assert.equal(decrease(frame), 0);
  assert.equal(change(world, guest, XenMem.XENMEM_decrease_reservation, [other.mfn(9)], 0, 2), 0);
  assert.deepEqual(world.check(), []);
});

test('memory_op: populate gives scattered, empty frames with the pfns asked for, up to the maximum', () => {
  const { world, guest } = setUp();
  const room = guest.domain.maxFrames - guest.domain.nrFrames;
  const pfns = Array.from({ length: room + 2 }, (_, i) => 1000 + i);
  assert.equal(change(world, guest, XenMem.XENMEM_populate_physmap, pfns), room);
  const [frame] = world.read(guest.mfn(Boot.ARGS), LIST_WORD);
  assert.deepEqual(pfnOf(world, guest, frame), [1000, 0]);
  assert.equal(guest.map(20, entry(frame, P | RW | U)), 0);
  assert.deepEqual(world.check(), []);
});

test('memory_op: a run of frames is aligned and adjacent', () => {
  const { world, guest } = setUp();
  assert.equal(change(world, guest, XenMem.XENMEM_populate_physmap, [64], 3), 1);
  const [first] = world.read(guest.mfn(Boot.ARGS), LIST_WORD);
  assert.equal(first % 8, 0);
  assert.deepEqual(pfnOf(world, guest, first + 7), [71, 0]);
  assert.equal(change(world, guest, XenMem.XENMEM_decrease_reservation, [first], 3), 1);
  assert.deepEqual(world.check(), []);
});

test('memory_op: a run is not larger than allowed', () => {
  const world = new PagingWorld(32768);
  const guest = world.addDomain(1, 32, 3000);
  assert.equal(change(world, guest, XenMem.XENMEM_populate_physmap, [64], 9), 1);
  assert.equal(change(world, guest, XenMem.XENMEM_populate_physmap, [64], 10), 0);
  assert.equal(change(world, guest, XenMem.XENMEM_populate_physmap, [64], 0xffffffff), 0);
  assert.deepEqual(world.check(), []);
});

test('memory_op: a frame that comes back holds nothing of before, and no stale translation leads to it', () => {
  const { world, guest } = setUp();
  assert.ok(guest.store(9 * 4096, [1, 2, 3]));
  assert.equal(change(world, guest, XenMem.XENMEM_decrease_reservation, [guest.mfn(9)]), 1);
  assert.equal(guest.map(9, 0), 0);
  const mfns = new Uint32Array(world.allocator.nrFree);
  world.engine.codeFrames.add(guest.mfn(9)); // decoded through the stale translation
  const other = new Domain(domid(2), 'd2', { maxVcpus: 1, maxFrames: 1000 });
  world.domains.set(other.domid, other);
  assert.equal(world.paging.populate(other, pfn(0), mfns), mfns.length);
  assert.equal(world.frames.owner[guest.mfn(9)], other.domid);
  assert.ok(world.memory.frame(guest.mfn(9)).every((byte) => byte === 0));
  assert.ok(!guest.store(9 * 4096, [1, 2, 3]), 'the translation is gone');
  assert.ok(!world.engine.hasCode(guest.mfn(9)), 'so is what was decoded');
  assert.deepEqual(world.check(), []);
});

test('memory_op: a frame that was only read leaves no translation either', () => {
  const { world, guest } = setUp();
  const read = () => world.engine.translate(guest.vcpu.context, vaddr(9 * 4096), Access.READ, true);
  assert.equal(guest.map(9, entry(guest.mfn(9), P), 1), 0);
  assert.ok(read() > 0);
  assert.equal(change(world, guest, XenMem.XENMEM_decrease_reservation, [guest.mfn(9)]), 1);
  assert.equal(guest.map(9, 0), 0);
  assert.ok(read() > 0, 'the guest asked for no flush');
  world.paging.populate(guest.domain, pfn(0), new Uint32Array(16));
  const other = new Domain(domid(2), 'd2', { maxVcpus: 1, maxFrames: 1000 });
  world.domains.set(other.domid, other);
  world.paging.populate(other, pfn(0), new Uint32Array(world.allocator.nrFree));
  assert.equal(read(), -1);
});

test('memory_op: a long list is continued', () => {
  const { world, guest } = setUp(64);
  const count = 12;
  const pfns = Array.from({ length: count }, (_, i) => i);
  assert.equal(change(world, guest, XenMem.XENMEM_populate_physmap, pfns), count);
  assert.equal(guest.domain.nrFrames, 32 + count);
  assert.deepEqual(world.check(), []);
});

test('memory_op: increase_reservation gives frames without pfns', () => {
  const { world, guest } = setUp();
  assert.equal(change(world, guest, XenMem.XENMEM_increase_reservation, [0, 0]), 2);
  const [frame] = world.read(guest.mfn(Boot.ARGS), LIST_WORD + 1);
  assert.deepEqual(pfnOf(world, guest, frame), [0xffffffff, 0xffffffff]);
  assert.deepEqual(world.check(), []);
});

/** XENMEM_exchange of single frames for a run of 2^order. */
function exchange(world: PagingWorld, guest: TestDomain, frames: readonly number[], order: number): number {
  const inSide: Word[] = [LIST, frames.length, [0, 0], [SELF, 0]];
  const outSide: Word[] = [LIST + 512, frames.length / 2 ** order, [order, 0], [SELF, 0]];
  const padding = Array.from({ length: LIST_WORD - 9 }, () => 0);
  const gap = Array.from({ length: 64 - frames.length }, () => 0);
  assert.ok(guest.writeArgs([...inSide, ...outSide, 0, ...padding, ...frames, ...gap, 500, 504]));
  return guest.call(world.paging.memoryOp, [XenMem.XENMEM_exchange, ARGS]);
}

test('memory_op: exchange trades single frames for a run, chunk by chunk', () => {
  const { world, guest } = setUp(32);
  for (let n = 10; n < 18; n++) assert.equal(guest.map(n, 0), 0);
  const frames = Array.from({ length: 8 }, (_, i) => guest.mfn(10 + i));
  assert.equal(exchange(world, guest, frames, 2), 0);
  assert.equal(guest.domain.nrFrames, 32);
  const [first] = world.read(guest.mfn(Boot.ARGS), LIST_WORD + 64);
  assert.equal(first % 4, 0);
  assert.deepEqual(pfnOf(world, guest, first + 3), [503, 0]);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 8), [8, 0]);
  assert.deepEqual(world.check(), []);
});

test('memory_op: exchange of a frame in use changes nothing', () => {
  const { world, guest } = setUp();
  for (let n = 10; n < 13; n++) assert.equal(guest.map(n, 0), 0);
  const free = world.allocator.nrFree;
  const frames = [guest.mfn(10), guest.mfn(11), guest.mfn(12), guest.mfn(13)];
  assert.equal(exchange(world, guest, frames, 2), -Errno.EINVAL, 'the last one is mapped');
  assert.equal(guest.map(13, entry(guest.mfn(13), P)), 0);
  assert.equal(exchange(world, guest, frames, 2), -Errno.EINVAL, 'it is mapped read-only');
  assert.equal(exchange(world, guest, [guest.mfn(10), guest.mfn(10)], 1), -Errno.EINVAL, 'one twice');
  assert.equal(exchange(world, guest, frames, 12), -Errno.EPERM);
  assert.equal(world.allocator.nrFree, free);
  assert.deepEqual(world.check(), []);
});

test('memory_op: a guest learns its reservation, its memory map and the machine-to-phys table', () => {
  const { world, guest } = setUp();
  const call = (command: number) => guest.call(world.paging.memoryOp, [command, ARGS]);
  assert.ok(guest.writeArgs([[SELF, 0]]));
  assert.equal(call(XenMem.XENMEM_current_reservation), 32);
  assert.equal(call(XenMem.XENMEM_maximum_reservation), 48);
  assert.equal(call(XenMem.XENMEM_maximum_ram_page), 512);
  assert.ok(guest.writeArgs([[9, 0]]));
  assert.equal(call(XenMem.XENMEM_current_reservation), -Errno.ESRCH);

  assert.equal(call(XenMem.XENMEM_machphys_mapping), 0);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 0), [0, 0xffff8000]);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 1), [0, 0xffff8040]);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 2), [511, 0]);

  assert.ok(guest.writeArgs([[8, 0], LIST, 0]));
  assert.equal(call(XenMem.XENMEM_machphys_mfn_list), 0);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 2), [1, 0]);

  assert.ok(guest.writeArgs([[4, 0], LIST]));
  assert.equal(call(XenMem.XENMEM_memory_map), 0);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), LIST_WORD + 1), [48 * 4096, 0]);
  assert.deepEqual(world.read(guest.mfn(Boot.ARGS), 0), [1, 0]);
});

test('memory_op: what a guest may not or cannot have has the right error', () => {
  const { world, guest } = setUp();
  const call = (command: number) => guest.call(world.paging.memoryOp, [command, ARGS]);
  assert.ok(guest.writeArgs([[SELF, 0]]));
  assert.equal(call(XenMem.XENMEM_machine_memory_map), -Errno.EPERM);
  assert.equal(call(XenMem.XENMEM_add_to_physmap), -Errno.EACCES);
  assert.equal(call(XenMem.XENMEM_get_sharing_freed_pages), -Errno.ENOSYS);
  assert.equal(call(63), -Errno.ENOSYS);
  assert.equal(call(XenMem.XENMEM_maximum_ram_page + 64), -Errno.EINVAL, 'progress where there is none');
  assert.equal(guest.call(world.paging.memoryOp, [XenMem.XENMEM_exchange, 400 * 4096]), -Errno.EFAULT);
  assert.equal(guest.call(world.paging.memoryOp, [XenMem.XENMEM_machphys_mapping, Boot.L1 * 4096]), -Errno.EFAULT);
});
