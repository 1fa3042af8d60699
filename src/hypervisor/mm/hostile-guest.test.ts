// A guest that does whatever it likes with its memory, in random order, with continuations cut short. After every
// step all counts are recounted, and no cached translation may lead where the guest has no right to go.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mfn, pfn, vaddr } from '../../base/index.ts';
import { Access, Cpu } from '../../engine/index.ts';
import { Boot, entry, PagingWorld, type TestDomain } from '../../../tests/support/paging-world.ts';
import { Vcpu } from '../vcpu.ts';

const MEMORY_FLAGS = [0x7, 0x7, 0x5, 0x27, 0x67, 0x0, 0x1, 0x3, 0x87, 0x107, 0xf, 0x205];
const SETUP = [Boot.L4, Boot.L3, Boot.L2, Boot.L1];

/** Numbers that steer one step. */
type Step = readonly [action: number, a: number, b: number, c: number, d: number];

/** Carries out steps on a world with two domains and one vCPU more. */
class Attack {
  readonly world: PagingWorld;
  readonly self: TestDomain;
  readonly other: TestDomain;
  readonly second: Vcpu;
  /** Frames the guest knows of. */
  readonly known: number[];

  constructor(work: number) {
    this.world = new PagingWorld(256, work);
    this.self = this.world.addDomain(1, 28, 36);
    this.other = this.world.addDomain(2, 12, 300);
    this.second = new Vcpu(this.self.domain, 1, this.world.engine.createContext());
    this.second.context.state.writeU32(Cpu.KERNEL_MODE, 1);
    this.self.domain.vcpus.push(this.second);
    this.known = [...this.self.mfns];
    this.#buildTrees();
  }

