// What a user meets who gives `zendo run` something it cannot use: one line on standard error that names the thing and says what to
// do, status 1 (2 where the command line makes no sense), nothing on standard output, no stack trace, nothing left behind.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { XEN_ELFNOTE } from '../../src/abi/index.ts';
import { VmmError } from '../../src/base/index.ts';
import { ImageCache } from '../../src/host/images/cache.ts';
import { buildBzImage, buildElf } from '../support/elf-image.ts';
import type { TestElf } from '../support/elf-image.ts';
import { Program, root } from '../support/process.ts';

const zendo = join(root, 'bin', 'zendo');
const folder = mkdtempSync(join(tmpdir(), 'zendo-input-'));
after(() => rmSync(folder, { recursive: true }));

const BASE = 0xffffffff80000000n;
const MIB = 2 ** 20;

/** A kernel as good as Linux to the builder, with 60 MiB of memory for itself. It would not do anything. */
const KERNEL: TestElf = {
  segments: [{ paddr: 0x100000n, data: new Uint8Array(8192).fill(0xf4), memsz: BigInt(60 * MIB) }],
  notes: [
    [XEN_ELFNOTE.GUEST_OS, 'linux'],
    [XEN_ELFNOTE.VIRT_BASE, BASE],
    [XEN_ELFNOTE.ENTRY, BASE + 0x100000n],
    [XEN_ELFNOTE.MOD_START_PFN, 1],
  ],
};
const elf = buildElf(KERNEL);
const kernel = write('kernel', elf);

function write(name: string, data: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
}

/** A payload with the size of the unpacked kernel behind it, as Linux appends it. */
function sized(packed: Uint8Array): Uint8Array {
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, elf.length, true);
  return Buffer.concat([packed, size]);
}

function damaged(data: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(data);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

function withSize(bzImage: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bzImage);
  new DataView(copy.buffer).setUint32(0x1f4, Math.floor((copy.length - 2048) / 16), true);
  return copy;
}

const arm64 = new Uint8Array(4096);
arm64.set(Buffer.from('ARMd'), 0x38);
const zstd = sized(zstdCompressSync(elf));
const gzip = gzipSync(elf);

async function assertRefused(command: readonly string[], status: number, line: RegExp, env = {}): Promise<void> {
  const program = new Program(command, { cwd: folder, env: { ...process.env, ...env } });
  program.endInput();
  assert.equal(await program.ended, status, program.stderr);
  assert.equal(program.stdout, '');
  assert.match(program.stderr, /^zendo: [^\n]+\n$/, 'one line');
  assert.match(program.stderr, line);
  assert.doesNotMatch(program.stderr, /fault of zendo/);
}

const run = (...args: string[]): string[] => [process.execPath, zendo, 'run', '--timeout', '15', ...args];

const TRUNCATED = /incomplete: fetch or build it again/;
const DAMAGED = /damaged: fetch or build it again/;

