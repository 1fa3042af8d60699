// Tests of the console backend with a scripted guest: nothing is lost or reordered in either direction, whoever is slow,
// and nothing that a guest writes into its page matters to anybody else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConsoleGuest } from '../../../tests/support/console-guest.ts';
import { ConsoleBackend } from './backend.ts';
import type { ConsoleSink } from './ports.ts';

interface World {
  readonly guest: ConsoleGuest;
  readonly backend: ConsoleBackend;
  /** What the sink was given. */
  readonly output: number[];
  readonly log: string[];
  /** Runs what was deferred. */
  readonly settle: () => void;
}

function world(sink?: ConsoleSink): World {
  const guest = new ConsoleGuest();
  const output: number[] = [];
  const log: string[] = [];
  const tasks: (() => void)[] = [];
  const backend = new ConsoleBackend({
    page: guest.page,
    notify: () => (guest.notified += 1),
    sink: (bytes) => {
      output.push(...bytes);
      return sink?.(bytes);
    },
    log: { info: (line) => log.push(line), warn: (line) => log.push(line) },
    defer: (task) => tasks.push(task),
    name: 'console of domain 1',
  });
  const settle = (): void => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      task();
    }
  };
  return { guest, backend, output, log, settle };
}

function text(bytes: readonly number[]): string {
  return String.fromCharCode(...bytes);
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

test('console: output from before the start is not lost', () => {
  const { guest, backend, output } = world();
  guest.print(bytes('early '));
  backend.kick();
  assert.equal(text(output), '');
  backend.start();
  guest.print(bytes('late'));
  backend.kick();
  assert.equal(text(output), 'early late');
});

test('console: input from before the start and before the guest reads is not lost', () => {
  const { guest, backend } = world();
  void backend.input(bytes('one '));
  backend.start();
  void backend.input(bytes('two'));
  assert.equal(text(guest.read()), 'one two');
});

test('console: any amount of output in any pieces arrives in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 20 }), (sizes) => {
      const { guest, backend, output } = world();
      // Both indices are about to wrap at 2^32.
      guest.setField('out_cons', 0xfffff000);
      guest.setField('out_prod', 0xfffff000);
      backend.start();
      const sent: number[] = [];
      for (const size of sizes) {
        const piece = Uint8Array.from({ length: size }, (_, index) => (sent.length + index) & 0xff);
        for (let at = 0; at < size; backend.kick()) {
          at += guest.print(piece.subarray(at));
        }
        sent.push(...piece);
      }
      assert.deepEqual(output, sent);
    }),
    { numRuns: 50 },
  );
});

test('console: any amount of input arrives in order, however slowly the guest reads', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 15 });
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 700 }), (list, readSize) => {
      const { guest, backend } = world();
      guest.setField('in_cons', 0xfffffe00);
      guest.setField('in_prod', 0xfffffe00);
      backend.start();
      list.forEach((piece) => void backend.input(piece));
      const read: number[] = [];
      for (let got = guest.read(readSize); got.length > 0; got = guest.read(readSize)) {
        read.push(...got);
        backend.kick();
      }
      assert.deepEqual(
        read,
        list.flatMap((piece) => [...piece]),
      );
    }),
    { numRuns: 50 },
  );
});

test('console: the guest is notified once for what was moved, and not when nothing was', () => {
  const { guest, backend } = world();
  backend.start();
  backend.kick();
  assert.equal(guest.notified, 0);
  guest.print(bytes('x'));
  backend.kick();
  assert.equal(guest.notified, 1);
  void backend.input(bytes('y'));
  assert.equal(guest.notified, 2);
  void backend.input(new Uint8Array(2000));
  assert.equal(guest.notified, 3);
  void backend.input(bytes('z'));
  assert.equal(guest.notified, 3, 'the ring was full already');
});

test('console: while the sink is busy the guest’s output waits in its ring', async () => {
  let release: (() => void) | undefined;
  const { guest, backend, output } = world(() => new Promise((resolve) => (release = resolve)));
  backend.start();
  guest.print(bytes('first '));
  backend.kick();
  assert.equal(guest.print(new Uint8Array(4000).fill(0x2e)), 2048);
  backend.kick();
  assert.equal(text(output), 'first ');
  release?.();
  await Promise.resolve();
  assert.equal(output.length, 6 + 2048);
});

