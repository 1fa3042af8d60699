// Tests of who may do what with a node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { domid } from '../base/index.ts';
import type { Permissions, Subject } from './permissions.ts';
import {
  Access,
  accessOf,
  formatPermission,
  inheritPermissions,
  parsePermissions,
  withoutDomain,
} from './permissions.ts';

const domain0: Subject = { domid: domid(0), privileged: true };
const guest = (id: number, target?: number): Subject => ({
  domid: domid(id),
  privileged: false,
  target: target === undefined ? undefined : domid(target),
});
const all = Access.READ | Access.WRITE | Access.OWNER;

function permissions(...texts: string[]): Permissions {
  return parsePermissions(texts) ?? assert.fail(`malformed: ${texts.join(' ')}`);
}

test('permissions: the owner and domain 0 may do everything', () => {
  assert.equal(accessOf(guest(1), permissions('n1')), all);
  assert.equal(accessOf(domain0, permissions('n1')), all);
});

test('permissions: the first entry says what domains without an entry may do', () => {
  assert.equal(accessOf(guest(2), permissions('n1')), Access.NONE);
  assert.equal(accessOf(guest(2), permissions('r1', 'w3')), Access.READ);
});

test('permissions: of several entries for a domain the first one counts', () => {
  assert.equal(accessOf(guest(2), permissions('b1', 'n2', 'b2')), Access.NONE);
  assert.equal(accessOf(guest(3), permissions('n1', 'b3')), Access.READ | Access.WRITE);
});

test('permissions: a domain has the rights of its target too', () => {
  assert.equal(accessOf(guest(2, 1), permissions('n1')), all);
  assert.equal(accessOf(guest(2, 3), permissions('n1', 'r3')), Access.READ);
});

test('permissions: a guest owns the nodes it makes, domain 0 gives them the owner of the node above', () => {
  assert.deepEqual(inheritPermissions(permissions('r0', 'w1'), guest(1)).map(formatPermission), ['r1', 'w1']);
  assert.deepEqual(inheritPermissions(permissions('n1', 'r2'), domain0).map(formatPermission), ['n1', 'r2']);
});

test('permissions: text and entries are each other’s reverse', () => {
  const texts = ['n0', 'r1', 'w2', 'b32751'];
  assert.deepEqual(permissions(...texts).map(formatPermission), texts);
});

test('permissions: malformed entries and an empty list are refused', () => {
  for (const texts of [[], ['n'], ['x1'], ['n1x'], ['n-1'], ['n0', ''], ['n123456']]) {
    assert.equal(parsePermissions(texts), undefined, texts.join(' '));
  }
});

test('permissions: entries of a domain that is gone are taken out', () => {
  assert.deepEqual(withoutDomain(permissions('n0', 'r1', 'w2', 'b1'), domid(1)).map(formatPermission), ['n0', 'w2']);
});
