// The text of the progress bar.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressBar } from './progress.ts';

test('progress: the bar shows the part that is done', () => {
  assert.equal(progressBar('fetching x', 0, 1 << 20), `fetching x [${'-'.repeat(24)}]   0% of 1.0 MiB`);
  assert.equal(
    progressBar('fetching x', 1 << 19, 1 << 20),
    `fetching x [${'#'.repeat(12)}${'-'.repeat(12)}]  50% of 1.0 MiB`,
  );
});

test('progress: more than all and a whole of unknown size do no harm', () => {
  assert.match(progressBar('x', 5, 2), /100%/);
  assert.match(progressBar('x', 5, 0), / 0%/);
});
