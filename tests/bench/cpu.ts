// `npm run bench -- cpu`: one static program on the machine itself, in a guest of Zendo and in a guest of QEMU's emulation,
// in turn, line by line, so that whatever else the machine does hits all three alike. Prints ratios with their spread and whether the
// targets are met. docs/performance.md says how to read it.

import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import process from 'node:process';
import { bootQemu, bootZendo } from './cpu/boot-race.ts';
import { type BenchFiles, withBenchFiles } from './cpu/bench-files.ts';
import { BenchError, CFLAGS, compilerVersion } from './cpu/build-program.ts';
import { type Line, LINES } from './cpu/lines.ts';
import { chosen, parseOptions, pathOf, roundsOf } from './cpu/options.ts';
import { Table } from './cpu/report.ts';
import type { Result } from './cpu/result.ts';
import { median } from './cpu/statistics.ts';
import { QEMU, qemuVersion, type Side, startNative, startQemu, startZendo } from './cpu/side.ts';

const ROUNDS = 5;
const SAMPLES = 3;
const SAMPLE_MS = 60;
/** In the first round: until hot code is compiled on every side. */
const FIRST_WARM_MS = 1000;
/** In later rounds: until the new process has its memory. */
const WARM_MS = 100;

/** What `npm run bench -- cpu` takes. */
interface Options {
  readonly lines: readonly Line[];
  readonly rounds: number;
  /** Where the figures go, beside the table. */
  readonly json: string | undefined;
  /** Tier of Zendo's engine. */
  readonly tier: string | undefined;
  /** Another working tree, whose Zendo takes part in QEMU's place. */
  readonly against: string | undefined;
  /** What times are: of the wall, or of the processor that the side had. */
  readonly clock: 'wall' | 'processor';
}

/** Runs the lines that are asked for. */
export async function benchCpu(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const versions = { node: process.version, gcc: compilerVersion(), flags: CFLAGS.join(' '), qemu: qemuVersion() };
  await withBenchFiles(async (files) => {
    printHeading(options, { ...versions, python: files.python });
    const sides = startSides(files, options, versions.qemu !== undefined);
    const table = new Table(options.against !== undefined);
    const results: Result[] = [];
    try {
      for (const side of sides) await side.ready();
      print(table.head());
      for (const line of options.lines) {
        const run = line.kind === 'program' ? runLine : runBoot;
        const result = await run(line, sides, options);
        results.push(result);
        print(table.row(result));
      }
    } finally {
      for (const side of sides) side.close();
    }
    if (options.json !== undefined) {
      const figures = { versions: { ...versions, python: files.python }, results };
      writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
    }
  });
}

function readOptions(args: readonly string[]): Options {
  const given = parseOptions(args, ['only', 'rounds', 'json', 'tier', 'against', 'clock']);
  const { only, tier, clock = 'wall' } = given;
  if (clock !== 'wall' && clock !== 'processor') throw new BenchError('--clock takes wall or processor');
  const [json, against] = [given.json, given.against].map((path) => (path === undefined ? path : pathOf(path)));
  return { lines: chosen(LINES, only), rounds: roundsOf(given.rounds, ROUNDS), tier, json, against, clock };
}

function printHeading({ rounds, against, clock }: Options, versions: Record<string, string | undefined>): void {
  const { node, gcc, flags, python, qemu } = versions;
  print(`node ${node}; ${gcc}, ${flags}; ${python} and busybox gzip, the same on all sides\n`);
  if (against !== undefined) print(`other: ${against}\n`);
  else if (qemu === undefined)
    print('no QEMU: install the package qemu-system-x86 to fill the columns that stay empty\n');
  else print(`${qemu}, ${QEMU.join(' ')}\n`);
  print(`${clock} time; medians of ${rounds} rounds, of ratios also the least and the greatest\n`);
  const [load = 0] = loadavg();
  const processors = availableParallelism();
  if (clock === 'wall' && load > processors / 2)
    print(
      `the load of this machine is ${load.toFixed(1)} on ${processors} processors: --clock processor gives better figures\n`,
    );
  print('\n');
}

function startSides(files: BenchFiles, { lines, tier, against }: Options, withQemu: boolean): Side[] {
  if (lines.every(({ kind }) => kind !== 'program')) return [];
  const more = tier === undefined ? [] : ['--engine-tier', tier];
  const sides = [startNative(files), startZendo(files, more)];
  if (against !== undefined) return [...sides, startZendo(files, more, against)];
  return withQemu ? [...sides, startQemu(files)] : sides;
}

/** Measures one line on all sides in turn. Fails when they do not compute the same. */
async function runLine(line: Line, sides: readonly Side[], { rounds, clock }: Options): Promise<Result> {
  const times = new Map<string, number[]>(sides.map(({ title }) => [title, []]));
  const found = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      const warmMs = round === 0 ? FIRST_WARM_MS : WARM_MS;
      const answer = await side.measure({ line: line.name, warmMs, sampleMs: SAMPLE_MS, samples: SAMPLES });
      times.get(side.title)?.push(clock === 'wall' ? median(answer.samplesNs) : answer.processorNs);
      found.add(answer.value);
    }
  }
  if (found.size !== 1) throw new Error(`${line.name}: the sides have computed ${[...found].join(', ')}`);
  const of = (title: string): number[] => times.get(title) ?? [];
  return { line, nativeNs: of('native'), zendoNs: of('zendo'), qemuNs: of('qemu'), otherNs: of('other') };
}

/** Boots in turn; it can't be had natively. */
async function runBoot(line: Line, _sides: readonly Side[], { rounds, against }: Options): Promise<Result> {
  const cached = line.kind === 'boot-again';
  const withQemu = against === undefined && qemuVersion() !== undefined;
  const times = {
    nativeNs: [],
    zendoNs: new Array<number>(),
    qemuNs: new Array<number>(),
    otherNs: new Array<number>(),
  };
  for (let round = 0; round < rounds; round++) {
    times.zendoNs.push(await bootZendo(cached));
    if (against !== undefined) times.otherNs.push(await bootZendo(cached, against));
    if (withQemu) times.qemuNs.push(await bootQemu());
  }
  return { line, ...times };
}

function print(text: string): void {
  process.stdout.write(text);
}
