// Tests of the reader of ramdisks, against our own writer of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeCpio } from '../../../src/toolstack/index.ts';
import { readCpio } from './newc-archive.ts';

test('bench ramdisk: what our writer has written is read back', () => {
  const entries = [
    { kind: 'directory', path: 'a', mode: 0o750 },
    { kind: 'file', path: 'a/b', mode: 0o755, data: Buffer.from('12345') },
    { kind: 'device', path: 'a/c', mode: 0o600, type: 'char', major: 5, minor: 1 },
    { kind: 'symlink', path: 'a/d', target: 'b' },
  ] as const;
  assert.deepEqual(readCpio(Buffer.from(writeCpio(entries))), entries);
});
