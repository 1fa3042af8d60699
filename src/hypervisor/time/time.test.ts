// Timers, clocks, run states and polling, with a clock that the tests move.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno, EvtchnOp, Hypercall, SchedOp, SHARED_INFO, VcpuOp, Virq, VmAssist } from '../../abi/index.ts';
import type { Domid } from '../../base/index.ts';
import { Exit } from '../../engine/index.ts';
import {
  type GuestStep,
  type GuestVcpu,
  HypervisorWorld,
  Page,
  script,
} from '../../../tests/support/hypervisor-world.ts';

const ARGS = Page.ARGS * 4096;

const bindTimer: GuestStep = (guest) => {
  guest.writeU32(ARGS, Virq.VIRQ_TIMER);
  guest.writeU32(ARGS + 4, 0);
  return guest.hypercall(Hypercall.__HYPERVISOR_event_channel_op, EvtchnOp.EVTCHNOP_bind_virq, ARGS);
};

/** Arms the single-shot timer `delay` from now. */
function arm(delay: number, flags = 0): GuestStep {
  return (guest) => {
    guest.writeU64(ARGS, guest.world.nowNs + delay);
    guest.writeU64(ARGS + 8, flags);
    return guest.hypercall(Hypercall.__HYPERVISOR_vcpu_op, VcpuOp.VCPUOP_set_singleshot_timer, 0, ARGS);
  };
}

const block: GuestStep = (guest) => guest.hypercall(Hypercall.__HYPERVISOR_sched_op, SchedOp.SCHEDOP_block, 0);

/** Result of the last hypercall. */
function result(guest: GuestVcpu): number {
  return Number(BigInt.asIntN(64, guest.get('RAX')));
}

function isPending(world: HypervisorWorld, domid: Domid, port: number): boolean {
  return ((world.memory.u8[world.sharedInfo(domid) + SHARED_INFO.evtchn_pending] ?? 0) & (1 << port)) !== 0;
}

test('timer: a single shot wakes a blocked vCPU at its time, and the pCPU is idle until then', () => {
  const world = new HypervisorWorld();
  const started = world.nowNs;
  const domid = world.addDomain(script(bindTimer, arm(7_000_000), block));
  let outcome = world.hypervisor.run(world.nowNs + 1_000_000_000);
  assert.equal(outcome.idle, true);
  assert.ok(outcome.wakeAtNs > started + 7_000_000 && outcome.wakeAtNs < started + 7_100_000);
  assert.ok(!isPending(world, domid, 1));
  world.nowNs = outcome.wakeAtNs;
  // The guest has no event handler: the upcall that wakes it crashes it, which shows that it was due.
  outcome = world.hypervisor.run(world.nowNs + 10_000);
  assert.ok(isPending(world, domid, 1));
  assert.match(world.control.crashReport(domid)?.reason ?? '', /event upcall/);
});

test('timer: one that has passed fires at once, and with the future flag fails with -ETIME', () => {
  const world = new HypervisorWorld();
  const results: number[] = [];
  const keep: GuestStep = (guest) => {
    results.push(result(guest));
    return Exit.BUDGET;
  };
  const domid = world.addDomain(script(bindTimer, arm(-5000, 1), keep, arm(-5000), keep));
  world.run(2_000_000);
  assert.deepEqual(results, [-Errno.ETIME, 0]);
  assert.ok(isPending(world, domid, 1));
});

/** Starts the periodic timer. */
const set =
  (period: number): GuestStep =>
  (guest) => {
    guest.writeU64(ARGS, period);
    return guest.hypercall(Hypercall.__HYPERVISOR_vcpu_op, VcpuOp.VCPUOP_set_periodic_timer, 0, ARGS);
  };

test('timer: the periodic timer ticks, and a period under a millisecond is refused', () => {
  const world = new HypervisorWorld();
  let ticks = 0;
  const results: number[] = [];
  const steps = [bindTimer, set(999_999), set(2_000_000)];
  const domid: Domid = world.addDomain((guest) => {
    const step = steps.shift();
    results.push(result(guest));
    if (step !== undefined) return step(guest);
    if (isPending(world, domid, 1)) {
      ticks++;
      world.memory.u8[world.sharedInfo(domid) + SHARED_INFO.evtchn_pending] = 0;
    }
    return Exit.BUDGET;
  });
  world.nsPerEntry = 100_000;
  world.run(20_500_000);
  assert.equal(results[2], -Errno.EINVAL);
  assert.ok(ticks >= 9 && ticks <= 10, `${ticks} ticks`);
});

