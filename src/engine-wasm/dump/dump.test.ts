// Dumps of blocks and regions: what is asked for is printed when it is decoded or compiled, and nothing else.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, CODE, DATA } from '../../../tests/support/bare-machine.ts';
import { mfn } from '../../base/index.ts';
import { type EngineTier, Exit } from '../../engine/index.ts';
import type { DumpRequest } from './dumper.ts';

/** Adds up bytes: xor %eax,%eax; 1: movzbl (%rdi),%edx; add %edx,%eax; inc %rdi; dec %rsi; jne 1b; int3 */
const SUM = '31 c0 0f b6 17 01 d0 48 ff c7 48 ff ce 75 f3 cc';

function request(form: DumpRequest['form'], offset: number): DumpRequest {
  return { form, address: BigInt(CODE + offset) };
}

/** Runs SUM over 100 bytes and returns the text of each request. */
function dumpsOf(requests: readonly DumpRequest[], tier: EngineTier = 'compiler'): string[] {
  const texts = requests.map(() => '');
  const m = new BareMachine(1024, tier, {
    dumps: { requests, write: (n, text) => void (texts[n] += text) }, // n is an index of the requests
  });
  m.code(SUM);
  m.map(DATA);
  m.set({ RDI: BigInt(DATA), RSI: 100n });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.get('RSI'), 0n);
  return texts;
}

test('dump: a block shows each instruction with its address, and its records below it', () => {
  const [text] = dumpsOf([request('ir', 1)], 'interpreter');
  assert.equal(
    text,
    `block at 0000000010000000, frame 3: 7 instructions, 7 records
  0000000010000000  xor eax,eax
        rax = xor32 rax, rax
  0000000010000002  movzx edx,BYTE PTR [rdi]
        rdx = ldz8 [rdi]
  0000000010000005  add eax,edx
        rax = add32 rax, rdx
  0000000010000007  inc rdi
        rdi = inc64 rdi
  000000001000000a  dec rsi
        rsi = dec64 rsi
  000000001000000d  jne 0x10000002
        jne 2 (6)
  000000001000000f  int3
        exit TRAP 3, next 0x10, d 0 (7)
`,
  );
});

test('dump: every block that holds the address is printed, to the request that asked', () => {
  const [first = '', second = '', third] = dumpsOf(
    [request('ir', 4), request('ir', 15), request('ir', 16)],
    'interpreter',
  );
  assert.deepEqual(first.match(/^block at \S+/gm), ['block at 0000000010000000,', 'block at 0000000010000002,']);
  assert.equal(second, first);
  assert.equal(third, '');
});

test('dump: a region shows its WebAssembly with the instruction and the record that each part comes from', () => {
  const [text = ''] = dumpsOf([request('wasm', 6)]);
  assert.match(text, /^region at 0000000010000000, frame \w+: 7 instructions, \d+ bytes\n\(func \(param/);
  const comments = text.match(/^ *;; .*$/gm)?.map((line) => line.trim()) ?? [];
  for (const line of [
    ';; 0000000010000002  movzx edx,BYTE PTR [rdi]',
    ';;     rdx = ldz8 [rdi]',
    ';; 000000001000000f  int3',
  ])
    assert.ok(comments.includes(line), line);
  assert.match(text, /^ +local\.get \$rdi$/m);
  assert.match(text, /^ +loop \$\d+$/m);
  assert.match(text, /^ +br_if \$\d+$/m);
  assert.match(text, /^ +call \$slowLoad\w*$/m);
  assert.match(text, /^ +i64\.load8_u \$machine$/m);
  assert.match(text, /^ +i64\.store offset=16 {2};; rdx$/m);
  assert.doesNotMatch(text, /unknown instruction|undefined|\?/);
});

test('dump: an address that is not in the region prints nothing', () => {
  assert.deepEqual(dumpsOf([request('wasm', 16), request('wasm', -1), request('wasm', 0x1000)]), ['', '', '']);
});

test('dump: the interpreter compiles nothing', () => {
  assert.deepEqual(dumpsOf([request('wasm', 2)], 'interpreter'), ['']);
});

test('dump: an instruction on two pages is printed whole, whichever byte is asked for', () => {
  const texts: string[] = [];
  const start = 0x7ffffffff000 - 0x2000;
  const m = new BareMachine(1024, 'interpreter', {
    dumps: { requests: [{ form: 'ir', address: BigInt(start + 4098) }], write: (_, text) => void texts.push(text) },
  });
  m.code('05 06 07 cc', start + 4096);
  m.code('48 05 04', start + 4093); // add $0x07060504,%rax; int3
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.get('RAX'), 0x07060504n);
  assert.match(
    texts.join(''),
    /^block at 00007fffffffdffd, .*\n {2}00007fffffffdffd {2}add rax,0x7060504\n {8}nextpage/,
  );
});

test('dump: code that is written anew all the time is not printed for ever', () => {
  let lines = '';
  const m = new BareMachine(1024, 'interpreter', {
    dumps: { requests: [request('ir', 0)], write: (_, text) => void (lines += text) },
  });
  const frame = m.code('90 cc'); // nop; int3
  for (let round = 0; round < 1100; round++) {
    m.vcpu.state.rip = BigInt(CODE);
    m.engine.invalidateCode(mfn(frame));
    m.run();
  }
  assert.equal(lines.match(/^block/gm)?.length, 1000);
  assert.match(lines, /further dumps of this address are left out\n$/);
});
