// The CPU bench, as short as it gets: one cheap line of each kind and a round of it on all three sides. What the figures are is
// the bench's own business; here they only have to be possible. Without QEMU or gcc this fails: CI installs both.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { Program, root } from '../support/process.ts';

const LIMIT_MS = 120_000;

/** Least and most time of an operation that any machine of today needs, without and with an emulator. */
const POSSIBLE_NS = [
  { name: 'fib', native: [0.2, 20], emulated: [0.5, 1000] },
  { name: 'null-call', native: [20, 5000], emulated: [50, 100_000] },
] as const;

/** What the bench writes; only what is looked at here. */
interface Figures {
  readonly results: readonly {
    readonly line: { readonly name: string };
    readonly nativeNs: readonly number[];
    readonly zendoNs: readonly number[];
    readonly qemuNs: readonly number[];
  }[];
}

test('bench: the CPU bench measures natively, on Zendo and on QEMU, and prints a row for each line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zendo-test-'));
  try {
    const file = join(folder, 'figures.json');
    const names = POSSIBLE_NS.map(({ name }) => name);
    const words = ['cpu', '--only', names.join(','), '--rounds', '1', '--json', file];
    const command = [process.execPath, join(root, 'tests', 'bench', 'main.ts'), ...words];
    const bench = new Program(command, { limitMs: LIMIT_MS });
    assert.equal(await bench.ended, 0, bench.stdout + bench.stderr);
    const { results } = JSON.parse(readFileSync(file, 'utf8')) as Figures; // what the bench has just written
    for (const { name, native, emulated } of POSSIBLE_NS) {
      assert.match(bench.stdout, new RegExp(`^${name} `, 'm'));
      const found = results.find(({ line }) => line.name === name);
      assertPossible(found?.nativeNs, native, `${name} natively`);
      assertPossible(found?.zendoNs, emulated, `${name} on Zendo`);
      assertPossible(found?.qemuNs, emulated, `${name} on QEMU (package qemu-system-x86)`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** One round's time, and within the bounds. */
function assertPossible(
  times: readonly number[] | undefined,
  [least, most]: readonly [number, number],
  what: string,
): void {
  assert.equal(times?.length, 1, `${what}: no figure`);
  const [time = Number.NaN] = times ?? [];
  assert.ok(time >= least && time <= most, `${what}: ${time} ns`);
}
