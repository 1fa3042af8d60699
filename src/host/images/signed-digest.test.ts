// A small signed kernel: damage anywhere but in the signature itself is noticed, and what is not signed is left alone.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { VmmError } from '../../base/index.ts';
import { checkSignedDigest } from './signed-digest.ts';

const SIZE = 4096;
const PE = 0x80;
const CHECKSUM = PE + 24 + 64;
const DIRECTORY = PE + 24 + 112 + 32;
const PREFIX = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** A file that begins as a Linux kernel with an EFI stub does. */
function kernel(): Buffer {
  const file = Buffer.alloc(SIZE, 0x5c);
  file.write('MZ', 0);
  file.writeUInt16LE(0xaa55, 0x1fe);
  file.write('HdrS', 0x202);
  file.writeUInt32LE(PE, 0x3c);
  file.writeUInt32LE(0x4550, PE);
  file.writeUInt16LE(0x20b, PE + 24);
  file.writeUInt32LE(6, PE + 24 + 108);
  file.writeUInt32LE(0, DIRECTORY);
  file.writeUInt32LE(0, DIRECTORY + 4);
  return file;
}

function sign(file: Buffer, algorithm = PREFIX): Buffer {
  const hash = createHash('sha256')
    .update(file.subarray(0, CHECKSUM))
    .update(file.subarray(CHECKSUM + 4, DIRECTORY));
  const digest = hash.update(file.subarray(DIRECTORY + 8)).digest();
  const signature = Buffer.concat([Buffer.alloc(40, 0x77), algorithm, digest, Buffer.alloc(100, 0x77)]);
  const signed = Buffer.concat([file, signature]);
  signed.writeUInt32LE(0x12345678, CHECKSUM);
  signed.writeUInt32LE(SIZE, DIRECTORY);
  signed.writeUInt32LE(signature.length, DIRECTORY + 4);
  return signed;
}

function codeOf(file: Uint8Array): string | undefined {
  try {
    checkSignedDigest('vmlinuz', file);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof VmmError);
    assert.match(error.message, /^vmlinuz: .*: fetch or build it again$/);
    return error.code;
  }
}

test('signed digest: a signed kernel is taken, and so is one that nobody signed', () => {
  assert.equal(codeOf(sign(kernel())), undefined);
  assert.equal(codeOf(kernel()), undefined);
  assert.equal(codeOf(Buffer.from('no kernel at all')), undefined);
});

test('signed digest: a signature with another kind of digest is not looked at', () => {
  const sha384 = Buffer.from('3041300d060960864801650304020205000430', 'hex');
  const file = sign(kernel(), sha384);
  file[3000] = 0;
  assert.equal(codeOf(file), undefined);
});

test('signed digest: one flipped bit anywhere in what is signed is noticed', () => {
  const good = sign(kernel());
  for (let at = 0x300; at < SIZE; at += 7) {
    const file = Buffer.from(good);
    file[at] = (file[at] ?? 0) ^ (1 << (at % 8));
    assert.equal(codeOf(file), 'IMAGE_CORRUPT', `byte ${at}`);
  }
});

test('signed digest: a file that ends within its signature is incomplete', () => {
  const good = sign(kernel());
  for (const length of [SIZE, SIZE + 1, good.length - 1]) {
    assert.equal(codeOf(good.subarray(0, length)), 'IMAGE_TRUNCATED', `${length} bytes`);
  }
});
