// The command line's syntax: every option once, and every mistake with its line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommand } from './arguments.ts';

test('arguments: run without options has the documented defaults', () => {
  assert.deepEqual(parseCommand(['run']), {
    kind: 'run',
    config: { memoryBytes: 256 * 1024 ** 2, vcpus: 1, name: 'guest', trace: new Set() },
    options: { quiet: false },
  });
});

test('arguments: run takes every option', () => {
  const line =
    'run --kernel k --ramdisk=r --append init=/bin/sh --memory 1G --vcpus 4 --name web-1 --timeout 1.5 --trace trap,mmu --trace store -q';
  assert.deepEqual(parseCommand(line.split(' ')), {
    kind: 'run',
    config: {
      kernel: 'k',
      ramdisk: 'r',
      append: 'init=/bin/sh',
      memoryBytes: 1024 ** 3,
      vcpus: 4,
      name: 'web-1',
      trace: new Set(['trap', 'mmu', 'store']),
    },
    options: { quiet: true, timeoutMs: 1500 },
  });
});

for (const [word, stats] of [
  ['--stats', 'text'],
  ['--stats=text', 'text'],
  ['--stats=json', 'json'],
] as const) {
  test(`arguments: ${word} asks for a profile`, () => {
    const command = parseCommand(['run', word, '-q']);
    assert.equal(command.kind === 'run' && command.config.stats, stats);
  });
}

test('arguments: dumps name addresses, symbols and files', () => {
  const line =
    'run --dump-wasm ffffffff81000000=a=b --dump-ir schedule --dump-ir=0x400000 --dump-ir do.isra.0+0x1f=out';
  const command = parseCommand(line.split(' '));
  assert.deepEqual(command.kind === 'run' && command.config.dumps, [
    { form: 'ir', place: { symbol: 'schedule', offset: 0 } },
    { form: 'ir', place: { address: 0x400000n } },
    { form: 'ir', place: { symbol: 'do.isra.0', offset: 0x1f }, file: 'out' },
    { form: 'wasm', place: { address: 0xffffffff81000000n }, file: 'a=b' },
  ]);
});

for (const word of ['help', '--help', '-h']) {
  test(`arguments: ${word} asks for help`, () => {
    assert.equal(parseCommand([word]).kind, 'help');
  });
}

test('arguments: run --help asks for help', () => {
  assert.equal(parseCommand(['run', '--help']).kind, 'help');
});

for (const word of ['version', '--version', '-V']) {
  test(`arguments: ${word} asks for the version`, () => {
    assert.equal(parseCommand([word]).kind, 'version');
  });
}

for (const [line, message] of [
  ['', 'a command is missing'],
  ['boot', "unknown command 'boot'"],
  ['run now', "unexpected argument 'now'"],
  ['run --color', "unknown option '--color'"],
  ['run --kernel', "option '--kernel <value>' argument missing"],
  ['run --kernel=', '--kernel takes the name of a file'],
  ['run --append -x', "option '--append' argument is ambiguous: write --append=VALUE when it starts with a dash"],
  ['run --quiet=yes', "option '-q, --quiet' does not take an argument"],
  ['run --memory lots', "--memory takes a size such as 128, 128M or 1G, not 'lots'"],
  ['run --vcpus 0', "--vcpus takes a number from 1 to 32, not '0'"],
  ['run --vcpus 33', "--vcpus takes a number from 1 to 32, not '33'"],
  ['run --vcpus two', "--vcpus takes a number from 1 to 32, not 'two'"],
  ['run --name a/b', "--name takes up to 64 letters, digits and . _ + -, not 'a/b'"],
  ['run --timeout 0', "--timeout takes seconds, above 0 and up to 2147483, not '0'"],
  ['run --timeout soon', "--timeout takes seconds, above 0 and up to 2147483, not 'soon'"],
  ['run --engine-tier fast', "--engine-tier knows interpreter, compiler, auto, not 'fast'"],
  ['run --stats=xml', "--stats knows text, json, not 'xml'"],
  ['run --stats=', "--stats knows text, json, not ''"],
  ['run --stats json', "unexpected argument 'json'"],
  [
    'run --dump-ir sched-x',
    "--dump-ir takes an address such as 0xffffffff81000000 or a symbol such as schedule+0x10, not 'sched-x'",
  ],
  [
    'run --dump-wasm 0x800000000000=f',
    "--dump-wasm takes an address such as 0xffffffff81000000 or a symbol such as schedule+0x10, not '0x800000000000'",
  ],
  ['run --dump-ir schedule=', "--dump-ir takes the name of a file behind 'schedule='"],
  [
    'run --engine-tier interpreter --dump-wasm schedule',
    'with --engine-tier interpreter nothing is compiled: leave out --dump-wasm',
  ],
  ['run --trace trap,all', "--trace knows hypercall, trap, mmu, event, store, not 'all'"],
] as const) {
  test(`arguments: 'zendo ${line}' is refused in one line`, () => {
    assert.deepEqual(parseCommand(line.split(' ').filter((word) => word !== '')), { kind: 'usage', message });
  });
}
