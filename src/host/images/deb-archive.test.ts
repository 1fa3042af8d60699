// Debian packages taken apart by our own readers, as on a machine without Debian's tools.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { FormatError } from '../../toolstack/index.ts';
import { XZ_SAMPLES, plainText } from '../../../tests/support/compressed-samples.ts';
import { ownTar } from './deb-archive.ts';

function arMember(name: string, data: Uint8Array): Buffer {
  const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`;
  const size = `${String(data.length).padEnd(10)}\`\n`;
  return Buffer.concat([Buffer.from(header + size), data, Buffer.alloc(data.length % 2, '\n')]);
}

function debOf(dataName: string, data: Uint8Array): Buffer {
  const version = arMember('debian-binary', Buffer.from('2.0\n'));
  const control = arMember('control.tar.xz', Buffer.from('odd'));
  return Buffer.concat([Buffer.from('!<arch>\n'), version, control, arMember(dataName, data)]);
}

const unpack = (deb: Uint8Array): Uint8Array => Uint8Array.from(Buffer.concat([...ownTar(deb)]));

test('deb: the files are unpacked from each compressor that packages come in', () => {
  const text = plainText();
  assert.deepEqual(unpack(debOf('data.tar.xz', Buffer.from(XZ_SAMPLES.blocks, 'base64'))), text);
  assert.deepEqual(unpack(debOf('data.tar.zst/', zstdCompressSync(text))), text);
  assert.deepEqual(unpack(debOf('data.tar.gz', gzipSync(text))), text);
  assert.deepEqual(unpack(debOf('data.tar', text)), text);
});

test('deb: another compressor, another kind of file and an early end are FormatErrors', () => {
  assert.throws(() => unpack(debOf('data.tar.bz2', plainText())), /data\.tar\.bz2/);
  assert.throws(() => unpack(plainText()), /no Debian package/);
  const whole = debOf('data.tar', plainText());
  for (const length of [0, 20, 100, 190, 300, whole.length - 1]) {
    assert.throws(() => unpack(whole.subarray(0, length)), FormatError);
  }
});
