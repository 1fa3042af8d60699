// Event channels between guests, and between a guest and domain 0: binding, delivery, masks, and what a guest
// must not be able to do with ports that are not its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Errno, EvtchnOp, Hypercall, SHARED_INFO, Virq, VCPU_INFO } from '../../abi/index.ts';
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

/** An event channel operation with u32 words as its argument; `then` sees the result and the words. */
function op(command: number, words: readonly number[], then?: (result: number, guest: GuestVcpu) => void): GuestStep[] {
  return [
    (guest) => {
      for (const [i, word] of words.entries()) guest.writeU32(ARGS + 4 * i, word);
      return guest.hypercall(Hypercall.__HYPERVISOR_event_channel_op, command, ARGS);
    },
    (guest) => {
      then?.(Number(BigInt.asIntN(64, guest.get('RAX'))), guest);
      return Exit.BUDGET;
    },
  ];
}

function isPending(world: HypervisorWorld, domid: Domid, port: number): boolean {
  const byte = world.memory.u8[world.sharedInfo(domid) + SHARED_INFO.evtchn_pending + (port >> 3)] ?? 0;
  return (byte & (1 << (port & 7))) !== 0;
}

function setMask(world: HypervisorWorld, domid: Domid, port: number, masked: boolean): void {
  const at = world.sharedInfo(domid) + SHARED_INFO.evtchn_mask + (port >> 3);
  const bit = 1 << (port & 7);
  world.memory.u8[at] = masked ? (world.memory.u8[at] ?? 0) | bit : (world.memory.u8[at] ?? 0) & ~bit;
}

function upcallPending(world: HypervisorWorld, domid: Domid, vcpu = 0): boolean {
  return world.memory.u8[world.sharedInfo(domid) + 64 * vcpu + VCPU_INFO.evtchn_upcall_pending] !== 0;
}

test('event channel: domain 0 and a guest notify each other through a port the guest set aside', () => {
  const world = new HypervisorWorld();
  let port = 0;
  const domid: Domid = world.addDomain(
    script(
      ...op(EvtchnOp.EVTCHNOP_alloc_unbound, [0x7ff0, 0], (result, guest) => {
        assert.equal(result, 0);
        port = guest.readU32(ARGS + 4);
      }),
      (guest) => {
        assert.equal(world.control.bindPort(domid, port), 0);
        assert.equal(world.control.bindPort(domid, port), -Errno.EINVAL);
        guest.writeU32(ARGS, port);
        return guest.hypercall(Hypercall.__HYPERVISOR_event_channel_op, EvtchnOp.EVTCHNOP_send, ARGS);
      },
    ),
  );
  world.run(50_000);
  assert.deepEqual(world.log.notified, [`${domid}:${port}`]);
  assert.equal(world.control.sendEvent(domid, port), 0);
  assert.ok(isPending(world, domid, port));
  assert.ok(upcallPending(world, domid));
  assert.equal(world.control.sendEvent(domid, 4000), -Errno.EINVAL);
});

test('event channel: a masked port becomes pending without an upcall, and unmask delivers it', () => {
  const world = new HypervisorWorld();
  const domid: Domid = world.addDomain(
    script(
      (guest) => {
        const port = world.control.allocatePort(domid);
        assert.equal(port, 1);
        setMask(world, domid, port, true);
        world.control.sendEvent(domid, port);
        assert.ok(isPending(world, domid, port));
        assert.ok(!upcallPending(world, domid));
        guest.writeU32(ARGS, port);
        return guest.hypercall(Hypercall.__HYPERVISOR_event_channel_op, EvtchnOp.EVTCHNOP_unmask, ARGS);
      },
      () => {
        assert.ok(upcallPending(world, domid));
        return Exit.BUDGET;
      },
    ),
  );
  world.run(50_000);
});

test('event channel: virtual interrupts bind once per vCPU, and an IPI marks the vCPU it names', () => {
  const world = new HypervisorWorld();
  const results: number[] = [];
  const keep = (result: number): void => void results.push(result);
  const domid: Domid = world.addDomain(
    script(
      ...op(EvtchnOp.EVTCHNOP_bind_virq, [Virq.VIRQ_TIMER, 1], keep),
      ...op(EvtchnOp.EVTCHNOP_bind_virq, [Virq.VIRQ_TIMER, 1], keep),
      ...op(EvtchnOp.EVTCHNOP_bind_virq, [Virq.VIRQ_TIMER, 9], keep),
      ...op(EvtchnOp.EVTCHNOP_bind_virq, [24, 0], keep),
      ...op(EvtchnOp.EVTCHNOP_bind_virq, [Virq.VIRQ_CONSOLE, 1], keep),
      ...op(EvtchnOp.EVTCHNOP_bind_ipi, [1], keep),
      ...op(EvtchnOp.EVTCHNOP_bind_vcpu, [2, 0], keep),
      ...op(EvtchnOp.EVTCHNOP_send, [2], keep),
      ...op(EvtchnOp.EVTCHNOP_send, [1], keep),
      ...op(EvtchnOp.EVTCHNOP_close, [77], keep),
    ),
    { maxVcpus: 2 },
  );
  world.run(100_000);
  const { EEXIST, ENOENT, EINVAL } = Errno;
  assert.deepEqual(results, [0, -EEXIST, -ENOENT, -EINVAL, -EINVAL, 0, -EINVAL, 0, -EINVAL, -EINVAL]);
  assert.ok(upcallPending(world, domid, 1));
  assert.ok(!upcallPending(world, domid, 0));
});

