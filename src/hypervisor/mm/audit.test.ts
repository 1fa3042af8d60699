// The audit agrees with a sound machine and tells each kind of damage that is done to the frame table.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameFlag } from '../../machine/index.ts';
import { Boot, entry, P, PagingWorld, RW } from '../../../tests/support/paging-world.ts';

test('audit: agrees with a machine nobody has touched', () => {
  const world = new PagingWorld();
  world.addDomain(1);
  world.addDomain(2);
  assert.deepEqual(world.check(), []);
});

test('audit: tells each kind of disagreement', () => {
  const world = new PagingWorld();
  const guest = world.addDomain(1);
  const other = world.addDomain(2);
  const { frames } = world;
  const l1 = guest.mfn(Boot.L1);
  const change = (array: Uint8Array | Uint16Array | Uint32Array, index: number, value: number, expected: RegExp) => {
    const before = array[index] ?? 0;
    array[index] = value;
    assert.match(world.paging.audit().join('\n'), expected);
    array[index] = before;
    assert.deepEqual(world.paging.audit(), []);
  };
  change(frames.refCount, guest.mfn(9), 7, /reference count is 7, should be 2/);
  change(frames.typeCount, guest.mfn(9), 2, /type count is 2, should be 1/);
  change(frames.type, guest.mfn(9), 5, /as type 6, but it is of type 5/);
  change(frames.flags, l1, FrameFlag.ALLOCATED, /used unvalidated/);
  change(frames.flags, guest.mfn(9), FrameFlag.ALLOCATED | FrameFlag.PINNED, /reference count/);
  change(world.memory.u32, l1 * 1024 + 18, entry(l1, P | RW)[0], /as type 6, but it is of type 1/);
  change(world.memory.u32, l1 * 1024 + 18, entry(guest.mfn(9), P | RW | 0x80)[0], /bad bits/);
  change(world.memory.u32, l1 * 1024 + 18, entry(4000, P)[0], /does not exist/);
  change(world.memory.u32, guest.mfn(Boot.L4) * 1024 + 512, entry(other.mfn(9), P)[0], /slot of the hypervisor/);
  change(world.memory.u32, guest.mfn(Boot.L2) * 1024 + 4, entry(other.mfn(Boot.L1), P)[0], /of owner 2/);
  const free = frames.owner.indexOf(0x7ff4, 1);
  change(frames.refCount, free, 1, /free frame \d+ has references/);
  guest.domain.nrFrames++;
  assert.match(world.paging.audit().join('\n'), /domain 1 owns 32 frames, its count says 33/);
});
