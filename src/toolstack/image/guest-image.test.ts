// The loader on small ELF files: every form of self-description, every kind of image that is refused, and
// files that are cut short or damaged at random (the seed is printed with a failure).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { XEN_ELFNOTE } from '../../abi/index.ts';
import { VmmError } from '../../base/index.ts';
import { buildBzImage, buildElf } from '../../../tests/support/elf-image.ts';
import type { TestElf, TestNote } from '../../../tests/support/elf-image.ts';
import type { Decompressor } from './decompressor.ts';
import { loadGuestImage } from './guest-image.ts';
import type { GuestImage } from './guest-image.ts';

const CODE = new Uint8Array(0x1800).fill(0x90);
const KERNEL_BASE = 0xffffffff80000000n;

const LINUX_NOTES: readonly TestNote[] = [
  [XEN_ELFNOTE.GUEST_OS, 'linux'],
  [XEN_ELFNOTE.GUEST_VERSION, '2.6'],
  [XEN_ELFNOTE.XEN_VERSION, 'xen-3.0'],
  [XEN_ELFNOTE.VIRT_BASE, KERNEL_BASE],
  [XEN_ELFNOTE.INIT_P2M, 0x8000000000n],
  [XEN_ELFNOTE.ENTRY, 0xffffffff81000010n],
  [XEN_ELFNOTE.FEATURES, '!writable_page_tables|pae_pgdir_above_4gb'],
  [XEN_ELFNOTE.SUPPORTED_FEATURES, Uint8Array.of(0x01, 0x88, 0, 0)],
  [XEN_ELFNOTE.LOADER, 'generic'],
  [XEN_ELFNOTE.SUSPEND_CANCEL, Uint8Array.of(1, 0, 0, 0)],
  [XEN_ELFNOTE.MOD_START_PFN, Uint8Array.of(1, 0, 0, 0)],
  [XEN_ELFNOTE.HV_START_LOW, 0xffff800000000000n],
  [XEN_ELFNOTE.PADDR_OFFSET, 0],
  [XEN_ELFNOTE.PHYS32_ENTRY, 0x1000850n],
];

const LINUX: TestElf = {
  segments: [{ paddr: 0x1000000n, vaddr: 0xffffffff81000000n, data: CODE }],
  notes: LINUX_NOTES,
};

const noDecompressor: Decompressor = {
  unpack: async () => assert.fail('nothing is compressed here'),
};

function load(spec: TestElf): Promise<GuestImage> {
  return loadGuestImage('vmlinux', buildElf(spec), noDecompressor);
}

function withNotes(...notes: readonly TestNote[]): TestElf {
  const types = new Set(notes.map(([type]) => type));
  return { ...LINUX, notes: [...LINUX_NOTES.filter(([type]) => !types.has(type)), ...notes] };
}

function withoutNotes(...types: readonly number[]): TestElf {
  return { ...LINUX, notes: LINUX_NOTES.filter(([type]) => !types.includes(type)) };
}

/** Expects one line that begins with the file's name, has a semicolon before what to do, and a code. */
async function assertRefused(image: Promise<unknown>, code: string, pattern: RegExp): Promise<void> {
  await assert.rejects(image, (error) => {
    assert.ok(error instanceof VmmError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, /^vmlinux: [^\n]+; [^\n]+$/);
    assert.match(error.message, pattern);
    return true;
  });
}

test('guest image: the notes of a Linux kernel are read', async () => {
  const image = await load(LINUX);
  assert.equal(image.guestOs, 'linux');
  assert.equal(image.guestVersion, '2.6');
  assert.equal(image.loader, 'generic');
  assert.equal(image.entry, 0xffffffff81000010n);
  assert.equal(image.virtBase, KERNEL_BASE);
  assert.equal(image.initP2m, 0x8000000000n);
  assert.equal(image.hypercallPage, undefined);
  assert.equal(image.hvStartLow, 0xffff800000000000n);
  assert.equal(image.modStartIsPfn, true);
  assert.equal(image.suspendCancel, true);
  assert.deepEqual(image.requiredFeatures, ['writable_page_tables']);
  assert.deepEqual([...image.features].sort(), [
    'dom0',
    'linux_rsdp_unrestricted',
    'pae_pgdir_above_4gb',
    'writable_page_tables',
  ]);
  assert.equal(image.start, 0x1000000);
  assert.equal(image.end, 0x1001800);
});

test('guest image: a segment goes where its physical address says, whatever its virtual one', async () => {
  const percpu = { paddr: 0x1002345n, vaddr: 0n, data: Uint8Array.of(1, 2, 3), memsz: 0x100n };
  const image = await load({ ...LINUX, segments: [percpu, ...LINUX.segments] });
  assert.deepEqual(
    image.segments.map(({ start, sizeBytes, data }) => [start, sizeBytes, data.length]),
    [
      [0x1000000, 0x1800, 0x1800],
      [0x1002345, 0x100, 3],
    ],
  );
});

test('guest image: notes in a section count when no segment has any', async () => {
  const image = await load({ ...LINUX, notesIn: 'section' });
  assert.equal(image.entry, 0xffffffff81000010n);
});

