// LZ4 blocks put together by hand from the format description.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from './format-error.ts';
import { decodeLz4Legacy } from './lz4-legacy.ts';

const MAGIC = [0x02, 0x21, 0x4c, 0x18];

/** A frame of the blocks given as bytes. */
function frame(...blocks: readonly (readonly number[])[]): Uint8Array {
  const bytes = [...MAGIC];
  for (const block of blocks) bytes.push(block.length & 0xff, block.length >> 8, 0, 0, ...block);
  return Uint8Array.from(bytes);
}

function decode(input: Uint8Array, sizeBytes: number): string {
  const output = new Uint8Array(sizeBytes);
  decodeLz4Legacy(input, output);
  return Buffer.from(output).toString('latin1');
}

const letters = (text: string): number[] => [...Buffer.from(text, 'latin1')];

test('lz4 legacy: literals, a match and the last literals are put together', () => {
  const block = [0x31, ...letters('abc'), 3, 0, 0x20, ...letters('de')]; // 3 literals, 5 from 3 back, 2 literals
  assert.equal(decode(frame(block), 10), 'abcabcabde');
});

test('lz4 legacy: long lengths are carried on in further bytes', () => {
  const block = [0xf0, 255, 15, ...letters('x'.repeat(285))];
  assert.equal(decode(frame(block), 285), 'x'.repeat(285));
  const repeated = [0x1f, ...letters('y'), 1, 0, 255, 1, 0x00]; // one literal, then 19 + 256 of it
  assert.equal(decode(frame(repeated), 276), 'y'.repeat(276));
});

test('lz4 legacy: blocks follow each other, and so do joined frames', () => {
  const joined = new Uint8Array([...frame([0x20, ...letters('ab')]), ...frame([0x20, ...letters('cd')])]);
  assert.equal(decode(joined, 4), 'abcd');
  assert.equal(decode(frame([0x20, ...letters('ab')], [0x20, ...letters('cd')]), 4), 'abcd');
});

test('lz4 legacy: a match may not reach into the block before', () => {
  const blocks = frame([0x20, ...letters('ab')], [0x10, ...letters('c'), 2, 0]);
  assert.throws(() => decode(blocks, 7), FormatError);
});

test('lz4 legacy: more data than announced is refused, and so is less', () => {
  const block = [0x40, ...letters('abcd')];
  assert.throws(() => decode(frame(block), 3), FormatError);
  assert.throws(() => decode(frame(block), 5), FormatError);
});

test('lz4 legacy: a frame that ends early is a FormatError at every length', () => {
  const whole = frame([0x31, ...letters('abc'), 3, 0, 0x20, ...letters('de')]);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decode(whole.subarray(0, length), 10), FormatError, `${length} bytes`);
  }
});
