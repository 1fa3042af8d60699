// Symbol tables written as the kernel's build writes them, in each layout, and damaged ones. The system tests
// decode those of real kernels.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildElf } from '../../../tests/support/elf-image.ts';
import { findKallsyms } from './kallsyms.ts';

const BASE = 0xffffffff81000000n;
const NR_SYMBOLS = 1000;

/** A token for each character, but for two that stand for what is frequent. */
const TOKENS = Array.from({ length: 256 }, (_, i) =>
  i === 1 ? 'sym_' : i === 2 ? 'Tfn' : String.fromCharCode(i || 3),
);

function align(bytes: number[], unit: number): void {
  while (bytes.length % unit !== 0) bytes.push(0);
}

function push(bytes: number[], value: bigint, size: number): void {
  for (let i = 0; i < size; i++) bytes.push(Number((value >> BigInt(i * 8)) & 0xffn));
}

/** Symbol i is `fnsym_<i>` at 32 * i; the first two are absolute, and one name is longer than 127 tokens. */
function nameTokens(i: number): number[] {
  const digits = [...Buffer.from(String(i), 'latin1')];
  return i === 500 ? [2, ...new Uint8Array(200).fill(0x78)] : [2, 1, ...digits];
}

interface Options {
  /** Offsets and base before the count, as kernels up to 6.3 have them, or behind the token index. */
  readonly offsetsFirst: boolean;
  readonly hasAbsolute: boolean;
}

/** Writes the tables as the kernel's build does. */
function kernelWithTables({ offsetsFirst, hasAbsolute }: Options): Uint8Array {
  const bytes: number[] = [...new TextEncoder().encode('some text 0 1 2 before the tables')];
  const putOffsets = (): void => {
    align(bytes, 8);
    for (let i = 0; i < NR_SYMBOLS; i++) {
      const offset = i * 32;
      push(bytes, BigInt.asUintN(32, BigInt(!hasAbsolute ? offset : i < 2 ? 0x1000 * i : -1 - offset)), 4);
    }
    align(bytes, 8);
    push(bytes, BASE, 8);
  };
  if (offsetsFirst) putOffsets();
  align(bytes, 8);
  push(bytes, BigInt(NR_SYMBOLS), 4);
  align(bytes, 8);
  const names = bytes.length;
  const markers: number[] = [];
  for (let i = 0; i < NR_SYMBOLS; i++) {
    if (i % 256 === 0) markers.push(bytes.length - names);
    const tokens = nameTokens(i);
    if (tokens.length < 0x80) bytes.push(tokens.length);
    else bytes.push((tokens.length & 0x7f) | 0x80, tokens.length >> 7);
    bytes.push(...tokens);
  }
  align(bytes, 8);
  for (const marker of markers) push(bytes, BigInt(marker), 4);
  align(bytes, 8);
  const index: number[] = [];
  const table = bytes.length;
  for (const token of TOKENS) {
    index.push(bytes.length - table);
    bytes.push(...Buffer.from(token, 'latin1'), 0);
  }
  align(bytes, 8);
  for (const start of index) push(bytes, BigInt(start), 2);
  if (!offsetsFirst) putOffsets();
  bytes.push(...new Uint8Array(2048).fill(0xff));
  return Uint8Array.from(bytes);
}

function kernel(data: Uint8Array): Uint8Array {
  return buildElf({ segments: [{ paddr: 0x1000000n, data }] });
}

for (const offsetsFirst of [true, false]) {
  for (const hasAbsolute of [true, false]) {
    const layout = `${offsetsFirst ? 'older' : 'newer'} layout ${hasAbsolute ? 'with' : 'without'} absolute symbols`;
    test(`kallsyms: addresses get their names in the ${layout}`, () => {
      const symbols = findKallsyms(kernel(kernelWithTables({ offsetsFirst, hasAbsolute }))) ?? assert.fail('not found');
      assert.equal(symbols.size, hasAbsolute ? NR_SYMBOLS - 2 : NR_SYMBOLS);
      for (const i of [2, 3, 255, 256, 257, 499, 501, 999]) {
        assert.deepEqual(symbols.lookup(BASE + BigInt(i * 32 + 5)), { name: `fnsym_${i}`, offset: 5 });
      }
      assert.equal(symbols.lookup(BASE + 500n * 32n)?.name, `fn${'x'.repeat(200)}`);
      for (const i of [2, 255, 256, 501, 999]) assert.equal(symbols.find(`fnsym_${i}`), BASE + BigInt(i * 32));
      assert.equal(symbols.find('fnsym_0'), hasAbsolute ? undefined : BASE);
      assert.equal(symbols.find('fnsym_1000'), undefined);
      assert.equal(symbols.lookup(BASE - 1n), undefined);
      assert.equal(symbols.lookup(BASE + 0x1000000n), undefined);
      assert.equal(symbols.lookup(0n), undefined);
    });
  }
}

test('kallsyms: an image without tables has no symbols', () => {
  assert.equal(findKallsyms(kernel(new Uint8Array(5000).fill(0x30))), undefined);
});

test('kallsyms: damaged tables give no symbols or others, but never throw', () => {
  const seed = 7;
  const data = kernelWithTables({ offsetsFirst: true, hasAbsolute: true });
  let random = seed;
  for (let round = 0; round < 300; round++) {
    const damaged = data.slice();
    for (let i = 0; i < 3; i++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      damaged[(random >>> 4) % damaged.length] = random >>> 24;
    }
    try {
      const symbols = findKallsyms(kernel(damaged));
      symbols?.lookup(BASE + 0x1234n);
      symbols?.find('fnsym_7');
    } catch (error) {
      assert.fail(`seed ${seed}, round ${round}: ${String(error)}`);
    }
  }
});
