// `zendo run` with a real guest, seen from outside: every way in which a run can end, what goes to which stream, what is traced.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ensureDefaultGuest } from '../../src/host/images/debian.ts';
import { BootedGuest, withGuest, zendo } from '../support/booted-guest.ts';
import { onTerminal, Program } from '../support/process.ts';

const LIMIT_MS = 200_000;
const memory = '128M';
const symbol = /\b[a-z_]\w+\+0x[0-9a-f]+/;

test('run: a panic gives status 3 and a report with the names of the functions on the stack', async () => {
  await withGuest({ memory }, async (guest) => {
    await guest.run('echo 1 > /proc/sys/kernel/sysrq');
    assert.equal(await guest.end('echo c > /proc/sysrq-trigger'), 3);
    const report = guest.program.stderr;
    assert.match(report, /^domain \d+ \(guest\) crashed/m);
    assert.match(report, /^vCPU 0: up, guest kernel mode$/m);
    assert.match(report, /^ {2}rip ffffffff8\w+ [a-z_]\w+\+0x/m);
    assert.match(report, /\bsysrq_handle_crash\+0x[0-9a-f]+$/m);
    assert.match(report, /\bpanic\+0x[0-9a-f]+$/m);
    assert.match(guest.console, /Kernel panic - not syncing: sysrq triggered crash/);
  });
});

test('run: a kernel without an init gives status 3 and a report', async () => {
  const { kernel } = await ensureDefaultGuest();
  const guest = new BootedGuest({ kernel, append: 'console=hvc0 panic=0', memory });
  try {
    assert.equal(await guest.program.ended, 3);
    assert.match(guest.console, /Kernel panic - not syncing: VFS: Unable to mount root fs/);
    assert.match(guest.program.stderr, symbol);
  } finally {
    guest.kill();
  }
});

test('run: a guest that reboots is started again', async () => {
  await withGuest({ memory }, async (guest) => {
    assert.equal(await guest.run('touch /before; ls /before'), '/before');
    guest.program.type('reboot -f\n');
    await guest.prompt();
    assert.match(guest.program.stderr, /^zendo: 'guest' reboots\n$/);
    assert.match(await guest.run('ls /before'), /No such file/);
    assert.equal(await guest.end('poweroff -f'), 0);
  });
});

test('run: the time limit gives status 4 and one line', async () => {
  const guest = new BootedGuest({ memory, limitS: 3 });
  try {
    assert.equal(await guest.program.ended, 4);
    assert.equal(guest.program.stderr, 'zendo: the time limit of 3 s is over\n');
    assert.match(guest.console, /Linux version/);
  } finally {
    guest.kill();
  }
});

test('run: on a terminal one Ctrl-C reaches the guest, two end the run with status 130', async () => {
  const program = onTerminal(`${zendo.join(' ')} run --memory ${memory}; echo status:$?`, { limitMs: LIMIT_MS });
  try {
    await program.shows(/zendo:~# /);
    program.type("echo sleep''ing; sleep 1000\r");
    await program.shows(/sleeping/);
    program.type('\x03');
    await program.shows(/\^C[^]*zendo:~# /);
    program.type("sleep 1.5; echo la''ter\r"); // a Ctrl-C within a second would be the second one
    await program.shows(/later[^]*zendo:~# /);
    const start = program.stdout.length;
    program.type('\x03');
    program.type('\x03');
    const [, status] = await program.shows(/status:(\d+)/, start);
    assert.equal(status, '130');
  } finally {
    program.kill();
  }
});

test('run: standard input may end, even before the guest reads it', async () => {
  const command = `printf 'echo typed''-ahead\\npoweroff -f\\n' | ${zendo.join(' ')} run -q --memory ${memory} --timeout 150`;
  const program = new Program(['sh', '-c', command], { limitMs: LIMIT_MS });
  assert.equal(await program.ended, 0);
  assert.match(program.stdout, /\ntyped-ahead\r\n/);
  assert.equal(program.stderr, '');
});

test('run: standard output carries exactly the bytes of the console, whatever they are', async () => {
  await withGuest({ memory }, async (guest) => {
    await guest.run('dmesg -n 1; stty -opost -echo');
    const start = guest.console.length;
    guest.program.type("for i in $(seq 0 255); do printf \\\\$(printf %o $i); done; seq 1 50000; echo '<end>'\n");
    await guest.program.shows(/<end>\n/, start);
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    const numbers = Array.from({ length: 50_000 }, (_, i) => `${i + 1}\n`).join('');
    const shown = guest.console.slice(start);
    const from = shown.indexOf('\0');
    const got = shown.slice(from, shown.indexOf('<end>'));
    assert.equal(got.slice(0, every.length), every);
    assert.equal(got.length, every.length + numbers.length);
    assert.equal(hash(got), hash(every + numbers));
    assert.equal(await guest.end('poweroff -f'), 0);
  });
});

test('run: each kind of trace prints lines that name it, on standard error only', async () => {
  const kinds = ['hypercall', 'trap', 'mmu', 'event', 'store'];
  const guest = new BootedGuest({ memory, limitS: 100, more: ['-q', '--trace', kinds.join(',')] });
  try {
    await guest.program.shows(/Run \/init/);
    guest.kill();
    await guest.program.ended;
    const lines = guest.program.stderr.split('\n').slice(0, -1);
    for (const kind of kinds) {
      const mine = lines.filter((line) => line.startsWith(`${kind} `));
      assert.ok(mine.length > 10, `${mine.length} lines of ${kind}`);
    }
    const strange = lines.filter((line) => !/^(hypercall|trap|mmu|event|store) [\x20-\x7e]+$/.test(line));
    assert.deepEqual(strange.slice(0, 3), []);
    assert.match(lines.join('\n'), /^hypercall .*console_io/m);
    assert.doesNotMatch(guest.console, /^(hypercall|trap|mmu|event|store) d?\d/m);
  } finally {
    guest.kill();
  }
});

function hash(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex');
}
