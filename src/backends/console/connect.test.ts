// Tests of the handshake of an additional console, with a scripted store and frontend.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { XenbusState } from '../../abi/index.ts';
import { ConsoleGuest } from '../../../tests/support/console-guest.ts';
import { ConsoleConnection } from './connect.ts';

const FRONT = '/local/domain/1/device/console/1';
const BACK = '/local/domain/0/backend/console/1/1';

function scriptedWorld(): {
  connection: ConsoleConnection;
  guest: ConsoleGuest;
  /** The guest writes nodes of its directory, `state` last. */
  write: (nodes: Record<string, string>) => void;
  /** The states that our half went through. */
  states: number[];
  output: number[];
  log: string[];
  closed: () => number;
  event: () => void;
  removeFrontend: () => void;
} {
  const guest = new ConsoleGuest();
  const nodes = new Map<string, string>([[`${FRONT}/state`, '1']]);
  const states: number[] = [];
  const output: number[] = [];
  const log: string[] = [];
  let handler: (() => void) | undefined;
  let closed = 0;
  let event: (() => void) | undefined;
  const connection = new ConsoleConnection({
    frontend: FRONT,
    backend: BACK,
    name: 'console 1 of domain 1',
    log: { info: (line) => log.push(line), warn: (line) => log.push(line) },
    defer: (task) => task(),
    sink: (bytes) => void output.push(...bytes),
    store: {
      read: (name) => nodes.get(name),
      write: (name, value) => {
        assert.equal(name, `${BACK}/state`);
        states.push(Number(value));
      },
      watch: (name, told) => {
        assert.equal(name, `${FRONT}/state`);
        handler = told;
        return { unwatch: () => (handler = undefined) };
      },
    },
    open: (ringRef, port, onEvent) => {
      event = onEvent;
      const known = ringRef === 8 && port === 15;
      return known ? { page: guest.page, notify: () => (guest.notified += 1), close: () => (closed += 1) } : undefined;
    },
  });
  const write = (values: Record<string, string>): void => {
    Object.entries(values).forEach(([name, value]) => nodes.set(`${FRONT}/${name}`, value));
    handler?.();
  };
  const removeFrontend = (): void => {
    nodes.clear();
    handler?.();
  };
  return {
    connection,
    guest,
    write,
    states,
    output,
    log,
    closed: () => closed,
    event: () => event?.(),
    removeFrontend,
  };
}

const { Initialising, InitWait, Initialised, Connected, Closing, Closed } = XenbusState;

test('console handshake: the console connects when the guest has named page and port, and carries both ways', () => {
  const { connection, guest, write, states, output, event } = scriptedWorld();
  connection.start();
  assert.deepEqual(states, [InitWait]);
  write({ 'ring-ref': '8', port: '15', state: String(Initialised) });
  assert.deepEqual(states, [InitWait, Connected]);
  write({ state: String(Connected) });
  guest.print(Uint8Array.of(1, 2));
  event();
  void connection.console?.input(Uint8Array.of(3));
  assert.deepEqual([output, guest.read()], [[1, 2], [3]]);
});

test('console handshake: it is closed with the guest’s half, and offered again when the guest starts anew', () => {
  const { connection, write, states, closed } = scriptedWorld();
  connection.start();
  write({ 'ring-ref': '8', port: '15', state: String(Initialised) });
  write({ state: String(Closing) });
  assert.deepEqual(states.slice(2), [Closing, Closed]);
  assert.equal(closed(), 1);
  assert.equal(connection.console, undefined);
  write({ state: String(Closed) });
  write({ state: String(Initialising) });
  write({ state: String(Initialised) });
  assert.deepEqual(states.slice(4), [InitWait, Connected]);
});

test('console handshake: a page or port that is not the guest’s closes it with a line in the log', () => {
  for (const nodes of [
    { 'ring-ref': '9', port: '15' },
    { 'ring-ref': '8' },
    { 'ring-ref': '-1', port: '99999999999' },
  ]) {
    const { connection, write, states, log } = scriptedWorld();
    connection.start();
    write({ ...nodes, state: String(Initialised) });
    assert.deepEqual(states, [InitWait, Closing, Closed]);
    assert.equal(log.length, 1);
  }
});

test('console handshake: a state that asks nothing is ignored; nonsense, or no state at all, closes the console', () => {
  for (const state of ['0', 'nonsense', '99999999999']) {
    const { connection, write, states } = scriptedWorld();
    connection.start();
    write({ state: '7' });
    assert.deepEqual(states, [InitWait]);
    write({ state });
    assert.deepEqual(states, [InitWait, Closing, Closed]);
  }
  const { connection, states, removeFrontend } = scriptedWorld();
  connection.start();
  removeFrontend();
  assert.deepEqual(states, [InitWait, Closing, Closed]);
});

test('console handshake: destroying it closes it once and stops following the guest', () => {
  const { connection, write, states, closed } = scriptedWorld();
  connection.start();
  write({ 'ring-ref': '8', port: '15', state: String(Connected) });
  connection.destroy();
  connection.destroy();
  write({ state: String(Initialising) });
  assert.deepEqual(states, [InitWait, Connected, Closing, Closed]);
  assert.equal(closed(), 1);
});
