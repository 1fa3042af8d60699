// Node's zlib behind the toolstack's port: expected sizes that are right, wrong and hostile; damaged streams;
// and whole kernel files, packed in each way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { FormatError, loadGuestImage } from '../../toolstack/index.ts';
import { XEN_ELFNOTE } from '../../abi/index.ts';
import { buildBzImage, buildElf } from '../../../tests/support/elf-image.ts';
import { nodeDecompressor } from './decompress.ts';

const DATA = Uint8Array.from({ length: 300_000 }, (_, i) => (i >> 4) & 0xff);

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof FormatError && error.code === code;
}

function kernelFile(): Uint8Array<ArrayBuffer> {
  return buildElf({
    segments: [{ paddr: 0x100000n, data: DATA }],
    notes: [
      [XEN_ELFNOTE.ENTRY, 0x100000n],
      [XEN_ELFNOTE.VIRT_BASE, 0n],
    ],
  });
}

for (const [kind, packed] of [
  ['gzip', gzipSync(DATA)],
  ['zstd', zstdCompressSync(DATA)],
] as const) {
  for (const hint of [DATA.length, 0, 1000, 2 ** 31]) {
    test(`decompress: ${kind} gives the data when ${hint} bytes are expected`, async () => {
      const { data, usedBytes } = await nodeDecompressor.unpack(kind, packed, Math.min(hint, 1 << 20), 1 << 20);
      assert.deepEqual(data, DATA);
      assert.equal(usedBytes, packed.length);
      assert.equal(data.byteLength, data.buffer.byteLength);
    });
  }

  test(`decompress: ${kind} data that is too much, cut short or damaged is told apart`, async () => {
    const expected = DATA.length;
    await assert.rejects(nodeDecompressor.unpack(kind, packed, 1000, 1000), hasCode('IMAGE_TOO_LARGE'));
    const short = packed.subarray(0, packed.length >> 1);
    await assert.rejects(nodeDecompressor.unpack(kind, short, expected, expected), hasCode('IMAGE_TRUNCATED'));
    const damaged = Uint8Array.from(packed).fill(0x55, 12, 60);
    await assert.rejects(nodeDecompressor.unpack(kind, damaged, expected, expected), hasCode('IMAGE_CORRUPT'));
  });
}

test('decompress: joined gzip streams are one, and what is no gzip behind one shows', async () => {
  const packed = gzipSync(DATA);
  const joined = await nodeDecompressor.unpack('gzip', Buffer.concat([packed, packed]), 0, 1 << 20);
  assert.equal(joined.data.length, DATA.length * 2);
  const followed = Buffer.concat([packed, Buffer.from('something else')]);
  assert.ok((await nodeDecompressor.unpack('gzip', followed, 0, 1 << 20)).usedBytes < followed.length);
});

test('decompress: a gzip-compressed kernel file is loaded, and so is each kind of bzImage payload', async () => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(kernelFile().length);
  const files = [
    Uint8Array.from(gzipSync(kernelFile())),
    buildBzImage(gzipSync(kernelFile())),
    buildBzImage(Buffer.concat([zstdCompressSync(kernelFile()), size])),
    Uint8Array.from(gzipSync(buildBzImage(gzipSync(kernelFile())))),
  ];
  for (const file of files) {
    const image = await loadGuestImage('vmlinuz', file, nodeDecompressor);
    assert.deepEqual(Uint8Array.from(image.segments[0]?.data ?? []), DATA);
    assert.equal(file.length, 0, 'the file is freed once it is unpacked');
  }
});

test('decompress: a payload that gives less than the bzImage announces is refused', async () => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(kernelFile().length + 1);
  const file = buildBzImage(Buffer.concat([zstdCompressSync(kernelFile()), size]));
  await assert.rejects(loadGuestImage('vmlinuz', file, nodeDecompressor), /less data/);
});
