// Tests of what the CPU bench makes of its figures: ratios, goals, and how numbers are written.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LINES, type Line } from './lines.ts';
import { ratios, reached, type Result } from './result.ts';
import { median, spread, timeText } from './statistics.ts';

const line: Line = {
  name: 'test',
  op: 'test',
  kind: 'program',
  target: { native: 2, qemu: 1 },
  stretch: { native: 1.5, qemu: 1.5 },
};

function result(zendoNs: readonly number[], qemuNs: readonly number[]): Result {
  return { line, nativeNs: zendoNs.map(() => 10), zendoNs, qemuNs, otherNs: [] };
}

test('bench result: ratios are made round by round', () => {
  assert.deepEqual(ratios([10, 20, 30], [10, 10]), [1, 2]);
});

test('bench result: a goal is reached when native and QEMU are', () => {
  assert.equal(reached(result([20, 18, 40], [20, 20, 80]), line.target), true);
  assert.equal(reached(result([20, 18, 40], [20, 20, 80]), line.stretch), false);
});

test('bench result: a goal is missed when QEMU is faster', () => {
  assert.equal(reached(result([15], [14]), line.target), false);
});

test('bench result: without QEMU a goal is open, unless native alone tells that it is missed', () => {
  assert.equal(reached(result([15], []), line.target), undefined);
  assert.equal(reached(result([21], []), line.target), false);
});

test('bench lines: each has a name of its own, and a stretch beyond its target', () => {
  assert.equal(new Set(LINES.map(({ name }) => name)).size, LINES.length);
  for (const { target, stretch } of LINES) {
    assert.ok(stretch.qemu > target.qemu);
    assert.ok((stretch.native ?? 0) <= (target.native ?? 0));
  }
});

test('bench statistics: the median of an even number is the mean of the middle two', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([3, 1, 2]), 2);
  assert.ok(Number.isNaN(median([])));
});

test('bench statistics: a spread is empty without values, a time has the unit that suits it', () => {
  assert.equal(
    spread([], (value) => String(value)),
    '',
  );
  assert.equal(
    spread([2, 1, 3], (value) => String(value)),
    '2 (1 to 3)',
  );
  assert.deepEqual([0.5, 12_345, 5e6, 123e9].map(timeText), ['0.50 ns', '12.3 us', '5.00 ms', '123 s']);
});
