// Tests of the guest's ring page: streaming over the wrap of the indices, and guests that put nonsense into it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { XENSTORE_DOMAIN_INTERFACE, XENSTORE_ERROR } from '../abi/index.ts';
import { sharedPage } from '../base/index.ts';
import { request, show, StoreGuest, storeWorld } from '../../tests/support/store-guest.ts';
import { StoreRing } from './ring.ts';

function guestWorld(): ReturnType<typeof storeWorld> & { guest: StoreGuest } {
  const world = storeWorld();
  const local = world.server.openLocal();
  local.mkdir('/local/domain/1');
  local.setPermissions('/local/domain/1', ['n1']);
  return Object.assign(world, { guest: new StoreGuest(world.server, 1).connect() });
}

test('store ring: connecting empties the rings and tells the guest what the store can do', () => {
  const page = sharedPage(new SharedArrayBuffer(4096), 0);
  page.words.fill(-1);
  const ring = new StoreRing(page);
  assert.equal(ring.unread(), 0);
  assert.equal(ring.space(), 1024);
  const fields = ['req_cons', 'req_prod', 'rsp_cons', 'rsp_prod', 'server_features', 'connection', 'error'] as const;
  assert.deepEqual(
    fields.map((field) => page.words[XENSTORE_DOMAIN_INTERFACE[field] / 4]),
    [0, 0, 0, 0, 2, 0, 0],
  );
});

test('store ring: any mix of requests in any pieces gets the same replies as one by one', () => {
  const requests = fc.array(fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 1900 })), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(
      requests,
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 30 }),
      (list, sizes) => {
        const wanted = list.flatMap(([name, length]) => [request('XS_WRITE', `n${name}\0${'v'.repeat(length)}`)]);
        wanted.push(...list.map(([name]) => request('XS_READ', `n${name}\0`)));
        const bytes = Uint8Array.from(wanted.flatMap((message) => [...message]));
        const oneByOne = guestWorld().guest;
        const whole = wanted.flatMap((message) => oneByOne.exchange(message).map(show));
        const { guest } = guestWorld();
        const pieces: string[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!; // within the array
          pieces.push(...guest.exchange(bytes.subarray(at, at + size)).map(show));
          at += size;
        }
        assert.deepEqual(pieces, whole);
      },
    ),
    { numRuns: 60 },
  );
});

test('store ring: an impossible request index ends the connection, with the reason in the page', () => {
  for (const index of [1025, 0x7fffffff, 0x80000000, 0xffffffff]) {
    const { guest, log } = guestWorld();
    guest.setField('req_prod', index);
    guest.kick();
    assert.equal(guest.field('error'), XENSTORE_ERROR.RINGIDX);
    assert.equal(log.length, 1);
    guest.setField('req_prod', 0);
    assert.equal(guest.ask('XS_READ', 'x\0'), 'no reply');
  }
});

test('store ring: an impossible response index ends the connection', () => {
  const { guest } = guestWorld();
  guest.setField('rsp_cons', 1);
  guest.put(request('XS_READ', 'x\0'));
  guest.kick();
  assert.equal(guest.field('error'), XENSTORE_ERROR.RINGIDX);
});

test('store ring: a payload that is too long ends the connection and its watches', () => {
  const { guest, server, log } = guestWorld();
  guest.ask('XS_WATCH', 'x\0t\0');
  const header = new Uint8Array(16);
  new DataView(header.buffer).setUint32(12, 4097, true);
  guest.put(header);
  guest.kick();
  assert.equal(guest.field('error'), XENSTORE_ERROR.PROTO);
  assert.match(log[0] ?? '', /4097 bytes/);
  const before = guest.notified;
  server.openLocal().write('/local/domain/1/x', '');
  assert.equal(guest.notified, before);
});

test('store ring: what the guest writes over the store’s own indices does not matter', () => {
  const { guest } = guestWorld();
  assert.equal(guest.ask('XS_WRITE', 'x\x001'), 'WRITE OK|');
  const cons = guest.field('req_cons');
  guest.put(request('XS_READ', 'x\0'));
  guest.setField('req_cons', 0x12345678);
  guest.setField('rsp_prod', 0x9abcdef0);
  guest.kick();
  assert.equal(guest.field('req_cons'), cons + 18);
  assert.equal(guest.field('error'), XENSTORE_ERROR.NONE);
});

test('store ring: the guest is notified of replies, and of room in a request ring that was full, and else not', () => {
  const { guest } = guestWorld();
  const start = guest.notified;
  guest.kick();
  assert.equal(guest.notified, start, 'nothing happened');
  guest.put(request('XS_WRITE', `x\0${'v'.repeat(1500)}`));
  guest.kick();
  assert.equal(guest.notified, start + 1, 'the ring was full');
  guest.put(new Uint8Array(10));
  guest.kick();
  assert.equal(guest.notified, start + 1, 'part of a request, room enough');
  guest.put(new Uint8Array(484));
  guest.kick();
  assert.equal(guest.notified, start + 2, 'the reply');
});

test('store ring: random bytes and random indices never make the store throw or keep it busy', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 1100 }) }),
    fc.record({
      kind: fc.constant('request' as const),
      type: fc.integer({ min: 0, max: 24 }),
      tx: fc.integer({ min: 0, max: 3 }),
      payload: fc.oneof(
        fc.array(fc.constantFrom('a', 'b', '/', '@', '\0', 'T', 'F', 'n1', '.', '\xff', '0', '5'), { maxLength: 30 }),
        fc.constant(['x'.repeat(4090)]),
      ),
    }),
    fc.record({
      kind: fc.constant('field' as const),
      field: fc.constantFrom('req_cons', 'req_prod', 'rsp_cons', 'rsp_prod', 'error', 'connection'),
      delta: fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 })),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { guest, settle, server } = guestWorld();
      for (const item of steps) {
        switch (item.kind) {
          case 'bytes':
            guest.put(item.bytes);
            break;
          case 'request':
            guest.put(request(item.type, item.payload.join(''), item.tx));
            break;
          case 'field':
            guest.setField(item.field, (guest.field(item.field) + item.delta) >>> 0);
            break;
        }
        guest.kick();
        settle();
      }
      assert.equal(new StoreGuest(server, 2).connect().ask('XS_READ', 'x\0'), 'ERROR EACCES|', 'others are served');
    }),
    { numRuns: 300 },
  );
});
