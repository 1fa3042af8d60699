// The hypervisor as a whole, on an engine without instructions: a domain is made, runs, ends and leaves
// nothing behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hypercall, SchedOp, Shutdown, XenVer } from '../abi/index.ts';
import { bug } from '../base/index.ts';
import { Exit } from '../engine/index.ts';
import { HypervisorWorld, Page, script } from '../../tests/support/hypervisor-world.ts';

const ARGS = Page.ARGS * 4096;

test('hypervisor: a hypercall returns its result in rax and leaves rip behind the syscall', () => {
  const seen: bigint[] = [];
  const world = new HypervisorWorld();
  world.addDomain(
    script(
      (guest) => guest.hypercall(Hypercall.__HYPERVISOR_xen_version, XenVer.XENVER_version, 0),
      (guest) => {
        seen.push(guest.get('RAX'), guest.context.state.rip);
        return Exit.BUDGET;
      },
    ),
  );
  world.run(100_000);
  assert.deepEqual(seen, [0x40011n, BigInt(Page.CODE * 4096 + 2)]);
});

test('hypervisor: an unknown hypercall gives -ENOSYS and is counted', () => {
  const results: bigint[] = [];
  const world = new HypervisorWorld();
  const domid = world.addDomain(
    script(
      (guest) => guest.hypercall(63),
      (guest) => {
        results.push(guest.get('RAX'));
        return guest.hypercall(0x1_0000_0000n as unknown as number);
      },
      (guest) => {
        guest.set('RAX', 2n ** 63n);
        results.push(guest.get('RAX'));
        return guest.syscall();
      },
      (guest) => {
        results.push(guest.get('RAX'));
        return Exit.BUDGET;
      },
    ),
  );
  world.run(100_000);
  assert.equal(BigInt.asIntN(64, results[0] ?? 0n), -38n);
  assert.equal(BigInt.asIntN(64, results[2] ?? 0n), -38n);
  assert.equal(world.control.domainInfo(domid)?.unknownHypercalls, 3);
});

test('hypervisor: sched_op shutdown stops the domain and tells domain 0 the reason', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(
    script((guest) => {
      guest.writeU32(ARGS, Shutdown.SHUTDOWN_reboot);
      return guest.hypercall(Hypercall.__HYPERVISOR_sched_op, SchedOp.SCHEDOP_shutdown, ARGS);
    }),
  );
  world.run(100_000);
  assert.equal(world.control.domainInfo(domid)?.shutdownReason, Shutdown.SHUTDOWN_reboot);
  assert.deepEqual(world.log.changed, [domid]);
});

test('hypervisor: a destroyed domain gives every frame back', () => {
  const world = new HypervisorWorld();
  const before = world.control.nrFreeFrames();
  const domid = world.addDomain(() => Exit.BUDGET, { maxVcpus: 4 });
  world.run(100_000);
  assert.deepEqual(world.hypervisor.audit(), []);
  for (let tries = 0; tries < 10 && !world.control.destroy(domid); tries++);
  assert.equal(world.control.domainInfo(domid), undefined);
  assert.equal(world.control.nrFreeFrames(), before);
  assert.deepEqual(world.hypervisor.audit(), []);
});

test('hypervisor: a paused domain does not run', () => {
  let entries = 0;
  const world = new HypervisorWorld();
  const domid = world.addDomain(() => {
    entries++;
    return Exit.BUDGET;
  });
  world.control.pause(domid);
  world.run(100_000);
  assert.equal(entries, 0);
  world.control.unpause(domid);
  world.run(100_000);
  assert.ok(entries > 0);
});

function fail(): never {
  bug('on purpose');
}

test('hypervisor: a bug that comes back while its crash is reported stops the domain and nothing else', () => {
  const world = new HypervisorWorld();
  const { engine } = world;
  const domid = world.addDomain(() => {
    engine.translate = fail;
    return fail();
  });
  const other = world.addDomain(() => Exit.BUDGET);
  assert.throws(() => world.run(100_000), /on purpose/, 'the world tells of what guest code threw');
  assert.equal(world.control.domainInfo(domid)?.shutdownReason, Shutdown.SHUTDOWN_crash);
  assert.deepEqual(world.control.crashReport(domid)?.vcpus, []);
  assert.equal(world.control.domainInfo(other)?.shutdownReason, undefined);
});
