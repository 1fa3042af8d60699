// Grants: mapping and copying by domain 0 and by guests, hostile table entries, and the end of domains that
// still hold mappings. The audit recounts every frame afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GnttabOp, GntMap, GntStatus, Gtf, Hypercall } from '../../abi/index.ts';
import type { Domid } from '../../base/index.ts';
import { Exit } from '../../engine/index.ts';
import { type GuestStep, HypervisorWorld, Page, script } from '../../../tests/support/hypervisor-world.ts';

const ARGS = Page.ARGS * 4096;
const REF = 8;

/** Machine address of a grant entry of a domain. */
function entryAt(world: HypervisorWorld, domid: Domid, ref: number): number {
  return (world.grantFrames.get(domid) ?? 0) * 4096 + 8 * ref;
}

function grant(world: HypervisorWorld, domid: Domid, ref: number, to: number, page: number, flags = 0): void {
  const at = entryAt(world, domid, ref);
  world.memory.view.setUint32(at + 4, world.frame(domid, page), true);
  world.memory.view.setUint32(at, ((to << 16) | Gtf.GTF_permit_access | flags) >>> 0, true);
}

function flagsOf(world: HypervisorWorld, domid: Domid, ref: number): number {
  return world.memory.view.getUint16(entryAt(world, domid, ref), true);
}

test('grant table: domain 0 maps what it was granted, and the entry says so meanwhile', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(() => Exit.BUDGET);
  grant(world, domid, REF, 0, Page.DATA);
  assert.equal(world.control.mapGrant(domid, REF, true), world.frame(domid, Page.DATA) * 4096);
  assert.equal(flagsOf(world, domid, REF), Gtf.GTF_permit_access | Gtf.GTF_reading | Gtf.GTF_writing);
  assert.deepEqual(world.hypervisor.audit(), []);
  world.control.unmapGrant(domid, REF, true);
  assert.equal(flagsOf(world, domid, REF), Gtf.GTF_permit_access);
  assert.throws(() => world.control.unmapGrant(domid, REF, true), /not mapped/);
  assert.deepEqual(world.hypervisor.audit(), []);
});

test('grant table: a read-only grant, a grant to another domain and a page table cannot be mapped writable', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(() => Exit.BUDGET);
  grant(world, domid, REF, 0, Page.DATA, Gtf.GTF_readonly);
  assert.equal(world.control.mapGrant(domid, REF, true), GntStatus.GNTST_general_error);
  assert.ok(world.control.mapGrant(domid, REF, false) > 0);
  world.control.unmapGrant(domid, REF, false);
  grant(world, domid, REF, 5, Page.DATA);
  assert.equal(world.control.mapGrant(domid, REF, false), GntStatus.GNTST_general_error);
  grant(world, domid, REF, 0, Page.L1);
  assert.equal(world.control.mapGrant(domid, REF, true), GntStatus.GNTST_bad_page);
  assert.equal(flagsOf(world, domid, REF), Gtf.GTF_permit_access);
  assert.equal(world.control.mapGrant(domid, 0xffffffff, false), GntStatus.GNTST_bad_gntref);
  assert.deepEqual(world.hypervisor.audit(), []);
});

test('grant table: an entry that changes while it is mapped does not change what is mapped', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(() => Exit.BUDGET);
  grant(world, domid, REF, 0, Page.DATA);
  const first = world.control.mapGrant(domid, REF, false);
  world.memory.view.setUint32(entryAt(world, domid, REF) + 4, 1, true);
  assert.equal(world.control.mapGrant(domid, REF, false), first);
  world.control.unmapGrant(domid, REF, false);
  world.control.unmapGrant(domid, REF, false);
  assert.deepEqual(world.hypervisor.audit(), []);
});

/** A guest that maps grant `REF` of `granter` at page SPARE; results go to `out`. */
function mapper(granter: Domid, flags: number, out: number[], ...more: GuestStep[]): GuestStep {
  return script(
    (guest) => {
      guest.writeU64(ARGS, Page.SPARE * 4096);
      guest.writeU32(ARGS + 8, flags);
      guest.writeU32(ARGS + 12, REF);
      guest.writeU64(ARGS + 16, granter);
      return guest.hypercall(Hypercall.__HYPERVISOR_grant_table_op, GnttabOp.GNTTABOP_map_grant_ref, ARGS, 1);
    },
    (guest) => {
      out.push(guest.world.memory.view.getInt16(guest.at(ARGS + 18), true));
      return Exit.BUDGET;
    },
    ...more,
  );
}

const unmap: GuestStep = (guest) => {
  guest.writeU64(ARGS + 8, 0);
  guest.writeU32(ARGS + 16, 0);
  return guest.hypercall(Hypercall.__HYPERVISOR_grant_table_op, GnttabOp.GNTTABOP_unmap_grant_ref, ARGS, 1);
};

/** Reads through the mapping. */
const read: GuestStep = (guest) => {
  assert.equal(guest.readU64(Page.SPARE * 4096), 0x1122334455667788n);
  assert.deepEqual(guest.world.hypervisor.audit(), []);
  return Exit.BUDGET;
};

test('grant table: a guest maps, reads, unmaps once, and not twice', () => {
  const world = new HypervisorWorld();
  const granter = world.addDomain(() => Exit.BUDGET);
  const out: number[] = [];
  const status: GuestStep = (guest) => {
    out.push(guest.world.memory.view.getInt16(guest.at(ARGS + 20), true));
    return Exit.BUDGET;
  };
  const mapperId = world.addDomain(mapper(granter, GntMap.GNTMAP_host_map, out, read, unmap, status, unmap, status));
  grant(world, granter, REF, mapperId, Page.DATA);
  world.memory.view.setBigUint64(world.frame(granter, Page.DATA) * 4096, 0x1122334455667788n, true);
  world.run(50_000_000);
  assert.deepEqual(out, [0, 0, GntStatus.GNTST_bad_handle]);
  assert.equal(flagsOf(world, granter, REF), Gtf.GTF_permit_access);
  assert.deepEqual(world.hypervisor.audit(), []);
});

