// Operands that provoke: every class of every format, values around rounding and range boundaries, pairs that
// are close to each other, and plain random bits.

import type { RandomSource } from './random-source.ts';

/** An 80-bit value: significand, then sign and exponent. */
export type Extended = readonly [bigint, number];

const TOP = 1n << 63n;

/** A significand with the leading one and few, many, or clustered bits. */
function significand(random: RandomSource): bigint {
  switch (random.below(6)) {
    case 0:
      return TOP;
    case 1:
      return TOP | (random.u64() >> 1n);
    case 2:
      return TOP | (((random.u64() >> BigInt(1 + random.below(40))) << BigInt(random.below(30))) & (TOP - 1n));
    case 3:
      return BigInt.asUintN(64, -(1n << BigInt(random.below(63))));
    case 4:
      return TOP | ((BigInt(random.below(16)) << BigInt(random.below(60))) & (TOP - 1n));
    default:
      return (random.u64() | TOP) & BigInt.asUintN(64, -(1n << BigInt(random.pick([11, 40, 10, 39, 1, 2, 30]))));
  }
}

/** A special or boundary 80-bit value. */
function specialExtended(random: RandomSource): Extended {
  const sign = random.below(2) * 0x8000;
  switch (random.below(14)) {
    case 0:
    case 1:
      return [0n, sign];
    case 2:
      return [TOP, sign | 0x7fff];
    case 3:
      return [(3n << 62n) | (random.u64() >> 2n), sign | 0x7fff];
    case 4:
      return [TOP | (random.u64() >> BigInt(2 + random.below(50))) | 1n, sign | 0x7fff];
    case 5:
      return [random.u64() >> BigInt(1 + random.below(62)), sign];
    case 6:
      return [TOP | (random.u64() >> 1n), sign];
    case 7:
      return [random.u64() >> 1n, sign | random.below(0x8000)];
    case 8:
      return [significand(random), sign | random.pick([1, 2, 3, 0x7ffe, 0x7ffd, 0x2000, 0x6000])];
    case 9:
      return [3n << 62n, 0xffff];
    case 10:
      return [
        significand(random),
        sign |
          ((0x3fff +
            random.pick([-16445, -16382, 127, 128, -126, -127, -149, -150, 1023, 1024, -1022, -1023, -1074, -1075])) &
            0x7fff),
      ];
    default:
      return [TOP, sign | 0x3fff];
  }
}

/** An 80-bit value. @param near - another operand that this one is often close to */
export function extended(random: RandomSource, near?: Extended): Extended {
  if (random.oneIn(4)) return specialExtended(random);
  const sign = random.below(2) * 0x8000;
  if (near !== undefined && random.oneIn(2)) {
    const exponent = Math.min(
      0x7ffe,
      Math.max(1, (near[1] & 0x7fff) + random.pick([0, 0, 1, -1, 2, 5, -30, 40, 63, 64, 65, -64, -66, 70])),
    );
    return [random.oneIn(3) ? near[0] | TOP : significand(random), sign | exponent];
  }
  switch (random.below(5)) {
    case 0:
      return [random.u64() | TOP, sign | (1 + random.below(0x7ffe))];
    case 1:
      return [significand(random), sign | (0x3fff + random.below(70) - 5)];
    case 2:
      return [TOP | (BigInt(random.below(1000)) << 53n), sign | (0x3fff + random.below(12))];
    case 3:
      return [significand(random), sign | (0x3fff + random.below(300) - 150)];
    default:
      return [significand(random), sign | (0x3fff + random.below(8) - 4)];
  }
}

/** Bits of a binary32. */
export function single(random: RandomSource, near?: number): number {
  const sign = random.oneIn(2) ? 0x80000000 : 0;
  switch (random.below(12)) {
    case 0:
      return sign;
    case 1:
      return (sign | 0x7f800000) >>> 0;
    case 2:
      return (sign | 0x7fc00000 | (random.u32() >>> 10)) >>> 0;
    case 3:
      return (sign | 0x7f800001 | (random.u32() >>> (10 + random.below(20)))) >>> 0;
    case 4:
      return (sign | (random.u32() >>> (9 + random.below(23)))) >>> 0;
    case 5:
      return (
        (sign |
          (random.pick([1, 2, 24, 25, 0x40, 0xbf, 0xfe, 0xfd]) << 23) |
          (random.u32() & random.pick([0, 0x7fffff, 1, 0x7ffffe]))) >>>
        0
      );
    case 6:
      return random.u32();
    case 7:
      return (
        (sign | ((127 + random.below(34)) << 23) | (random.u32() & random.pick([0x7fffff, 0x7f0000, 0x400000]))) >>> 0
      );
    default:
      if (near !== undefined && random.oneIn(2)) {
        const exponent = Math.min(
          254,
          Math.max(1, ((near >>> 23) & 0xff) + random.pick([0, 0, 1, -1, 3, 12, 24, 25, -24, 26, -26])),
        );
        return (sign | (exponent << 23) | (random.oneIn(2) ? near & 0x7fffff : random.u32() & 0x7fffff)) >>> 0;
      }
      return (
        (sign | ((117 + random.below(20)) << 23) | (random.u32() & random.pick([0x7fffff, 0x7ff000, 0x600000]))) >>> 0
      );
  }
}

/** Bits of a binary64. */
export function double(random: RandomSource, near?: bigint): bigint {
  const sign = random.oneIn(2) ? 1n << 63n : 0n;
  const fraction = random.u64() >> 12n;
  switch (random.below(12)) {
    case 0:
      return sign;
    case 1:
      return sign | (0x7ffn << 52n);
    case 2:
      return sign | (0xfffn << 51n) | (fraction >> 1n);
    case 3:
      return sign | (0x7ffn << 52n) | (fraction >> BigInt(1 + random.below(50))) | 1n;
    case 4:
      return sign | (fraction >> BigInt(random.below(51)));
    case 5:
      return (
        sign |
        (BigInt(random.pick([1, 2, 53, 54, 0x200, 0x5ff, 0x7fe, 0x7fd, 873, 874, 896, 897, 1150, 1151])) << 52n) |
        (random.oneIn(2)
          ? fraction
          : random.pick([0n, 1n, (1n << 52n) - 1n, ((1n << 23n) - 1n) << 29n, 1n << 28n, 3n << 28n]))
      );
    case 6:
      return random.u64();
    case 7:
      return sign | (BigInt(1023 + random.below(66)) << 52n) | (random.oneIn(2) ? fraction : (fraction >> 40n) << 40n);
    default:
      if (near !== undefined && random.oneIn(2)) {
        const exponent = Math.min(
          2046,
          Math.max(1, Number((near >> 52n) & 0x7ffn) + random.pick([0, 0, 1, -1, 3, 12, 53, 54, -53, 55, -55])),
        );
        return sign | (BigInt(exponent) << 52n) | (random.oneIn(2) ? near & ((1n << 52n) - 1n) : fraction);
      }
      return sign | (BigInt(1013 + random.below(20)) << 52n) | (random.oneIn(2) ? fraction : (fraction >> 30n) << 30n);
  }
}
