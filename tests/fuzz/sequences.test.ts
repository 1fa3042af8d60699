// Random sequences of instructions leave the state that a real CPU left (tests/cpu/sequences.ts makes them, `npm run
// vectors` records them), however the engine is entered: at a stretch, or an instruction or a few at a time.

import type { EngineTier } from '../../src/engine/index.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CASE_SOURCES, SEQUENCE_FILE } from '../cpu/case-source.ts';
import { differences, isSame } from '../cpu/comparison.ts';
import { Input, INT3_VECTOR, Outcome } from '../cpu/machine-layout.ts';
import { Replayer } from '../cpu/replay.ts';
import { REGENERATE } from '../cpu/row-check.ts';
import { applyDifference, hashOf, quietOutcome, readVectors, vectorPath } from '../cpu/vector-file.ts';

const MAX_SHOWN = 5;
const BUDGETS = [4000, 1, 3];
for (const tier of ['interpreter', 'compiler'] as const)
  test(`${tier}: random sequences leave the state that a real CPU leaves, however they are entered`, () =>
    runAll(tier));

function runAll(tier: EngineTier): void {
  const replayer = new Replayer(false, tier);
  const recorded = new Map(readVectors(vectorPath(SEQUENCE_FILE)).rows.map((row) => [row.text, row]));
  const quiet = new Uint8Array(Outcome.SIZE);
  const expected = new Uint8Array(Outcome.SIZE);
  const actual = new Uint8Array(Outcome.SIZE);
  const shown: string[] = [];
  let failures = 0;
  let complete = 0;
  let total = 0;
  for (const source of CASE_SOURCES.filter(({ file }) => file === SEQUENCE_FILE)) {
    const vectors = recorded.get(source.text);
    const inputs = source.cases();
    assert.ok(vectors !== undefined && vectors.hash === hashOf(inputs), `${source.text}: ${REGENERATE}`);
    let at = 0;
    for (let n = 0; n < vectors.count; n++) {
      const input = inputs.subarray(n * Input.SIZE, (n + 1) * Input.SIZE);
      quietOutcome(input, quiet);
      expected.set(quiet);
      at = applyDifference(vectors.outcomes, at, expected);
      total++;
      if (new DataView(expected.buffer).getUint32(Outcome.VECTOR, true) === INT3_VECTOR) complete++;
      for (const budget of BUDGETS) {
        replayer.run(input, actual, budget);
        if (isSame(expected, actual)) continue;
        failures++;
        if (failures > MAX_SHOWN) continue;
        const code = input.subarray(Input.CODE, Input.CODE + (input[Input.CODE_LENGTH] ?? 0));
        const lines = differences(quiet, expected, actual).map((line) => `  ${line}`);
        shown.push(`${source.text}, case ${n}, budget ${budget}: ${Buffer.from(code).toString('hex')}`, ...lines);
      }
    }
  }
  assert.equal(failures, 0, `${failures} of ${total * BUDGETS.length} runs differ\n${shown.join('\n')}`);
  assert.ok(complete > total * 0.8, `only ${complete} of ${total} sequences run to their end`);
}
