// Asks the store what the reference daemon was asked and compares the answers: tests/golden/xenstore-reference.txt is a
// dialogue about errors, permissions, transactions, watches and quotas, tests/golden/xenstore-domu.trace is what a stock
// kernel with a disk and a network card says to the store from boot to shutdown.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { domid, mfn, port } from '../base/index.ts';
import type { XS_TYPE } from '../abi/index.ts';
import { show, StoreGuest, storeWorld } from '../../tests/support/store-guest.ts';
import { createDomainNodes, removeDomainNodes } from './domain-nodes.ts';
import type { LocalStore } from './local.ts';

const GOLDEN = join(import.meta.dirname, '../../tests/golden');
const UUID = '01234567-89ab-cdef-0123-456789abcdef';

/** Where the reference daemon answers with whatever its last error was; this is what it means to say. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['DIRECTORY ', 'ERROR EINVAL|'],
  ['READ name', 'ERROR EINVAL|'],
  ['READ name|x', 'ERROR EINVAL|'],
  ['READ name||', 'ERROR EINVAL|'],
  ['MKDIR data/zz', 'ERROR EINVAL|'],
  ['RM data/a', 'ERROR EINVAL|'],
  ['SET_PERMS @releaseDomain|n1|', 'ERROR EACCES|'],
  ['SET_PERMS @foo|n1|', 'ERROR EACCES|'],
  ['SET_PERMS data/x|n-1|', 'ERROR EINVAL|'], // -1 is a number to C's strtol
  ['SET_PERMS data/x|n1|r 2|', 'ERROR EINVAL|'], // and so is ' 2'
]);

/** What the guest's kernel watches; the events for it are left out of the dialogues. */
const KERNEL_WATCHES = ['memory/target', 'control/shutdown', 'control/sysrq', 'backend', 'device', 'cpu'];

function world(memoryKib: number, vcpus: number): { guest: StoreGuest; local: LocalStore; settle: () => void } {
  const { server, settle } = storeWorld();
  const local = server.openLocal();
  createDomainNodes(local, {
    domid: domid(1),
    name: 'guest',
    uuid: UUID,
    onlineVcpus: vcpus,
    maxVcpus: vcpus,
    maxMemoryKib: memoryKib,
    targetMemoryKib: memoryKib,
    storePort: port(1),
    storeFrame: mfn(218113),
    consolePort: port(2),
    consoleFrame: mfn(218114),
    consoleLimitBytes: 1048576,
    osType: 'linux',
    startTimeS: 1795349146.71,
  });
  local.write('/local/domain/1/console/tty', '/dev/pts/0');
  return { guest: new StoreGuest(server, 1).connect(), local, settle };
}

function unpack(text: string): string {
  return text.replaceAll('|', '\0').replaceAll(/\{(.)\*(\d+)\}/gs, (_, character: string, count: string) => {
    return character.repeat(Number(count));
  });
}

function typeOf(name: string): keyof typeof XS_TYPE | number {
  return /^\d+$/.test(name) ? Number(name) : (`XS_${name}` as keyof typeof XS_TYPE); // the file has no other names
}

/** Runs one dialogue and gives it with our answers in place of the recorded ones. */
function replay(lines: readonly string[]): string[] {
  const { guest } = world(131072, 1);
  for (const feature of ['poweroff', 'reboot', 'suspend']) {
    guest.ask('XS_WRITE', `control/feature-${feature}\x001`);
  }
  for (const path of KERNEL_WATCHES) {
    guest.ask('XS_WATCH', `${path}\0kernel\0`);
  }
  const transactions = new Map<string, number>();
  const ours: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('<')) {
      ours.push(line);
    }
    const asked = /^> (?:([A-Z]\d*): )?(\S+) (.*)$/s.exec(line);
    if (asked !== null) {
      const [, label, type = '', payload = ''] = asked;
      const meant = MEANT.get(`${type} ${payload}`);
      const messages = guest.send(typeOf(type), unpack(payload), transactions.get(label ?? '') ?? 0);
      for (const message of messages.filter((message) => !message.payload.endsWith('\0kernel\0'))) {
        let answer = show(message);
        if (message.type === 'TRANSACTION_START') {
          const given = /TRANSACTION_START (\S+)\|/.exec(lines[index + 1] ?? '')?.[1] ?? '?';
          transactions.set(given, Number(message.payload.slice(0, -1)));
          answer = `TRANSACTION_START ${given}|`;
        }
        if (meant !== undefined) {
          assert.equal(answer, meant, line);
          answer = lines[index + 1]?.slice(2) ?? '';
        }
        answer = answer.replace(/^(DIRECTORY_PART )\d+/, '$1<generation>').replace(UUID, '<uuid>');
        ours.push(`< ${answer}`);
      }
    }
  }
  return ours;
}

for (const dialogue of readFileSync(join(GOLDEN, 'xenstore-reference.txt'), 'utf8').split('\n= ').slice(1)) {
  const [title = '', ...lines] = dialogue.trimEnd().split('\n');
  test(`store reference: our answers are the reference daemon's, part '${title}'`, () => {
    assert.deepEqual(replay(lines), lines);
  });
}

const BACKEND = '/local/domain/0/backend';
const VBD = `${BACKEND}/vbd/1/51712`;
const VIF = `${BACKEND}/vif/1/0`;

