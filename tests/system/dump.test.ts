// `zendo run --dump-ir` and `--dump-wasm` with a real guest, seen from outside: by symbol, to standard error and to files.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BootedGuest, withGuest, zendo } from '../support/booted-guest.ts';
import { Program } from '../support/process.ts';

const memory = '128M';

/** Functions that every boot makes hot. */
const HOT = ['strcmp', 'vsnprintf', 'format_decode', 'number'];

test('dump: a symbol of the kernel prints its records, and the WebAssembly of what became hot', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zendo-dump-'));
  try {
    const hot = HOT.map((name) => join(folder, name));
    const more = ['--dump-ir', 'start_kernel', '--dump-ir', 'oops_begin'];
    for (const [n, name] of HOT.entries()) more.push('--dump-wasm', `${name}=${hot[n]}`);
    await withGuest({ memory, more }, async (guest) => {
      assert.equal(await guest.end('poweroff -f'), 0);
      const { stderr } = guest.program;
      assert.match(stderr, /^block at (\S+), frame \w+: \d+ instructions, \d+ records\n {2}\1 {2}[a-z].*\n/m);
      assert.match(stderr, /^ {8}call /m);
      assert.match(stderr, /^zendo: --dump-ir oops_begin had nothing to print$/m);
    });
    const texts = hot.map((file) => readFileSync(file, 'utf8')).filter((text) => text !== '');
    assert.notEqual(texts.length, 0);
    for (const text of texts) {
      assert.match(text, /^region at \S+, frames? [\w, ]+: \d+ instructions, \d+ bytes\n\(func /);
      assert.match(text, /^ +;; ffffffff8\w+ {2}\w+ .*\n +;; {5}\S/m);
      assert.match(text, /^ +local\.get \$rdi$/m);
      assert.doesNotMatch(text, /unknown instruction|undefined/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('dump: a symbol that the kernel does not have is refused in one line', async () => {
  const program = new Program([...zendo, 'run', '-q', '--dump-ir', 'no_such_function'], { limitMs: 60_000 });
  assert.equal(await program.ended, 1);
  assert.match(program.stderr, /^zendo: kernel \S+ has no symbol 'no_such_function': check its spelling\n$/);
});

test('dump: an address that no code is at changes nothing', async () => {
  const guest = new BootedGuest({ memory, more: ['-q', '--dump-ir', '0xffff800000000000', '--dump-wasm=0x10'] });
  try {
    await guest.prompt();
    assert.equal(await guest.end('poweroff -f'), 0);
    assert.equal(guest.program.stderr, '');
  } finally {
    guest.kill();
  }
});
