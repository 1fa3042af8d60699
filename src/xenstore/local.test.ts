// Tests of the store as domain 0's own components use it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeWorld } from '../../tests/support/store-guest.ts';

test('local store: values, children and permissions are written and read', () => {
  const local = storeWorld().server.openLocal();
  local.write('backend/vbd/1/51712/state', '1');
  local.write('backend/vbd/1/51712/params', new Uint8Array([0, 0xff]));
  local.setPermissions('backend/vbd/1/51712', ['n0', 'r1']);
  local.write('backend/vbd/1/51712/name', 'Müller');
  assert.equal(local.read('/local/domain/0/backend/vbd/1/51712/state'), '1');
  assert.equal(local.read('backend/vbd/1/51712/name'), 'Müller');
  assert.deepEqual(local.readBytes('backend/vbd/1/51712/params'), new Uint8Array([0, 0xff]));
  assert.deepEqual(local.directory('backend/vbd/1/51712'), ['state', 'params', 'name']);
  assert.deepEqual(local.permissions('backend/vbd/1/51712/name'), ['n0', 'r1'], 'inherited');
  local.rm('backend/vbd/1');
  assert.equal(local.read('backend/vbd/1/51712/state'), undefined);
  assert.deepEqual(local.directory('backend/vbd'), []);
  local.rm('backend/not/there');
});

test('local store: a malformed name is an error that says what a name may have', () => {
  const local = storeWorld().server.openLocal();
  assert.throws(() => local.write('a b', ''), { name: 'VmmError', code: 'STORE_EINVAL', message: /'a b'/ });
  assert.throws(() => local.watch('a b', () => {}), { name: 'VmmError', code: 'STORE_EINVAL', message: /'a b'/ });
});

test('local store: a watch fires once at the start, then for the node and everything under it, in its own form', () => {
  const { server, settle } = storeWorld();
  const local = server.openLocal();
  const seen: string[] = [];
  const watch = local.watch('backend', (name) => seen.push(name));
  assert.deepEqual(seen, [], 'not inside the call');
  settle();
  assert.deepEqual(seen, ['backend']);
  local.write('backend/vbd/1/0/state', '1');
  local.write('/local/domain/0/backend', '');
  local.write('backends', '');
  settle();
  assert.deepEqual(seen, ['backend', 'backend/vbd/1/0/state', 'backend']);
  local.write('backend/x', '');
  watch.unwatch();
  local.write('backend/y', '');
  settle();
  assert.equal(seen.length, 3, 'not after unwatch');
});

test('local store: equal events that wait are one, and handlers may change the store', () => {
  const { server, settle } = storeWorld();
  const local = server.openLocal();
  const seen: (string | undefined)[] = [];
  local.watch('state', (name) => {
    const state = Number(local.read(name) ?? '0');
    seen.push(String(state));
    if (state < 6) {
      local.write(name, String(state + 1));
    }
  });
  for (let i = 0; i < 4; i++) {
    local.write('state', String(i));
  }
  settle();
  assert.deepEqual(seen, ['3', '4', '5', '6']);
});

test('local store: a handler that throws does not keep others from their events', () => {
  const { server, settle } = storeWorld();
  const local = server.openLocal();
  const seen: string[] = [];
  local.watch('a', () => {
    throw new Error('a bug in a backend');
  });
  local.watch('b', (name) => seen.push(name));
  assert.throws(settle, /a bug in a backend/);
  settle();
  assert.deepEqual(seen, ['b']);
});

test('local store: a transaction takes effect as a whole and tells watches once a node', () => {
  const { server, settle } = storeWorld();
  const local = server.openLocal();
  const seen: string[] = [];
  local.watch('dir', (name) => seen.push(name));
  settle();
  seen.length = 0;
  const result = local.transaction((transaction) => {
    transaction.write('dir/b', '1');
    transaction.write('dir/a', '1');
    transaction.write('dir/b', '2');
    assert.equal(local.read('dir/b'), undefined);
    assert.equal(transaction.read('dir/b'), '2');
    return 'done';
  });
  settle();
  assert.equal(result, 'done');
  assert.equal(local.read('dir/b'), '2');
  assert.deepEqual(seen, ['dir/b', 'dir/a']);
});

test('local store: a transaction whose body throws changes nothing', () => {
  const local = storeWorld().server.openLocal();
  assert.throws(() =>
    local.transaction((transaction) => {
      transaction.write('x', '1');
      throw new Error('no');
    }),
  );
  assert.equal(local.read('x'), undefined);
});

test('local store: a transaction that stays open fails if its nodes change meanwhile', () => {
  const local = storeWorld().server.openLocal();
  local.write('x', '1');
  const transaction = local.begin();
  transaction.write('y', transaction.read('x') ?? '');
  local.write('x', '2');
  assert.equal(transaction.commit(), false);
  assert.equal(local.read('y'), undefined);
  const again = local.begin();
  again.write('y', again.read('x') ?? '');
  assert.equal(again.commit(), true);
  assert.equal(local.read('y'), '2');
});

test('local store: a closed client is not told of anything', () => {
  const { server, settle } = storeWorld();
  const local = server.openLocal();
  const seen: string[] = [];
  local.watch('x', (name) => seen.push(name));
  local.close();
  server.openLocal().write('x', '');
  settle();
  assert.deepEqual(seen, []);
});