test('guest image: with few notes the base is 0 and the entry is that of the ELF file', async () => {
  const image = await load({
    segments: [{ paddr: 0x100000n, data: CODE }],
    entry: 0x100020n,
    notes: [[XEN_ELFNOTE.XEN_VERSION, 'xen-3.0']],
  });
  assert.equal(image.virtBase, 0n);
  assert.equal(image.entry, 0x100020n);
  assert.equal(image.modStartIsPfn, false);
});

test('guest image: an entry of 0 in a note is an entry', async () => {
  const image = await load({
    segments: [{ paddr: 0n, data: CODE }],
    entry: 0x400n,
    notes: [
      [XEN_ELFNOTE.ENTRY, 0n],
      [XEN_ELFNOTE.VIRT_BASE, 0n],
    ],
  });
  assert.equal(image.entry, 0n);
});

test('guest image: PADDR_OFFSET is subtracted from physical addresses', async () => {
  const image = await load({
    segments: [{ paddr: KERNEL_BASE + 0x200000n, data: CODE }],
    notes: [
      [XEN_ELFNOTE.VIRT_BASE, KERNEL_BASE],
      [XEN_ELFNOTE.PADDR_OFFSET, KERNEL_BASE],
      [XEN_ELFNOTE.ENTRY, KERNEL_BASE + 0x200000n],
      [XEN_ELFNOTE.HYPERCALL_PAGE, KERNEL_BASE + 0x201000n],
      [XEN_ELFNOTE.BSD_SYMTAB, 'yes'],
    ],
  });
  assert.equal(image.start, 0x200000);
  assert.equal(image.hypercallPage, KERNEL_BASE + 0x201000n);
  assert.equal(image.bsdSymtab, true);
});

test('guest image: the older string section is read, and its hypercall page is a frame behind the base', async () => {
  const image = await load({
    segments: [{ paddr: 0xffffffff80100000n, data: CODE }],
    xenGuest:
      'GUEST_OS=netbsd,GUEST_VER=4.99,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xffffffff80000000,' +
      'ELF_PADDR_OFFSET=0xffffffff80000000,VIRT_ENTRY=0xffffffff80100000,HYPERCALL_PAGE=0x00000101,BSD_SYMTAB=yes',
  });
  assert.equal(image.guestOs, 'netbsd');
  assert.equal(image.entry, 0xffffffff80100000n);
  assert.equal(image.hypercallPage, 0xffffffff80101000n);
  assert.equal(image.start, 0x100000);
  assert.equal(image.bsdSymtab, true);
});

test('guest image: without ELF_PADDR_OFFSET the string section takes physical addresses for virtual ones', async () => {
  const image = await load({
    segments: [{ paddr: 0xffffffff80100000n, data: CODE }],
    xenGuest: 'VIRT_BASE=0xffffffff80000000,VIRT_ENTRY=0xffffffff80100000',
  });
  assert.equal(image.start, 0x100000);
});

test('guest image: an uncompressed kernel in a bzImage is found', async () => {
  const image = await loadGuestImage('vmlinuz', buildBzImage(buildElf(LINUX)), noDecompressor);
  assert.equal(image.entry, 0xffffffff81000010n);
});

test('guest image: releasing it gives its memory back', async () => {
  const image = await load(LINUX);
  image.release();
  assert.equal(image.segments[0]?.data.length, 0);
});

test('guest image: each compressor we do not have is named', async () => {
  const magics = { bzip2: [0x42, 0x5a, 0x68], lzma: [0x5d, 0, 0], lzo: [0x89, 0x4c, 0x5a, 0x4f] };
  for (const [name, magic] of Object.entries(magics)) {
    const payload = Uint8Array.from([...magic, ...new Uint8Array(32)]);
    const image = loadGuestImage('vmlinux', buildBzImage(payload), noDecompressor);
    await assertRefused(image, 'IMAGE_COMPRESSOR', new RegExp(name));
  }
});

test('guest image: a payload of no known compressor is refused', async () => {
  const image = loadGuestImage('vmlinux', buildBzImage(new Uint8Array(64).fill(7)), noDecompressor);
  await assertRefused(image, 'IMAGE_COMPRESSOR', /do not know/);
});

test('guest image: a 32-bit Linux kernel is refused', async () => {
  const image = loadGuestImage('vmlinux', buildBzImage(new Uint8Array(64), 0x20f, 0), noDecompressor);
  await assertRefused(image, 'IMAGE_ARCH', /32-bit/);
});

test('guest image: a bzImage that ends early is refused at every length', async () => {
  const whole = buildBzImage(buildElf(LINUX));
  for (let length = 1; length < whole.length; length += 97) {
    const image = loadGuestImage('vmlinux', whole.slice(0, length), noDecompressor);
    await assertRefused(image, length < 1024 ? 'IMAGE_FORMAT' : 'IMAGE_TRUNCATED', /./);
  }
});

test('guest image: an ELF file that ends early is refused at every length', async () => {
  const whole = buildElf(LINUX);
  for (let length = 4; length < whole.length; length += 61) {
    await assertRefused(loadGuestImage('vmlinux', whole.slice(0, length), noDecompressor), 'IMAGE_TRUNCATED', /./);
  }
});

