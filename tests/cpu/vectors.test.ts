// Every instruction form that the decoder accepts does what a real CPU did: replays the recorded vectors through the
// engine, half of them in kernel mode. `npm run vectors` records them anew.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { CASE_SOURCES, INSTRUCTION_FILES } from './case-source.ts';
import { DEVIATIONS } from './deviations.ts';
import { exclusionOf } from './exclusions.ts';
import { Replayer } from './replay.ts';
import { REGENERATE, RowChecker } from './row-check.ts';
import { NAMED_ROWS } from './row-list.ts';
import { readVectors, vectorPath } from './vector-file.ts';

const MAX_LINES = 200;
const checker = new RowChecker(new Replayer(false), new Replayer(true));

for (const file of INSTRUCTION_FILES) {
  test(`engine: ${file} instructions leave the state that a real CPU leaves`, () => {
    const path = vectorPath(file);
    assert.ok(existsSync(path), `there is no ${path}; ${REGENERATE}`);
    const recorded = new Map(readVectors(path).rows.map((row) => [row.text, row]));
    const sources = CASE_SOURCES.filter((source) => source.file === file);
    const reports = sources.map((source) => checker.check(source, recorded.get(source.text)));
    const nrBad = reports.filter((lines) => lines.length > 0).length;
    const lines = reports.flat();
    const more = lines.length > MAX_LINES ? [`... and ${lines.length - MAX_LINES} lines more`] : [];
    const text = [...lines.slice(0, MAX_LINES), ...more].join('\n');
    assert.equal(nrBad, 0, `${nrBad} of ${sources.length} rows differ\n${text}`);
  });
}

test('vectors: every row of the instruction table is recorded, or excluded with a reason', () => {
  const names = NAMED_ROWS.map((row) => row.text);
  assert.equal(new Set(names).size, names.length, 'two rows have the same text');
  const recorded = new Set(
    INSTRUCTION_FILES.flatMap((file) => readVectors(vectorPath(file)).rows.map((row) => row.text)),
  );
  const missing = NAMED_ROWS.filter((row) => !recorded.has(row.text) && exclusionOf(row) === undefined);
  assert.deepEqual(
    missing.map((row) => row.text),
    [],
    REGENERATE,
  );
});

test('vectors: a file holds no rows that the instruction table has not', () => {
  const texts = new Set(CASE_SOURCES.map((source) => `${source.file} ${source.text}`));
  const all = INSTRUCTION_FILES.flatMap((file) =>
    readVectors(vectorPath(file)).rows.map((row) => `${file} ${row.text}`),
  );
  assert.deepEqual(
    all.filter((text) => !texts.has(text)),
    [],
    REGENERATE,
  );
});

test('vectors: every permitted deviation is still needed', () => {
  const unused = DEVIATIONS.filter((_, n) => checker.needed[n] === 0);
  assert.deepEqual(
    unused.map((deviation) => deviation.name),
    [],
  );
});