test('console: draining waits until the sink has everything', async () => {
  let slow = 0;
  const { guest, backend, output } = world(async () => {
    slow += 1;
    await Promise.resolve();
  });
  backend.start();
  guest.print(bytes('a'));
  backend.kick();
  guest.print(bytes('bcd'));
  await backend.drain();
  assert.equal(text(output), 'abcd');
  assert.equal(slow, 2);
});

test('console: who types much is asked to wait until the guest has read', async () => {
  const { guest, backend } = world();
  backend.start();
  assert.equal(backend.input(bytes('a little')), undefined);
  let ready = false;
  const wait = backend.input(new Uint8Array(20_000));
  void wait?.then(() => (ready = true));
  await Promise.resolve();
  assert.equal(ready, false);
  while (guest.read().length > 0) {
    backend.kick();
  }
  await wait;
  assert.equal(ready, true);
});

test('console: who waits for room is let go when the console is destroyed, and input goes nowhere then', async () => {
  const { guest, backend } = world();
  const wait = backend.input(new Uint8Array(20_000));
  backend.destroy();
  await wait;
  void backend.input(bytes('x'));
  backend.start();
  assert.deepEqual(guest.read(), []);
});

test('console: impossible indices are told of once, and the guest is served again when they are in order', () => {
  const { guest, backend, output, log } = world();
  backend.start();
  for (const index of [2049, 0x80000000, 0xffffffff]) {
    guest.setField('out_prod', index);
    backend.kick();
  }
  guest.setField('in_cons', 1);
  void backend.input(bytes('in'));
  assert.equal(output.length, 0);
  assert.equal(log.length, 1);
  for (const field of ['in_cons', 'in_prod', 'out_cons', 'out_prod'] as const) {
    guest.setField(field, 0); // it started anew
  }
  guest.print(bytes('again'));
  backend.kick();
  assert.equal(text(output), 'again');
  assert.equal(text(guest.read()), 'in');
});

test('console: random indices never make it throw, and move at most a ring full at a time', () => {
  const index = fc.oneof(fc.integer(), fc.integer({ min: -3000, max: 3000 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(index, index, index, index), { maxLength: 30 }), (steps) => {
      const { guest, backend, output, settle } = world();
      backend.start();
      for (const [inCons, inProd, outCons, outProd] of steps) {
        guest.setField('in_cons', inCons);
        guest.setField('in_prod', inProd);
        guest.setField('out_cons', outCons);
        guest.setField('out_prod', outProd);
        void backend.input(Uint8Array.of(1, 2, 3));
        backend.kick();
        settle();
      }
      assert.ok(output.length <= steps.length * 2 * 2048);
    }),
  );
});

test('console: a guest that prints without end does not keep domain 0 from its other work', () => {
  const endless = new Uint8Array(2048);
  let given = 0;
  const { guest, backend } = world(() => {
    given += 1;
    guest.print(endless);
  });
  guest.print(endless);
  backend.start();
  assert.equal(given, 16);
});

test('console: while paused nothing in the page is touched, and what comes is kept', () => {
  const { guest, backend, output } = world();
  backend.start();
  backend.pause();
  assert.equal(backend.paused, true);
  guest.print(bytes('out'));
  backend.kick();
  void backend.input(bytes('in'));
  assert.deepEqual([output.length, guest.field('in_prod'), guest.notified], [0, 0, 0]);
  backend.resume();
  assert.equal(text(output), 'out');
  assert.equal(text(guest.read()), 'in');
});

test('console: input that waits survives save and restore', () => {
  const first = world();
  first.backend.start();
  void first.backend.input(new Uint8Array(1024).fill(1));
  void first.backend.input(bytes('rest'));
  first.backend.pause();
  const saved: unknown = JSON.parse(JSON.stringify(first.backend.save()));
  const second = world();
  second.backend.restore(saved as { input: number[] }); // what save gave
  second.backend.start();
  assert.equal(text(second.guest.read()), 'rest');
});

test('console: after a reset it serves a new guest and keeps nothing of the old one', () => {
  const { guest, backend, output } = world();
  void backend.input(bytes('old'));
  backend.reset();
  guest.print(bytes('new'));
  backend.kick();
  assert.equal(output.length, 0, 'not before start');
  backend.start();
  assert.equal(text(output), 'new');
  assert.deepEqual(guest.read(), []);
});