  /** Prepares two more trees of tables, read-only and not in use yet: pages 18 and 19 are their roots. */
  #buildTrees(): void {
    const { self, world } = this;
    const children = [[20], [20, 21], [22, 23], [23], [24, 25, 26], [24, 27], [], [], [], []] as const;
    for (const [i, pages] of children.entries()) {
      const table = self.mfn(18 + i);
      for (const [slot, page] of pages.entries()) world.raw(table, slot * 100, entry(self.mfn(page), 7));
      for (let slot = 0; pages.length === 0 && slot < 200; slot++)
        world.raw(table, slot, entry(self.mfn(5 + (slot % 12)), 7));
      self.map(18 + i, entry(table, 5));
    }
  }

  step([action, a, b, c, d]: Step): void {
    const { self, world } = this;
    const { paging } = world;
    switch (action % 22) {
      case 0:
      case 1:
      case 2:
        self.update(this.#frame(a), this.#slot(b), this.#entry(c, d), [0, 0, 2, 3, 1][b % 5], 1 + (d % 3));
        return;
      case 3:
      case 4:
        self.map(a % 40, this.#entry(c, d), [0, 0, 1, 2, 5][b % 5]);
        return;
      case 5:
      case 6:
        // Prepare a frame for use as a table: read-only everywhere we know of.
        self.map(a % 32, entry(self.mfns[a % 28] ?? 0, 5), 0);
        return;
      case 7:
      case 8:
        self.extended(a % 4, this.#frame(b), 0, 1 + (c % 4));
        return;
      case 9:
        self.extended(4, this.#frame(b), 0, 1 + (c % 4));
        return;
      case 10:
        self.extended(a % 2 === 0 ? 5 : 15, this.#frame(b), 0, 1 + (c % 3));
        return;
      case 11:
        self.extended(16 + (a % 2), this.#frame(b), this.#frame(c));
        return;
      case 12:
        self.extended(13, (a % 32) * 4096, b % 600);
        paging.readDescriptor(self.vcpu, (c % 600) * 8 + 7);
        return;
      case 13: {
        const frames = [this.#frame(b), this.#frame(c)];
        if (self.writeArgs(frames)) self.call(paging.setGdt, [Boot.ARGS * 4096, (a % 3) * 512]);
        return;
      }
      case 14:
        self.call(paging.updateDescriptor, [
          this.#frame(a) * 4096 + (b % 512) * 8,
          [c >>> 0, [0xf300, 0xec00, 0][d % 3] ?? 0],
        ]);
        return;
      case 15:
      case 16:
        this.#reservation(a, b, c);
        return;
      case 17: {
        // Through whatever the address space says, stale translations included.
        const bytes = new Uint8Array(new Uint32Array(this.#entry(c, d)).buffer);
        self.store((a % 40) * 4096 + this.#slot(b) * 8, [...bytes]);
        return;
      }
      case 18:
        this.#grant(a, b, c);
        return;
      case 19:
        paging.setRoots(this.second, this.#frame(a), b % 2 === 0 ? 0 : this.#frame(c));
        return;
      case 20:
        // The other domain takes whatever has become free.
        paging.populate(this.other.domain, pfn(a), new Uint32Array(1 + (b % 4)));
        return;
      default:
        this.#exchange(a, b);
        return;
    }
  }

  /** Ends both domains and returns what is left wrong. */
  end(): string[] {
    const { paging, domains, engine, memory, frames } = this.world;
    for (const { domain } of [this.self, this.other]) {
      domain.dying = true;
      engine.flushTlb();
    }
    for (let i = 0; i < 10_000; i++) {
      const left = [this.self, this.other].filter(({ domain }) => !paging.relinquish(domain, 300));
      if (left.length === 0) break;
    }
    const lines = this.world.paging.audit();
    for (const id of [1, 2]) if (frames.owner.includes(id)) lines.push(`domain ${id} is not gone`);
    domains.clear();
    assert.ok(memory.nrFrames > 0);
    return lines;
  }

  /** What must hold after every step. */
  faults(): string[] {
    const lines = this.world.check();
    const { engine, frames } = this.world;
    for (const vcpu of [this.self.vcpu, this.second]) {
      for (let i = 0; i < 80; i++) {
        // Fills the TLB as well, so that the next step meets as many stale translations as there can be.
        const to = engine.translate(
          vcpu.context,
          vaddr((i >> 1) * 4096),
          i % 2 === 0 ? Access.READ : Access.WRITE,
          true,
        );
        const owner = to < 0 ? 1 : frames.owner[Math.floor(to / 4096)];
        // A frame given back may still be in the TLB until somebody else gets it.
        if (owner !== 1 && owner !== 0x7ff4 && !this.granted.has(Math.floor(to / 4096))) {
          lines.push(`page ${i >> 1} leads to frame ${Math.floor(to / 4096)} of owner ${owner}`);
        }
      }
    }
    return lines;
  }

  readonly granted: Set<number> = new Set();

  #frame(n: number): number {
    const choice = n % 40;
    if (choice < 6) return SETUP[choice % 4] === undefined ? 0 : this.self.mfn(SETUP[choice % 4] ?? 0);
    if (choice < 34) return this.known[(n >>> 3) % this.known.length] ?? 0;
    return [this.other.mfn(3), this.other.mfn(9), 0, 255, 256, 2 ** 40][choice - 34] ?? 0;
  }

  #slot(n: number): number {
    return n % 7 === 0 ? n % 512 : n % 7 === 1 ? 256 + (n % 16) : n % 40;
  }

  #entry(c: number, d: number): [number, number] {
    return entry(this.#frame(c), MEMORY_FLAGS[d % MEMORY_FLAGS.length] ?? 0, d % 3 === 0 ? 0x80000000 : 0);
  }

  #reservation(a: number, b: number, c: number): void {
    const { self, world } = this;
    const list = Boot.ARGS * 4096 + 512;
    const count = 1 + (a % 3);
    const order = b % 5 === 0 ? 1 : 0;
    const values = [this.#frame(a), this.#frame(b), this.#frame(c)];
    const command = [1, 6, 0][c % 3] ?? 0;
    const words = [list, count, [order, 0], [0x7ff0, 0]] as const;
    const padding = Array.from({ length: 60 }, () => 0);
    if (!self.writeArgs([...words, ...padding, ...values])) return;
    const done = self.call(world.paging.memoryOp, [command, Boot.ARGS * 4096]);
    if (command === 1 || done <= 0) return;
    const at = world.engine.translate(self.vcpu.context, vaddr(list), Access.READ, true); // a low address is canonical
    if (at >= 0) this.known.push(world.memory.u32[at / 4] ?? 0);
  }

  #exchange(a: number, b: number): void {
    const { self, world } = this;
    const list = Boot.ARGS * 4096 + 512;
    const side = (order: number, count: number, offset: number) =>
      [list + offset, count, [order, 0], [0x7ff0, 0]] as const;
    const [inOrder, outOrder] = [(a % 2) as 0 | 1, (b % 2) as 0 | 1]; // remainders of 2
    const words = [...side(inOrder, inOrder === 1 ? 1 : 2, 0), ...side(outOrder, outOrder === 1 ? 1 : 2, 64), 0];
    const padding = Array.from({ length: 64 - words.length }, () => 0);
    const lists = [this.#frame(a), this.#frame(b), 0, 0, 0, 0, 0, 0, 5, 6];
    if (self.writeArgs([...words, ...padding, ...lists])) self.call(world.paging.memoryOp, [11, Boot.ARGS * 4096]);
  }

  #grant(a: number, b: number, c: number): void {
    const { paging } = this.world;
    const frame = this.other.mfn(Boot.FIRST_FREE + (a % 6));
    const readOnly = b % 2;
    const host = { lo: (c % 40) * 4096, hi: 0 };
    if ((b & 2) === 0) {
      if (!paging.getFrame(this.other.domain, frame, readOnly === 0)) return;
      this.granted.add(frame);
      if (paging.mapGrantedFrame(this.self.vcpu, host, 2 | (readOnly * 4), frame) !== 0) {
        paging.putFrame(frame, readOnly === 0);
      }
    } else if (paging.unmapGrantedFrame(this.self.vcpu, host, 2 | (readOnly * 4), frame, undefined) === 0) {
      paging.putFrame(frame, readOnly === 0);
    }
  }
}

const number = fc.nat(0xfffff);
const steps = fc.array(fc.tuple(number, number, number, number, number), { minLength: 20, maxLength: 120 });

for (const [name, work] of [
  ['with the usual budget', 1 << 16],
  ['when every hypercall is cut short', 40],
] as const) {
  test(`direct paging: a hostile guest breaks no count and reaches nothing ${name}`, () => {
    fc.assert(
      fc.property(steps, (list) => {
        const attack = new Attack(work);
        for (const [i, step] of list.entries()) {
          attack.step(step);
          assert.deepEqual(attack.faults(), [], `after step ${i}: ${JSON.stringify(step)}`);
        }
        assert.deepEqual(attack.end(), []);
      }),
      { numRuns: Number(process.env['ZENDO_RUNS'] ?? 60) },
    );
  });
}

test('direct paging: frames of a domain that ended come back empty', () => {
  const attack = new Attack(1 << 16);
  const free = attack.world.allocator.nrFree;
  const third = attack.world.addDomain(3, 20);
  attack.world.memory.u8.fill(0xaa, third.mfn(9) * 4096, third.mfn(10) * 4096);
  third.domain.dying = true;
  while (!attack.world.paging.relinquish(third.domain, 1000));
  attack.world.domains.delete(third.domain.domid);
  assert.equal(attack.world.allocator.nrFree, free);
  const fourth = attack.world.addDomain(4, free - 1);
  for (let n = Boot.FIRST_FREE; n < free - 1; n++) {
    const frame = fourth.mfn(n);
    if (frame !== 0) assert.ok(attack.world.memory.frame(mfn(frame)).every((byte) => byte === 0));
  }
});