test('guest image: files of another kind are told apart', async () => {
  const text = new TextEncoder().encode('#!/bin/sh\n'.repeat(200));
  await assertRefused(loadGuestImage('vmlinux', text, noDecompressor), 'IMAGE_FORMAT', /neither/);
  await assertRefused(loadGuestImage('vmlinux', new Uint8Array(0), noDecompressor), 'IMAGE_TRUNCATED', /empty/);
  await assertRefused(load({ ...LINUX, elfClass: 1 }), 'IMAGE_ARCH', /32-bit/);
  await assertRefused(load({ ...LINUX, byteOrder: 2 }), 'IMAGE_ARCH', /big-endian/);
  await assertRefused(load({ ...LINUX, machine: 183 }), 'IMAGE_ARCH', /arm64/);
  await assertRefused(load({ ...LINUX, type: 1 }), 'IMAGE_FORMAT', /no program/);
});

test('guest image: an ELF file without Xen notes is no guest', async () => {
  await assertRefused(load({ segments: LINUX.segments }), 'IMAGE_NOT_PV', /no Xen notes/);
});

test('guest image: one that is a PVH guest only is called that', async () => {
  await assertRefused(load(withoutNotes(XEN_ELFNOTE.ENTRY)), 'IMAGE_PVH', /PVH guest/);
});

test('guest image: what a PV domain cannot give is named', async () => {
  const pvh = load(withNotes([XEN_ELFNOTE.FEATURES, '!auto_translated_physmap']));
  await assertRefused(pvh, 'IMAGE_NOT_PV', /auto_translated_physmap/);
  await assertRefused(load(withNotes([XEN_ELFNOTE.XEN_VERSION, 'xen-2.0'])), 'IMAGE_NOT_PV', /xen-2\.0/);
  await assertRefused(load(withNotes([XEN_ELFNOTE.LOADER, 'special'])), 'IMAGE_NOT_PV', /special/);
});

test('guest image: claims that cannot be true are refused', async () => {
  const cases: readonly (readonly [TestElf, RegExp])[] = [
    [withNotes([XEN_ELFNOTE.VIRT_BASE, KERNEL_BASE + 8n]), /not page aligned/],
    [withNotes([XEN_ELFNOTE.VIRT_BASE, 0xffff800000000000n]), /virtual base/],
    [withNotes([XEN_ELFNOTE.VIRT_BASE, 0x00007ffffff00000n]), /virtual base/],
    [withNotes([XEN_ELFNOTE.VIRT_BASE, 0x0001000000000000n]), /virtual base/],
    [withNotes([XEN_ELFNOTE.ENTRY, 0xffffffff80000000n]), /entry/],
    [withNotes([XEN_ELFNOTE.ENTRY, 0xffffffff81001800n]), /entry/],
    [withNotes([XEN_ELFNOTE.HYPERCALL_PAGE, 0xffffffff81000800n]), /hypercall page/],
    [withNotes([XEN_ELFNOTE.HYPERCALL_PAGE, 0xffffffff82000000n]), /hypercall page/],
    [withNotes([XEN_ELFNOTE.INIT_P2M, 0x8000000001n]), /p2m/],
    [withNotes([XEN_ELFNOTE.INIT_P2M, 0xffff810000000000n]), /p2m/],
    [withNotes([XEN_ELFNOTE.PADDR_OFFSET, 0x2000000n]), /no memory/],
    [withNotes([XEN_ELFNOTE.ENTRY, new Uint8Array(3)]), /3 bytes/],
    [{ ...LINUX, segments: [] }, /nothing to load/],
    [{ ...LINUX, segments: [...LINUX.segments, { paddr: 0x1001000n, data: CODE }] }, /overlap/],
    [{ ...LINUX, segments: [{ paddr: 0x1000000n, data: CODE, memsz: 16n }] }, /more data than memory/],
    [{ ...LINUX, segments: [{ paddr: 0x1000000n, data: CODE, memsz: 2n ** 63n }] }, /no memory/],
  ];
  for (const [spec, pattern] of cases) await assertRefused(load(spec), 'IMAGE_CORRUPT', pattern);
});

test('guest image: random damage gives an image or a VmmError, never anything else', async () => {
  const seed = 20261122;
  const whole = buildElf({ ...LINUX, xenGuest: 'VIRT_BASE=0', notesIn: 'section' });
  let random = seed;
  for (let round = 0; round < 2000; round++) {
    const damaged = whole.slice();
    for (let flips = 0; flips < 4; flips++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      // The headers and the end of the file, where the sections stand, are what parsers look at.
      const at = random & 1 ? (random >>> 8) % 320 : damaged.length - 1 - ((random >>> 8) % 600);
      damaged[at] = random >>> 24;
    }
    await loadGuestImage('vmlinux', damaged, noDecompressor).catch((error: unknown) => {
      assert.ok(error instanceof VmmError, `seed ${seed}, round ${round}: ${String(error)}`);
    });
  }
});