test('time: tsc is system time, and the wall clock belongs to it', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(() => Exit.BUDGET);
  const info = world.sharedInfo(domid);
  const { view } = world.memory;
  assert.equal(view.getUint32(info + 32, true) % 2, 0);
  assert.equal(view.getBigUint64(info + 32 + 8, true), view.getBigUint64(info + 32 + 16, true));
  assert.equal(view.getUint32(info + 32 + 24, true), 0x80000000);
  assert.equal(view.getInt8(info + 32 + 28), 1);
  assert.equal(view.getUint8(info + 32 + 29), 1);
  const seconds =
    view.getUint32(info + SHARED_INFO.wc_sec, true) + view.getUint32(info + SHARED_INFO.wc_nsec, true) / 1e9;
  assert.ok(Math.abs(seconds + world.nowNs / 1e9 - (1_700_000_000 + world.nowNs / 1e9)) < 1e-5);
});

test('run state: the registered area says running, and the times add up to the age', () => {
  const world = new HypervisorWorld();
  const area = Page.DATA * 4096;
  world.addDomain(
    script(
      (guest) => guest.hypercall(Hypercall.__HYPERVISOR_vm_assist, 0, VmAssist.VMASST_TYPE_runstate_update_flag),
      (guest) => {
        guest.writeU64(ARGS, area);
        return guest.hypercall(Hypercall.__HYPERVISOR_vcpu_op, VcpuOp.VCPUOP_register_runstate_memory_area, 0, ARGS);
      },
      (guest) => {
        assert.equal(result(guest), 0);
        assert.equal(guest.readU32(area), 0);
        assert.equal(guest.readU64(area + 8) >> 63n, 0n);
        assert.ok(guest.readU64(area + 8) <= BigInt(world.nowNs));
        return Exit.BUDGET;
      },
    ),
  );
  world.run(100_000);
});

/** Polls port 1. */
const poll =
  (timeout: (now: number) => number): GuestStep =>
  (guest) => {
    guest.writeU64(ARGS, ARGS + 64);
    guest.writeU64(ARGS + 8, 1);
    guest.writeU64(ARGS + 16, timeout(guest.world.nowNs));
    guest.writeU32(ARGS + 64, 1);
    return guest.hypercall(Hypercall.__HYPERVISOR_sched_op, SchedOp.SCHEDOP_poll, ARGS);
  };

test('poll: sleeps until the time is over, and returns at once when a port is pending though masked', () => {
  const world = new HypervisorWorld();
  const times: number[] = [];
  const note: GuestStep = (guest) => {
    times.push(guest.world.nowNs);
    assert.equal(result(guest), 0);
    return Exit.BUDGET;
  };
  const domid = world.addDomain(
    script(
      note,
      poll((now) => now + 3_000_000),
      note,
      poll(() => 0),
    ),
  );
  const port = world.control.allocatePort(domid);
  world.memory.u8[world.sharedInfo(domid) + SHARED_INFO.evtchn_mask] = 0xff;
  world.run(5_000_000);
  assert.equal(times.length, 2);
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 3_000_000);
  assert.equal(world.control.domainInfo(domid)?.blocked, true);
  world.control.sendEvent(domid, port);
  assert.equal(world.control.domainInfo(domid)?.blocked, false);
});

test('watchdog: a guest that does not restart it is shut down with that reason', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(
    script((guest) => {
      guest.writeU32(ARGS, 0);
      guest.writeU32(ARGS + 4, 1);
      return guest.hypercall(Hypercall.__HYPERVISOR_sched_op, SchedOp.SCHEDOP_watchdog, ARGS);
    }, block),
  );
  world.run(900_000_000);
  assert.equal(world.control.domainInfo(domid)?.shutdownReason, undefined);
  world.run(200_000_000);
  assert.equal(world.control.domainInfo(domid)?.shutdownReason, 4);
});
