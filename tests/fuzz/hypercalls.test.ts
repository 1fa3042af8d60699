// Random hypercalls with random arguments from a guest that wants to do harm. Whatever happens to that guest,
// no invariant of ours may break, every count must agree with a recount, and another domain lives on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hypercall } from '../../src/abi/index.ts';
import type { Domid } from '../../src/base/index.ts';
import { Exit, type ExitReason } from '../../src/engine/index.ts';
import { type GuestVcpu, HypervisorWorld, Page, STACK_TOP } from '../support/hypervisor-world.ts';

/** Hypercalls of each run; ZENDO_FUZZ makes it longer. */
const CALLS = Number(process.env['ZENDO_FUZZ'] ?? 26_000);
const SEED = Number(process.env['ZENDO_SEED'] ?? 1);

/** Small generator with a seed. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * below);
  };
}

/** Values that are likely to reach something: small numbers, frames, addresses, edges. */
function interesting(world: HypervisorWorld, domid: Domid, pick: (below: number) => number): bigint {
  switch (pick(12)) {
    case 0:
    case 1:
    case 2:
      return BigInt(pick(16));
    case 3:
    case 4:
      return BigInt(Page.ARGS * 4096 + 8 * pick(64));
    case 5:
      return BigInt(world.frame(domid, pick(24)));
    case 6:
      return BigInt(world.frame(domid, pick(24)) * 4096 + pick(512) * 8 + pick(4));
    case 7:
      return BigInt(world.frame(domid, pick(24)) * 4096 + [0, 1, 3, 5, 7, 0x61, 0x63, 0x67, 0x87][pick(9)]!); // in range
    case 8:
      return BigInt(pick(24) * 4096 + pick(4096));
    case 9:
      return [0n, 0x7ff0n, 0x7fffn, 0xffffn, 2n ** 31n, 2n ** 32n, 2n ** 47n, 2n ** 63n, 2n ** 64n - 1n][pick(9)]!; // in range
    case 10:
      return 0xffff800000000000n + BigInt(pick(4096));
    default:
      return (BigInt(pick(2 ** 32)) << 32n) | BigInt(pick(2 ** 32));
  }
}

function hostileStep(guest: GuestVcpu, domid: Domid, pick: (below: number) => number): ExitReason {
  const { world } = guest;
  for (let i = 0; i < 24; i++) {
    const to = world.anyEngine.translate(guest.context, (Page.ARGS * 4096 + 8 * pick(64)) as never, 1, true);
    if (to >= 0) world.memory.u64[to / 8] = interesting(world, domid, pick);
  }
  const number = pick(20) === 0 ? pick(70) : KNOWN[pick(KNOWN.length)]!; // in range
  const args = Array.from({ length: 6 }, () => interesting(world, domid, pick));
  return guest.hypercall(number, ...args);
}

/** All hypercalls, those about memory more often; iret, which mostly ends the guest, comes by chance only. */
const KNOWN = [
  ...Object.values(Hypercall).filter((number) => number !== Hypercall.__HYPERVISOR_iret),
  1,
  1,
  1,
  12,
  12,
  13,
  13,
  14,
  20,
  20,
  24,
  26,
  26,
  26,
  32,
  32,
];

for (const [seed, realEngine] of [
  [SEED, true],
  [SEED + 1, true],
  [SEED + 2, false],
  [SEED + 3, false],
] as const) {
  const engine = realEngine ? 'the real engine' : 'an engine that never forgets a translation';
  test(`hypervisor: ${CALLS} hostile hypercalls on ${engine} break no count and no invariant (seed ${seed})`, () => {
    const pick = generator(seed);
    const world = new HypervisorWorld({ realEngine });
    world.nsPerEntry = 10_000;
    const budget = { left: CALLS };
    let domains = 0;
    const bystander = world.addDomain(() => Exit.BUDGET);
    while (budget.left > 0) {
      domains++;
      const domid: Domid = world.addDomain(
        (guest) => {
          budget.left--;
          // A guest that was entered in a handler or put to sleep in user mode goes on from the start.
          if (!guest.kernelMode) return Exit.BUDGET;
          guest.set('RSP', STACK_TOP - 256);
          guest.context.state.rip = BigInt(Page.CODE * 4096);
          return hostileStep(guest, domid, pick);
        },
        { maxVcpus: 3 },
      );
      for (let slices = 0; slices < 60 && budget.left > 0; slices++) {
        world.run(1_000_000);
        if (world.control.domainInfo(domid)?.shutdownReason !== undefined) break;
      }
      const reason =
        world.control.domainInfo(domid)?.shutdownReason === 3 ? world.control.crashReport(domid)?.reason : undefined;
      assert.doesNotMatch(reason ?? '', /bug/);
      assert.deepEqual(world.hypervisor.audit(), [], `seed ${seed}, domain ${domains}`);
      for (let tries = 0; tries < 20 && !world.control.destroy(domid); tries++);
      assert.equal(world.control.domainInfo(domid), undefined, `seed ${seed}: domain ${domains} does not go away`);
    }
    const issued = world.hypervisor.hypercallCounts().reduce((sum, { count }) => sum + count, 0);
    assert.ok(issued > CALLS / 2, `only ${issued} hypercalls were issued`);
    assert.equal(world.control.domainInfo(bystander)?.shutdownReason, undefined);
    assert.deepEqual(world.hypervisor.audit(), []);
  });
}
