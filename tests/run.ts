// The test runner: `node tests/run.ts [SUITE...]` runs the named suites of tests/suites.ts, or all of them, and adds up what
// their programs report. Behind `npm test`, `npm run check`, `npm run test:*` and `.ci/run`. Whatever did not
// run counts as failed: a skipped or cancelled test, a suite without tests, a runner that died.

import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { suites } from './suites.ts';
import type { StepSuite, TestSuite } from './suites.ts';
import type { Tally } from './support/tally.ts';

const MAX_OUTPUT_LINES = 300;
const root = join(import.meta.dirname, '..');
const env = { ...process.env, PATH: join(root, 'node_modules', '.bin') + delimiter + (process.env['PATH'] ?? '') };

process.exitCode = main(process.argv.slice(2));

function main(names: readonly string[]): number {
  const unknown = names.find((name) => suites[name] === undefined);
  if (unknown !== undefined) {
    console.error(`no suite '${unknown}'; there are: ${Object.keys(suites).join(', ')}`);
    return 2;
  }
  const started = performance.now();
  const total: Tally = { passed: 0, failed: 0 };
  const bad: string[] = [];
  for (const [name, suite] of Object.entries(suites)) {
    if (names.length > 0 && !names.includes(name)) {
      continue;
    }
    console.log(`\n== ${name}`);
    const tally = suite.kind === 'steps' ? runSteps(suite) : runTests(suite);
    total.passed += tally.passed;
    total.failed += tally.failed;
    if (tally.failed > 0) {
      bad.push(`${name} (${tally.failed})`);
    }
  }
  printSummary(total, bad, performance.now() - started);
  return total.failed === 0 ? 0 : 1;
}

function runSteps(suite: StepSuite): Tally {
  const tally: Tally = { passed: 0, failed: 0 };
  for (const { name, command } of suite.steps) {
    const started = performance.now();
    const [program = '', ...args] = command;
    const child = spawnSync(program, args, { cwd: root, env, encoding: 'utf8' });
    const ok = child.status === 0;
    console.log(`${ok ? '✔' : '✖'} ${name} (${Math.round(performance.now() - started)}ms)`);
    if (ok) {
      tally.passed += 1;
    } else {
      tally.failed += 1;
      console.log(child.error?.message ?? shorten(child.stdout + child.stderr));
    }
  }
  return tally;
}

/** A step that fails everywhere at once says the same thing many times. */
function shorten(output: string): string {
  const lines = output.trimEnd().split('\n');
  const rest = lines.length - MAX_OUTPUT_LINES;
  return rest <= 0 ? output : [...lines.slice(0, MAX_OUTPUT_LINES), `... and ${rest} lines more`].join('\n');
}

function runTests(suite: TestSuite): Tally {
  const files = globSync([...suite.files], { cwd: root }).toSorted();
  if (files.length === 0) {
    console.log(`✖ no test file matches ${suite.files.join(' ')}`);
    return { passed: 0, failed: 1 };
  }
  const scratch = mkdtempSync(join(tmpdir(), 'zendo-test-'));
  const tallyFile = join(scratch, 'tally.json');
  const how = suite.isolated ? ['--test-concurrency=1'] : ['--test-isolation=none'];
  const reporters = [
    ['spec', 'stdout'],
    [join(root, 'tests', 'support', 'tally.ts'), tallyFile],
  ].flatMap(([reporter, destination]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${destination}`]);
  const child = spawnSync(process.execPath, ['--test', ...how, ...reporters, ...files], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
  const tally = readTally(tallyFile);
  rmSync(scratch, { recursive: true });
  if (tally === undefined || (child.status !== 0 && tally.failed === 0)) {
    console.log(`✖ the test runner ended with ${child.signal ?? `status ${child.status}`}`);
    return { passed: tally?.passed ?? 0, failed: 1 };
  }
  return tally;
}

function readTally(file: string): Tally | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Tally; // written by tests/support/tally.ts
  } catch {
    return undefined; // the runner died before its summary
  }
}

/** In the words of node's own summary, then the one line that scripts read. */
function printSummary(total: Tally, bad: readonly string[], elapsedMs: number): void {
  console.log('\n== all suites');
  if (bad.length > 0) {
    console.log(`✖ failed: ${bad.join(', ')}`);
  }
  console.log(`ℹ tests ${total.passed + total.failed}`);
  console.log(`ℹ pass ${total.passed}`);
  console.log(`ℹ fail ${total.failed}`);
  console.log(`ℹ duration_ms ${elapsedMs.toFixed(0)}`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
}
