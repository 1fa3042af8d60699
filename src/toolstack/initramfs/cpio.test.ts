// Archives read back by a reader written from the format description.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HypervisorBug } from '../../base/index.ts';
import { writeCpio } from './cpio.ts';
import type { CpioEntry } from './cpio.ts';

/** One entry, as read back. */
interface Entry {
  readonly path: string;
  readonly mode: string;
  readonly nrLinks: number;
  readonly mtime: number;
  readonly device: string;
  readonly data: string;
}

/** Reads an archive as Linux does: header, path, data, each padded to 4 bytes. */
function readCpio(archive: Uint8Array): readonly Entry[] {
  const bytes = Buffer.from(archive);
  const entries: Entry[] = [];
  for (let at = 0; ;) {
    assert.equal(bytes.toString('latin1', at, at + 6), '070701');
    const field = (index: number): number =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const path = bytes.toString('utf8', at + 110, at + 110 + field(11) - 1);
    assert.equal(bytes[at + 110 + field(11) - 1], 0);
    const dataAt = at + Math.ceil((110 + field(11)) / 4) * 4;
    const data = bytes.toString('utf8', dataAt, dataAt + field(6));
    if (path === 'TRAILER!!!') return entries;
    entries.push({
      path,
      mode: field(1).toString(8),
      nrLinks: field(4),
      mtime: field(5),
      device: `${field(9)}:${field(10)}`,
      data,
    });
    at = dataAt + Math.ceil(field(6) / 4) * 4;
  }
}

const file = (path: string, text: string): CpioEntry => ({
  kind: 'file',
  path,
  mode: 0o644,
  data: new TextEncoder().encode(text),
});

test('cpio: every kind of entry is read back as it was given', () => {
  const archive = writeCpio(
    [
      file('hello', 'hello\n'),
      { kind: 'directory', path: 'tmp', mode: 0o1777 },
      { kind: 'symlink', path: 'sh', target: 'bin/busybox' },
      { kind: 'device', path: 'console', mode: 0o600, type: 'char', major: 5, minor: 1 },
      { kind: 'device', path: 'disk', mode: 0o660, type: 'block', major: 202, minor: 0 },
    ],
    1000,
  );
  const plain = { nrLinks: 1, mtime: 1000, device: '0:0', data: '' };
  assert.deepEqual(readCpio(archive), [
    { ...plain, path: 'console', mode: '20600', device: '5:1' },
    { ...plain, path: 'disk', mode: '60660', device: '202:0' },
    { ...plain, path: 'hello', mode: '100644', data: 'hello\n' },
    { ...plain, path: 'sh', mode: '120777', data: 'bin/busybox' },
    { ...plain, path: 'tmp', mode: '41777', nrLinks: 2 },
  ]);
});

test('cpio: directories that entries need are added before them', () => {
  const paths = readCpio(writeCpio([file('usr/lib/a', ''), file('usr-x', '')])).map(
    ({ path, mode }) => `${path} ${mode}`,
  );
  assert.deepEqual(paths, ['usr 40755', 'usr-x 100644', 'usr/lib 40755', 'usr/lib/a 100644']);
});

test('cpio: the order of the entries given makes no difference', () => {
  const entries = [file('b', '1'), file('a/c', '22'), file('a/b', '333')];
  assert.deepEqual(writeCpio(entries), writeCpio([...entries].reverse()));
});

test('cpio: a path that comes twice or starts at the root is a bug of the caller', () => {
  assert.throws(() => writeCpio([file('a', ''), file('a', '')]), HypervisorBug);
  assert.throws(() => writeCpio([file('/a', '')]), HypervisorBug);
});