for (const [name, data, line] of [
  ['an empty file', '', /it is empty; the file is incomplete/],
  ['a text', '#!/bin/sh\n', /neither a Linux bzImage nor an ELF file; give a/],
  ['an ELF file cut in its header', elf.subarray(0, 40), TRUNCATED],
  ['an ELF file cut in its program headers', elf.subarray(0, 100), TRUNCATED],
  ['an ELF file cut in its segments', elf.subarray(0, 5000), TRUNCATED],
  ['an ELF file cut by one byte', elf.subarray(0, -1), TRUNCATED],
  ['a gzip file cut in half', gzip.subarray(0, gzip.length / 2), TRUNCATED],
  ['a gzip file with a damaged byte', damaged(gzip, gzip.length - 6), DAMAGED],
  ['a bzImage cut in its setup code', withSize(buildBzImage(zstd)).subarray(0, 1500), TRUNCATED],
  ['a bzImage cut by 100 bytes', withSize(buildBzImage(zstd)).subarray(0, -100), TRUNCATED],
  ['a bzImage with a damaged byte', buildBzImage(damaged(zstd, 6)), DAMAGED],
  ['a bzImage that announces a wrong size', buildBzImage(damaged(zstd, zstd.length - 4)), DAMAGED],
  ['a bzImage of bzip2', buildBzImage(sized(Buffer.from('BZh91AY&SY......'))), /with bzip2, .*; rebuild or recompress/],
  ['a bzImage of an unknown compressor', buildBzImage(new Uint8Array(64)), /a way we do not know; rebuild or/],
  ['a 32-bit bzImage', buildBzImage(zstd, 0x20f, 0), /a 32-bit Linux kernel; give a kernel for x86-64/],
  ['a 32-bit ELF file', buildElf({ ...KERNEL, elfClass: 1 }), /32-bit ELF file; give a kernel for x86-64/],
  ['an ELF file for arm64', buildElf({ ...KERNEL, machine: 183 }), /for arm64; give a kernel for x86-64/],
  ['a big-endian ELF file', buildElf({ ...KERNEL, byteOrder: 2 }), /big-endian ELF file; give a kernel for x86-64/],
  ['an arm64 kernel', arm64, /a Linux kernel for arm64; give a kernel for x86-64/],
  ['an object file', buildElf({ ...KERNEL, type: 1 }), /no program; give a/],
  ['a program that is no Xen guest', buildElf({ segments: KERNEL.segments }), /no Xen notes, .*CONFIG_XEN_PV/],
  [
    'a kernel for PVH only',
    buildElf({ segments: KERNEL.segments, notes: [[XEN_ELFNOTE.PHYS32_ENTRY, 0x100000]] }),
    /a PVH guest only, .*CONFIG_XEN_PV/,
  ],
  [
    'a kernel for another Xen',
    buildElf({ ...KERNEL, notes: [...(KERNEL.notes ?? []), [XEN_ELFNOTE.XEN_VERSION, 'xen-4.9']] }),
    /"xen-4.9", not "xen-3.0"/,
  ],
  [
    'a kernel that wants what PV has not',
    buildElf({ ...KERNEL, notes: [...(KERNEL.notes ?? []), [XEN_ELFNOTE.FEATURES, '!auto_translated_physmap']] }),
    /requires "auto_translated_physmap"/,
  ],
  [
    'a kernel whose entry lies outside',
    buildElf({ ...KERNEL, notes: [...(KERNEL.notes ?? []), [XEN_ELFNOTE.ENTRY, 0x1000]] }),
    DAMAGED,
  ],
] as const) {
  test(`bad input: ${name} is refused as a kernel`, async () => {
    const path = write(name.replaceAll(' ', '-'), data);
    await assertRefused(run('--kernel', path), 1, new RegExp(`^zendo: ${path}: ${line.source.replace(/^/, '.*')}`));
  });
}

for (const [name, args, line] of [
  ['a kernel that is not there', ['--kernel', 'nothing'], /cannot read kernel nothing: there is no such file; name/],
  ['a path through a file', ['--kernel', `${kernel}/x`], /a part of its path is no folder; name/],
  ['a folder as kernel', ['--kernel', '.'], /cannot read kernel \.: it is a folder; name/],
  ['an endless device as kernel', ['--kernel', '/dev/zero'], /cannot read kernel \/dev\/zero: it is a device; name/],
  ['a name that is too long', ['--kernel', 'n'.repeat(300)], /its name is too long; name/],
  ['a ramdisk that is not there', ['--kernel', kernel, '--ramdisk', 'nothing'], /cannot read ramdisk nothing: there/],
  ['too little memory', ['--kernel', kernel, '--memory', '8M'], /needs at least \d+ MiB .* has 8 MiB: give it more/],
  ['the least memory there is', ['--kernel', kernel, '--memory', '4KiB'], /has 1 MiB: give it more/],
  [
    'more memory than a machine has',
    ['--kernel', kernel, '--memory', '5G'],
    /40\d\d MiB .*, not 5120 MiB: give it less/,
  ],
  [
    'a command line of 3000 bytes',
    ['--kernel', kernel, '--append', 'x'.repeat(3000)],
    /3000 bytes .* 1023: shorten it/,
  ],
] as const) {
  test(`bad input: ${name} is refused`, async () => {
    await assertRefused(run(...args), 1, line);
  });
}