test('event channel: a guest cannot bind a port that was set aside for somebody else', () => {
  const world = new HypervisorWorld();
  const granter: Domid = world.addDomain(script(...op(EvtchnOp.EVTCHNOP_alloc_unbound, [0x7ff0, 0])));
  const results: number[] = [];
  world.addDomain(
    script(
      ...op(EvtchnOp.EVTCHNOP_bind_interdomain, [granter, 1, 0], (result) => void results.push(result)),
      ...op(EvtchnOp.EVTCHNOP_bind_interdomain, [0, 1, 0], (result) => void results.push(result)),
      ...op(EvtchnOp.EVTCHNOP_bind_interdomain, [999, 1, 0], (result) => void results.push(result)),
      ...op(EvtchnOp.EVTCHNOP_alloc_unbound, [granter, 0], (result) => void results.push(result)),
    ),
  );
  world.run(20_000_000);
  assert.deepEqual(results, [-Errno.EINVAL, -Errno.EINVAL, -Errno.ESRCH, -Errno.EPERM]);
});

test('event channel: two domains connect, and closing one end leaves the other unbound', () => {
  const world = new HypervisorWorld();
  const second: Domid[] = [];
  const first: Domid = world.addDomain(
    script((guest) => {
      guest.writeU32(ARGS, 0x7ff0 + second[0]! * 65536); // set before the first run
      return guest.hypercall(Hypercall.__HYPERVISOR_event_channel_op, EvtchnOp.EVTCHNOP_alloc_unbound, ARGS);
    }),
  );
  const results: number[] = [];
  second.push(
    world.addDomain(
      script(
        ...op(EvtchnOp.EVTCHNOP_bind_interdomain, [first, 1, 0], (result) => void results.push(result)),
        ...op(EvtchnOp.EVTCHNOP_send, [1], (result) => void results.push(result)),
        ...op(EvtchnOp.EVTCHNOP_close, [1], (result) => void results.push(result)),
      ),
    ),
  );
  world.run(20_000_000);
  assert.deepEqual(results, [0, 0, 0]);
  assert.ok(isPending(world, first, 1));
});

test('event channel: 4095 ports can be bound, then no more', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(() => Exit.BUDGET);
  let last = 0;
  let count = 0;
  while (last >= 0) {
    last = world.control.allocatePort(domid);
    if (last >= 0) count++;
  }
  assert.equal(count, 4095);
  assert.equal(last, -Errno.ENOSPC);
});

test('event channel: registering vcpu_info keeps what was pending and marks everything', () => {
  const world = new HypervisorWorld();
  const results: bigint[] = [];
  const domid: Domid = world.addDomain(
    script(
      (guest) => {
        guest.writeU64(ARGS, world.frame(domid, Page.INFO));
        guest.writeU64(ARGS + 8, 64);
        return guest.hypercall(Hypercall.__HYPERVISOR_vcpu_op, 10, 0, ARGS);
      },
      (guest) => {
        results.push(guest.get('RAX'));
        const info = Page.INFO * 4096 + 64;
        assert.equal(guest.readU64(info) & 0xffffn, 0x0101n);
        assert.equal(guest.readU64(info + 8), 2n ** 64n - 1n);
        assert.equal(guest.readU32(info + 32 + 24), 0x80000000);
        return guest.hypercall(Hypercall.__HYPERVISOR_vcpu_op, 10, 0, ARGS);
      },
      (guest) => {
        results.push(BigInt.asIntN(64, guest.get('RAX')));
        // The frame is the hypervisor's to write now: it cannot become a page table.
        guest.writeU64(ARGS, 0);
        guest.writeU64(ARGS + 8, world.frame(domid, Page.INFO));
        return guest.hypercall(Hypercall.__HYPERVISOR_mmuext_op, ARGS, 1, 0, 0x7ff0);
      },
      (guest) => {
        results.push(BigInt.asIntN(64, guest.get('RAX')));
        return Exit.BUDGET;
      },
    ),
  );
  world.run(100_000);
  assert.equal(results[0], 0n);
  assert.equal(results[1], -BigInt(Errno.EINVAL));
  assert.ok((results[2] ?? 0n) < 0n);
  assert.deepEqual(world.hypervisor.audit(), []);
});

test('event channel: a guest that notifies domain 0 all the time is heard twice in a run', () => {
  const world = new HypervisorWorld();
  const domid: Domid = world.addDomain((guest) => {
    guest.writeU32(ARGS, 1);
    return guest.hypercall(Hypercall.__HYPERVISOR_event_channel_op, EvtchnOp.EVTCHNOP_send, ARGS);
  });
  world.control.allocatePort(domid);
  world.hypervisor.run(world.nowNs + 1_000_000);
  assert.deepEqual(world.log.notified, [`${domid}:1`, `${domid}:1`]);
  world.hypervisor.run(world.nowNs + 1_000_000);
  assert.equal(world.log.notified.length, 4);
});
