// Guest code that means harm to the engine itself: to its code cache, its time, its stack. Each test is an
// attack that worked once. Code is given as bytes with its assembly beside it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, CODE, DATA } from '../../tests/support/bare-machine.ts';
import { Exit } from '../engine/index.ts';
import { Vector } from '../x86/index.ts';

const INT3 = 'cc';

test('hostile code: a block that ends with a store to its own page leaves the block behind it in the cache alone', () => {
  const m = new BareMachine();
  m.code(`ff c0 ${INT3}`, CODE + 0x1010); // inc %eax
  m.code('e8 0b 10 00 00'); // call CODE+0x1010
  m.map(DATA);
  m.set({ RSP: BigInt(DATA + 0x800) });
  m.run();
  m.vcpu.state.rip = BigInt(CODE);
  m.set({ RSP: BigInt(CODE + 0x800) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
  assert.equal(m.get('RAX'), 2n);
});

test('hostile code: a chain of 20 000 pages, each running over into the next, is dropped by one store', () => {
  const nrPages = 20_000;
  const m = new BareMachine(nrPages + 1000);
  for (let page = 0; page < nrPages; page++) {
    const base = m.map(CODE + page * 4096) * 4096;
    m.memory.u8.set([0xc0, 0xe9, 0xf9, 0x0f, 0, 0], base); // end of inc %eax; jmp to the page's last byte
    m.memory.u8[base + 4095] = 0xff; // inc %eax, first byte
  }
  m.vcpu.state.rip = BigInt(CODE + 4095);
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.PF);
  assert.equal(m.get('RAX'), BigInt(nrPages - 1));
  m.code(`88 03 ${INT3}`, DATA); // mov %al,(%rbx)
  m.set({ RBX: BigInt(CODE + (nrPages - 1) * 4096 + 100) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
});
