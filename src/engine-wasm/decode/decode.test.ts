// The decoder on single instructions, and on bytes of every kind.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { createInstruction, decode, Decoded, type DecodedKind } from './decode.ts';
import { disassemble } from './disassemble.ts';
import type { Instruction } from './instruction.ts';

const instruction = createInstruction();

/** Decodes bytes given as hex digits; the page begins at the first. */
function decodeHex(hex: string): { outcome: DecodedKind; i: Instruction; text: string } {
  const bytes = Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
  const outcome = decode(bytes, 0, bytes.length, 0, instruction);
  return { outcome, i: instruction, text: outcome === Decoded.OK ? disassemble(instruction) : '' };
}

test('decoder: reads ModRM, SIB, displacement and immediate', () => {
  const { outcome, i, text } = decodeHex('4881848b 78563412 80ffffff');
  assert.equal(outcome, Decoded.OK);
  assert.equal(text, 'add QWORD PTR [rbx+rcx*4+0x12345678],0xffffffffffffff80');
  assert.equal(i.length, 12);
});

test('decoder: a REX prefix counts only directly before the opcode', () => {
  assert.equal(decodeHex('4889c8').text, 'mov rax,rcx');
  assert.equal(decodeHex('486689c8').text, 'mov ax,cx');
  assert.equal(decodeHex('486489c8').text, 'mov eax,ecx');
});

test('decoder: byte registers 4 to 7 depend on a REX prefix', () => {
  assert.equal(decodeHex('88e0').text, 'mov al,ah');
  assert.equal(decodeHex('4088e0').text, 'mov al,spl');
});

test('decoder: only FS and GS overrides matter, and the last of them counts', () => {
  assert.equal(decodeHex('64658b00').text, 'mov eax,DWORD PTR gs:[rax]');
  assert.equal(decodeHex('642e8b00').text, 'mov eax,DWORD PTR fs:[rax]');
});

test('decoder: rip-relative targets count from the end of the instruction', () => {
  const { i, text } = decodeHex('83 3d 10000000 05');
  assert.equal(text, 'cmp DWORD PTR [rip+0x10],0x5');
  assert.ok(i.ripRelative);
  assert.equal(i.next, 7);
});

test('decoder: near branches ignore the operand size prefix', () => {
  const { i } = decodeHex('66e978563412');
  assert.equal(i.length, 6);
  assert.equal(i.imm, 0x12345678);
});

test('decoder: 64-bit immediates and absolute addresses', () => {
  const { i } = decodeHex('48b8 0102030405060708');
  assert.deepEqual([i.imm, i.immHi, i.length], [0x04030201, 0x08070605, 10]);
  assert.equal(decodeHex('67a1 04030201').i.length, 6);
  assert.equal(decodeHex('c8 1000 03').text, 'enter 0x10,0x3');
});

test('decoder: lock is #UD without a destination in memory', () => {
  assert.equal(decodeHex('f00100').outcome, Decoded.OK);
  assert.equal(decodeHex('f001c0').outcome, Decoded.UNDEFINED);
  assert.equal(decodeHex('f08b00').outcome, Decoded.UNDEFINED);
  assert.equal(decodeHex('f090').outcome, Decoded.UNDEFINED);
});

test('decoder: instructions of extensions that CPUID hides are #UD', () => {
  for (const hex of [
    'c5f858c1',
    '62f17c4858c1',
    'f30faec0',
    '0fc7f0',
    '0f01d0',
    '0f01f9',
    '0f01ca',
    '0f0b',
    '0fb9c0',
    '0f38f000',
  ]) {
    assert.equal(decodeHex(hex).outcome, Decoded.UNDEFINED, hex);
  }
});

test('decoder: hides tzcnt and lzcnt, whose encodings are bsf and bsr', () => {
  assert.equal(decodeHex('f30fbcc1').text, 'bsf eax,ecx');
  assert.equal(decodeHex('f30fbdc1').text, 'bsr eax,ecx');
});

test('decoder: 16 bytes are too long even when more could be read', () => {
  assert.equal(decodeHex('6666666666666666666666666690').outcome, Decoded.OK);
  assert.equal(decodeHex('666666666666666666666666666690').outcome, Decoded.OK);
  assert.equal(decodeHex('66666666666666666666666666666690').outcome, Decoded.TOO_LONG);
  assert.equal(decodeHex('66666666666666666681000011223344').outcome, Decoded.OK);
});

test('decoder: an instruction that the range cuts off needs more bytes', () => {
  const whole = '4881848b7856341280ffffff';
  for (let length = 0; length < whole.length; length += 2) {
    assert.equal(decodeHex(whole.slice(0, length)).outcome, Decoded.NEEDS_MORE, whole.slice(0, length));
  }
});

test('decoder: never reads behind the end, and never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 20 }), (bytes) => {
      const guarded = new Proxy(bytes, {
        get(target, key): unknown {
          const index = typeof key === 'string' ? Number(key) : Number.NaN;
          assert.ok(Number.isNaN(index) || index < bytes.length, `reads byte ${String(key)} of ${bytes.length}`);
          return Reflect.get(target, key, target);
        },
      });
      const outcome = decode(guarded, 0, bytes.length, 4090, instruction);
      if (outcome === Decoded.OK) {
        assert.ok(instruction.length <= bytes.length && instruction.length <= 15);
        assert.notEqual(disassemble(instruction), '');
        // the same instruction from exactly its own bytes
        assert.equal(decode(bytes, 0, instruction.length, 0, instruction), Decoded.OK);
      }
      if (outcome === Decoded.NEEDS_MORE) assert.ok(bytes.length < 15);
    }),
    { numRuns: 20_000 },
  );
});
