// Model-based test of the tree with transactions: random operations of several clients, compared after each step with a
// naive store that copies everything when a transaction starts being used and compares whole nodes when it ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { domid } from '../base/index.ts';
import type { StoreErrno } from './errno.ts';
import { failed } from './errno.ts';
import type { OperationContext } from './operations.ts';
import { findNode, makeNode, removeNode, writeNode } from './operations.ts';
import type { StorePath } from './path.ts';
import { parsePath, ROOT } from './path.ts';
import type { Subject } from './permissions.ts';
import { Access } from './permissions.ts';
import { DEFAULT_QUOTA } from './quota.ts';
import { Store } from './store.ts';
import { NO_LIMITS, Transaction } from './transaction.ts';
import { bytesOf, textOf } from './wire.ts';

const domain0: Subject = { domid: domid(0), privileged: true };

function context(view: OperationContext['view'], changed: OperationContext['changed'] = () => {}): OperationContext {
  return { view, subject: domain0, quota: DEFAULT_QUOTA, changed };
}

function path(name: string): StorePath {
  return parsePath(name, ROOT) ?? assert.fail(`malformed: ${name}`);
}

function value(view: OperationContext['view'], name: string): string {
  const node = findNode(context(view), path(name), Access.READ);
  return failed(node) ? node : textOf(node.value);
}

/** What the model keeps of a node; `version` changes with every change to value or children. */
interface ModelNode {
  value: string;
  children: string[];
  version: number;
}

/** The naive store. Every node is a record in a map, nothing is shared, a view is a full copy. */
class Model {
  nodes: Map<string, ModelNode>;
  /** Nodes that a transaction looked at, with the version that it saw; -1 if there was none. */
  readonly seen: Map<string, number> | undefined;
  readonly #main: Model | undefined;
  static #versions = 0;

  constructor(main?: Model) {
    this.#main = main;
    this.nodes = new Map(main === undefined ? [['/', { value: '', children: [], version: 0 }]] : []);
    this.seen = main === undefined ? undefined : new Map();
  }

  look(name: string): ModelNode | undefined {
    if (this.#main !== undefined && this.seen !== undefined && !this.seen.has(name)) {
      const outside = this.#main.nodes.get(name);
      this.seen.set(name, outside?.version ?? -1);
      if (outside !== undefined) {
        this.nodes.set(name, structuredClone(outside));
      }
    }
    return this.nodes.get(name);
  }

  /** Also looks at the nodes above that decide whether a client may know that a node is missing. */
  find(name: string): ModelNode | undefined {
    const node = this.look(name);
    if (node === undefined) {
      for (let above = parent(name); this.look(above) === undefined; above = parent(above)) {
        // goes on to the closest one that is there
      }
    }
    return node;
  }

  write(name: string, text: string): StoreErrno | undefined {
    const node = this.find(name);
    if (node === undefined) {
      this.#create(name, text);
    } else {
      node.value = text;
      node.version = ++Model.#versions;
    }
    return undefined;
  }

  mkdir(name: string): StoreErrno | undefined {
    return this.find(name) === undefined ? this.write(name, '') : undefined;
  }

  rm(name: string): StoreErrno | undefined {
    const node = this.find(name);
    if (node === undefined) {
      return this.look(parent(name)) === undefined ? 'ENOENT' : undefined;
    }
    if (name === '/') {
      return 'EINVAL';
    }
    this.#drop(name);
    const above = this.look(parent(name)) ?? assert.fail('an orphan');
    above.children = above.children.filter((child) => child !== name.slice(name.lastIndexOf('/') + 1));
    above.version = ++Model.#versions;
    return undefined;
  }

  commit(): boolean {
    const main = this.#main ?? assert.fail('not a transaction');
    const seen = this.seen ?? assert.fail('not a transaction');
    for (const [name, version] of seen) {
      if ((main.nodes.get(name)?.version ?? -1) !== version) {
        return false;
      }
    }
    for (const name of seen.keys()) {
      const node = this.nodes.get(name);
      if (node === undefined) {
        main.nodes.delete(name);
      } else {
        main.nodes.set(name, structuredClone(node));
      }
    }
    return true;
  }

  #create(name: string, text: string): void {
    const above = this.look(parent(name));
    if (above === undefined) {
      this.#create(parent(name), '');
    }
    const node = this.look(parent(name)) ?? assert.fail('was just made');
    node.children.push(name.slice(name.lastIndexOf('/') + 1));
    node.version = ++Model.#versions;
    this.nodes.set(name, { value: text, children: [], version: ++Model.#versions });
  }

  #drop(name: string): void {
    for (const child of this.look(name)?.children ?? []) {
      this.#drop(name === '/' ? `/${child}` : `${name}/${child}`);
    }
    this.nodes.delete(name);
  }
}

function parent(name: string): string {
  return name.slice(0, name.lastIndexOf('/')) || '/';
}

