// The bound on what guests make a pCPU tell domain 0.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { domid, port } from '../../base/index.ts';
import { Outbox, OUTBOX_LIMIT, taken } from './outbox.ts';
import type { FromPcpu } from './protocol.ts';

function world(): { outbox: Outbox; posted: FromPcpu[]; take: () => void } {
  const posted: FromPcpu[] = [];
  const underway = new Int32Array(new SharedArrayBuffer(4));
  const outbox = new Outbox((message) => posted.push(message), underway);
  const take = (): void => {
    for (const message of posted.splice(0)) taken(underway, message);
  };
  return { outbox, posted, take };
}

const notification = (at: number): FromPcpu & { kind: 'notify' } => ({
  kind: 'notify',
  domid: domid(1),
  port: port(at),
});

test('outbox: however often guests notify and print, what is under way stays bounded', () => {
  const { outbox, posted } = world();
  for (let i = 0; i < 100_000; i++) {
    outbox.notify(notification(i % 7));
    outbox.offer({ kind: 'console', domid: domid(1), bytes: new Uint8Array(2048) });
  }
  const bytes = posted.reduce((sum, message) => sum + (message.kind === 'console' ? message.bytes.length : 0), 0);
  assert.ok(bytes <= OUTBOX_LIMIT + 2048, `${bytes} bytes`);
  assert.ok(posted.length < 5000, `${posted.length} messages`);
});

test('outbox: a notification that found no room is sent when there is some, once', () => {
  const { outbox, posted, take } = world();
  while (posted.length < 2 || !outbox.isWaiting) outbox.notify(notification(1));
  outbox.notify(notification(2));
  outbox.notify(notification(2));
  outbox.flush();
  assert.ok(outbox.isWaiting);
  take();
  outbox.flush();
  assert.deepEqual(posted, [notification(1), notification(2)]);
  assert.ok(!outbox.isWaiting);
});
