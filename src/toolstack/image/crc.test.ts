// The checksums against published values and against zlib.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { crc32, crc64 } from './crc.ts';

const CHECK = new TextEncoder().encode('123456789');

test('crc: the check string gives the published values', () => {
  assert.equal(crc32(CHECK), 0xcbf43926);
  assert.equal(crc64(CHECK), 0x995dc9bbdf1939fan);
});

test('crc: every length and alignment around the eight-byte step agrees with zlib', () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 167 + 13) & 0xff);
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const part = bytes.subarray(start, end);
      assert.equal(crc32(part), zlibCrc32(part), `bytes ${start} to ${end}`);
    }
  }
});
