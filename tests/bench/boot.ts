// How long the default guest takes from the start of `bin/zendo run` to its init, and what the run
// costs: the promise is 30 s with the interpreter alone on a machine with 2 cores.

import { readFileSync } from 'node:fs';
import process from 'node:process';

import { BootedGuest } from '../support/booted-guest.ts';

/** Rounds of each tier; the first one warms the file cache and counts like the others. */
const ROUNDS = 3;
const TIERS = ['interpreter', 'auto'] as const;
const INIT = /Run \/init as init process/;
const KIB_PER_MIB = 1024;

interface Boot {
  readonly initMs: number;
  readonly promptMs: number;
  readonly peakMib: number;
}

/** Boots the default guest in turn with each tier of the engine and prints medians and ranges. */
export async function benchBoot(): Promise<void> {
  process.stdout.write('boot: default guest, 256 MiB, 1 vCPU; wall clock from process start, median (least to most)\n');
  const boots = new Map<string, Boot[]>(TIERS.map((tier) => [tier, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const tier of TIERS) boots.get(tier)?.push(await boot(tier));
  }
  for (const [tier, list] of boots) {
    const init = summary(list.map((run) => run.initMs / 1000));
    const prompt = summary(list.map((run) => run.promptMs / 1000));
    const peak = summary(list.map((run) => run.peakMib));
    process.stdout.write(`  ${tier.padEnd(11)}  to init ${init} s   to the prompt ${prompt} s   peak ${peak} MiB\n`);
  }
}

async function boot(tier: string): Promise<Boot> {
  const start = performance.now();
  const guest = new BootedGuest({ more: ['--engine-tier', tier] });
  try {
    await guest.program.shows(INIT);
    const initMs = performance.now() - start;
    await guest.prompt();
    const promptMs = performance.now() - start;
    const peakMib = peakMemoryMib(guest.program.pid);
    await guest.end('exit');
    return { initMs, promptMs, peakMib };
  } finally {
    guest.kill();
  }
}

/** Most memory that a process has had, in MiB. */
function peakMemoryMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / KIB_PER_MIB;
}

function summary(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): string => (sorted[index] ?? Number.NaN).toFixed(1);
  return `${at(Math.floor(sorted.length / 2))} (${at(0)} to ${at(sorted.length - 1)})`;
}
