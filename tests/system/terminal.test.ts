// The command line on a real terminal and on real pipes, with a scripted domain: the terminal comes back however a run ends.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { onTerminal, Program, scriptedZendo } from '../support/process.ts';

/** Runs `zendo` on a terminal and prints the terminal's settings before, during and after, and the exit status. */
const watched = (part: string): string =>
  `stty -g | sed s/^/before:/; ${scriptedZendo} run -q --append ${part}; s=$?; stty -g | sed s/^/after:/; echo status:$s`;

for (const { name, part, keys, status } of [
  { name: 'the guest powers off', part: 'keys', keys: ['q'], status: 0 },
  { name: 'the guest crashes', part: 'crash', keys: [], status: 3 },
  { name: 'the escape key is pressed', part: 'stubborn', keys: ['\x1d'], status: 130 },
  { name: 'Ctrl-C is pressed twice', part: 'stubborn', keys: ['\x03', '\x03'], status: 130 },
  { name: 'the program breaks', part: 'keys', keys: ['!'], status: 1 },
  { name: 'the machine breaks', part: 'fault', keys: [], status: 1 },
] as const) {
  test(`terminal: it is put back when ${name}`, async () => {
    const program = onTerminal(watched(part));
    if (keys.length > 0) {
      await program.shows(/pid \d+/);
    }
    for (const key of keys) {
      program.type(key);
    }
    const [, before] = await program.shows(/before:(\S+)/);
    const [, after] = await program.shows(/after:(\S+)/);
    assert.equal(after, before);
    const [, shown] = await program.shows(/status:(\d+)/);
    assert.equal(shown, String(status));
  });
}

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`terminal: it is put back when ${signal} ends the run`, async () => {
    const program = onTerminal(watched('stubborn'));
    const [, pid] = await program.shows(/pid (\d+)/);
    process.kill(Number(pid), signal);
    const [, before] = await program.shows(/before:(\S+)/);
    const [, after] = await program.shows(/after:(\S+)/);
    assert.equal(after, before);
    const [, shown] = await program.shows(/status:(\d+)/);
    assert.equal(shown, String(status));
  });
}

test('terminal: every key reaches the guest as it is while the guest runs', async () => {
  const program = onTerminal(watched('keys'));
  const [, pid] = await program.shows(/pid (\d+)/);
  const settings = execFileSync('stty', ['-a', '-F', `/proc/${pid}/fd/0`], { encoding: 'utf8' });
  assert.match(settings, /-icanon/);
  assert.match(settings, /-isig/);
  assert.match(settings, /-echo\b/);
  program.type('\x03');
  await program.shows(/<03>/);
  program.type('\x1a\x04\r');
  await program.shows(/<1a040d>/);
  program.type('q');
  await program.shows(/status:0/);
});

test('terminal: a message begins a line of its own when the guest has not ended its line', async () => {
  const program = onTerminal(`${scriptedZendo} run --append poweroff`);
  assert.equal(await program.ended, 0);
  assert.equal(program.stdout, "last words\r\nzendo: 'guest' powered off\r\n");
});

test('pipes: standard output carries exactly the console, standard error the rest', async () => {
  const program = new Program(['sh', '-c', `${scriptedZendo} run --append poweroff`]);
  assert.equal(await program.ended, 0);
  assert.equal(program.stdout, 'last words');
  assert.equal(program.stderr, "zendo: 'guest' powered off\n");
});

test('pipes: the end of standard input does not end the run', async () => {
  const program = new Program(['sh', '-c', `printf 'ab' | ${scriptedZendo} run --append keys --timeout 0.5`]);
  assert.equal(await program.ended, 4);
  assert.match(program.stdout, /^pid \d+\n<6162>\n$/);
});

test('pipes: a slow reader gets all 4 MiB', async () => {
  const program = new Program(['sh', '-c', `${scriptedZendo} run -q --append flood | (sleep 0.2; wc -c)`]);
  await program.ended;
  assert.equal(program.stdout.trim(), String(4 * 1024 ** 2));
});

test('pipes: a reader that leaves ends the run', async () => {
  const command = `{ ${scriptedZendo} run --append flood; echo status:$? >&2; } | head -c 10`;
  const program = new Program(['sh', '-c', command]);
  await program.ended;
  assert.equal(program.stdout, 'aaaaaaaaaa');
  assert.equal(program.stderr, 'status:141\n');
});

test('pipes: a full disk under standard output gives status 1 and one line', async () => {
  const program = new Program(['sh', '-c', `${scriptedZendo} run --append flood > /dev/full`]);
  assert.equal(await program.ended, 1);
  assert.match(
    program.stderr,
    /^zendo: standard output cannot be written \(ENOSPC: .*\): send it elsewhere and try again\n$/,
  );
});

test('pipes: standard input that cannot be read gives status 1 and one line', async () => {
  const program = new Program(['sh', '-c', `${scriptedZendo} run --append stubborn 0> /dev/null`]);
  assert.equal(await program.ended, 1);
  assert.match(program.stderr, /^zendo: standard input cannot be read \(EBADF: .*\): try again with <\/dev\/null\n$/);
});

test('pipes: closed standard streams do not stop a guest', async () => {
  const program = new Program(['sh', '-c', `${scriptedZendo} run --append poweroff <&- >&- 2>&-`]);
  assert.equal(await program.ended, 0);
});
