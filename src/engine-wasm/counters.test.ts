// What the engine counts about its own work.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, CODE, DATA } from '../../tests/support/bare-machine.ts';
import { mfn, vaddr } from '../base/index.ts';
import { Access, type EngineCounters, Exit } from '../engine/index.ts';
import type { EngineOptions } from './engine.ts';
import type { EngineTier } from './tier.ts';

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

function counted(tier: EngineTier): EngineCounters {
  return machine(tier, { counted: true }).engine.counters;
}

test('counters: page walks, look-ups and calls of compiled code are counted on request only', () => {
  const { pageWalks, dispatches, compiledEntries } = machine('compiler').engine.counters;
  assert.deepEqual([pageWalks, dispatches, compiledEntries], [0, 0, 0]);
});

test('counters: each page that is touched first is walked to once', () => {
  for (const tier of ['interpreter', 'compiler'] as const) assert.equal(counted(tier).pageWalks, 6, tier); // 5 of data, 1 of code
});

test('counters: the interpreter looks a target up the first time only, and calls no compiled code', () => {
  const { dispatches, compiledEntries, compiledRegions } = counted('interpreter');
  assert.deepEqual([dispatches, compiledEntries, compiledRegions], [1, 0, 0]);
});

test('counters: compiled regions have a length, calls and an end', () => {
  const m = machine('compiler', { counted: true });
  const { counters } = m.engine;
  assert.equal(counters.compiledRegions, 1);
  assert.ok(counters.compiledBytes > 100 && counters.compiledEntries >= 1);
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
