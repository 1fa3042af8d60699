// Unpacking and packing of the three formats.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { pack32, pack64, signExponent80, significand80, unpack32, unpack64, unpack80 } from './codec.ts';
import { FloatKind } from './unpacked.ts';

const SEED = 20250102;

test('softfloat codec: every binary32 survives unpacking and packing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (bits) => pack32(unpack32(bits)) === bits),
    { seed: SEED, numRuns: 5000 },
  );
});

test('softfloat codec: every binary64 survives unpacking and packing', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (bits) => pack64(unpack64(bits)) === bits),
    { seed: SEED, numRuns: 5000 },
  );
});

test('softfloat codec: every meaningful 80-bit value survives, a pseudo-denormal becomes normal', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0x7fff, 0x8000, 0xffff)),
      (significand, signExponent) => {
        const x = unpack80(significand, signExponent);
        if (x.kind === FloatKind.UNSUPPORTED) return significand >> 63n === 0n && (signExponent & 0x7fff) !== 0;
        const isPseudoDenormal = (signExponent & 0x7fff) === 0 && significand >> 63n === 1n;
        return significand80(x) === significand && signExponent80(x) === signExponent + (isPseudoDenormal ? 1 : 0);
      },
    ),
    { seed: SEED, numRuns: 5000 },
  );
});

test('softfloat codec: a denormal is marked as one and normalised', () => {
  const x = unpack64(1n);
  assert.equal(x.denormal, true);
  assert.equal(x.exponent, -1074);
  assert.equal(x.significand, 1n << 63n);
});
