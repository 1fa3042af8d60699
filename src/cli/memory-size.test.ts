// Sizes as users write them, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMemorySize } from './memory-size.ts';

const MIB = 1024 ** 2;

for (const [text, bytes] of [
  ['128', 128 * MIB],
  ['128M', 128 * MIB],
  ['128MiB', 128 * MIB],
  ['128mb', 128 * MIB],
  ['1G', 1024 * MIB],
  ['2GiB', 2048 * MIB],
  ['4096k', 4 * MIB],
  [' 64 ', 64 * MIB],
] as const) {
  test(`memory size: '${text}' is ${bytes} bytes`, () => {
    assert.equal(parseMemorySize(text), bytes);
  });
}

for (const text of ['', '0', '-1', '1.5G', '128T', 'M', '1 G', '0x80', '3K', '1e3', '999999999999G']) {
  test(`memory size: '${text}' is refused`, () => {
    assert.equal(parseMemorySize(text), undefined);
  });
}
