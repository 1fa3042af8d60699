// `zendo run` against a scripted domain in a scripted process: exit statuses, what goes to which stream, and every way to end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scriptedMachine } from '../../tests/support/scripted-domain.ts';
import type { ScriptedMachine } from '../../tests/support/scripted-domain.ts';
import { ScriptedWorld } from '../../tests/support/scripted-world.ts';
import { runCommandLine } from './command-line.ts';

interface Started {
  readonly world: ScriptedWorld;
  readonly machine: ScriptedMachine;
  readonly status: Promise<number>;
}

/** Starts `zendo run` with the domain that plays `part`, and lets it get going. */
async function start(part: string, words: readonly string[] = [], world = new ScriptedWorld()): Promise<Started> {
  const machine = scriptedMachine();
  const command = ['run', '--append', part, ...words];
  const status = runCommandLine(command, world, async () => machine.startDomain);
  await world.settle();
  return { world, machine, status };
}

test('run: a guest that powers off gives status 0, and standard output carries its bytes only', async () => {
  const { world, machine, status } = await start('poweroff');
  assert.equal(await status, 0);
  assert.equal(world.readStdout(), 'last words');
  assert.equal(world.readStderr(), "zendo: 'guest' powered off\n");
  assert.ok(machine.destroyed > 0);
});

test('run: quiet mode says nothing about a guest that powers off', async () => {
  const { world, status } = await start('poweroff', ['-q']);
  assert.equal(await status, 0);
  assert.equal(world.readStderr(), '');
});

test('run: a guest that crashes gives status 3 and its report, in quiet mode too', async () => {
  const { world, status } = await start('crash', ['-q']);
  assert.equal(await status, 3);
  assert.equal(world.readStdout(), 'unfinished line');
  assert.equal(world.readStderr(), "guest 'guest' crashed: oops\n  rip 0xffffffff81000000\n");
});

test('run: a guest that reboots is started again, and the console goes on', async () => {
  const { world, machine, status } = await start('reboot-once', ['-q'], new ScriptedWorld().withTerminal());
  assert.equal(machine.starts, 2);
  world.stdin.write('abq');
  assert.equal(await status, 0);
  assert.equal(machine.typed, 'abq');
  assert.deepEqual(world.rawModes, [true, false]);
});

test('run: bad input gives status 1 and the one line that names it', async () => {
  const { world, status } = await start('bad-input');
  assert.equal(await status, 1);
  assert.equal(world.readStderr(), "zendo: kernel 'x' is cut short: get it again\n");
});

test('run: a fault of ours gives status 1 and one line', async () => {
  const { world, status } = await start('fault');
  assert.equal(await status, 1);
  assert.equal(world.readStderr(), 'zendo: a fault of zendo: a count went negative (ZENDO_DEBUG=1 shows where)\n');
});

test('run: wrong usage gives status 2 and starts nothing', async () => {
  const { world, machine, status } = await start('keys', ['--vcpus', 'many']);
  assert.equal(await status, 2);
  assert.equal(machine.starts, 0);
  assert.match(world.readStderr(), /^zendo: --vcpus takes .*\n$/);
});

test('run: the time limit gives status 4 and destroys the domain', async () => {
  const { world, machine, status } = await start('stubborn', ['--timeout', '30']);
  world.advance(29_999);
  await world.settle();
  assert.equal(machine.destroyed, 0);
  world.advance(1);
  assert.equal(await status, 4);
  assert.equal(machine.destroyed, 1);
  assert.equal(world.readStderr(), 'zendo: the time limit of 30 s is over\n');
});

test('run: trace lines go to standard error, in quiet mode too', async () => {
  const { world, status } = await start('poweroff', ['-q', '--trace', 'trap,store']);
  await status;
  assert.equal(world.readStderr(), 'trace trap\ntrace store\n');
});

test('run: the profile goes to standard error at the end, in quiet mode too', async () => {
  const { world, status } = await start('poweroff', ['-q', '--stats']);
  assert.equal(await status, 0);
  assert.equal(world.readStderr(), 'profile 1\n');
});

test('run: a run that a key ends prints the profile too', async () => {
  const { world, status } = await start('stubborn', ['-q', '--stats'], new ScriptedWorld().withTerminal());
  world.stdin.write('\x1d');
  assert.equal(await status, 130);
  assert.equal(world.readStderr(), 'profile 1\nzendo: ended by Ctrl-]\n');
});

test('run: a guest that reboots has a profile for each time it was started', async () => {
  const { world, status } = await start('reboot-once', ['-q', '--stats']);
  assert.equal(world.readStderr(), 'profile 1\n');
  world.stdin.write('q');
  assert.equal(await status, 0);
  assert.equal(world.readStderr(), 'profile 2\n');
});

test('run: SIGUSR2 prints the profile and the guest goes on', async () => {
  const { world, status } = await start('keys', ['-q', '--stats']);
  world.raise('SIGUSR2');
  await world.settle();
  assert.equal(world.readStderr(), 'profile 1\n');
  world.stdin.write('q');
  assert.equal(await status, 0);
});

test('run: a machine that does not answer gives no profile and ends all the same', async () => {
  const { world, status } = await start('silent', ['-q', '--stats', '--timeout', '1']);
  world.advance(1000);
  await world.settle();
  world.advance(2000);
  assert.equal(await status, 4);
  assert.equal(world.readStderr(), 'zendo: the time limit of 1 s is over\n');
});

