// The xz decoder against streams of the xz tool; and no bit of them can be changed without being noticed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { branchyCode, plainText, XZ_SAMPLES } from '../../../tests/support/compressed-samples.ts';
import { crc32 } from './crc.ts';
import { FormatError } from './format-error.ts';
import { XzReader } from './xz.ts';

function sample(name: keyof typeof XZ_SAMPLES): Uint8Array {
  return new Uint8Array(Buffer.from(XZ_SAMPLES[name], 'base64'));
}

function decode(stream: Uint8Array): Uint8Array {
  const reader = new XzReader(stream);
  const output = new Uint8Array(reader.sizeBytes);
  reader.decodeInto(output);
  return output;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof FormatError && error.code === code;
}

test('xz: a stream with CRC64 gives the text', () => {
  assert.deepEqual(decode(sample('plain')), plainText());
});

test('xz: blocks come one at a time and add up to the text', () => {
  const blocks = [...new XzReader(sample('blocks')).blocks()];
  assert.deepEqual(
    blocks.map((block) => block.length),
    [4096, 4096, 4096, 3312],
  );
  assert.deepEqual(Uint8Array.from(Buffer.concat(blocks)), plainText());
});

test('xz: the x86 filter is undone', () => {
  assert.deepEqual(decode(sample('x86')), branchyCode());
});

test('xz: other context bits than the default ones are followed', () => {
  assert.deepEqual(decode(sample('x86OtherModel')), branchyCode());
});

test('xz: another filter is named as one we do not have', () => {
  assert.throws(() => decode(sample('delta')), hasCode('IMAGE_COMPRESSOR'));
});

test('xz: another checksum is named as one we do not have', () => {
  assert.throws(() => decode(sample('sha256')), hasCode('IMAGE_COMPRESSOR'));
});

test('xz: a stream that ends early is a FormatError at every length', () => {
  const stream = sample('x86');
  for (let length = 0; length < stream.length; length++) {
    assert.throws(() => decode(stream.subarray(0, length)), FormatError, `${length} bytes`);
  }
});

test('xz: no single flipped bit goes unnoticed or throws anything but a FormatError', () => {
  const stream = sample('x86');
  for (let bit = 0; bit < stream.length * 8; bit++) {
    const damaged = stream.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => decode(damaged), FormatError, `bit ${bit}`);
  }
});

test('xz: an index that announces a huge block is refused before memory is taken for it', () => {
  const stream = sample('plain');
  const indexBytes = 16;
  const index = new DataView(new ArrayBuffer(indexBytes));
  [0, 1, 32, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f].forEach((byte, i) => index.setUint8(i, byte)); // one block, 2^42 - 1 bytes
  index.setUint32(12, crc32(new Uint8Array(index.buffer, 0, 12)), true);
  const footer = new DataView(new ArrayBuffer(12));
  footer.setUint32(4, indexBytes / 4 - 1, true);
  footer.setUint16(8, 0x0400, true);
  footer.setUint16(10, 0x5a59, true);
  footer.setUint32(0, crc32(new Uint8Array(footer.buffer, 4, 6)), true);
  const parts = [
    stream.subarray(0, 12),
    new Uint8Array(32),
    new Uint8Array(index.buffer),
    new Uint8Array(footer.buffer),
  ];
  assert.throws(() => new XzReader(Uint8Array.from(Buffer.concat(parts))), hasCode('IMAGE_TOO_LARGE'));
});
