// Tests of the kept console output and its viewers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConsoleBuffer } from './console-buffer.ts';

test('console buffer: the end of everything that was written is kept', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 50 }),
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
      (capacity, pieces) => {
        const buffer = new ConsoleBuffer(capacity);
        pieces.forEach((piece) => void buffer.write(piece));
        const all = pieces.flatMap((piece) => [...piece]);
        assert.deepEqual([...buffer.contents()], capacity === 0 ? [] : all.slice(-capacity));
        assert.equal(buffer.totalBytes, all.length);
      },
    ),
  );
});

test('console buffer: a viewer gets what is kept, then what comes, until it is let go', () => {
  const buffer = new ConsoleBuffer(4);
  void buffer.write(Uint8Array.of(1, 2, 3, 4, 5));
  const seen: number[] = [];
  const detach = buffer.attach((bytes) => void seen.push(...bytes));
  void buffer.write(Uint8Array.of(6));
  detach();
  void buffer.write(Uint8Array.of(7));
  assert.deepEqual(seen, [2, 3, 4, 5, 6]);
});

test('console buffer: output waits for a slow viewer, which sees it in order', async () => {
  const buffer = new ConsoleBuffer(10);
  void buffer.write(Uint8Array.of(1));
  const seen: number[] = [];
  const releases: (() => void)[] = [];
  buffer.attach((bytes) => {
    seen.push(...bytes);
    return new Promise((resolve) => releases.push(resolve));
  });
  const second = buffer.write(Uint8Array.of(2));
  assert.deepEqual(seen, [1]);
  releases.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, [1, 2]);
  let written = false;
  void second?.then(() => (written = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(written, false);
  releases.shift()?.();
  await second;
  assert.equal(buffer.write(Uint8Array.of(3)) === undefined, false);
  assert.deepEqual(seen, [1, 2, 3]);
});
