// Stores of a guest to its read-only mapped L1 tables, carried out by a scripted engine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vaddr } from '../../base/index.ts';
import { Cpu, Exit, Gpr } from '../../engine/index.ts';
import { PageFaultError } from '../../x86/index.ts';
import { Boot, entry, P, PagingWorld, RW, type TestDomain, U } from '../../../tests/support/paging-world.ts';

const STORE = PageFaultError.PRESENT | PageFaultError.WRITE;
const TABLE = Boot.L1 * 4096;

function setUp(): { world: PagingWorld; guest: TestDomain } {
  const world = new PagingWorld();
  return { world, guest: world.addDomain(1) };
}

function bytesOf([lo, hi]: readonly [number, number]): number[] {
  return [...new Uint8Array(new Uint32Array([lo, hi]).buffer)];
}

test('emulated store: a good entry reaches the live table with its references', () => {
  const { world, guest } = setUp();
  const value = entry(guest.mfn(9), P | RW | U);
  assert.ok(guest.store(TABLE + 100 * 8, bytesOf(value)));
  assert.deepEqual(world.read(guest.mfn(Boot.L1), 100), value);
  assert.ok(guest.store(TABLE + 100 * 8, [(value[0] & 0xfd) >>> 0]), 'one byte is enough to take RW away');
  assert.deepEqual(world.read(guest.mfn(Boot.L1), 100), [value[0] & ~RW, value[1]]);
  assert.ok(guest.store(TABLE + 100 * 8, bytesOf([0, 0])));
  assert.deepEqual(world.check(), []);
});

test('emulated store: a bad entry leaves memory and registers as they were', () => {
  const { world, guest } = setUp();
  const { engine, paging } = world;
  guest.vcpu.context.state.gpr[Gpr.RAX] = 7n;
  engine.instruction = (context) => {
    context.state.gpr[Gpr.RAX] = 8n;
    engine.store(context, TABLE + 100 * 8, bytesOf(entry(guest.mfn(9), P)));
    engine.store(context, TABLE + 101 * 8, bytesOf(entry(guest.mfn(Boot.L2), P | RW)));
    return Exit.BUDGET;
  };
  assert.equal(paging.handlePageFault(guest.vcpu, vaddr(TABLE + 100 * 8), STORE), false);
  assert.equal(guest.vcpu.context.state.gpr[Gpr.RAX], 7n);
  assert.deepEqual(world.read(guest.mfn(Boot.L1), 100), [0, 0]);
  assert.deepEqual(world.check(), []);
});

test('emulated store: an instruction that faults elsewhere keeps what it had done, or gives the guest its fault', () => {
  const { world, guest } = setUp();
  const { engine, paging } = world;
  engine.instruction = (context) => {
    engine.store(context, TABLE + 100 * 8, bytesOf(entry(guest.mfn(9), P)));
    context.state.gpr[Gpr.RDI] = 1n;
    return engine.fault(0x900000, 0);
  };
  assert.equal(paging.handlePageFault(guest.vcpu, vaddr(TABLE + 100 * 8), STORE), true);
  assert.deepEqual(world.read(guest.mfn(Boot.L1), 100), entry(guest.mfn(9), P));
  engine.instruction = () => engine.fault(0x900000, 0);
  assert.equal(paging.handlePageFault(guest.vcpu, vaddr(TABLE + 100 * 8), STORE), false);
  assert.deepEqual(world.check(), []);
});

test('emulated store: faults that are the guest’s own are left alone', () => {
  const { world, guest } = setUp();
  const { engine, paging } = world;
  engine.instruction = () => {
    throw new Error('nothing is to be emulated');
  };
  const handle = (address: number, error = STORE) => paging.handlePageFault(guest.vcpu, vaddr(address), error);
  assert.equal(guest.map(9, entry(guest.mfn(9), P | U)), 0);
  assert.equal(handle(9 * 4096), false, 'a read-only page');
  assert.equal(handle(Boot.L2 * 4096), false, 'an L2 table');
  assert.equal(handle(10 * 4096), false, 'a writable page');
  assert.equal(handle(300 * 4096), false, 'no page');
  assert.equal(handle(0x800000000000), false, 'the machine-to-phys table');
  assert.equal(handle(TABLE, PageFaultError.PRESENT), false, 'a read');
  assert.equal(handle(TABLE, PageFaultError.WRITE), false, 'not present');
  guest.vcpu.context.state.writeU32(Cpu.KERNEL_MODE, 0);
  assert.equal(handle(TABLE), false, 'user mode');
});
