// Two guests on one engine, each with frames between the other's, run random instructions at the edges of their
// pages, in both modes, with code under the data. Whatever they do, the other's frames, pages without the right
// to write and page tables (accessed and dirty bits left aside) keep every byte.
// SEED=n chooses the run, SECONDS=n its length.

import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { mfn, vaddr } from '../../src/base/index.ts';
import { Access, Cpu, type Engine, type EngineTier, type VcpuContext } from '../../src/engine/index.ts';
import { createEngine } from '../../src/engine-wasm/index.ts';
import { createMachineMemory, type MachineMemory } from '../../src/machine/index.ts';
import { Pte, tableIndex } from '../../src/x86/index.ts';

const NR_FRAMES = 256;
const SCRATCH = 1;
const FIRST_FREE = 2;
const NR_ADDRESSES = 48;
const TABLE = Pte.PRESENT | Pte.WRITABLE | Pte.USER;
const ACCESSED_DIRTY = Pte.ACCESSED | Pte.DIRTY;

const CODE = 0x1000_0000;
const DATA = 0x2000_0000;
/** Pages this far apart share a TLB entry. */
const CONFLICT = 1024 * 4096;
const READ_ONLY_PAGE: number = DATA + 2 * 4096;
const LAST_LOWER_PAGE = 0x7fff_ffff_f000;

/** Numbers below 2^24 from a seed. */
type Chance = () => number;

/** One guest: its page tables, its registers, and what it may write. */
class Guest {
  readonly context: VcpuContext;
  readonly tables = new Set<number>();
  readonly writable = new Set<number>();
  readonly readOnly = new Set<number>();
  readonly codeFrames: readonly number[];
  readonly pages: number[] = [];
  readonly #memory: MachineMemory;
  readonly #allocate: () => number;
  readonly #root: number;

