// What the engine counts about its own work.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, CODE, DATA } from '../../tests/support/bare-machine.ts';
import { mfn, vaddr } from '../base/index.ts';
import { Access, type EngineTier, Exit } from '../engine/index.ts';
import type { EngineOptions } from './engine.ts';

/** Adds up a byte of each of rcx pages, from the last one down. */
const LOOP = '48 89 c8 48 c1 e0 0c 02 94 03 00 f0 ff ff e2 f0 cc'; // 1: mov %rcx,%rax; shl $12,%rax; add -4096(%rbx,%rax),%dl; loop 1b; int3

function machine(tier: EngineTier, options: EngineOptions = {}): BareMachine {
  const m = new BareMachine(1024, tier, options);
  m.code(LOOP);
  for (let page = 0; page < 5; page++) m.map(DATA + 4096 * page);
  m.set({ RBX: BigInt(DATA), RCX: 5n });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.get('RCX'), 0n);
  return m;
}

test('counters: what generated code counts is counted on request only', () => {
  assert.deepEqual(machine('compiler').engine.details(), {});
});

test('counters: each page that is touched first is walked to once', () => {
  for (const tier of ['interpreter', 'compiler'] as const) {
    const details = machine(tier, { counted: true }).engine.details();
    assert.equal(details['page walks'], 6, tier); // 5 of data, 1 of code
  }
});

test('counters: the interpreter looks a target up the first time only, and calls no compiled code', () => {
  const details = machine('interpreter', { counted: true }).engine.details();
  assert.deepEqual(details, { 'page walks': 6, 'look-ups by the interpreter': 1 });
});

test('counters: each call of compiled code ends with a code', () => {
  const details = machine('compiler', { counted: true }).engine.details();
  const calls = details['calls of compiled code'] ?? 0;
  const ends = Object.entries(details).filter(([name]) => name.startsWith('... that ended with'));
  assert.ok(calls > 0);
  assert.equal(
    ends.reduce((sum, [, count]) => sum + count, 0),
    calls,
  );
  assert.equal(details['... that ended with TRAP'], 1);
});

test('counters: compiled regions have a length and an end', () => {
  const m = machine('compiler');
  const { counters } = m.engine;
  assert.equal(counters.compiledRegions, 1);
  assert.ok(counters.compiledBytes > 100);
  const code = m.engine.translate(m.vcpu, vaddr(CODE), Access.EXECUTE, true);
  m.engine.invalidateCode(mfn(code >>> 12));
  assert.equal(counters.droppedRegions, 1);
  assert.equal(counters.invalidatedFrames, 1);
  assert.equal(counters.evictions, 0);
});

test('counters: flushes of the TLB and of single pages', () => {
  const m = machine('interpreter');
  const { tlbFlushes, tlbPageFlushes } = m.engine.counters;
  m.engine.flushTlb();
  m.map(DATA);
  assert.equal(m.engine.counters.tlbFlushes, tlbFlushes + 1);
  assert.equal(m.engine.counters.tlbPageFlushes, tlbPageFlushes + 1);
});
