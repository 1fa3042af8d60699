// `npm run bench -- bare`: the computing lines of the CPU bench on the engine alone, without a guest's kernel around it;
// nothing but the compiled code shows. With --against TREE the engine of another working tree takes turns with this one's.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { BareMachine } from '../support/bare-machine.ts';
import { type BareLine, loadBareLines } from './cpu/bare-lines.ts';
import { buildBareProgram } from './cpu/build-program.ts';
import { chosen, parseOptions, pathOf, roundsOf } from './cpu/options.ts';
import { spread, timeText } from './cpu/statistics.ts';

const NR_FRAMES = 16384;
const ROUNDS = 5;
const WARM_MS = 2000;
const SAMPLE_MS = 200;

/** One engine's side of the comparison. */
interface Side {
  readonly title: string;
  readonly lines: readonly BareLine[];
}

/** Runs the lines that are asked for and prints a table. */
export async function benchBare(args: readonly string[]): Promise<void> {
  const { only, rounds, against } = parseOptions(args, ['only', 'rounds', 'against']);
  const sides = await loadSides(against);
  const lines = chosen(sides[0]?.lines ?? [], only);
  process.stdout.write('bare engine: processor time of an operation, median (least to most)\n');
  for (const { name } of lines) printLine(name, sides, roundsOf(rounds, ROUNDS));
}

async function loadSides(against: string | undefined): Promise<Side[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'zendo-bench-'));
  try {
    const file = join(scratch, 'bare');
    buildBareProgram(file);
    const program = readFileSync(file);
    const sides = [{ title: 'this tree', lines: loadBareLines(new BareMachine(NR_FRAMES), program) }];
    if (against !== undefined) {
      const path = join(pathOf(against), 'tests', 'support', 'bare-machine.ts');
      const other = (await import(pathToFileURL(path).href)) as { BareMachine: typeof BareMachine }; // the same class in another tree
      sides.push({ title: 'other tree', lines: loadBareLines(new other.BareMachine(NR_FRAMES), program) });
    }
    return sides;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function printLine(name: string, sides: readonly Side[], rounds: number): void {
  const runs = sides.flatMap(({ title, lines }) => {
    const line = lines.find((each) => each.name === name);
    return line === undefined ? [] : [{ title, line, units: warmUp(line), times: new Array<number>() }];
  });
  for (let round = 0; round < rounds; round++) {
    for (const { line, units, times } of runs) times.push(timeNs(line, units) / units / line.opsPerUnit);
  }
  const texts = runs.map(({ title, times }) => `${title} ${spread(times, timeText).padEnd(32)}`);
  const [own, other] = runs;
  if (own !== undefined && other !== undefined) {
    const ratios = own.times.map((time, i) => time / (other.times[i] ?? Number.NaN));
    texts.push(`this/other ${spread(ratios, (ratio) => ratio.toFixed(2))}`);
  }
  process.stdout.write(`  ${name.padEnd(11)} ${(own?.line.op ?? '').padEnd(13)} ${texts.join(' ')}\n`);
}

/** Runs a line until it is as fast as it gets. @returns how many units make a sample */
function warmUp(line: BareLine): number {
  let units = 1;
  let perUnitMs = 0;
  for (const start = performance.now(); performance.now() - start < WARM_MS;) {
    perUnitMs = Math.max(timeNs(line, units) / 1e6 / units, 1e-6);
    units = Math.max(1, Math.min(units * 4, Math.round(SAMPLE_MS / perUnitMs)));
  }
  return units;
}

/** Time that this thread had the processor: it does not see what else the machine does. */
function timeNs(line: BareLine, units: number): number {
  const start = process.threadCpuUsage();
  line.run(units);
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) * 1000;
}
