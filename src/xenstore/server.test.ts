// Tests of the store as guests and domain 0 see it: requests over the ring, permissions between domains, quotas, hostile
// guests, connecting and disconnecting. Single errors are in reference.test.ts, against answers of the reference daemon.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { domid } from '../base/index.ts';
import { request, show, StoreGuest, storeWorld } from '../../tests/support/store-guest.ts';
import type { StoreWorld } from '../../tests/support/store-guest.ts';
import { DEFAULT_QUOTA } from './quota.ts';

/** A world with guests 1 and 2, each with a directory of its own. */
function worldWithGuests(): StoreWorld & { one: StoreGuest; two: StoreGuest } {
  const world = storeWorld();
  const local = world.server.openLocal();
  for (const id of [1, 2]) {
    local.mkdir(`/local/domain/${id}`);
    local.setPermissions(`/local/domain/${id}`, ['n0', `r${id}`]);
    local.mkdir(`/local/domain/${id}/data`);
    local.setPermissions(`/local/domain/${id}/data`, [`n${id}`]);
  }
  const one = new StoreGuest(world.server, 1).connect();
  const two = new StoreGuest(world.server, 2).connect();
  world.settle();
  return Object.assign(world, { one, two });
}

test('store server: replies echo type, request id and transaction id', () => {
  const { one } = worldWithGuests();
  const [reply] = one.exchange(request('XS_WRITE', 'data/x\0v', 0, 77));
  assert.deepEqual(reply, { type: 'WRITE', reqId: 77, txId: 0, payload: 'OK\0' });
  const id = Number(one.send('XS_TRANSACTION_START', '\0')[0]?.payload.slice(0, -1));
  const [inside] = one.exchange(request('XS_READ', 'data/x\0', id, 78));
  assert.deepEqual(inside, { type: 'READ', reqId: 78, txId: id, payload: 'v' });
});

test('store server: a guest cannot see or change another guest’s nodes without permission', () => {
  const { one, two } = worldWithGuests();
  one.ask('XS_WRITE', 'data/secret\0s');
  assert.equal(two.ask('XS_READ', '/local/domain/1/data/secret\0'), 'ERROR EACCES|');
  assert.equal(two.ask('XS_WRITE', '/local/domain/1/data/secret\0x'), 'ERROR EACCES|');
  assert.equal(two.ask('XS_RM', '/local/domain/1/data\0'), 'ERROR EACCES|');
  assert.equal(one.ask('XS_SET_PERMS', 'data/secret\0n1\0r2\0'), 'SET_PERMS OK|');
  assert.equal(two.ask('XS_READ', '/local/domain/1/data/secret\0'), 'READ s');
  assert.equal(two.ask('XS_WRITE', '/local/domain/1/data/secret\0x'), 'ERROR EACCES|');
});

test('store server: a domain with a target has its rights, until the target is gone', () => {
  const { server, one, two } = worldWithGuests();
  one.ask('XS_WRITE', 'data/x\x001');
  assert.equal(server.setTarget(domid(2), domid(1)), undefined);
  assert.equal(two.ask('XS_READ', '/local/domain/1/data/x\0'), 'READ 1');
  server.disconnect(domid(1));
  assert.equal(two.ask('XS_READ', '/local/domain/1/name\0'), 'ERROR EACCES|');
});

test('store server: watches tell only those who may read the node', () => {
  const { one, two } = worldWithGuests();
  assert.deepEqual(two.send('XS_WATCH', '/local/domain/1/data\0t\0').map(show), [
    'WATCH OK|',
    'WATCH_EVENT /local/domain/1/data|t|',
  ]);
  one.ask('XS_WRITE', 'data/x\x001');
  two.kick();
  two.take();
  assert.deepEqual(two.messages(), []);
  one.ask('XS_SET_PERMS', 'data/x\0n1\0r2\0');
  two.take();
  assert.deepEqual(two.messages().map(show), ['WATCH_EVENT /local/domain/1/data/x|t|']);
  one.ask('XS_SET_PERMS', 'data/x\0n1\0');
  two.take();
  assert.deepEqual(two.messages().map(show), ['WATCH_EVENT /local/domain/1/data/x|t|'], 'it could read it before');
});

test('store server: domain 0 and guests are told of each other’s changes', () => {
  const { server, one, settle } = worldWithGuests();
  const local = server.openLocal();
  const seen: string[] = [];
  local.watch('/local/domain/1/data', (name) => seen.push(name));
  settle();
  one.ask('XS_WRITE', 'data/state\x004');
  settle();
  assert.deepEqual(seen, ['/local/domain/1/data', '/local/domain/1/data/state']);
  one.ask('XS_WATCH', 'control\0token\0');
  const before = one.notified;
  local.write('/local/domain/1/control/shutdown', 'poweroff');
  assert.equal(one.notified, before + 1);
  one.take();
  assert.deepEqual(one.messages().map(show), ['WATCH_EVENT control/shutdown|token|']);
});

