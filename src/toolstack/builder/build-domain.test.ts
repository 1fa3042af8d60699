// Builds domains from small ELF files of every form that guests come in, in scattered frames full of garbage,
// and looks at the result as the guest would: through the page tables, walked as the CPU walks them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { START_INFO, XEN_ELFNOTE } from '../../abi/index.ts';
import { maddr, mfn, port, VmmError } from '../../base/index.ts';
import type { Mfn } from '../../base/index.ts';
import { frameOfPte, Pte, tableIndex } from '../../x86/index.ts';
import { buildElf } from '../../../tests/support/elf-image.ts';
import type { TestElf, TestNote } from '../../../tests/support/elf-image.ts';
import { readGuestImage } from '../image/guest-image.ts';
import { buildDomain } from './build-domain.ts';
import type { BuiltDomain } from './build-domain.ts';
import { planLayout } from './layout.ts';
import type { BuilderPort } from './ports.ts';

const PAGE = 4096;
const KERNEL_BASE = 0xffffffff80000000n;
const P2M_BASE = 0x8000000000n;
const NR_PAGES = 2048;
const FIRST_MFN = 700;
/** What frames hold before the builder touches them: it must not rely on zeros. */
const GARBAGE = 0xa5;

/** Frames of one domain in scattered order, full of garbage. */
class TestMachine implements BuilderPort {
  readonly mfns: Uint32Array;
  readonly sharedInfo = maddr(5 * PAGE);
  readonly storePort = port(1);
  readonly consolePort = port(2);
  readonly #memory: Uint8Array;

  constructor(nrPages = NR_PAGES) {
    this.#memory = new Uint8Array((nrPages + FIRST_MFN) * PAGE).fill(GARBAGE);
    // 0x9e5 is odd and no factor of the size, so this visits every frame once.
    this.mfns = Uint32Array.from({ length: nrPages }, (_, pfn) => FIRST_MFN + ((pfn * 0x9e5 + 11) % nrPages));
  }

  frame(frame: Mfn): Uint8Array {
    return this.#memory.subarray(frame * PAGE, frame * PAGE + PAGE);
  }

  pfnOf(frame: number): number {
    return this.mfns.indexOf(frame);
  }

  /** Follows the page tables as the CPU does. */
  walk(l4: Mfn, address: bigint): { pfn: number; flags: number; upperFlags: number[] } | undefined {
    const low = Number(BigInt.asUintN(48, address));
    let table = l4;
    const upperFlags: number[] = [];
    for (let level = 4; ; level--) {
      const page = this.frame(table);
      const entries = new DataView(page.buffer, page.byteOffset, PAGE);
      const at = tableIndex(low, level) * 8;
      const lo = entries.getUint32(at, true);
      if (!(lo & Pte.PRESENT)) return undefined;
      const next = mfn(frameOfPte(lo, entries.getUint32(at + 4, true)));
      if (level === 1) return { pfn: this.pfnOf(next), flags: lo & 0xfff, upperFlags };
      upperFlags.push(lo & 0xfff);
      table = next;
    }
  }

  /** Reads guest memory through the page tables. */
  read(l4: Mfn, address: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const at = address + BigInt(i);
      const place = this.walk(l4, at) ?? assert.fail(`0x${at.toString(16)} is not mapped`);
      bytes[i] = this.frame(mfn(this.mfns[place.pfn] ?? 0))[Number(at % BigInt(PAGE))] ?? 0;
    }
    return bytes;
  }
}

class StartInfo {
  readonly #page: Uint8Array;
  readonly #view: DataView;

  constructor(machine: TestMachine, built: BuiltDomain) {
    this.#page = machine.frame(built.startInfoMfn);
    this.#view = new DataView(this.#page.buffer, this.#page.byteOffset, PAGE);
  }

  u64(field: keyof typeof START_INFO): bigint {
    return this.#view.getBigUint64(START_INFO[field], true);
  }

  u32(field: keyof typeof START_INFO): number {
    return this.#view.getUint32(START_INFO[field], true);
  }

