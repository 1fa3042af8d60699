// Several vCPUs: bringing them up, sharing time between them and between domains.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno, Hypercall, SchedOp, VCPU_GUEST_CONTEXT, VcpuOp, CPU_USER_REGS, Vgcf } from '../../abi/index.ts';
import type { Domid } from '../../base/index.ts';
import { Exit } from '../../engine/index.ts';
import type { Vcpu } from '../vcpu.ts';
import { RoundRobin } from './round-robin.ts';
import { PutReason } from './scheduler.ts';
import {
  type GuestStep,
  type GuestVcpu,
  HypervisorWorld,
  Page,
  script,
  STACK_TOP,
} from '../../../tests/support/hypervisor-world.ts';

/** Two pages next to each other for a vCPU context, which is longer than one. */
const CONTEXT = Page.SPARE * 4096;

/** Fills a context that starts at `rip` on the boot root. */
function fillContext(guest: GuestVcpu, domid: Domid, rip: bigint): void {
  for (let at = 0; at < 5168; at += 8) guest.writeU64(CONTEXT + at, 0);
  const regs = CONTEXT + VCPU_GUEST_CONTEXT.user_regs;
  guest.writeU64(CONTEXT + VCPU_GUEST_CONTEXT.flags, Vgcf.VGCF_in_kernel);
  guest.writeU64(regs + CPU_USER_REGS.rip, rip);
  guest.writeU64(regs + CPU_USER_REGS.rsp, STACK_TOP);
  guest.writeU64(regs + CPU_USER_REGS.rflags, 0x1000);
  guest.writeU64(regs + CPU_USER_REGS.cs, 0xe033);
  guest.writeU64(regs + CPU_USER_REGS.ss, 0xe02b);
  guest.writeU64(regs + CPU_USER_REGS.rdi, 0x77);
  guest.writeU64(CONTEXT + VCPU_GUEST_CONTEXT.ctrlreg + 24, guest.world.frame(domid, Page.L4) * 4096);
  guest.writeU64(CONTEXT + VCPU_GUEST_CONTEXT.gs_base_kernel, 0x5000);
}

function vcpuOp(command: number, vcpu: number, argument = 0): GuestStep {
  return (guest) => guest.hypercall(Hypercall.__HYPERVISOR_vcpu_op, command, vcpu, argument);
}

function result(guest: GuestVcpu): number {
  return Number(BigInt.asIntN(64, guest.get('RAX')));
}

const yieldNow: GuestStep = (guest) => guest.hypercall(Hypercall.__HYPERVISOR_sched_op, SchedOp.SCHEDOP_yield, 0);

/** First instruction of the second vCPU. */
const AP_RIP = 0x6400n;

test('vcpu_op: a second vCPU is initialised once, brought up, and runs while the first one yields', () => {
  const world = new HypervisorWorld();
  const results: number[] = [];
  let apRan = 0;
  let yields = 0;
  const keep: GuestStep = (guest) => {
    results.push(result(guest));
    return Exit.BUDGET;
  };
  const boot = script(
    vcpuOp(VcpuOp.VCPUOP_is_up, 1),
    keep,
    vcpuOp(VcpuOp.VCPUOP_is_up, 2),
    keep,
    vcpuOp(VcpuOp.VCPUOP_up, 1),
    keep,
    (guest) => {
      fillContext(guest, domid, AP_RIP);
      return vcpuOp(VcpuOp.VCPUOP_initialise, 1, CONTEXT)(guest);
    },
    keep,
    vcpuOp(VcpuOp.VCPUOP_initialise, 1, CONTEXT),
    keep,
    vcpuOp(VcpuOp.VCPUOP_up, 1),
    keep,
  );
  const domid: Domid = world.addDomain(
    (guest) => {
      if (guest.context.state.rip >= AP_RIP) {
        apRan++;
        assert.equal(guest.get('RDI'), 0x77n);
        assert.equal(guest.kernelMode, true);
        assert.equal(guest.context.state.rflags & 0x3000, 0);
        return Exit.BUDGET;
      }
      if (results.length < 6) return boot(guest);
      yields++;
      return apRan > 0 ? Exit.BUDGET : yieldNow(guest);
    },
    { maxVcpus: 2 },
  );
  world.run(3_000_000);
  assert.deepEqual(results, [0, -Errno.ENOENT, -Errno.EINVAL, 0, -Errno.EEXIST, 0]);
  assert.ok(apRan > 0);
  assert.ok(yields > 0);
  assert.deepEqual(world.hypervisor.audit(), []);
});

