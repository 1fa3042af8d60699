// Which keys end a run and which go to the guest.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyFilter } from './key-filter.ts';

const press = (filter: KeyFilter, text: string, nowMs: number): string => {
  const { toGuest, end } = filter.filter(Buffer.from(text, 'latin1'), nowMs);
  return Buffer.from(toGuest).toString('latin1') + (end === undefined ? '' : `[${end}]`);
};

test('key filter: ordinary keys go to the guest', () => {
  assert.equal(press(new KeyFilter(), 'ls\r\x1b[A\xc3\xa9', 0), 'ls\r\x1b[A\xc3\xa9');
});

test('key filter: Ctrl-] ends the run; what came before goes to the guest, what comes after does not', () => {
  assert.equal(press(new KeyFilter(), 'ab\x1dcd', 0), 'ab[escape]');
});

test('key filter: a single Ctrl-C goes to the guest', () => {
  assert.equal(press(new KeyFilter(), '\x03', 0), '\x03');
});

test('key filter: two Ctrl-C within a second end the run, whatever the guest prints', () => {
  const filter = new KeyFilter();
  press(filter, '\x03', 0);
  filter.noteOutput();
  assert.equal(press(filter, '\x03', 1000), '[interrupt]');
});

test('key filter: two Ctrl-C in one chunk end the run', () => {
  assert.equal(press(new KeyFilter(), '\x03\x03', 0), '\x03[interrupt]');
});

test('key filter: two Ctrl-C far apart are two for a guest that reacts', () => {
  const filter = new KeyFilter();
  press(filter, '\x03', 0);
  filter.noteOutput();
  assert.equal(press(filter, '\x03', 1001), '\x03');
});

test('key filter: two Ctrl-C far apart end the run of a guest that is silent', () => {
  const filter = new KeyFilter();
  press(filter, '\x03', 0);
  assert.equal(press(filter, '\x03', 60_000), '[interrupt]');
});

test('key filter: another key in between starts the count anew', () => {
  const filter = new KeyFilter();
  press(filter, '\x03', 0);
  assert.equal(press(filter, 'x\x03', 100), 'x\x03');
});
