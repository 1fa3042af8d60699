// Elementary functions and constants against the host's, to the host's precision.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Unpacked } from '../../softfloat/unpacked.ts';
import { finite } from '../../softfloat/unpacked.ts';
import { exp2Minus1, log2, log2OfOnePlus } from './exponential.ts';
import { FRACTION, ln2, PI } from './fixed-point.ts';
import type { Wide } from './fixed-point.ts';
import { arcTangent, sineCosine } from './trigonometric.ts';

const SCALE = 2 ** 80;

/** The fixed point number as a double. */
function toNumber(value: bigint, fraction: number): number {
  return Number(value >> BigInt(fraction - 80)) / SCALE;
}

function wideToNumber({ exponent, significand }: Wide): number {
  return (Number(significand >> 64n) / 2 ** 63) * 2 ** exponent;
}

/** A double above 0 as a value. */
function unpacked(x: number): Unpacked {
  const exponent = Math.floor(Math.log2(x));
  return finite(false, exponent, BigInt((x / 2 ** exponent) * 2 ** 62) << 1n);
}

function assertClose(actual: number, expected: number): void {
  assert(Math.abs(actual - expected) <= Math.abs(expected) * 2 ** -51, `${actual} for ${expected}`);
}

test('elementary: pi and ln 2 have their known digits', () => {
  assert.equal(PI >> BigInt(FRACTION - 124), 0x3243f6a8885a308d313198a2e0370734n);
  assert.equal(ln2(FRACTION) >> BigInt(FRACTION - 124), 0xb17217f7d1cf79abc9e3b39803f2f6an);
});

test('elementary: functions agree with the host to its precision', () => {
  for (const x of [0.001, 0.1, 0.25, 0.5, 0.7, 0.999, 1.5, 2, 3, 10, 100]) {
    const { sine, cosine, fraction } = sineCosine(unpacked(x));
    assert(Math.abs(toNumber(sine, fraction) - Math.sin(x)) < 2 ** -50, `sin ${x}`);
    assert(Math.abs(toNumber(cosine, fraction) - Math.cos(x)) < 2 ** -50, `cos ${x}`);
    const logarithm = log2(unpacked(x));
    assert(Math.abs(toNumber(logarithm.value, logarithm.fraction) - Math.log2(x)) < 2 ** -49, `log2 ${x}`);
    const onePlus = log2OfOnePlus(unpacked(x));
    assertClose(toNumber(onePlus.value, onePlus.fraction), Math.log1p(x) * Math.LOG2E);
    assertClose(wideToNumber(arcTangent(unpacked(x), unpacked(3))), Math.atan2(x, 3));
    if (x < 1) assertClose(wideToNumber(exp2Minus1(unpacked(x))), Math.expm1(x * Math.LN2));
  }
});

test('elementary: the logarithm of a power of two is exact', () => {
  const { value, fraction } = log2(unpacked(2 ** -20));
  assert.equal(value, -20n << BigInt(fraction));
});
