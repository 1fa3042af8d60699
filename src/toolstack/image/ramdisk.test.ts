// Which ramdisks are unpacked and which are handed over as they are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VmmError } from '../../base/index.ts';
import type { Decompressor, Unpacked } from './decompressor.ts';
import { FormatError } from './format-error.ts';
import { loadRamdisk } from './ramdisk.ts';

const GZIP_FILE = Uint8Array.from([0x1f, 0x8b, ...new Uint8Array(30)]);

function answering(answer: (input: Uint8Array) => Unpacked): Decompressor {
  return { unpack: async (_kind, input) => answer(input) };
}

test('ramdisk: gzip is unpacked', async () => {
  const unpacker = answering((input) => ({ data: Uint8Array.of(1, 2), usedBytes: input.length }));
  assert.deepEqual(await loadRamdisk('initrd', GZIP_FILE.slice(), unpacker, 100), Uint8Array.of(1, 2));
});

test('ramdisk: anything else is handed over as it is', async () => {
  const file = new TextEncoder().encode('070701 and so on');
  assert.equal(
    await loadRamdisk(
      'initrd',
      file,
      answering(() => assert.fail()),
      100,
    ),
    file,
  );
});

test('ramdisk: one with something behind the gzip data is handed over packed', async () => {
  const file = GZIP_FILE.slice();
  const unpacker = answering(() => ({ data: Uint8Array.of(1), usedBytes: 20 }));
  assert.equal(await loadRamdisk('initrd', file, unpacker, 100), file);
});

test('ramdisk: one that does not fit the memory unpacked is handed over packed', async () => {
  const file = GZIP_FILE.slice();
  const unpacker = answering(() => {
    throw new FormatError('IMAGE_TOO_LARGE', 'too large');
  });
  assert.equal(await loadRamdisk('initrd', file, unpacker, 100), file);
});

test('ramdisk: a damaged one is named', async () => {
  const unpacker = answering(() => {
    throw new FormatError('IMAGE_TRUNCATED', 'the gzip stream ends too early');
  });
  await assert.rejects(loadRamdisk('initrd', GZIP_FILE.slice(), unpacker, 100), (error) => {
    return error instanceof VmmError && error.code === 'IMAGE_TRUNCATED' && error.message.startsWith('initrd: ');
  });
});
