// Compiled regions against the interpreter: calls and returns, code that changes, faults and budgets in the middle.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BareMachine, CODE, DATA } from '../../../tests/support/bare-machine.ts';
import { Exit } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';

/** fib(rdi) by recursion: three calls, two returns to points of its own page. */
const FIB =
  'e8 01 00 00 00 cc ' + // call fib; int3
  '48 83 ff 02 7d 04 48 89 f8 c3 ' + // fib: cmp $2,%rdi; jge 1f; mov %rdi,%rax; ret
  '57 48 ff cf e8 ed ff ff ff 5f ' + // 1: push %rdi; dec %rdi; call fib; pop %rdi
  '50 48 83 ef 02 e8 e2 ff ff ff 59 48 01 c8 c3'; // push %rax; sub $2,%rdi; call fib; pop %rcx; add %rcx,%rax; ret

function machine(code: string): BareMachine {
  const m = new BareMachine(1024, 'compiler');
  m.code(code);
  m.map(DATA);
  m.set({ RSP: BigInt(DATA + 4096) });
  return m;
}

test('compiler: calls and returns inside a region give what the interpreter gives', () => {
  const results = (['interpreter', 'compiler'] as const).map((tier) => {
    const m = new BareMachine(1024, tier);
    m.code(FIB);
    m.map(DATA);
    m.set({ RSP: BigInt(DATA + 4096), RDI: 12n });
    assert.equal(m.run(), Exit.EXCEPTION);
    return [m.engine.exit.vector, m.get('RAX'), m.get('RCX'), m.get('RSP'), m.vcpu.state.rflags];
  });
  assert.equal(results[1]?.[1], 144n);
  assert.deepEqual(results[1], results[0]);
});

test('compiler: a store into the running region takes effect behind the instruction', () => {
  // movb $2, 1f+1(%rip); 1: mov $1,%eax; int3
  const m = machine('c6 05 01 00 00 00 02 b8 01 00 00 00 cc');
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
  assert.equal(m.get('RAX'), 2n);
});

test('compiler: a push into the running region moves the stack once', () => {
  // push %rbx over what is behind it: mov $1,%eax; int3 becomes mov $3,%eax; int3
  const m = machine('53 b8 01 00 00 00 cc 90 90');
  m.set({ RSP: BigInt(CODE + 9), RBX: 0x9090_cc00_0000_03b8n });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.deepEqual([m.get('RAX'), m.get('RSP')], [3n, BigInt(CODE + 1)]);
});

test('compiler: a loop ends at an instruction when its budget is used up', () => {
  const m = machine('48 ff c0 eb fb'); // 1: inc %rax; jmp 1b
  assert.equal(m.engine.enter(m.vcpu, 10_000), Exit.BUDGET);
  const rounds = m.get('RAX');
  assert.ok(rounds > 1000n && rounds <= 10_000n, `${rounds} rounds`);
  assert.ok([BigInt(CODE), BigInt(CODE + 3)].includes(m.vcpu.state.rip), 'rip is at an instruction');
});

test('compiler: a fault in a region leaves the registers of the instruction', () => {
  // xor %eax,%eax; stc; mov $5,%ecx; 1: adc $1,%eax; cmp $3,%eax; jb 1b; mov (%rbx),%rdx
  const m = machine('31 c0 f9 b9 05 00 00 00 83 d0 01 83 f8 03 72 f8 48 8b 13');
  m.set({ RBX: BigInt(DATA + 0x10000), RDX: 7n });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.PF);
  assert.deepEqual([m.get('RAX'), m.get('RCX'), m.get('RDX')], [4n, 5n, 7n]); // 2, then 4: the carry of 2 < 3 goes in
  assert.equal(m.vcpu.state.rip, BigInt(CODE + 16));
});