interface TraceLine {
  readonly direction: string;
  readonly type: string;
  readonly text: string;
  /** Of a request: the reply to it. */
  reply?: TraceLine | undefined;
}

/** The lines of the trace, each request with its reply: replies come in the order of the requests. */
function readTrace(): TraceLine[] {
  const lines = readFileSync(join(GOLDEN, 'xenstore-domu.trace'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): TraceLine => {
      const [, direction = '', type = '', text = ''] = /^(IN|OUT) (\S+) \((.*)\)$/.exec(line) ?? assert.fail(line);
      return { direction, type, text };
    });
  const replies = lines.filter(({ direction, type }) => direction === 'OUT' && type !== 'WATCH_EVENT');
  lines.filter(({ direction }) => direction === 'IN').forEach((line, index) => (line.reply = replies[index]));
  return lines;
}

/** What a request's payload was: the trace has a space for each NUL. */
function payloadOf({ type, text }: TraceLine): string {
  return type === 'WRITE' ? text.replace(' ', '\0') : text.replaceAll(' ', '\0');
}

/** What the toolstack makes for a disk and a network card, and the backends before they wait for the guest. */
function addDevices(local: LocalStore, lines: readonly TraceLine[]): void {
  for (const [kind, id, back] of [
    ['vbd', 51712, VBD],
    ['vif', 0, VIF],
  ] as const) {
    const front = `/local/domain/1/device/${kind}/${id}`;
    local.mkdir(front);
    local.setPermissions(front, ['n1', 'r0']);
    const listed = lines.find(({ type, text }) => type === 'DIRECTORY' && text === `${back} `)?.reply;
    local.mkdir(back);
    local.setPermissions(back, ['n0', 'r1']);
    for (const name of listed?.text.trim().split(' ') ?? assert.fail('no listing')) {
      local.write(`${back}/${name}`, '');
    }
  }
  for (const line of lines) {
    const path = readPath(line);
    if (path?.startsWith('/local/domain/1/device') || (path !== undefined && local.read(path) === '')) {
      provide(local, path, line);
    }
  }
}

/** The path of a READ that was answered with a value. */
function readPath({ type, text, reply }: TraceLine): string | undefined {
  if (type !== 'READ' || reply?.type !== 'READ') {
    return undefined;
  }
  return text.startsWith('/') ? text.trim() : `/local/domain/1/${text.trim()}`;
}

/** Gives a node the value that the guest read first, if it has none: domain 0 must have written it. */
function provide(local: LocalStore, path: string, { reply }: TraceLine): void {
  if (!local.read(path)) {
    local.write(path, reply?.text ?? '');
  }
}

test('store reference: a stock kernel gets the answers and events that it got from the reference daemon', () => {
  const lines = readTrace();
  const { guest, local } = world(262144, 2);
  addDevices(local, lines);
  const ours: string[] = [];
  const wanted: string[] = [];
  let transaction = 0;
  let inTransaction: string | undefined;
  const lastRequest = lines.findLastIndex(({ direction }) => direction === 'IN');
  for (const [index, line] of lines.slice(0, lastRequest + 2).entries()) {
    const { direction, type, text } = line;
    if (direction === 'OUT') {
      wanted.push(`${type} ${text}`);
      const isBackend = type === 'WATCH_EVENT' && text.startsWith(BACKEND);
      if (isBackend && ours.length < wanted.length) {
        // Nothing that the guest did: the backend has gone on to the state that the guest reads next.
        const path = text.split(' ')[0] ?? '';
        const next = lines.slice(index).find((later) => later.type === 'READ' && later.text === `${path} `)?.reply;
        local.write(path, next?.text ?? assert.fail('the guest never looks'));
        ours.push(...guest.exchange(new Uint8Array(0)).map((message) => traced(message.type, message.payload)));
      }
      continue;
    }
    const path = readPath(line);
    if (path?.startsWith(BACKEND)) {
      provide(local, path, line);
    }
    if (type === 'TRANSACTION_START') {
      const end = lines.slice(index).find((later) => later.type === 'TRANSACTION_END' && later.direction === 'IN');
      inTransaction = end?.text.trim() ?? 'T'; // the domain was ended in the last one
    }
    // Requests of another thread of the guest come between those of a transaction. Only one that is dropped has writes of it.
    const inside =
      type === 'TRANSACTION_END' || (inTransaction !== undefined && !(type === 'WRITE' && inTransaction === 'F'));
    const messages = guest.send(
      typeOf(type),
      payloadOf(line),
      inside && type !== 'TRANSACTION_START' ? transaction : 0,
    );
    ours.push(...messages.map((message) => traced(message.type, message.payload)));
    if (type === 'TRANSACTION_START') {
      transaction = Number(messages[0]?.payload.slice(0, -1));
    } else if (type === 'TRANSACTION_END') {
      inTransaction = undefined;
    }
  }
  assert.deepEqual(ours.slice(0, wanted.length), wanted);
  removeDomainNodes(local, domid(1), UUID);
  const farewell = guest.exchange(new Uint8Array(0)).map((message) => traced(message.type, message.payload));
  assert.deepEqual(
    farewell.slice(0, 5),
    lines.slice(-5).map(({ type, text }) => `${type} ${text}`),
    'the watches on nodes that go away, in the order of the nodes',
  );
});

function traced(type: string, payload: string): string {
  return `${type} ${payload.replaceAll('\0', ' ')}`;
}
