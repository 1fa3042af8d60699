// Compiles the program of the bench: whole and static, for the machine itself and its guests, or its computing lines
// alone and without a library, for a bare engine. What is missing on the machine is said in an error that tells what to
// install. Called by tests/bench/cpu.ts and tests/bench/bare.ts.

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

const sources = join(import.meta.dirname, 'program');

/**
 * Flags of every build; the bench prints them. The alignment keeps small functions within a page, so that a change of one does
 * not move another's loop across the end of a page: that costs an emulator much, and would come and go by chance.
 */
export const CFLAGS: readonly string[] = '-std=gnu11 -O2 -static -falign-functions=1024 -Wall -Wextra -Werror'.split(
  ' ',
);

/** Files that call neither a library nor the system. */
const COMPUTE = ['bytes', 'compute', 'control', 'data', 'float', 'integer'];

/** What is wrong with this machine, so that a bench can't run; its message says what to do. */
export class BenchError extends Error {}

/** Version of the C compiler, in its own words. Fails with BenchError when there is none. */
export function compilerVersion(): string {
  const { error, stdout } = spawnSync('gcc', ['--version'], { encoding: 'utf8' });
  if (error !== undefined) throw new BenchError('there is no gcc: install the packages gcc and libc6-dev');
  return stdout.split('\n')[0] ?? '';
}

/** Builds the whole program. @param file - where it goes */
export function buildProgram(file: string): void {
  compile([...CFLAGS, '-o', file, ...globSync(join(sources, '*.c'))]);
}

/** Builds the computing lines as an ELF file whose entry point is the table `compute_lines`. */
export function buildBareProgram(file: string): void {
  const flags = ['-ffreestanding', '-nostdlib', '-no-pie', '-fno-stack-protector', '-Wl,-e,compute_lines'];
  compile([...CFLAGS, ...flags, '-o', file, ...COMPUTE.map((name) => join(sources, `${name}.c`))]);
}

function compile(args: readonly string[]): void {
  compilerVersion();
  const { status, stderr } = spawnSync('gcc', args, { encoding: 'utf8' });
  if (status === 0) return;
  const hint = /-lc\b/.test(stderr) ? ' (is the package libc6-dev installed?)' : '';
  throw new BenchError(`gcc cannot build the program${hint}:\n${stderr}`);
}
