// Guest code that means harm to the engine itself: to its code cache, its time, its stack. Each test is an
// attack that worked once. Code is given as bytes with its assembly beside it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, CODE, DATA, ROOT } from '../../tests/support/bare-machine.ts';
import { mfn, vaddr } from '../base/index.ts';
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
  assert.equal(m.run(nrPages), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.PF);
  assert.equal(m.get('RAX'), BigInt(nrPages - 1));
  m.code(`88 03 ${INT3}`, DATA); // mov %al,(%rbx)
  m.set({ RBX: BigInt(CODE + (nrPages - 1) * 4096 + 100) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
});

test('hostile code: a branch to an address that is not canonical faults at the branch, with the stack as before', () => {
  const bad = 0x8000_0000_0000n;
  const branches = { 'ff e0': 'jmp *%rax', 'ff d0': 'call *%rax', c3: 'ret', 'c2 10 00': 'ret $16' };
  for (const [hex, name] of Object.entries(branches)) {
    const m = new BareMachine();
    m.code(`90 ${hex}`);
    const stack = m.map(DATA);
    m.memory.view.setBigUint64(stack * 4096 + 0x800, bad, true);
    m.set({ RAX: bad, RSP: BigInt(DATA + 0x800) });
    assert.equal(m.run(), Exit.EXCEPTION, name);
    assert.equal(m.engine.exit.vector, Vector.GP, name);
    assert.equal(m.vcpu.state.rip, BigInt(CODE + 1), name);
    assert.equal(m.get('RSP'), BigInt(DATA + 0x800), name);
  }
});

test('hostile code: decoding and slow instructions use up the budget', () => {
  // f: incb 0x800(%rip); 44 times inc %rax; jmp f: every round decodes everything anew
  const again = `fe 05 00 08 00 00 ${'48 ff c0'.repeat(44)} e9 71 ff ff ff`;
  const slow = 'd9 fe eb fc'; // f: fsin; jmp f
  for (const [hex, most] of [
    [again, 200],
    [slow, 4000],
  ] as const) {
    const m = new BareMachine();
    m.code(hex);
    m.set({ RAX: 0n });
    assert.equal(m.engine.enter(m.vcpu, 100_000), Exit.BUDGET);
    const { decodedBlocks } = m.engine.counters;
    assert.ok(decodedBlocks <= most, `${decodedBlocks} blocks decoded`);
    assert.ok(m.engine.counters.instructions >= 100_000);
  }
});

test('hostile code: repeated instructions use up the budget by what they move and compare', () => {
  const loops = {
    'bf 00 00 00 20 b9 60 ea 00 00 f3 aa eb f2': 'upwards: mov $DATA,%edi; mov $60000,%ecx; rep stosb; jmp',
    'fd bf 00 70 00 20 b9 a0 0f 00 00 f3 aa eb f1': 'downwards: the same of 4000',
    'be 00 00 00 20 bf 00 00 00 20 b9 a0 0f 00 00 f3 a6 eb ed': 'mov $DATA,%esi; repe cmpsb; jmp',
    'be 00 00 00 20 ac eb f8': 'mov $DATA,%esi; lodsb; jmp',
  };
  for (const tier of ['interpreter', 'compiler'] as const) {
    for (const [hex, name] of Object.entries(loops)) {
      const m = new BareMachine(1024, tier);
      for (let page = 0; page < 16; page++) m.map(DATA + page * 4096);
      m.code(hex);
      let rounds = 0;
      while (rounds < 100 && m.engine.counters.instructions < 1_000_000) {
        m.engine.enter(m.vcpu, 100_000);
        rounds++;
      }
      assert.ok(rounds <= 12, `${tier}, ${name}: ${rounds} budgets of 100 000 instructions`);
      assert.ok(m.engine.counters.instructions >= 1_000_000, name);
    }
  }
});

test('hostile code: a read-modify-write across the end of a page with code stays in its two pages', () => {
  const m = new BareMachine();
  m.map(CODE); // makes the tables
  const first = m.code(`48 ff 03 ${INT3}`, CODE + 0x2000); // incq (%rbx)
  const neighbour = m.allocate(); // the frame behind it, which is not the guest's
  const second = m.map(CODE + 0x3000);
  assert.equal(neighbour, first + 1);
  m.memory.u8.fill(0x55, neighbour * 4096, neighbour * 4096 + 8);
  m.memory.u8.fill(0xff, first * 4096 + 4093, first * 4096 + 4096);
  m.set({ RBX: BigInt(CODE + 0x2000 + 4093) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
  assert.deepEqual([...m.memory.u8.subarray(neighbour * 4096, neighbour * 4096 + 8)], Array(8).fill(0x55));
  assert.equal(m.memory.u8[first * 4096 + 4093], 0);
  assert.equal(m.memory.u8[second * 4096], 1);
});

test('hostile code: what runs over the end of the lower half does not go on in the upper one', () => {
  const last = 0x7fff_ffff_f000;
  const accesses = { '48 8b 03': 'mov (%rbx),%rax', '48 89 03': 'mov %rax,(%rbx)', '48 a5': 'movsq' };
  for (const [hex, name] of Object.entries(accesses)) {
    const m = new BareMachine();
    m.map(last);
    m.map(0xffff_8000_0000_0000 % 2 ** 48);
    m.engine.setHypervisorRoot(mfn(ROOT)); // the upper half's first page is its own, and mapped
    m.code(`${hex} ${INT3}`);
    const edge = BigInt(last + 4092);
    m.set({ RBX: edge, RSI: edge, RDI: edge });
    assert.equal(m.run(), Exit.EXCEPTION, name);
    assert.equal(m.engine.exit.vector, Vector.GP, name);
  }
  const m = new BareMachine();
  m.map(0xffff_8000_0000_0000 % 2 ** 48);
  m.engine.setHypervisorRoot(mfn(ROOT));
  m.code('48', last + 4095); // the first byte of an instruction
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.GP, 'fetch');
});

test('hostile code: a call to an address that is not canonical does not find a link of an earlier mapping', () => {
  const m = new BareMachine(1024, 'compiler');
  m.map(DATA);
  m.code('48 ff c1 c3', CODE + 0x1000); // inc %rcx; ret
  m.code(`ff d0 ${INT3}`); // call *%rax
  const call = (target: bigint): number => {
    m.vcpu.state.rip = BigInt(CODE);
    m.set({ RSP: BigInt(DATA + 0x800), RAX: target, RCX: 0n });
    assert.equal(m.run(), Exit.EXCEPTION);
    return m.engine.exit.vector;
  };
  for (let n = 0; n < 4; n++) assert.equal(call(BigInt(CODE + 0x1000)), Vector.BP);
  m.engine.flushTlbPage(vaddr(DATA + 0x4000)); // counts mappings, in the upper 16 bits of the keys of links
  for (let n = 1n; n < 32n; n++) {
    assert.equal(call(BigInt(CODE + 0x1000) + (n << 48n)), Vector.GP);
    assert.equal(m.get('RCX'), 0n);
  }
});
