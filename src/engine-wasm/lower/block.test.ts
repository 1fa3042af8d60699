// Where blocks end, and what their records are.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { IrBuilder } from '../ir/builder.ts';
import { printRecords } from '../ir/print.ts';
import { BlockEnd, type BlockEndKind, buildBlock, MAX_BLOCK_INSTRUCTIONS, MAX_BLOCK_RECORDS } from './block.ts';

const PAGE = 4096;

function build(hex: string, offset = 0, most = Infinity): { end: BlockEndKind; b: IrBuilder; text: string } {
  const page = new Uint8Array(PAGE).fill(0xcc);
  page.set(
    Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16)),
    offset,
  );
  const b = new IrBuilder(MAX_BLOCK_RECORDS);
  const end = buildBlock(page, offset, PAGE, b, most, -1);
  return { end, b, text: printRecords(b.bytes, b.nrRecords) };
}

test('block builder: a conditional jump is a side exit and the block goes on behind it', () => {
  const { end, text } = build('ffc8 75fc ffc1 c3');
  assert.equal(end, BlockEnd.TRANSFER);
  assert.equal(text, 'rax = dec32 rax\njne 0 (2)\nrcx = inc32 rcx\nret 0 (4)');
});

test('block builder: stops at the limit with a jump to the next instruction', () => {
  const { end, text } = build('ffc8ffc8ffc8', 0, 2);
  assert.equal(end, BlockEnd.LIMIT);
  assert.equal(text, 'rax = dec32 rax\nrax = dec32 rax\njmp 4 (2)');
  assert.equal(build('90'.repeat(100)).b.nrInstructions, MAX_BLOCK_INSTRUCTIONS);
});

test('block builder: ends at the page end, and before an instruction that runs over it', () => {
  assert.equal(build('ffc8', PAGE - 2).text, 'rax = dec32 rax\njmp 0x1000 (1)');
  const { end, text } = build('ffc881', PAGE - 3);
  assert.equal(end, BlockEnd.PAGE_END);
  assert.equal(text, 'rax = dec32 rax\njmp 0xfff (1)');
});

test('block builder: an instruction that runs over the page end is a block of its own', () => {
  assert.equal(build('81', PAGE - 1).end, BlockEnd.NEEDS_NEXT_PAGE);
  const bytes = new Uint8Array(PAGE + 15);
  bytes.set([0xb8, 1, 0, 0, 0], PAGE - 2);
  const b = new IrBuilder(MAX_BLOCK_RECORDS);
  assert.equal(buildBlock(bytes, PAGE - 2, bytes.length, b, 1, 0x77), BlockEnd.PAGE_END);
  assert.equal(printRecords(b.bytes, b.nrRecords), 'nextpage 0x77\nrax = mov32i 1\njmp 0x1003 (1)');
});

test('block builder: an instruction without effect has a record when others stand before it', () => {
  // a store that overwrites the nop behind it must find where the nop begins
  assert.equal(build('90 880b 90 c3').text, 'st8 [rbx] = rcx\nt0 = mov64 t0\nret 0 (4)');
});

test('block builder: undefined and overlong instructions raise #UD and #GP where they stand', () => {
  assert.equal(build('ffc80f0b').text, 'rax = dec32 rax\nexit EXCEPTION 6, next 0, d 0 (2)');
  assert.equal(build('66'.repeat(15) + '90').text, 'exit EXCEPTION 0xd, next 0, d 0 (1)');
});

test('block builder: any page gives a block that ends and fits', () => {
  const b = new IrBuilder(MAX_BLOCK_RECORDS);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 600, maxLength: 600 }), fc.nat(599), (code, offset) => {
      b.reset();
      const end = buildBlock(code, offset, code.length, b, Infinity, -1);
      assert.equal(b.ended, end !== BlockEnd.NEEDS_NEXT_PAGE);
    }),
    { numRuns: 3000 },
  );
});
