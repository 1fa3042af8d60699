// Tests of the names of store nodes. The limits are those that the reference daemon showed when asked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { domid } from '../base/index.ts';
import { childOf, domainPath, isWithin, nameOf, parentOf, parsePath, RELEASE_DOMAIN, ROOT } from './path.ts';

const home = domainPath(domid(1));

test('store path: a relative name continues the directory of the domain', () => {
  assert.equal(parsePath('device/vbd', home), '/local/domain/1/device/vbd');
  assert.equal(parsePath('/local', home), '/local');
  assert.equal(parsePath('/', home), '/');
});

test('store path: malformed names are refused', () => {
  for (const name of ['', 'a/', '/a/', '//', 'a//b', 'a b', 'a.b', 'caf\xe9', 'a\n', '@releaseDomain']) {
    assert.equal(parsePath(name, home), undefined, name);
  }
});

test('store path: names of special nodes are accepted only where asked for', () => {
  assert.equal(parsePath('@releaseDomain', home, true), RELEASE_DOMAIN);
  assert.equal(parsePath('x@y', home), '/local/domain/1/x@y');
});

test('store path: 2048 characters fit, not counting a leading domain directory', () => {
  const base = '/local/domain/1/';
  assert.notEqual(parsePath('p'.repeat(2048), home), undefined);
  assert.equal(parsePath('p'.repeat(2049), home), undefined);
  assert.notEqual(parsePath(base.padEnd(2064, 'p'), home), undefined);
  assert.equal(parsePath(base.padEnd(2065, 'p'), home), undefined);
  assert.notEqual(parsePath('/'.padEnd(2048, 'p'), home), undefined);
  assert.equal(parsePath('/'.padEnd(2049, 'p'), home), undefined);
});

test('store path: parent, name and child are steps of the same ladder', () => {
  assert.equal(parentOf(home), '/local/domain');
  assert.equal(parentOf(childOf(ROOT, 'local')), ROOT);
  assert.equal(parentOf(ROOT), ROOT);
  assert.equal(parentOf(RELEASE_DOMAIN), ROOT);
  assert.equal(nameOf(home), '1');
  assert.equal(childOf(home, 'name'), '/local/domain/1/name');
});

test('store path: a node with a longer name is not under one with a shorter name', () => {
  assert.equal(isWithin(domainPath(domid(10)), home), false);
  assert.equal(isWithin(childOf(home, 'x'), home), true);
  assert.equal(isWithin(home, home), true);
  assert.equal(isWithin(home, ROOT), true);
  assert.equal(isWithin(RELEASE_DOMAIN, ROOT), true);
});
