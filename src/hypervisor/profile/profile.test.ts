// Profiles: what is counted where, and that the times of all accounts add up to the whole.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Errno, Hypercall, MmuExt, MULTICALL_ENTRY_SIZE, SchedOp, XenVer } from '../../abi/index.ts';
import { Assist, Exit } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import { type GuestVcpu, HypervisorWorld, Page, script } from '../../../tests/support/hypervisor-world.ts';
import type { ProfileReport } from './profile.ts';
import type { ProfileRow } from './tally.ts';

const ARGS = Page.ARGS * 4096;
const DATA = Page.DATA * 4096;

/** Runs steps of guest code for a while on a machine whose every look at the clock takes 10 ns, an entry 1000. */
function profileOf(...steps: Parameters<typeof script>): ProfileReport {
  const world = new HypervisorWorld({ profiled: true, nsPerLook: 10 });
  world.addDomain(script(...steps));
  world.run(1_000_000);
  return world.control.profile() ?? assert.fail('there is no profile');
}

function counts(rows: readonly ProfileRow[]): Record<string, number> {
  return Object.fromEntries(rows.map((row) => [row.name, row.count]));
}

function sum(rows: readonly ProfileRow[], of: 'ns' | 'count'): number {
  return rows.reduce((total, row) => total + row[of], 0);
}

function writeEntry(guest: GuestVcpu, n: number, op: number, ...args: number[]): void {
  const at = DATA + n * MULTICALL_ENTRY_SIZE;
  guest.writeU64(at, op);
  for (const [i, arg] of args.entries()) guest.writeU64(at + 16 + 8 * i, arg);
}

test('profile: a machine that was not made to measure has none', () => {
  assert.equal(new HypervisorWorld().control.profile(), undefined);
});

test('profile: nothing is counted before guest code has run', () => {
  const world = new HypervisorWorld({ profiled: true, nsPerLook: 10 });
  world.run(100_000);
  assert.equal(world.control.profile()?.totalNs, 0);
});

test('profile: the times of all accounts add up to the whole', () => {
  const profile = profileOf(
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_xen_version, XenVer.XENVER_version, 0),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_set_timer_op, 1_600_000),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_sched_op, SchedOp.SCHEDOP_block, 0),
  );
  const { guestNs, loopNs, domain0Ns, idleNs, measuringNs } = profile;
  assert.ok(guestNs > 0 && loopNs > 0 && idleNs > 0 && measuringNs > 0);
  assert.equal(guestNs + loopNs + domain0Ns + idleNs + measuringNs + sum(profile.exits, 'ns'), profile.totalNs);
  assert.equal(sum(profile.exits, 'count'), profile.entries);
  assert.ok(guestNs >= 1000 * profile.entries);
});

test('profile: exits are told apart by reason, exceptions by vector, assists by instruction', () => {
  const profile = profileOf(
    (guest) => {
      Object.assign(guest.world.engine.exit, { assist: Assist.CPUID, nextRip: guest.context.state.rip });
      return Exit.ASSIST;
    },
    () => Exit.BUDGET,
    (guest) => {
      Object.assign(guest.world.engine.exit, { vector: Vector.GP, errorCode: 0 });
      return Exit.EXCEPTION; // nobody handles it: the domain ends
    },
  );
  assert.deepEqual(counts(profile.exits), { assist: 1, exception: 1, 'end of a time slice': 1 });
  assert.deepEqual(counts(profile.exceptions), { '#GP in kernel mode': 1 });
  assert.deepEqual(counts(profile.assists), { cpuid: 1 });
  assert.equal(profile.exceptions[0]?.ns, profile.exits.find((row) => row.name === 'exception')?.ns);
});

test('profile: hypercalls are told apart by operation, flush and length', () => {
  const steps: Parameters<typeof script> = [
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_xen_version, XenVer.XENVER_version, 0),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_mmu_update, ARGS, 1, 0, 0x7ff0),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_mmu_update, ARGS, 5, 0, 0x7ff0),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_update_va_mapping, 0, 0, 1),
    (guest) => {
      guest.writeU32(ARGS, MmuExt.MMUEXT_TLB_FLUSH_LOCAL);
      return guest.hypercall(Hypercall.__HYPERVISOR_mmuext_op, ARGS, 1, 0, 0x7ff0);
    },
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_mmuext_op, -1, 1, 0, 0x7ff0),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_sched_op, 0xffff_ffff, 0),
    (guest) => guest.hypercall(63),
    (guest) => guest.hypercall(0x1_0000_0000),
  ];
  assert.deepEqual(counts(profileOf(...steps).hypercalls), {
    'xen_version XENVER_version': 1,
    'mmu_update of 1': 1,
    'mmu_update of 2 to 7': 1,
    'update_va_mapping UVMF_TLB_FLUSH': 1,
    'mmuext_op MMUEXT_TLB_FLUSH_LOCAL': 1,
    'mmuext_op of another kind': 1,
    'sched_op of another kind': 1,
    'unknown hypercalls': 2,
  });
});

test('profile: the entries of a multicall are measured within it', () => {
  let result = 0n;
  const profile = profileOf(
    (guest) => {
      writeEntry(guest, 0, Hypercall.__HYPERVISOR_xen_version, XenVer.XENVER_version, 0);
      writeEntry(guest, 1, Hypercall.__HYPERVISOR_sched_op, SchedOp.SCHEDOP_yield, 0);
      return guest.hypercall(Hypercall.__HYPERVISOR_multicall, DATA, 2);
    },
    (guest) => {
      result = guest.get('RAX');
      return Exit.BUDGET;
    },
  );
  assert.equal(result, 0n);
  assert.deepEqual(counts(profile.hypercalls), { 'multicall of 2 to 7': 1 });
  assert.deepEqual(counts(profile.multicallEntries), { 'xen_version XENVER_version': 1, 'sched_op SCHEDOP_yield': 1 });
  assert.ok(sum(profile.multicallEntries, 'ns') < sum(profile.hypercalls, 'ns'));
});

test('profile: measuring changes no result', () => {
  const results = [false, true].map((profiled) => {
    const seen: bigint[] = [];
    const world = new HypervisorWorld({ profiled });
    const note = (guest: GuestVcpu): void => void seen.push(guest.get('RAX'));
    world.addDomain(
      script(
        (guest) => guest.hypercall(Hypercall.__HYPERVISOR_xen_version, XenVer.XENVER_version, 0),
        (guest) => (note(guest), guest.hypercall(Hypercall.__HYPERVISOR_mmuext_op, -1, 1, 0, 0x7ff0)),
        (guest) => (note(guest), Exit.BUDGET),
      ),
    );
    world.run(100_000);
    return seen;
  });
  assert.deepEqual(results[0], [0x40011n, BigInt.asUintN(64, BigInt(-Errno.EFAULT))]);
  assert.deepEqual(results[1], results[0]);
});