const names = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
/** Which transaction an operation belongs to; the first is none. */
const where = fc.nat({ max: 3 });
const operation = fc.oneof(
  fc.record({ kind: fc.constant('read' as const), name: names, where }),
  fc.record({ kind: fc.constant('directory' as const), name: names, where }),
  fc.record({ kind: fc.constant('write' as const), name: names, where }),
  fc.record({ kind: fc.constant('mkdir' as const), name: names, where }),
  fc.record({ kind: fc.constant('rm' as const), name: names, where }),
  fc.record({ kind: fc.constant('end' as const), name: names, where }),
  fc.record({ kind: fc.constant('abort' as const), name: names, where }),
);

test('store: random operations in and out of transactions agree with a naive model', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const store = new Store();
      const model = new Model();
      const open = new Map<number, { real: Transaction; naive: Model }>();
      for (const [index, { kind, name, where: slot }] of operations.entries()) {
        if (slot > 0 && !open.has(slot)) {
          open.set(slot, { real: new Transaction(store, NO_LIMITS), naive: new Model(model) });
        }
        const pair = open.get(slot);
        const view = pair?.real ?? store;
        const naive = pair?.naive ?? model;
        const at = path(name);
        switch (kind) {
          case 'read':
            assert.equal(value(view, name), naive.find(name)?.value ?? 'ENOENT');
            break;
          case 'directory': {
            const node = findNode(context(view), at, Access.READ);
            assert.deepEqual(failed(node) ? node : node.children, naive.find(name)?.children ?? 'ENOENT');
            break;
          }
          case 'write':
            assert.equal(writeNode(context(view), at, bytesOf(String(index))), naive.write(name, String(index)));
            break;
          case 'mkdir':
            assert.equal(makeNode(context(view), at), naive.mkdir(name));
            break;
          case 'rm':
            assert.equal(removeNode(context(view), at), naive.rm(name));
            break;
          case 'end':
            assert.equal(pair === undefined ? true : !failed(pair.real.commit()), pair?.naive.commit() ?? true);
            open.delete(slot);
            break;
          case 'abort':
            open.delete(slot);
            break;
        }
        assertSame(store, model);
      }
    }),
    { numRuns: 300 },
  );
});

function assertSame(store: Store, model: Model): void {
  const real = store
    .entries()
    .filter(([at]) => at.startsWith('/'))
    .map(([at, node]): [string, string, readonly string[]] => [at, textOf(node.value), node.children]);
  const naive = [...model.nodes].map(([at, node]): [string, string, readonly string[]] => [
    at,
    node.value,
    node.children,
  ]);
  assert.deepEqual(new Set(real), new Set(naive));
  assert.equal(store.owned(domid(0)), real.length + 2, 'every node and the two special ones are counted');
}

test('store: changes in a transaction are not seen outside before its end', () => {
  const store = new Store();
  const transaction = new Transaction(store, NO_LIMITS);
  writeNode(context(transaction), path('/a/b'), bytesOf('new'));
  assert.equal(value(store, '/a/b'), 'ENOENT');
  assert.equal(value(transaction, '/a/b'), 'new');
  assert.deepEqual(transaction.commit(), []);
  assert.equal(value(store, '/a/b'), 'new');
});

test('store: a transaction that looked at a node which changed outside ends with EAGAIN and changes nothing', () => {
  const store = new Store();
  writeNode(context(store), path('/a'), bytesOf('1'));
  const transaction = new Transaction(store, NO_LIMITS);
  assert.equal(value(transaction, '/a'), '1');
  writeNode(context(transaction), path('/b'), bytesOf('1'));
  writeNode(context(store), path('/a'), bytesOf('2'));
  assert.equal(value(transaction, '/a'), '1', 'it keeps what it saw');
  assert.equal(transaction.commit(), 'EAGAIN');
  assert.equal(value(store, '/b'), 'ENOENT');
});

test('store: a transaction that wants more nodes than allowed cannot be committed', () => {
  const transaction = new Transaction(new Store(), { nodes: 5, bytes: 10_000 });
  writeNode(context(transaction), path('/a/b/c/d/e'), bytesOf('x'));
  assert.equal(transaction.takeOverflow(), true);
  assert.equal(transaction.takeOverflow(), false);
  assert.equal(transaction.commit(), 'ENOMEM');
});

test('store: a transaction that wants more bytes than allowed cannot be committed, but may rewrite one node for ever', () => {
  const transaction = new Transaction(new Store(), { nodes: 100, bytes: 1000 });
  for (let i = 0; i < 100; i++) {
    writeNode(context(transaction), path('/a'), new Uint8Array(500));
  }
  assert.equal(transaction.takeOverflow(), false);
  writeNode(context(transaction), path('/b'), new Uint8Array(500));
  assert.equal(transaction.takeOverflow(), true);
  assert.equal(transaction.commit(), 'ENOMEM');
});