test('bad input: a ramdisk larger than the memory is refused', async () => {
  const ramdisk = write('large', new Uint8Array(70 * MIB));
  const args = ['--kernel', kernel, '--memory', '68M', '--ramdisk', ramdisk];
  await assertRefused(run(...args), 1, /the ramdisk is 70 MiB large .* has 68 MiB of memory: give it more/);
});

test('bad input: an empty ramdisk and a damaged one are refused', async () => {
  const empty = write('empty-ramdisk', '');
  await assertRefused(run('--kernel', kernel, '--ramdisk', empty), 1, /empty-ramdisk: it is empty/);
  const bad = write('bad-ramdisk', damaged(gzip, gzip.length - 6));
  await assertRefused(run('--kernel', kernel, '--ramdisk', bad), 1, /bad-ramdisk: .*damaged: fetch or build it again/);
});

test('bad input: a file that this user may not read is refused', async () => {
  const secret = write('secret', elf);
  const isRoot = process.getuid?.() === 0;
  execFileSync('chmod', ['000', secret]);
  if (isRoot) chownSync(secret, 65_534, 65_534);
  // Root may read everything, until it gives that right away.
  const drop = isRoot ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
  await assertRefused([...drop, ...run('--kernel', secret)], 1, /secret: it may not be read by this user; name/);
});

test('bad input: a named pipe without a writer does not hang', async () => {
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await assertRefused(run('--kernel', 'pipe'), 1, /pipe: it is empty/);
});

test('bad input: a run that waits for a pipe can be ended', async () => {
  const command = `exec ${process.execPath} ${zendo} run --kernel <(sleep 5)`;
  const program = new Program(['bash', '-c', command]);
  setTimeout(() => process.kill(program.pid, 'SIGTERM'), 1000);
  assert.equal(await program.ended, 143);
});

for (const args of [
  ['--vcpus', '0'],
  ['--vcpus', '33'],
  ['--vcpus', 'x'],
  ['--memory', '0'],
  ['--memory', 'much'],
  ['--trace', 'hypercall,all'],
  ['--trace', ''],
  ['--name', 'a b'],
  ['--timeout', '0'],
  ['--kernel'],
  ['--kernel', ''],
  ['--frobnicate'],
  ['vmlinuz'],
]) {
  test(`bad input: 'zendo run ${args.join(' ')}' is wrong usage`, async () => {
    await assertRefused([process.execPath, zendo, 'run', ...args], 2, /; 'zendo help' shows what there is\n$/);
  });
}

test('bad input: no command and an unknown one are wrong usage', async () => {
  await assertRefused([process.execPath, zendo], 2, /a command is missing; 'zendo help'/);
  await assertRefused([process.execPath, zendo, 'fly'], 2, /unknown command 'fly'; 'zendo help'/);
});

test('bad input: help that cannot be written is an error, a reader that left is none', async () => {
  const program = new Program(['sh', '-c', `${process.execPath} ${zendo} help > /dev/full`]);
  assert.equal(await program.ended, 1);
  assert.match(
    program.stderr,
    /^zendo: standard output cannot be written \(ENOSPC[^\n]*\): send it elsewhere[^\n]*\n$/,
  );
  assert.equal(await new Program(['sh', '-c', `${process.execPath} ${zendo} help | true`]).ended, 0);
});

let nrCaches = 0;

/** A new cache, and what the environment has to say to have it used. */
function newCache(): { dir: string; env: Record<string, string> } {
  const dir = join(folder, `cache-${nrCaches++}`);
  return { dir, env: { XDG_CACHE_HOME: dir } };
}

/** Whatever is in a cache beside empty folders. */
function contents(dir: string): string[] {
  const all = existsSync(dir) ? readdirSync(dir, { recursive: true, withFileTypes: true }) : [];
  return all.filter((entry) => !entry.isDirectory() || entry.name.startsWith('scratch')).map(({ name }) => name);
}

