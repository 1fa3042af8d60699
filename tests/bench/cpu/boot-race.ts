// The boot lines of the CPU bench: how long the default guest takes from the start of a program to its init, under `bin/zendo run`
// as a user types it, and under QEMU's emulation with the same kernel and ramdisk.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { ensureDefaultGuest } from '../../../src/host/images/debian.ts';
import { Program } from '../../support/process.ts';
import { QEMU, zendoOf } from './side.ts';

const INIT = /Run \/init as init process/;
const LIMIT_MS = 120_000;
const MEMORY_MIB = 256;
const NS_PER_MS = 1e6;

/**
 * Boots once under `zendo run`. @param cached - whether Node finds the sources compiled, as it does after the first run
 * @param tree - a working tree other than this one
 * @returns ns until the kernel starts init
 */
export async function bootZendo(cached: boolean, tree?: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'zendo-bench-'));
  try {
    // as in a user's shell: our own launcher has set these for this process
    const { MALLOC_ARENA_MAX: _arenas, NODE_COMPILE_CACHE: _compiled, ...env } = process.env;
    if (!cached) env['NODE_COMPILE_CACHE'] = join(folder, 'compile');
    return await timeToInit([...zendoOf(tree), 'run', '--memory', `${MEMORY_MIB}M`], env);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Boots the same files once under QEMU. @returns ns until the kernel starts init */
export async function bootQemu(): Promise<number> {
  const { kernel, ramdisk } = await ensureDefaultGuest();
  const files = ['-kernel', kernel, '-initrd', ramdisk, '-append', 'console=ttyS0'];
  return timeToInit([...QEMU, '-m', String(MEMORY_MIB), ...files], process.env);
}

async function timeToInit(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const start = performance.now();
  const program = new Program(command, { env, limitMs: LIMIT_MS });
  await program.shows(INIT);
  const elapsedMs = performance.now() - start;
  process.kill(program.pid, 'SIGTERM'); // which the launcher hands on to the process that it starts
  await program.ended;
  return elapsedMs * NS_PER_MS;
}