test('store server: messages longer than the rings are streamed both ways', () => {
  const { server, one } = worldWithGuests();
  const local = server.openLocal();
  const long = 'x'.repeat(4000);
  local.write('/local/domain/1/big', long);
  assert.equal(one.ask('XS_READ', 'big\0'), `READ ${long}`);
  assert.equal(one.ask('XS_WRITE', `data/big\0${long}`), 'ERROR ENOSPC|');
  assert.equal(one.ask('XS_WRITE', `data/big\0${long.slice(0, 2000)}`), 'WRITE OK|');
});

test('store server: a reply that does not fit in a message is E2BIG, and DIRECTORY_PART gives it in parts', () => {
  const { server, one } = worldWithGuests();
  const local = server.openLocal();
  const children = Array.from({ length: 900 }, (_, index) => `child-${index}`);
  children.forEach((child) => local.write(`/local/domain/1/many/${child}`, ''));
  assert.equal(one.ask('XS_DIRECTORY', 'many\0'), 'ERROR E2BIG|');
  let listed = '';
  for (let last = false; !last;) {
    const reply = one.ask('XS_DIRECTORY_PART', `many\0${listed.length}\0`).replace('DIRECTORY_PART ', '');
    assert.ok(reply.length <= 4096);
    const names = reply.slice(reply.indexOf('|') + 1);
    last = names.endsWith('||') || names === '|';
    listed += last ? names.slice(0, -1) : names;
  }
  assert.deepEqual(listed.split('|').slice(0, -1), children);
});

test('store server: special watches tell domain 0 of domains that come and go', () => {
  const { server, one, settle } = worldWithGuests();
  const local = server.openLocal();
  const seen: string[] = [];
  local.watch('@introduceDomain', (name) => seen.push(name));
  local.watch('@releaseDomain', (name) => seen.push(name));
  one.ask('XS_WATCH', '@releaseDomain\0t\0');
  settle();
  seen.length = 0;
  new StoreGuest(server, 3).connect();
  settle();
  assert.deepEqual(seen, ['@introduceDomain']);
  server.announceShutdown(domid(3));
  server.announceShutdown(domid(3));
  settle();
  server.disconnect(domid(3));
  settle();
  assert.deepEqual(seen, ['@introduceDomain', '@releaseDomain', '@releaseDomain']);
  one.take();
  assert.deepEqual(one.messages(), [], 'a guest is not told');
});

test('store server: what a domain owned goes with it, and its entries leave other permissions', () => {
  const { server, one, two } = worldWithGuests();
  const local = server.openLocal();
  one.ask('XS_WRITE', 'data/x/y\x001');
  two.ask('XS_WRITE', 'data/shared\x001');
  two.ask('XS_SET_PERMS', 'data/shared\0n2\0r1\0');
  server.disconnect(domid(1));
  assert.equal(local.read('/local/domain/1/data'), undefined);
  assert.deepEqual(local.directory('/local/domain/1'), []);
  assert.deepEqual(local.permissions('/local/domain/2/data/shared'), ['n2']);
  assert.deepEqual(local.permissions('/local/domain/1'), ['n0']);
});

test('store server: wire requests of domain 0 connect and disconnect domains', () => {
  const page = new StoreGuest(storeWorld().server, 5).page;
  const { server, log } = storeWorld(DEFAULT_QUOTA, (id, frame, port) =>
    id === 5 && frame === 1234 && port === 7 ? { page, notify: () => {} } : undefined,
  );
  const tool = new StoreGuest(server, 0).connect();
  assert.equal(tool.ask('XS_INTRODUCE', '5\x001234\x008\0'), 'ERROR EINVAL|');
  assert.equal(tool.ask('XS_INTRODUCE', '5\x001234\x007\0'), 'INTRODUCE OK|');
  assert.equal(tool.ask('XS_INTRODUCE', '5\x001234\x007\0'), 'ERROR EINVAL|');
  assert.equal(tool.ask('XS_IS_DOMAIN_INTRODUCED', '5\0'), 'IS_DOMAIN_INTRODUCED T|');
  assert.equal(tool.ask('XS_IS_DOMAIN_INTRODUCED', '0\0'), 'IS_DOMAIN_INTRODUCED T|');
  assert.equal(tool.ask('XS_RESUME', '5\0'), 'RESUME OK|');
  assert.equal(tool.ask('XS_SET_TARGET', '5\x006\0'), 'ERROR ENOENT|');
  assert.equal(tool.ask('XS_RELEASE', '5\0'), 'RELEASE OK|');
  assert.equal(tool.ask('XS_RELEASE', '5\0'), 'ERROR ENOENT|');
  assert.equal(tool.ask('XS_RELEASE', '0\0'), 'ERROR EINVAL|');
  assert.equal(tool.ask('XS_IS_DOMAIN_INTRODUCED', '5\0'), 'IS_DOMAIN_INTRODUCED F|');
  assert.equal(tool.ask('XS_CONTROL', 'print\0hello\x1b[2J\0'), 'CONTROL OK|');
  assert.deepEqual(log, ['store: hello\\x1b[2J']);
  assert.equal(tool.ask('XS_CONTROL', 'nonsense\0'), 'ERROR EINVAL|');
});