test('run: standard input feeds the console, and its end is no error', async () => {
  const { world, machine, status } = await start('keys');
  world.stdin.write('ab\x03\x03\x1d');
  world.stdin.end();
  await world.settle();
  assert.equal(machine.typed, 'ab\x03\x03\x1d');
  world.raise('SIGTERM');
  await status;
});

test('run: a terminal is raw while the guest runs and put back after', async () => {
  const { world, status } = await start('keys', [], new ScriptedWorld().withTerminal());
  assert.deepEqual(world.rawModes, [true]);
  world.stdin.write('q');
  assert.equal(await status, 0);
  assert.deepEqual(world.rawModes, [true, false]);
});

test('run: a terminal that cannot be made raw gives status 1 and one line', async () => {
  const world = new ScriptedWorld().withTerminal();
  world.stdin.setRawMode = () => {
    throw new Error('setRawMode EIO');
  };
  const { status } = await start('keys', [], world);
  assert.equal(await status, 1);
  assert.equal(
    world.readStderr(),
    'zendo: standard input cannot be read (setRawMode EIO): try again with </dev/null\n',
  );
});

test('run: standard input that cannot be read gives status 1 and one line', async () => {
  const { world, status } = await start('keys');
  world.stdin.destroy(new Error('EISDIR: read'));
  assert.equal(await status, 1);
  assert.equal(world.readStderr(), 'zendo: standard input cannot be read (EISDIR: read): try again with </dev/null\n');
});

for (const [name, keys, line] of [
  ['Ctrl-]', ['\x1d'], 'ended by Ctrl-]'],
  ['Ctrl-C twice', ['\x03', '\x03'], 'ended by Ctrl-C twice'],
] as const) {
  test(`run: ${name} ends a guest that ignores everything, with status 130`, async () => {
    const { world, machine, status } = await start('stubborn', ['-q'], new ScriptedWorld().withTerminal());
    for (const key of keys) {
      assert.equal(machine.destroyed, 0);
      world.stdin.write(key);
      await world.settle();
    }
    assert.equal(await status, 130);
    assert.equal(world.readStderr(), `zendo: ${line}\n`);
    assert.deepEqual(world.rawModes, [true, false]);
  });
}

for (const [signal, expected] of [
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`run: ${signal} ends the run with status ${expected}`, async () => {
    const { world, machine, status } = await start('stubborn', ['-q']);
    world.raise(signal);
    assert.equal(await status, expected);
    assert.equal(machine.destroyed, 1);
    assert.equal(world.readStderr(), '');
  });
}

test('run: SIGINT in cooked mode asks the guest to power off', async () => {
  const { world, status } = await start('keys', ['-q']);
  world.raise('SIGINT');
  assert.equal(await status, 0);
});

test('run: a second SIGINT in cooked mode ends a guest that does not power off', async () => {
  const { world, machine, status } = await start('stubborn', ['-q']);
  world.advance(1000);
  world.raise('SIGINT');
  world.advance(49);
  world.raise('SIGINT'); // the same press, through the launcher
  await world.settle();
  assert.equal(machine.destroyed, 0);
  world.advance(200);
  world.raise('SIGINT');
  assert.equal(await status, 130);
});

test('run: SIGINT ends a start that takes long', async () => {
  const { world, status } = await start('slow-start');
  world.raise('SIGINT');
  assert.equal(await status, 130);
  assert.equal(world.readStderr(), 'zendo: starting\n');
});

test('run: the time limit does not count the start', async () => {
  const { world, status } = await start('slow-start', ['--timeout', '1']);
  world.advance(5000);
  await world.settle();
  world.raise('SIGTERM');
  assert.equal(await status, 143);
});

test('run: after a stop of the process the terminal is made raw again', async () => {
  const { world, status } = await start('keys', [], new ScriptedWorld().withTerminal());
  world.raise('SIGCONT');
  assert.deepEqual(world.rawModes, [true, false, true]);
  world.stdin.write('q');
  await status;
});

test('run: a slow reader gets every byte before the run ends', async () => {
  const world = new ScriptedWorld();
  const { status } = await start('flood', ['-q'], world);
  let received = 0;
  let ended = false;
  void status.then(() => {
    ended = true;
  });
  await world.settle();
  assert.equal(ended, false);
  world.stdout.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  assert.equal(await status, 0);
  await world.settle();
  assert.equal(received, 4 * 1024 ** 2);
});

test('run: a reader that leaves ends the run quietly, with status 141', async () => {
  const { world, machine, status } = await start('stubborn');
  world.stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  assert.equal(await status, 141);
  assert.equal(machine.destroyed, 1);
  assert.equal(world.readStderr(), '');
});

test('run: output that cannot be written gives status 1 and one line', async () => {
  const { world, status } = await start('stubborn');
  world.stdout.destroy(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
  assert.equal(await status, 1);
  assert.equal(
    world.readStderr(),
    'zendo: standard output cannot be written (ENOSPC: no space left on device, write): send it elsewhere and try again\n',
  );
});

test('run: a second wish to end does not wait for a reader that has stopped', async () => {
  const { world, status } = await start('flood', ['-q']);
  world.raise('SIGTERM');
  await world.settle();
  world.raise('SIGTERM');
  assert.equal(await status, 143);
});
