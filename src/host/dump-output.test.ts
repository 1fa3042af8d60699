// Dumps go where they were asked to go, and what cannot be written is told.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { DumpOutput } from './dump-output.ts';

function world(): { notices: string[]; traces: string[]; notice(line: string): void; trace(text: string): void } {
  const notices: string[] = [];
  const traces: string[] = [];
  return { notices, traces, notice: (line) => void notices.push(line), trace: (text) => void traces.push(text) };
}

function withFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'zendo-dump-'));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('dump output: without a file, dumps go to standard error', () => {
  const reporter = world();
  const output = new DumpOutput([{ name: '--dump-ir a' }], reporter);
  output.write(0, 'one\ntwo\n');
  output.close();
  assert.deepEqual([reporter.traces, reporter.notices], [['one\ntwo'], []]);
});

test('dump output: dumps with the same file follow each other in it, and what was in it before is gone', () => {
  withFolder((folder) => {
    const file = join(folder, 'out');
    writeFileSync(file, 'old');
    const reporter = world();
    const output = new DumpOutput(
      [
        { name: '--dump-ir a', file },
        { name: '--dump-wasm a', file },
      ],
      reporter,
    );
    output.write(1, 'one\n');
    output.write(0, 'two\n');
    output.close();
    assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\n');
    assert.deepEqual([reporter.traces, reporter.notices], [[], []]);
  });
});

test('dump output: a dump that had nothing to print is named at the end', () => {
  const reporter = world();
  new DumpOutput([{ name: '--dump-ir schedule' }], reporter).close();
  assert.deepEqual(reporter.notices, ['--dump-ir schedule had nothing to print']);
});

test('dump output: a file that cannot be written is refused in one line', () => {
  withFolder((folder) => {
    assert.throws(() => new DumpOutput([{ name: '', file: folder }], world()), {
      code: 'FILE_UNWRITABLE',
      message: `cannot write ${folder}: it is a folder; name another file`,
    });
    const file = join(folder, 'no', 'out');
    assert.throws(() => new DumpOutput([{ name: '', file }], world()), {
      message: `cannot write ${file}: a folder of its path does not exist; name another file`,
    });
  });
});

test('dump output: a disk that is full loses the rest, and says so once', () => {
  const reporter = world();
  const output = new DumpOutput([{ name: '--dump-ir a', file: '/dev/full' }], reporter);
  output.write(0, 'one\n');
  output.write(0, 'two\n');
  output.close();
  assert.deepEqual(reporter.notices, ['cannot write /dev/full: the disk is full; the rest of its dumps is lost']);
});