  constructor(memory: MachineMemory, engine: Engine, allocate: () => number) {
    this.#memory = memory;
    this.#allocate = allocate;
    this.context = engine.createContext();
    this.#root = allocate();
    this.tables.add(this.#root);
    const { state } = this.context;
    state.writeU32(Cpu.KERNEL_ROOT, this.#root * 4096);
    state.writeU32(Cpu.USER_ROOT, this.#root * 4096);
    const code = this.#map(CODE, TABLE);
    this.codeFrames = [code, this.#map(CODE + 4096, TABLE)];
    const data = this.#map(DATA, TABLE);
    this.#map(DATA - 4096, Pte.PRESENT | Pte.USER, code);
    this.#map(DATA + 4096, TABLE);
    this.#map(READ_ONLY_PAGE, Pte.PRESENT | Pte.USER);
    this.#map(DATA + CONFLICT, Pte.PRESENT | Pte.USER);
    this.#map(DATA + CONFLICT + 4096, TABLE);
    this.#map(DATA + 2 * CONFLICT, Pte.PRESENT | Pte.USER, data);
    this.#map(DATA + 3 * CONFLICT, Pte.PRESENT | Pte.WRITABLE);
    this.#map(LAST_LOWER_PAGE, TABLE);
  }

  #map(address: number, flags: number, frame = this.#allocate()): number {
    const { view } = this.#memory;
    let table = this.#root;
    for (let level = 4; level > 1; level--) {
      const at = table * 4096 + 8 * tableIndex(address, level);
      if (view.getUint32(at, true) === 0) {
        const next = this.#allocate();
        this.tables.add(next);
        view.setUint32(at, next * 4096 + TABLE, true);
      }
      table = Math.floor(view.getUint32(at, true) / 4096);
    }
    view.setUint32(table * 4096 + 8 * tableIndex(address, 1), frame * 4096 + flags, true);
    if ((flags & Pte.WRITABLE) !== 0) this.writable.add(frame);
    else if (!this.writable.has(frame)) this.readOnly.add(frame);
    this.pages.push(address);
    return frame;
  }

  /** Registers that point at and around page ends, and some that point nowhere. */
  scatterRegisters(chance: Chance): void {
    const { state } = this.context;
    const near = [0, 1, 8, 100, 3584, 4080, 4088, 4091, 4093, 4095, -1, -8];
    for (let i = 0; i < 16; i++) {
      const page = this.pages[chance() % this.pages.length] ?? 0;
      const pointer = BigInt(page + (near[chance() % near.length] ?? 0));
      const strange = [0x8000_0000_0000n, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_fffcn, 0x7fff_0000_0000_0000n];
      state.gpr[i] = chance() % 8 === 0 ? (strange[chance() % strange.length] ?? 0n) : pointer;
    }
    if (chance() % 2 === 0) state.gpr[1] = BigInt([1, 3, 100, 5000, 70_000][chance() % 5] ?? 1); // rcx counts
    state.writeU64(Cpu.FS_BASE, chance() % 2 === 0 ? 0n : BigInt(DATA));
    state.rflags = 0x202 | (chance() & 0x4d5) | (chance() % 16 === 0 ? 0x100 : 0);
    state.writeU32(Cpu.KERNEL_MODE, chance() & 1);
  }

  /** Some instructions, often across the end of the code page. */
  writeCode(engine: Engine, chance: Chance): string {
    const bytes = randomCode(chance);
    const offset = chance() % 2 === 0 ? chance() % 3900 : 4096 - (chance() % 40);
    for (const [i, byte] of bytes.entries()) {
      const at = offset + i;
      this.#memory.u8[(this.codeFrames[at >> 12] ?? 0) * 4096 + (at & 4095)] = byte;
    }
    for (const frame of this.codeFrames) engine.invalidateCode(mfn(frame));
    this.context.state.rip = BigInt(CODE + offset);
    return `${offset.toString(16)}: ${Buffer.from(bytes).toString('hex')}`;
  }
}

const PREFIXES = [[], [0x66], [0xf2], [0xf3], [0x48], [0x67], [0x64], [0x41], [0xf0], [0xf3, 0x48], [0x66, 0x48]];
const STRINGS = [0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7, 0xae, 0xaf];

function randomCode(chance: Chance): number[] {
  const bytes: number[] = [];
  const byte = (): number => chance() & 0xff;
  for (let i = 0; i < 6; i++) {
    const prefix = PREFIXES[chance() % PREFIXES.length] ?? [];
    const kind = chance() % 6;
    if (kind === 0) bytes.push(...prefix, STRINGS[chance() % STRINGS.length] ?? 0x90);
    else if (kind === 1) bytes.push(...prefix, 0x0f, byte(), byte(), chance() & 7, 0);
    else if (kind === 2) bytes.push(0xd8 | (chance() & 7), chance() & 0x3f);
    else bytes.push(...prefix, byte(), byte(), chance() & 0x1f);
  }
  return [...bytes, 0xcc];
}

for (const tier of ['interpreter', 'compiler'] as const) {
  test(`engine: random code changes nothing that its page tables do not let it write (${tier})`, () => attack(tier));
}

function attack(tier: EngineTier): void {
  const seed = Number(process.env['SEED'] ?? 1);
  let state = seed;
  const chance = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8;
  const memory = createMachineMemory(NR_FRAMES);
  const engine = createEngine(memory, { readTsc: () => 1 }, mfn(SCRATCH), tier);
  // one guest's frames are even, the other's odd: what runs over the end of a frame lands in the other's
  const guests = [0, 1].map((parity) => {
    let next = FIRST_FREE + parity - 2;
    return new Guest(memory, engine, () => (next += 2));
  });
  for (const guest of guests)
    for (const frame of [...guest.writable, ...guest.readOnly])
      memory.u8.set(
        Uint8Array.from({ length: 4096 }, () => chance() & 0xff),
        frame * 4096,
      );

  const end = performance.now() + Number(process.env['SECONDS'] ?? 4) * 1000;
  let before = memory.u8.slice();
  for (let round = 0; performance.now() < end; round++) {
    const guest = guests[round % 2] ?? assert.fail();
    const code = guest.writeCode(engine, chance);
    guest.scatterRegisters(chance);
    for (const frame of guest.codeFrames)
      before.set(memory.u8.subarray(frame * 4096, frame * 4096 + 4096), frame * 4096);
    const entry = [...guest.context.state.gpr].map((value) => value.toString(16)).join(' ');
    if (chance() % 4 === 0) engine.stepWithWritable(guest.context, vaddr(READ_ONLY_PAGE), mfn(SCRATCH));
    else engine.enter(guest.context, [1, 50, 3000][chance() % 3] ?? 1);
    assert.equal(engine.translate(guest.context, vaddr(READ_ONLY_PAGE), Access.WRITE, true), -1, `seed ${seed}`);
    for (let i = 0; i < 2; i++) {
      // as a hypercall's arguments are reached
      const address = vaddr((guest.pages[chance() % guest.pages.length] ?? 0) + (chance() & 4095));
      const to = engine.translate(guest.context, address, Access.WRITE, chance() % 2 === 0);
      assert.ok(to < 0 || guest.writable.has(to >>> 12), `seed ${seed}: ${address} translates to ${to}`);
    }
    const changed = firstChange(memory, before, guest);
    assert.equal(changed, undefined, `seed ${seed}, round ${round}, code ${code}, registers ${entry}`);
    if (round % NR_ADDRESSES === 0) engine.flushTlb();
    before = memory.u8.slice();
  }
}

/** Where memory changed that the guest may not write: frame and offset. */
function firstChange(memory: MachineMemory, before: Uint8Array, guest: Guest): string | undefined {
  for (let frame = FIRST_FREE; frame < NR_FRAMES; frame++) {
    if (guest.writable.has(frame)) continue;
    const was = before.subarray(frame * 4096, frame * 4096 + 4096);
    const is = memory.u8.subarray(frame * 4096, frame * 4096 + 4096);
    if (Buffer.compare(was, is) === 0) continue;
    const at = is.findIndex((byte, i) => {
      const bits = guest.tables.has(frame) && i % 8 === 0 ? ACCESSED_DIRTY : 0;
      return ((byte ^ (was[i] ?? 0)) & ~bits) !== 0;
    });
    if (at >= 0) return `frame ${frame}, offset ${at}`;
  }
  return undefined;
}