test('grant table: a guest cannot use the grant of somebody else', () => {
  const world = new HypervisorWorld();
  const granter = world.addDomain(() => Exit.BUDGET);
  const out: number[] = [];
  world.addDomain(mapper(granter, GntMap.GNTMAP_host_map, out));
  grant(world, granter, REF, 0, Page.DATA);
  world.run(50_000_000);
  assert.deepEqual(out, [GntStatus.GNTST_general_error]);
});

test('grant table: a domain that dies with a mapping leaves no trace, whichever dies first', () => {
  for (const granterFirst of [false, true]) {
    const world = new HypervisorWorld();
    const free = world.control.nrFreeFrames();
    const granter = world.addDomain(() => Exit.BUDGET);
    const mapperId: Domid = world.addDomain(mapper(granter, GntMap.GNTMAP_host_map, []));
    grant(world, granter, REF, mapperId, Page.DATA);
    world.run(50_000_000);
    const order = granterFirst ? [granter, mapperId] : [mapperId, granter];
    for (const domid of [...order, ...order]) for (let i = 0; i < 5; i++) world.control.destroy(domid);
    assert.deepEqual(world.control.listDomains(), []);
    assert.equal(world.control.nrFreeFrames(), free);
    assert.deepEqual(world.hypervisor.audit(), []);
  }
});

test('grant table: copy moves bytes both ways and refuses to leave the page', () => {
  const world = new HypervisorWorld();
  const granter = world.addDomain(() => Exit.BUDGET);
  const out: number[] = [];
  const copy =
    (flags: number, length: number): GuestStep =>
    (guest) => {
      const own = { frame: guest.world.frame(copier, Page.SPARE), domid: 0x7ff0, offset: 16 };
      const theirs = { frame: REF, domid: granter, offset: 32 };
      const [source, target] = flags === 1 ? [theirs, own] : [own, theirs];
      for (const [at, side] of [
        [0, source],
        [16, target],
      ] as const) {
        guest.writeU64(ARGS + at, side.frame);
        guest.writeU16(ARGS + at + 8, side.domid);
        guest.writeU16(ARGS + at + 10, side.offset);
      }
      guest.writeU16(ARGS + 32, length);
      guest.writeU16(ARGS + 34, flags);
      return guest.hypercall(Hypercall.__HYPERVISOR_grant_table_op, GnttabOp.GNTTABOP_copy, ARGS, 1);
    };
  const status: GuestStep = (guest) => {
    out.push(guest.world.memory.view.getInt16(guest.at(ARGS + 36), true));
    return Exit.BUDGET;
  };
  const copier: Domid = world.addDomain(script(copy(1, 8), status, copy(2, 8), status, copy(1, 4090), status));
  grant(world, granter, REF, copier, Page.DATA);
  world.memory.view.setBigUint64(world.frame(granter, Page.DATA) * 4096 + 32, 77n, true);
  world.run(50_000_000);
  assert.deepEqual(out, [0, 0, GntStatus.GNTST_bad_copy_arg]);
  assert.equal(world.memory.view.getBigUint64(world.frame(copier, Page.SPARE) * 4096 + 16, true), 77n);
  assert.deepEqual(world.hypervisor.audit(), []);
});

/** Asks for a table of `count` frames. */
const setup =
  (count: number): GuestStep =>
  (guest) => {
    guest.writeU64(ARGS, 0x7ff0n + (BigInt(count) << 32n));
    guest.writeU64(ARGS + 8, 0);
    guest.writeU64(ARGS + 16, Page.DATA * 4096);
    return guest.hypercall(Hypercall.__HYPERVISOR_grant_table_op, GnttabOp.GNTTABOP_setup_table, ARGS, 1);
  };

test('grant table: setup_table grows to 32 frames, tells them, and refuses more', () => {
  const world = new HypervisorWorld();
  const results: number[] = [];
  const status: GuestStep = (guest) => {
    results.push(guest.world.memory.view.getInt16(guest.at(ARGS + 8), true));
    return Exit.BUDGET;
  };
  const domid: Domid = world.addDomain(script(setup(32), status, setup(33), status));
  world.run(100_000);
  assert.deepEqual(results, [0, GntStatus.GNTST_general_error]);
  const listed = world.memory.view.getBigUint64(world.frame(domid, Page.DATA) * 4096, true);
  assert.equal(Number(listed), world.grantFrames.get(domid));
  assert.deepEqual(world.hypervisor.audit(), []);
});

test('grant table: a use that ends after its granter does not write to the frame that the table was in', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(() => Exit.BUDGET);
  grant(world, domid, REF, 0, Page.DATA);
  world.control.mapGrant(domid, REF, true);
  for (let i = 0; i < 5; i++) assert.equal(world.control.destroy(domid), false);
  const at = entryAt(world, domid, REF);
  world.memory.view.setUint32(at, 0xffffffff, true); // the next owner's
  world.control.unmapGrant(domid, REF, true);
  assert.equal(world.memory.view.getUint32(at, true), 0xffffffff);
  assert.equal(world.control.destroy(domid), true);
  assert.deepEqual(world.hypervisor.audit(), []);
});
