// `npm run bench -- cpu`: one static program on the machine itself, in a guest of Zendo and in a guest of QEMU's emulation,
// in turn, line by line, so that whatever else the machine does hits all three alike. Prints ratios with their spread and whether the
// targets are met. docs/performance.md says how to read it.

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type BenchFiles, withBenchFiles } from './cpu/bench-files.ts';
import { BenchError, CFLAGS, compilerVersion } from './cpu/build-program.ts';
import { type Line, LINES } from './cpu/lines.ts';
import { tableHead, tableRow } from './cpu/report.ts';
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

/** Runs the lines that are asked for. */
export async function benchCpu(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: String(ROUNDS) },
      json: { type: 'string' },
      tier: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new BenchError('--rounds takes a number from 1 on');
  const lines = chooseLines(values.only);
  const versions = { node: process.version, gcc: compilerVersion(), flags: CFLAGS.join(' '), qemu: qemuVersion() };
  await withBenchFiles(async (files) => {
    const { qemu } = versions;
    print(`node ${versions.node}; ${versions.gcc}, ${versions.flags}; ${files.python} and busybox gzip on all sides\n`);
    if (qemu === undefined) print('no QEMU: install the package qemu-system-x86 for the columns that stay empty\n');
    else print(`${qemu}, ${QEMU.join(' ')}\n`);
    print(
      `${rounds} rounds; ratios are medians (least to most) of the rounds; "qemu / zendo" above 1: Zendo is faster\n\n`,
    );
    const sides = startSides(files, values.tier, qemu !== undefined);
    const results: Result[] = [];
    try {
      for (const side of sides) await side.ready();
      print(tableHead());
      for (const line of lines) {
        const result = await runLine(line, sides, rounds);
        results.push(result);
        print(tableRow(result));
      }
    } finally {
      for (const side of sides) side.close();
    }
    if (values.json !== undefined) {
      const path = resolve(process.env['INIT_CWD'] ?? '.', values.json);
      writeFileSync(path, `${JSON.stringify({ versions: { ...versions, python: files.python }, results }, null, 2)}\n`);
    }
  });
}

function chooseLines(only: string | undefined): readonly Line[] {
  if (only === undefined) return LINES;
  return only.split(',').map((name) => {
    const line = LINES.find((each) => each.name === name);
    if (line !== undefined) return line;
    throw new BenchError(`there is no line ${name}; the lines are ${LINES.map((each) => each.name).join(', ')}`);
  });
}

function startSides(files: BenchFiles, tier: string | undefined, withQemu: boolean): Side[] {
  const more = tier === undefined ? [] : ['--engine-tier', tier];
  const sides = [startNative(files), startZendo(files, more)];
  return withQemu ? [...sides, startQemu(files)] : sides;
}

/** Measures one line on all sides in turn. Fails when they do not compute the same. */
async function runLine(line: Line, sides: readonly Side[], rounds: number): Promise<Result> {
  const times = new Map<string, number[]>(sides.map(({ title }) => [title, []]));
  const found = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      const warmMs = round === 0 ? FIRST_WARM_MS : WARM_MS;
      const answer = await side.measure({ line: line.name, warmMs, sampleMs: SAMPLE_MS, samples: SAMPLES });
      times.get(side.title)?.push(median(answer.samplesNs));
      found.add(answer.value);
    }
  }
  if (found.size !== 1) throw new Error(`${line.name}: the sides have computed ${[...found].join(', ')}`);
  const of = (title: string): number[] => times.get(title) ?? [];
  return { line, nativeNs: of('native'), zendoNs: of('zendo'), qemuNs: of('qemu') };
}

function print(text: string): void {
  process.stdout.write(text);
}