async function withMirror(answer: RequestListener, body: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`); // it listens on TCP
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

for (const [name, answer, line] of [
  ['answers 500', (_, response) => response.writeHead(500).end(), /the mirror answers 500 .*: check/],
  ['has nothing', (_, response) => response.writeHead(404).end(), /the mirror answers 404 .*: check/],
  [
    'gives something else',
    (_, response) => response.end('<html>sign in</html>'),
    /is no list of packages .*: check the network/,
  ],
  [
    'hangs up in the middle',
    (_, response) => {
      response.writeHead(200, { 'content-length': '100000' }).write('x'.repeat(1000));
      setTimeout(() => response.destroy(), 50);
    },
    /cannot fetch http.*: check the network, or name a kernel and a ramdisk/,
  ],
] as const satisfies readonly (readonly [string, RequestListener, RegExp])[]) {
  test(`bad input: a mirror that ${name} is named, and the cache stays empty`, async () => {
    await withMirror(answer, async (url) => {
      const { dir, env } = newCache();
      await assertRefused(run(), 1, line, { ...env, ZENDO_DEBIAN_MIRROR: url });
      assert.deepEqual(contents(dir), []);
    });
  });
}

test('bad input: a mirror that cannot be reached is named, and the cache stays empty', async () => {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  await new Promise((resolve) => server.close(resolve));
  const { dir, env } = newCache();
  const mirror = { ...env, ZENDO_DEBIAN_MIRROR: `http://127.0.0.1:${port}` };
  await assertRefused(run(), 1, /cannot fetch http.* \(ECONNREFUSED\): check the network, or name a kernel/, mirror);
  assert.deepEqual(contents(dir), []);
});

test('bad input: an apt that cannot reach its mirror is quoted, and the cache stays empty', async () => {
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  const script = '#!/bin/sh\n[ "$1" = --version ] || { echo "E: Could not connect to the mirror" >&2; exit 100; }\n';
  writeFileSync(join(tools, 'apt-get'), script, { mode: 0o755 });
  const { dir, env } = newCache();
  const path = `${tools}:${process.env['PATH'] ?? ''}`;
  const line =
    /apt-get cannot fetch \(Could not connect to the mirror\): check the network, or|this machine has no apt with/;
  await assertRefused(run(), 1, line, { ...env, PATH: path, ZENDO_DEBIAN_MIRROR: '' });
  assert.deepEqual(contents(dir), []);
});

test('bad input: fetching that a signal ends leaves nothing behind', async () => {
  await withMirror(
    () => undefined,
    async (url) => {
      const { dir, env } = newCache();
      const program = new Program(run(), { env: { ...process.env, ...env, ZENDO_DEBIAN_MIRROR: url } });
      setTimeout(() => process.kill(program.pid, 'SIGTERM'), 1500);
      assert.equal(await program.ended, 143);
      assert.deepEqual(contents(dir), []);
    },
  );
});

for (const [name, dir] of [
  ['below a file', kernel],
  ['where nobody can make folders', '/proc/zendo'],
] as const) {
  test(`bad input: a cache ${name} is named`, async () => {
    await assertRefused(run(), 1, new RegExp(`cannot use ${dir}/zendo \\(E[A-Z]+\\): set XDG_CACHE_HOME`), {
      XDG_CACHE_HOME: dir,
    });
  });
}

test('bad input: a disk without room for the packages is named before anything is fetched', async () => {
  const { dir, env } = newCache();
  mkdirSync(dir);
  const [file = '', ...args] = run();
  const script = 'mount -t tmpfs -o size=4m tmpfs "$0" || exit 97; exec "$@"';
  const program = new Program(['unshare', '--map-root-user', '--mount', 'sh', '-c', script, dir, file, ...args], {
    env: { ...process.env, ...env },
  });
  const status = await program.ended;
  if (status === 1 && program.stderr.startsWith('zendo:')) {
    assert.match(
      program.stderr,
      /^zendo: [^\n]*\/zendo has less than \d+ MiB free: free some space, or set XDG_CACHE_HOME\n$/,
    );
  } else {
    // Where nothing may be mounted, at least the check itself is tried.
    const cache = new ImageCache(dir);
    await assert.rejects(
      cache.withScratch(2 ** 60, async () => undefined),
      (error) => error instanceof VmmError && error.code === 'CACHE_FULL' && /free some space/.test(error.message),
    );
  }
  assert.deepEqual(contents(dir), []);
});