test('store server: the quota of nodes holds for a guest, whoever made them, and not for domain 0', () => {
  const { server, one } = worldWithGuests();
  const local = server.openLocal();
  let made = 0;
  while (one.ask('XS_MKDIR', `data/${made % 40}/${made}\0`) === 'MKDIR OK|') {
    made += 1;
  }
  assert.equal(one.ask('XS_MKDIR', 'data/more\0'), 'ERROR ENOSPC|');
  assert.equal(made, 1000 - 40 - 1, 'with 40 directories and the one that domain 0 gave it');
  local.mkdir('/local/domain/1/data/more');
  assert.equal(one.ask('XS_RM', 'data/0\0'), 'RM OK|');
  assert.equal(one.ask('XS_MKDIR', 'data/again\0'), 'MKDIR OK|');
});

test('store server: a guest that never reads is not listened to any more, and its memory stays bounded', () => {
  const { server, one, trace, log } = worldWithGuests();
  const local = server.openLocal();
  one.ask('XS_WATCH', '/local/domain/1\0t\0');
  trace.length = 0;
  const flood = request('XS_READ', 'nope\0');
  for (let i = 0; i < 2000; i++) {
    one.put(flood);
    one.kick();
  }
  const taken = trace.filter((line) => line.startsWith('d1 IN')).length;
  assert.ok(taken < 24 + DEFAULT_QUOTA.outstandingRequests + 24, `${taken} requests were taken`);
  for (let i = 0; i < 20_000; i++) {
    local.write(`/local/domain/1/event-${i}`, '');
    local.rm(`/local/domain/1/event-${i}`);
  }
  assert.deepEqual(log, ['store: domain 1 does not read its watch events; more of them are dropped']);
  assert.equal(one.exchange(flood).at(-1)?.type, 'ERROR', 'it is listened to again once it reads');
});

test('store server: an equal event that waits is not queued twice', () => {
  const { server, one } = worldWithGuests();
  const local = server.openLocal();
  one.ask('XS_WATCH', '/local/domain/1/x\0t\0');
  while (one.put(request('XS_READ', 'nope\0')) === 21) {
    one.kick(); // the response ring fills up
  }
  for (let i = 0; i < 100; i++) {
    local.write('/local/domain/1/x', String(i));
  }
  one.take();
  const events = one.exchange(new Uint8Array(0)).filter(({ type }) => type === 'WATCH_EVENT');
  assert.equal(events.length, 1);
});

test('store server: a guest that does not read events holds up the guest that causes them only for a time', () => {
  const { server, one, two, clock } = worldWithGuests();
  server.openLocal().setPermissions('/local/domain/1/data', ['n1', 'r2']);
  two.ask('XS_WATCH', '/local/domain/1/data\0t\0');
  while (two.put(request('XS_READ', 'nope\0')) === 21) {
    two.kick();
  }
  let written = 0;
  while (one.ask('XS_WRITE', `data/x${written}\0v`) === 'WRITE OK|') {
    written += 1;
  }
  assert.ok(written >= DEFAULT_QUOTA.outstandingRequests - 1 && written < 60, `${written} were taken`);
  clock.ns += DEFAULT_QUOTA.eventTimeoutMs * 1e6;
  server.tick();
  assert.equal(one.ask('XS_WRITE', 'data/y\0v'), 'WRITE OK|');
});

test('store server: the trace shows messages in the reference daemon’s form, safe for a terminal', () => {
  const { one, trace } = worldWithGuests();
  trace.length = 0;
  one.ask('XS_WRITE', 'data/x\0a\x1b[31m\xff');
  one.ask(99, '');
  assert.deepEqual(trace, [
    'd1 IN WRITE (data/x a\\x1b[31m\\xff)',
    'd1 OUT WRITE (OK )',
    'd1 IN type 99 ()',
    'd1 OUT ERROR (ENOSYS )',
  ]);
});

test('store server: a guest that sends without end does not keep domain 0 from its other work', () => {
  const world = worldWithGuests();
  const { one, two } = world;
  const busy = request('XS_READ', 'nope\0');
  two.put(busy);
  world.onTrace = () => {
    one.take();
    one.put(busy);
  };
  one.put(busy);
  one.kick();
  two.kick();
  two.take();
  assert.deepEqual(two.messages().map(show), ['ERROR ENOENT|']);
  assert.ok(world.trace.length < 1200, `${world.trace.length} messages in two turns`);
});
