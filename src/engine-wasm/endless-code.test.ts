// Guests that generate code without end: what the engine keeps of it is bounded, however long they go on. One guest
// fills page after page, goes round and begins again; another rewrites one page; a third leaves its old code alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, CODE, DATA } from '../../tests/support/bare-machine.ts';
import { mfn } from '../base/index.ts';
import { Exit } from '../engine/index.ts';

const MIB = 2 ** 20;
const LOOPS = 60;
const STORES = 60;
/** What the heap and the host's code space may vary by: collections come when they come. */
const SLACK_BYTES = 128 * MIB;

/** Writes a loop that is like no other in a page, and runs it until it has been compiled. */
function runNew(m: BareMachine, page: number, frame: number, number: number): void {
  const bytes: number[] = [];
  for (let n = 0; n < STORES; n++) bytes.push(0x48, 0x81, 0x83, n * 8, (n * 8) >> 8, 0, 0, number, number >> 8, n, 0); // addq $number, 8n(%rbx)
  const back = -(bytes.length + 8);
  bytes.push(0xff, 0xc9, 0x0f, 0x85, back, back >> 8, 0xff, 0xff, 0xcc); // dec %ecx; jnz; int3
  m.memory.u8.set(bytes, frame * 4096);
  m.engine.invalidateCode(mfn(frame));
  m.vcpu.state.rip = BigInt(CODE + page * 4096);
  m.set({ RCX: BigInt(LOOPS), RBX: BigInt(DATA) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.get('RCX'), 0n);
}

test('endless code: what is kept of pages that are filled with new code again and again is bounded', () => {
  const nrPages = 400;
  const m = new BareMachine(1024, 'auto', { threshold: 8 });
  m.map(DATA);
  const frames = Array.from({ length: nrPages }, (_, page) => m.map(CODE + page * 4096));
  const { counters } = m.engine;
  let settled = 0;
  for (let round = 0; round < 6; round++) {
    frames.forEach((frame, page) => runNew(m, page, frame, round * nrPages + page));
    const { rss } = process.memoryUsage();
    if (round < 3) settled = Math.max(settled, rss);
    else assert.ok(rss < settled + SLACK_BYTES, `round ${round}: ${(rss - settled) / MIB} MiB more`);
  }
  assert.equal(counters.compiledRegions, 6 * nrPages, 'every loop has been compiled');
  const gone = counters.droppedRegions + counters.evictedRegions;
  assert.ok(counters.compiledRegions - gone <= nrPages, `${counters.compiledRegions} regions, ${gone} gone`);
  assert.ok(counters.compiledBytes > 32 * MIB, `${counters.compiledBytes} bytes compiled`);
});

test('endless code: a page whose code keeps changing is not compiled again and again', () => {
  const m = new BareMachine(1024, 'auto', { threshold: 8 });
  m.map(DATA);
  const frame = m.map(CODE);
  for (let number = 0; number < 500; number++) runNew(m, 0, frame, number);
  assert.ok(m.engine.counters.compiledRegions <= 16, `${m.engine.counters.compiledRegions} regions`);
});

test('endless code: the oldest code goes when a guest only adds to it', () => {
  const nrPages = 1200;
  const m = new BareMachine(2048, 'auto', { threshold: 8 });
  m.map(DATA);
  for (let page = 0; page < nrPages; page++) runNew(m, page, m.map(CODE + page * 4096), page);
  const { counters } = m.engine;
  assert.equal(counters.compiledRegions, nrPages);
  assert.ok(counters.evictedRegions > 0);
  const kept = (counters.compiledRegions - counters.evictedRegions) / counters.compiledRegions;
  assert.ok(kept * counters.compiledBytes < 20 * MIB, `${kept * counters.compiledBytes} bytes kept`);
});