  text(field: keyof typeof START_INFO): string {
    const start = START_INFO[field];
    return Buffer.from(this.#page.subarray(start, this.#page.indexOf(0, start))).toString();
  }
}

const CODE = Uint8Array.from({ length: 0x2345 }, (_, i) => (i * 7) & 0xff);
const MODULE = Uint8Array.from({ length: 2 * PAGE + 100 }, (_, i) => (i * 13) & 0xff);
const NO_MODULE = new Uint8Array(0);

const LINUX_NOTES: readonly TestNote[] = [
  [XEN_ELFNOTE.VIRT_BASE, KERNEL_BASE],
  [XEN_ELFNOTE.ENTRY, KERNEL_BASE + 0x100010n],
  [XEN_ELFNOTE.INIT_P2M, P2M_BASE],
  [XEN_ELFNOTE.MOD_START_PFN, 1],
];
const LINUX: TestElf = { segments: [{ paddr: 0x100000n, data: CODE, memsz: 0x5000n }], notes: LINUX_NOTES };

const BSD: TestElf = {
  segments: [{ paddr: KERNEL_BASE + 0x100000n, data: CODE }],
  notes: [
    [XEN_ELFNOTE.VIRT_BASE, KERNEL_BASE],
    [XEN_ELFNOTE.PADDR_OFFSET, KERNEL_BASE],
    [XEN_ELFNOTE.ENTRY, KERNEL_BASE + 0x100000n],
    [XEN_ELFNOTE.HYPERCALL_PAGE, KERNEL_BASE + 0x101000n],
  ],
};

/** As GRUB is: base and entry 0, two segments that meet inside a page. */
const MINI: TestElf = {
  segments: [
    { paddr: 0n, data: CODE, memsz: 0x3456n },
    { paddr: 0x3456n, data: CODE },
  ],
  notes: [
    [XEN_ELFNOTE.VIRT_BASE, 0n],
    [XEN_ELFNOTE.ENTRY, 0n],
  ],
};

function build(
  spec: TestElf,
  module = NO_MODULE,
  cmdline = '',
): { machine: TestMachine; built: BuiltDomain; info: StartInfo } {
  const machine = new TestMachine();
  const built = buildDomain(machine, readGuestImage('guest', buildElf(spec)), { module, cmdline });
  return { machine, built, info: new StartInfo(machine, built) };
}

test('builder: the image is at its addresses, its bss is zero and pfn 0 is at the base', () => {
  const { machine, built } = build(LINUX);
  assert.deepEqual(machine.read(built.l4, KERNEL_BASE + 0x100000n, CODE.length), CODE);
  const bss = machine.read(built.l4, KERNEL_BASE + 0x100000n + BigInt(CODE.length), 0x5000 - CODE.length);
  assert.ok(bss.every((byte) => byte === 0));
  assert.equal(machine.walk(built.l4, KERNEL_BASE)?.pfn, 0);
  assert.equal(built.entry, KERNEL_BASE + 0x100010n);
});

test('builder: the mapping is linear, ends at a multiple of 4 MiB and spares 512 KiB', () => {
  const { machine, built } = build(LINUX);
  const layout = planLayout(readGuestImage('guest', buildElf(LINUX)), {
    moduleBytes: 0,
    nrPages: NR_PAGES,
    cmdline: '',
  });
  assert.equal(layout.nrMapped, 1024);
  assert.ok(layout.nrMapped - (layout.bootStack + 1) >= 128);
  for (let pfn = 0; pfn < 1024; pfn++) {
    assert.equal(machine.walk(built.l4, KERNEL_BASE + BigInt(pfn * PAGE))?.pfn, pfn);
  }
  assert.equal(machine.walk(built.l4, KERNEL_BASE + BigInt(1024 * PAGE)), undefined);
});

test('builder: page tables are mapped read-only and everything else writable, with the flags of Xen', () => {
  const { machine, built, info } = build(LINUX);
  const firstTable = machine.walk(built.l4, info.u64('pt_base'))?.pfn ?? assert.fail('pt_base is not mapped');
  for (let pfn = 0; pfn < 1024; pfn++) {
    const place = machine.walk(built.l4, KERNEL_BASE + BigInt(pfn * PAGE)) ?? assert.fail();
    const isTable = pfn >= firstTable && pfn < firstTable + built.nrPtFrames;
    assert.equal(place.flags, isTable ? 0x21 : 0x23, `pfn ${pfn}`);
    assert.deepEqual(place.upperFlags, [0x67, 0x67, 0x67]);
  }
});

test('builder: the L4 comes first, then L3, L2 and the L1s, packed', () => {
  const { machine, built, info } = build(LINUX);
  assert.equal(info.u64('nr_pt_frames'), 5n);
  const first = machine.walk(built.l4, info.u64('pt_base'))?.pfn ?? assert.fail();
  assert.equal(machine.mfns[first], built.l4);
  const slots = [511, 510, 0];
  let table: number = built.l4;
  slots.forEach((slot, i) => {
    const page = machine.frame(mfn(table));
    const entries = new DataView(page.buffer, page.byteOffset, PAGE);
    table = frameOfPte(entries.getUint32(slot * 8, true), entries.getUint32(slot * 8 + 4, true));
    assert.equal(machine.pfnOf(table), first + i + 1);
  });
});

test('builder: start info says what a guest needs, and rings and stack are zero', () => {
  const { machine, built, info } = build(LINUX, NO_MODULE, 'console=hvc0 quiet');
  assert.equal(info.text('magic'), 'xen-3.0-x86_64');
  assert.equal(info.u64('nr_pages'), BigInt(NR_PAGES));
  assert.equal(info.u64('shared_info'), BigInt(5 * PAGE));
  assert.equal(info.u32('flags'), 16);
  assert.equal(info.u64('store_mfn'), BigInt(built.storeMfn));
  assert.equal(info.u32('store_evtchn'), 1);
  assert.equal(info.u64('console_mfn'), BigInt(built.consoleMfn));
  assert.equal(info.u32('console_evtchn'), 2);
  assert.equal(info.u64('mod_start'), 0n);
  assert.equal(info.u64('mod_len'), 0n);
  assert.equal(info.text('cmd_line'), 'console=hvc0 quiet');
  for (const frame of [built.storeMfn, built.consoleMfn]) assert.ok(machine.frame(frame).every((byte) => byte === 0));
  const stack = machine.read(built.l4, built.stackTopVaddr - BigInt(PAGE), PAGE);
  assert.ok(stack.every((byte) => byte === 0));
  assert.equal(machine.mfns[machine.walk(built.l4, built.startInfoVaddr)?.pfn ?? -1], built.startInfoMfn);
});

test('builder: with INIT_P2M the list is at its own address, behind the module, and its tables follow', () => {
  const { machine, built, info } = build(LINUX, MODULE);
  assert.equal(info.u64('mfn_list'), P2M_BASE);
  const list = machine.read(built.l4, P2M_BASE, NR_PAGES * 8);
  const entries = new BigUint64Array(list.buffer);
  assert.deepEqual([...entries].map(Number), [...machine.mfns]);
  const firstPfn = Number(info.u64('first_p2m_pfn'));
  assert.equal(firstPfn, 1024 + 3);
  assert.equal(machine.walk(built.l4, P2M_BASE)?.pfn, firstPfn);
  assert.equal(info.u64('nr_p2m_frames'), BigInt((NR_PAGES * 8) / PAGE + 3));
  assert.equal(machine.walk(built.l4, P2M_BASE + BigInt(NR_PAGES * 8)), undefined);
});

test('builder: the rest of the last page of the p2m stands for holes', () => {
  const machine = new TestMachine(2000);
  const built = buildDomain(machine, readGuestImage('guest', buildElf(LINUX)), { module: NO_MODULE, cmdline: '' });
  const rest = machine.read(built.l4, P2M_BASE + 2000n * 8n, 2048 * 8 - 2000 * 8);
  assert.ok(rest.every((byte) => byte === 0xff));
});

test('builder: a guest that takes its module by pfn finds it behind the mapping', () => {
  const { machine, info } = build(LINUX, MODULE);
  assert.equal(info.u32('flags'), 16 | 8);
  assert.equal(info.u64('mod_len'), BigInt(MODULE.length));
  const first = Number(info.u64('mod_start'));
  assert.equal(first, 1024);
  const pages = [0, 1, 2].map((i) => machine.frame(mfn(machine.mfns[first + i] ?? 0)));
  const bytes = Buffer.concat(pages);
  assert.deepEqual(Uint8Array.from(bytes.subarray(0, MODULE.length)), MODULE);
  assert.ok(bytes.subarray(MODULE.length).every((byte) => byte === 0));
});

test('builder: any other guest has its module mapped behind the image, and the p2m behind that', () => {
  const { machine, built, info } = build(BSD, MODULE);
  assert.equal(info.u32('flags'), 16);
  assert.equal(info.u64('mod_start'), KERNEL_BASE + 0x103000n);
  assert.deepEqual(machine.read(built.l4, info.u64('mod_start'), MODULE.length), MODULE);
  assert.equal(info.u64('mfn_list'), KERNEL_BASE + 0x106000n);
  const entries = new BigUint64Array(machine.read(built.l4, info.u64('mfn_list'), NR_PAGES * 8).buffer);
  assert.deepEqual([...entries].map(Number), [...machine.mfns]);
  assert.equal(info.u64('first_p2m_pfn'), 0n);
  assert.equal(info.u64('nr_p2m_frames'), 0n);
});

test('builder: PADDR_OFFSET and the hypercall page of a BSD are heeded', () => {
  const { machine, built } = build(BSD);
  assert.deepEqual(machine.read(built.l4, KERNEL_BASE + 0x100000n, PAGE), CODE.subarray(0, PAGE));
  const stub = machine.read(built.l4, KERNEL_BASE + 0x101000n + 12n * 32n, 14);
  assert.equal(Buffer.from(stub).toString('hex'), '514153b80c0000000f05415b59c3');
  const iret = machine.read(built.l4, KERNEL_BASE + 0x101000n + 23n * 32n, 13);
  assert.equal(Buffer.from(iret).toString('hex'), '51415350b8170000000f05cccc');
  assert.deepEqual(machine.read(built.l4, KERNEL_BASE + 0x102000n, 0x345), CODE.subarray(0x2000));
});

test('builder: a mini kernel at base 0 with segments that meet inside a page works', () => {
  const { machine, built, info } = build(MINI, MODULE);
  assert.equal(built.entry, 0n);
  assert.deepEqual(machine.read(built.l4, 0n, CODE.length), CODE);
  assert.ok(machine.read(built.l4, BigInt(CODE.length), 0x3456 - CODE.length).every((byte) => byte === 0));
  assert.deepEqual(machine.read(built.l4, 0x3456n, CODE.length), CODE);
  assert.deepEqual(machine.read(built.l4, info.u64('mod_start'), MODULE.length), MODULE);
});

test('builder: a base that is no multiple of 2 MiB still maps pfn 0', () => {
  const base = 0x7fff12345000n - 0x400000n;
  const { machine, built } = build({
    ...MINI,
    notes: [
      [XEN_ELFNOTE.VIRT_BASE, base],
      [XEN_ELFNOTE.ENTRY, base],
    ],
  });
  assert.deepEqual(machine.read(built.l4, base, CODE.length), CODE);
  assert.equal(machine.walk(built.l4, base - 1n), undefined);
  assert.equal((Number(base / 4096n) + countMapped(machine, built, base)) % 1024, 0);
});

function countMapped(machine: TestMachine, built: BuiltDomain, base: bigint): number {
  let pages = 0;
  while (machine.walk(built.l4, base + BigInt(pages * PAGE)) !== undefined) pages++;
  return pages;
}

test('builder: the layout of the cloud kernel with 256 MiB is the one that Xen makes', () => {
  const image = readGuestImage(
    'guest',
    buildElf({
      ...LINUX,
      segments: [{ paddr: 0x1000000n, data: CODE, memsz: 0x2e00000n }],
      notes: [...LINUX_NOTES.slice(0, 1), [XEN_ELFNOTE.ENTRY, KERNEL_BASE + 0x1000000n], ...LINUX_NOTES.slice(2)],
    }),
  );
  const layout = planLayout(image, { moduleBytes: 0x1e5 * PAGE, nrPages: 65536, cmdline: '' });
  assert.equal(layout.startInfo, 0x3e00);
  assert.equal(layout.storeRing, 0x3e01);
  assert.equal(layout.consoleRing, 0x3e02);
  assert.deepEqual(layout.tables, { pfn: 0x3e03, count: 35 });
  assert.equal(layout.bootStack, 0x3e26);
  assert.deepEqual(layout.module, { pfn: 0x4000, count: 0x1e5 });
  assert.deepEqual(layout.p2mList, { pfn: 0x41e5, count: 0x80 });
  assert.deepEqual(layout.p2mTables, { pfn: 0x4265, count: 3 });
});

function assertRefused(
  spec: { moduleBytes?: number; nrPages?: number; cmdline?: string },
  code: string,
  pattern: RegExp,
): void {
  const image = readGuestImage('guest', buildElf(LINUX));
  assert.throws(
    () => planLayout(image, { moduleBytes: 0, nrPages: NR_PAGES, cmdline: '', ...spec }),
    (error) => error instanceof VmmError && error.code === code && pattern.test(error.message),
  );
}

test('builder: too little memory is refused with the least that is enough', () => {
  assertRefused({ nrPages: 512 }, 'BUILD_MEMORY', /guest needs at least 5 MiB .* has 2 MiB/);
  const image = readGuestImage('guest', buildElf(LINUX));
  assert.ok(planLayout(image, { moduleBytes: 0, nrPages: 5 * 256, cmdline: '' }));
});

test('builder: a command line of 1023 bytes is taken and one of 1024 refused', () => {
  const image = readGuestImage('guest', buildElf(LINUX));
  assert.ok(planLayout(image, { moduleBytes: 0, nrPages: NR_PAGES, cmdline: 'x'.repeat(1023) }));
  assertRefused({ cmdline: 'x'.repeat(1024) }, 'BUILD_CMDLINE', /1024 bytes/);
  assertRefused({ cmdline: 'ü'.repeat(512) }, 'BUILD_CMDLINE', /1024 bytes/);
  assertRefused({ cmdline: 'a\0b' }, 'BUILD_CMDLINE', /NUL/);
});

test('builder: a module as large as the memory is refused', () => {
  assertRefused({ moduleBytes: NR_PAGES * PAGE }, 'BUILD_MODULE', /8 MiB large/);
});

test('builder: a p2m that would lie on the bootstrap mapping is refused', () => {
  const notes: readonly TestNote[] = [...LINUX_NOTES.slice(0, 2), [XEN_ELFNOTE.INIT_P2M, KERNEL_BASE + 0x300000n]];
  const image = readGuestImage('guest', buildElf({ ...LINUX, notes }));
  assert.throws(
    () => planLayout(image, { moduleBytes: 0, nrPages: NR_PAGES, cmdline: '' }),
    (error) => error instanceof VmmError && error.code === 'IMAGE_CORRUPT',
  );
});

test('builder: a p2m beside the bootstrap mapping shares its upper tables', () => {
  const p2m = KERNEL_BASE + 0x40000000n - 0x200000n; // the last 2 MiB that the same L2 covers
  const { machine, built, info } = build({
    ...LINUX,
    notes: [...LINUX_NOTES.slice(0, 2), [XEN_ELFNOTE.INIT_P2M, p2m]],
  });
  assert.equal(info.u64('nr_p2m_frames'), BigInt((NR_PAGES * 8) / PAGE + 1));
  assert.equal(machine.walk(built.l4, p2m)?.pfn, Number(info.u64('first_p2m_pfn')));
});
