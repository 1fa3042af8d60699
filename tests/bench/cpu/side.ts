// One side of the CPU bench: the program of the bench, running on the machine itself or as the first process of a guest, driven
// over its standard input and output. cpu/program/main.c has the protocol.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { zendo } from '../../support/booted-guest.ts';
import { Program } from '../../support/process.ts';
import type { BenchFiles } from './bench-files.ts';
import { PROGRAM } from './bench-files.ts';

/** Longest run of a side. */
const LIMIT_MS = 3_600_000;
const GUEST_MIB = 512;
const NS_PER_MS = 1e6;

/** How far the clock of a side may be off: a part of the time, and what a request and its answer need on their way. */
const CLOCK_TOLERANCE = 0.02;
const DELAY_MS = 1000;

/** Command of QEMU's emulation, apart from the guest. */
export const QEMU: readonly string[] = 'qemu-system-x86_64 -accel tcg -machine pc -nographic -no-reboot'.split(' ');

/** A folder on a tmpfs of every Linux. */
const TMPFS = '/dev/shm';

/** What to measure. */
export interface Request {
  readonly line: string;
  readonly warmMs: number;
  /** Least time of one sample; a sample is at least one unit of work. */
  readonly sampleMs: number;
  readonly samples: number;
}

/** What a side has measured. */
export interface Answer {
  /** What a unit of work has computed, as the program writes it. */
  readonly value: string;
  /** Time of one operation in each sample. */
  readonly samplesNs: readonly number[];
  /** Processor time of one operation, of all samples together. */
  readonly processorNs: number;
}

/** A program that answers requests. */
export class Side {
  readonly title: string;
  readonly #isGuest: boolean;
  readonly #program: Program;
  #read = 0;

  /** @param isGuest - whether the program runs in a guest of the process, and not as the process */
  constructor(title: string, isGuest: boolean, command: readonly string[]) {
    this.title = title;
    this.#isGuest = isGuest;
    // with this set zendo's launcher starts no process of its own, so that `close` ends the machine
    const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
    this.#program = new Program(command, { limitMs: LIMIT_MS, env });
  }

  /** Waits until it takes requests. */
  async ready(): Promise<void> {
    const answer = await this.#answer();
    if (answer !== 'ready') throw new Error(`${this.title}: ${answer}`);
  }

  /** Measures one line. Fails when the line computes something wrong, or the side's clock runs wrong. */
  async measure({ line, warmMs, sampleMs, samples }: Request): Promise<Answer> {
    this.#program.type(`${line} ${warmMs} ${sampleMs} ${samples}\n`);
    const warm = await this.#answer();
    if (warm !== `${line} warm`) throw new Error(`${this.title}: ${warm}`);
    const threads = threadTimes(this.#program.pid);
    const start = performance.now();
    this.#program.type('\n');
    const answer = await this.#answer();
    const hostMs = performance.now() - start;
    const busiestNs = busiest(threads, threadTimes(this.#program.pid));
    const [name, value = '', ownNs, operations, processorNs, ...times] = answer.split(' ');
    if (name !== line || value === 'failed:') throw new Error(`${this.title}: ${answer}`);
    const ownMs = Number(ownNs) / NS_PER_MS;
    if (Math.abs(ownMs - hostMs) > hostMs * CLOCK_TOLERANCE + DELAY_MS)
      throw new Error(
        `${this.title}: ${line} took ${hostMs.toFixed(0)} ms, and ${ownMs.toFixed(0)} ms by its own clock`,
      );
    const usedNs = this.#isGuest ? busiestNs : Number(processorNs);
    return { value, samplesNs: times.map(Number), processorNs: usedNs / Number(operations) };
  }

  /** Ends it at once. */
  close(): void {
    this.#program.kill();
  }

  /** The next line that begins like an answer; a guest's kernel may print others. */
  async #answer(): Promise<string> {
    const match = await this.#program.shows(/@ ([^\r\n]*)\r?\n/, this.#read);
    this.#read += match.index + match[0].length;
    return match[1] ?? '';
  }
}

/** Nanoseconds that each thread of a process has had a processor. Source: Linux Documentation/scheduler/sched-stats.rst. */
function threadTimes(pid: number): ReadonlyMap<string, number> {
  const folder = `/proc/${pid}/task`;
  const threads = readdirSync(folder);
  return new Map(threads.map((thread) => [thread, processorTime(`${folder}/${thread}/schedstat`)]));
}

function processorTime(file: string): number {
  try {
    return Number(readFileSync(file, 'latin1').split(' ')[0]);
  } catch {
    return 0; // a thread that has ended since the folder was read
  }
}

/** What the thread that was busiest in between has used: a guest's only vCPU. */
function busiest(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return Math.max(...[...after].map(([thread, time]) => time - (before.get(thread) ?? 0)));
}

/** The machine itself. */
export function startNative({ root }: BenchFiles): Side {
  return new Side('native', false, [join(root, PROGRAM), root, TMPFS]);
}

/** A guest of Zendo. @param more - more words for `zendo run`; @param tree - a working tree other than this one */
export function startZendo({ kernel, ramdisk }: BenchFiles, more: readonly string[], tree?: string): Side {
  const files = ['--kernel', kernel, '--ramdisk', ramdisk, '--append', commandLine('hvc0')];
  return new Side(tree === undefined ? 'zendo' : 'other', true, [
    ...zendoOf(tree),
    'run',
    ...files,
    '--memory',
    `${GUEST_MIB}M`,
    ...more,
  ]);
}

/** The command `zendo` of a working tree, of this one by default. */
export function zendoOf(tree: string | undefined): readonly string[] {
  return tree === undefined ? zendo : [process.execPath, join(tree, 'bin', 'zendo')];
}

/** A guest of QEMU. */
export function startQemu({ kernel, ramdisk }: BenchFiles): Side {
  const files = ['-kernel', kernel, '-initrd', ramdisk, '-append', commandLine('ttyS0')];
  return new Side('qemu', true, [...QEMU, '-m', String(GUEST_MIB), ...files]);
}

function commandLine(console: string): string {
  return `console=${console} quiet rdinit=/${PROGRAM}`;
}

/** QEMU's version in its own words; undefined when it is not installed. */
export function qemuVersion(): string | undefined {
  const { error, stdout } = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' });
  return error === undefined ? stdout.split('\n')[0] : undefined;
}
