// Sums, products, quotients and roots against the host's own arithmetic, and the exceptions they raise.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { add, divide, integerSquareRoot, multiply, squareRoot } from './arithmetic.ts';
import type { BinaryOperation } from './arithmetic.ts';
import { pack32, pack64, unpack32, unpack64 } from './codec.ts';
import { FloatContext, FloatFlag, Rounding } from './context.ts';
import { BINARY32, BINARY64, EXTENDED } from './format.ts';
import { isNan } from './unpacked.ts';

const SEED = 20250101;
const ALL_MASKED = 0x3f;

const bits64 = new BigUint64Array(1);
const value64 = new Float64Array(bits64.buffer);
const bits32 = new Uint32Array(1);
const value32 = new Float32Array(bits32.buffer);

function context(rounding: number = Rounding.NEAREST): FloatContext {
  return new FloatContext(rounding, ALL_MASKED, 0, false);
}

function bitsOf64(x: number): bigint {
  value64[0] = x;
  return bits64[0]!; // one element
}

function bitsOf32(x: number): number {
  value32[0] = x;
  return bits32[0]!; // one element
}

function inDouble(operation: BinaryOperation, x: number, y: number): number {
  const a = unpack64(bitsOf64(x));
  const b = unpack64(bitsOf64(y));
  bits64[0] = pack64(operation(context(), BINARY64, a, b));
  return value64[0]!; // one element
}

function inSingle(operation: BinaryOperation, x: number, y: number): number {
  const a = unpack32(bitsOf32(x));
  const b = unpack32(bitsOf32(y));
  bits32[0] = pack32(operation(context(), BINARY32, a, b));
  return value32[0]!; // one element
}

const OPERATIONS: readonly [string, BinaryOperation, (x: number, y: number) => number][] = [
  ['sum', add, (x, y) => x + y],
  ['product', multiply, (x, y) => x * y],
  ['quotient', divide, (x, y) => x / y],
];

for (const [name, operation, expected] of OPERATIONS) {
  test(`softfloat: a binary64 ${name} is what the host computes`, () => {
    const number = fc.double({ noNaN: true });
    fc.assert(
      fc.property(number, number, (x, y) => Object.is(inDouble(operation, x, y), expected(x, y))),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test(`softfloat: a binary32 ${name} is what the host computes and rounds once`, () => {
    const number = fc.float({ noNaN: true });
    fc.assert(
      fc.property(number, number, (x, y) => Object.is(inSingle(operation, x, y), Math.fround(expected(x, y)))),
      { seed: SEED, numRuns: 2000 },
    );
  });
}

test('softfloat: a binary64 square root is what the host computes', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, min: 0 }), (x) => {
      bits64[0] = pack64(squareRoot(context(), BINARY64, unpack64(bitsOf64(x))));
      return Object.is(value64[0], Math.sqrt(x));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test('softfloat: infinity minus infinity is invalid and gives the default NaN', () => {
  const c = context();
  const result = add(c, BINARY64, unpack64(bitsOf64(Infinity)), unpack64(bitsOf64(-Infinity)));
  assert(isNan(result) && result.negative);
  assert.equal(c.flags, FloatFlag.INVALID);
});

test('softfloat: directed rounding brackets one third', () => {
  const one = unpack64(bitsOf64(1));
  const three = unpack64(bitsOf64(3));
  const down = pack64(divide(context(Rounding.DOWN), BINARY64, one, three));
  const up = pack64(divide(context(Rounding.UP), BINARY64, one, three));
  assert.equal(up - down, 1n);
  assert.equal(down, bitsOf64(1 / 3)); // nearest is below
});

test('softfloat: an exact subnormal result does not raise underflow when it is masked', () => {
  const c = context();
  divide(c, BINARY64, unpack64(bitsOf64(2 ** -1022)), unpack64(bitsOf64(2)));
  assert.equal(c.flags, 0);
});

test('softfloat: an unmasked underflow gives the result with its exponent wrapped', () => {
  const c = new FloatContext(Rounding.NEAREST, ALL_MASKED & ~FloatFlag.UNDERFLOW, 24576, false);
  const tiny = { ...unpack64(bitsOf64(1)), exponent: EXTENDED.minExponent };
  const result = multiply(c, EXTENDED, tiny, unpack64(bitsOf64(0.5)));
  assert.equal(result.exponent, EXTENDED.minExponent - 1 + 24576);
  assert.equal(c.flags, FloatFlag.UNDERFLOW);
});

test('softfloat: the integer square root is the largest that does not exceed', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1n << 600n }), (n) => {
      const root = integerSquareRoot(n);
      return root * root <= n && (root + 1n) * (root + 1n) > n;
    }),
    { seed: SEED },
  );
});
