// The files that the CPU bench runs: one set for all sides. python3, busybox and their libraries come out of the ramdisk of
// the project's python guest; with the bench's program they make a ramdisk for guests and a folder for the machine itself.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ensurePythonGuest } from '../../../src/host/images/debian.ts';
import { writeCpio, type CpioEntry } from '../../../src/toolstack/index.ts';
import { buildProgram } from './build-program.ts';
import { readCpio } from './newc-archive.ts';

/** Where the program lies in a guest; it is the first process there. */
export const PROGRAM = 'bench/cpu';

/** python tests itself with these; the bench has no use for them. */
const UNWANTED = /^usr\/lib\/python3[^/]*\/(test|unittest)\//;

/** What all sides run. */
export interface BenchFiles {
  readonly kernel: string;
  /** A ramdisk for the guests. */
  readonly ramdisk: string;
  /** The same files for the machine itself. */
  readonly root: string;
  /** As its folder calls it: `python3.11`. */
  readonly python: string;
}

/** Makes the files in a folder of their own, hands them over, and removes them. */
export async function withBenchFiles(body: (files: BenchFiles) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zendo-bench-'));
  try {
    const { kernel, ramdisk: packed } = await ensurePythonGuest();
    const entries = readCpio(gunzipSync(readFileSync(packed))).filter(({ path }) => !UNWANTED.test(path));
    const root = join(folder, 'root');
    for (const entry of entries) place(root, entry);
    mkdirSync(join(root, 'bench'), { recursive: true });
    buildProgram(join(root, PROGRAM));
    cpSync(join(import.meta.dirname, 'program', 'loop.py'), join(root, 'bench', 'loop.py'));
    const own = [PROGRAM, 'bench/loop.py'].map((path) => fileEntry(root, path));
    const ramdisk = join(folder, 'ramdisk.cpio');
    writeFileSync(ramdisk, writeCpio([...entries, ...own]));
    const python = entries.find(({ path }) => /^usr\/bin\/python3\.\d+$/.test(path))?.path ?? '';
    await body({ kernel, ramdisk, root, python: python.replace('usr/bin/', '') });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fileEntry(root: string, path: string): CpioEntry {
  return { kind: 'file', path, mode: 0o755, data: readFileSync(join(root, path)) };
}

/** Puts an entry on the disk; the machine has devices of its own. */
function place(root: string, entry: CpioEntry): void {
  const path = join(root, entry.path);
  mkdirSync(dirname(path), { recursive: true });
  if (entry.kind === 'directory') mkdirSync(path, { recursive: true });
  else if (entry.kind === 'symlink') symlinkSync(entry.target, path);
  else if (entry.kind === 'file') writeFileSync(path, entry.data, { mode: entry.mode });
}