for (const [what, at, value] of [
  ['a root that is no table', VCPU_GUEST_CONTEXT.ctrlreg + 24, 0x7000n],
  ['a root of nobody', VCPU_GUEST_CONTEXT.ctrlreg + 24, 2n ** 50n],
  ['a non-canonical rip', VCPU_GUEST_CONTEXT.user_regs + CPU_USER_REGS.rip, 2n ** 47n],
  ['a non-canonical trap handler', VCPU_GUEST_CONTEXT.trap_ctxt + 8, 2n ** 60n],
  ['too many GDT entries', VCPU_GUEST_CONTEXT.gdt_ents, 2n ** 40n],
  ['user mode without a user root', VCPU_GUEST_CONTEXT.flags, 0n],
] as const) {
  test(`vcpu_op: initialise refuses ${what} and keeps no reference`, () => {
    const world = new HypervisorWorld();
    let outcome = 0;
    const domid: Domid = world.addDomain(
      script(
        (guest) => {
          fillContext(guest, domid, AP_RIP);
          guest.writeU64(CONTEXT + at, value);
          return vcpuOp(VcpuOp.VCPUOP_initialise, 1, CONTEXT)(guest);
        },
        (guest) => {
          outcome = result(guest);
          return Exit.BUDGET;
        },
      ),
      { maxVcpus: 2 },
    );
    world.run(100_000);
    assert.ok(outcome < 0, `${outcome}`);
    assert.deepEqual(world.hypervisor.audit(), []);
  });
}

test('scheduler: two busy domains share the time evenly', () => {
  const world = new HypervisorWorld();
  world.nsPerEntry = 20_000;
  const counts = [0, 0];
  for (const i of [0, 1]) {
    world.addDomain(() => {
      counts[i] = (counts[i] ?? 0) + 1;
      return Exit.BUDGET;
    });
  }
  world.run(100_000_000);
  const ratio = (counts[0] ?? 0) / (counts[1] ?? 1);
  assert.ok(ratio > 0.8 && ratio < 1.25, `${counts[0]} to ${counts[1]}`);
});

test('scheduler: vCPUs that wake each other all the time share one turn and starve nobody', () => {
  const scheduler = new RoundRobin();
  const [ping, pong, other] = ['ping', 'pong', 'other'].map((name) => ({ name, queued: false }) as unknown as Vcpu); // all it looks at
  assert.ok(ping !== undefined && pong !== undefined && other !== undefined);
  scheduler.wake(ping);
  scheduler.wake(other);
  const spent = new Map<Vcpu, number>();
  let running = scheduler.pick(0);
  for (let now = 0; now < 100_000_000; now += 10_000) {
    assert.ok(running !== undefined);
    spent.set(running, (spent.get(running) ?? 0) + 1);
    const expired = now >= scheduler.turnEndNs();
    if (running === other) {
      if (expired) scheduler.put(other, now, PutReason.EXPIRED);
      else continue;
    } else {
      // Each wakes its twin and goes to sleep.
      scheduler.wake(running === ping ? pong : ping);
    }
    running = scheduler.pick(now);
  }
  const share = (spent.get(other) ?? 0) / 10_000;
  assert.ok(share > 0.4 && share < 0.6, `${share}`);
});

test('scheduler: when the last vCPU goes down the domain has powered off', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(script(vcpuOp(VcpuOp.VCPUOP_down, 0)));
  world.run(100_000);
  assert.equal(world.control.domainInfo(domid)?.shutdownReason, 0);
});

test('run loop: returns in time although the guest never stops', () => {
  const world = new HypervisorWorld();
  world.addDomain(() => Exit.BUDGET);
  const end = world.nowNs + 3_000_000;
  const outcome = world.hypervisor.run(end);
  assert.equal(outcome.idle, false);
  assert.ok(world.nowNs >= end && world.nowNs < end + 1_000_000);
});
