// Tar archives made here, cut into chunks of every size, damaged and left early.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../toolstack/index.ts';
import { readTar } from './tar-reader.ts';
import type { TarEntry } from './tar-reader.ts';

function tarHeader(name: string, type: string, size: number, target = ''): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000755\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')} `, 124);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(target, 157);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function member(name: string, type: string, text = '', target = ''): Buffer {
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text);
  return Buffer.concat([tarHeader(name, type, text.length, target), body]);
}

const END = Buffer.alloc(1024);

async function read(
  archive: Buffer,
  wanted: (path: string) => boolean = () => true,
  chunkBytes = 100,
): Promise<TarEntry[]> {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < archive.length; at += chunkBytes) chunks.push(archive.subarray(at, at + chunkBytes));
  const entries: TarEntry[] = [];
  for await (const entry of readTar(chunks, wanted)) entries.push(entry);
  return entries;
}

test('tar: files, directories and links are read, however the stream is cut', async () => {
  const archive = Buffer.concat([
    member('./', '5'),
    member('./bin/', '5'),
    member('./bin/busybox', '0', 'x'.repeat(700)),
    member('./bin/sh', '2', '', 'busybox'),
    member('./bin/ash', '1', '', './bin/busybox'),
    END,
  ]);
  for (const chunkBytes of [1, 100, 512, 5000]) {
    const entries = await read(archive, (path) => path !== '', chunkBytes);
    assert.deepEqual(
      entries.map(({ path, kind, mode, target, data }) => [path, kind, mode.toString(8), target, data.length]),
      [
        ['bin', 'directory', '755', '', 0],
        ['bin/busybox', 'file', '755', '', 700],
        ['bin/sh', 'symlink', '755', 'busybox', 0],
        ['bin/ash', 'hardlink', '755', 'bin/busybox', 0],
      ],
    );
  }
});

test('tar: long names come from the entries before, in both forms', async () => {
  const long = `./${'d/'.repeat(80)}file`;
  const archive = Buffer.concat([
    member('././@LongLink', 'L', `${long}\0`),
    member('cut off', '0', 'a'),
    member('pax', 'x', '17 path=pax-name\n'),
    member('cut off', '0', 'b'),
    member('plain', '0', 'c'),
    END,
  ]);
  assert.deepEqual(
    (await read(archive)).map(({ path }) => path),
    [`${'d/'.repeat(80)}file`, 'pax-name', 'plain'],
  );
});

test('tar: entries that are not wanted are passed over', async () => {
  const archive = Buffer.concat([member('a', '0', 'a'.repeat(2000)), member('b', '0', 'b'), END]);
  const entries = await read(archive, (path) => path === 'b');
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['b'],
  );
});

test('tar: the source of the stream is ended when the reader stops', async () => {
  let ended = false;
  function* chunks(): Generator<Uint8Array> {
    try {
      yield member('a', '0', 'a');
      yield member('b', '0', 'b');
    } finally {
      ended = true;
    }
  }
  for await (const entry of readTar(chunks(), () => true)) {
    assert.equal(entry.path, 'a');
    break;
  }
  assert.ok(ended);
});

test('tar: damage and an early end are FormatErrors', async () => {
  const archive = member('a', '0', 'a'.repeat(600));
  await assert.rejects(read(archive.subarray(0, 700)), FormatError);
  archive[3] = 0x41;
  await assert.rejects(read(archive), FormatError);
});
