// What is in the ramdisks of our default guests, as entries for the archive writer. Files come out of Debian
// packages; everything else is here.
import type { CpioEntry } from '../../toolstack/index.ts';
import { INIT_SCRIPT } from './init-script.ts';
import type { TarEntry } from './tar-reader.ts';

/** Packages that python3 with its test suite runs from, beside busybox. */
export const PYTHON_PACKAGES: readonly [string, ...string[]] = [
  'python3.11-minimal',
  'libpython3.11-minimal',
  'libpython3.11-stdlib',
  'libpython3.11-testsuite',
  'libc6',
  'libgcc-s1',
  'libexpat1',
  'zlib1g',
  'libssl3',
  'libffi8',
  'libbz2-1.0',
  'liblzma5',
  'libuuid1',
  'libcrypt1',
  'libncursesw6',
  'libtinfo6',
  'libreadline8',
  'libsqlite3-0',
];

/** What those packages have that the tests do not need: it would only fill the guest's memory. */
const PYTHON_UNWANTED =
  /(^|\/)(gconv|doc|man|locale|lintian|pydoc_data|idlelib|lib2to3|ensurepip|decimaltestdata|test_asyncio|idle_test)(\/|$)/;

/** Whether a file of a python package goes into the ramdisk. */
export function isWantedForPython(path: string): boolean {
  return /^(lib|lib64|usr\/lib|usr\/bin|etc)\//.test(path) && !PYTHON_UNWANTED.test(path);
}

/** The guest that has a shell and nothing else. */
export function busyboxEntries(busybox: Uint8Array): readonly CpioEntry[] {
  return [
    { kind: 'file', path: 'init', mode: 0o755, data: new TextEncoder().encode(INIT_SCRIPT) },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: busybox },
    { kind: 'symlink', path: 'bin/sh', target: 'busybox' },
    // The kernel opens the console for init before anything is mounted on /dev.
    { kind: 'device', path: 'dev/console', mode: 0o600, type: 'char', major: 5, minor: 1 },
    { kind: 'device', path: 'dev/null', mode: 0o666, type: 'char', major: 1, minor: 3 },
    { kind: 'directory', path: 'proc', mode: 0o755 },
    { kind: 'directory', path: 'sys', mode: 0o755 },
    { kind: 'directory', path: 'root', mode: 0o700 },
    { kind: 'directory', path: 'sbin', mode: 0o755 },
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
    {
      kind: 'file',
      path: 'etc/passwd',
      mode: 0o644,
      data: new TextEncoder().encode('root:x:0:0:root:/root:/bin/sh\n'),
    },
    { kind: 'file', path: 'etc/group', mode: 0o644, data: new TextEncoder().encode('root:x:0:\n') },
  ];
}

/** The guest that has python3 as well. */
export function pythonEntries(busybox: Uint8Array, packages: readonly TarEntry[]): readonly CpioEntry[] {
  const entries = new Map<string, CpioEntry>();
  for (const entry of packages) entries.set(entry.path, toCpio(entry, packages));
  entries.set('usr/bin/python3', { kind: 'symlink', path: 'usr/bin/python3', target: 'python3.11' });
  for (const entry of busyboxEntries(busybox)) entries.set(entry.path, entry);
  return [...entries.values()];
}

function toCpio(entry: TarEntry, all: readonly TarEntry[]): CpioEntry {
  const { path, mode } = entry;
  switch (entry.kind) {
    case 'file':
      return { kind: 'file', path, mode, data: entry.data };
    case 'directory':
      return { kind: 'directory', path, mode };
    case 'symlink':
      return { kind: 'symlink', path, target: entry.target };
    case 'hardlink': {
      const data = all.find((other) => other.path === entry.target)?.data ?? new Uint8Array(0);
      return { kind: 'file', path, mode, data };
    }
  }
}
