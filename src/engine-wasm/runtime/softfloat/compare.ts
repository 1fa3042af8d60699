// Order of two values. NaNs and unsupported encodings are unordered; which of them raise IE is the
// front end's business.

import { FloatKind, isNan } from './unpacked.ts';
import type { Unpacked } from './unpacked.ts';

/** Outcome of a comparison. */
export const Relation = { LESS: 0, EQUAL: 1, GREATER: 2, UNORDERED: 3 } as const;

/** How x stands to y: one of `Relation`. */
export function compare(x: Unpacked, y: Unpacked): number {
  if (isUnordered(x) || isUnordered(y)) return Relation.UNORDERED;
  if (x.kind === FloatKind.ZERO && y.kind === FloatKind.ZERO) return Relation.EQUAL;
  if (x.kind === FloatKind.ZERO) return y.negative ? Relation.GREATER : Relation.LESS;
  if (y.kind === FloatKind.ZERO || x.negative !== y.negative) return x.negative ? Relation.LESS : Relation.GREATER;
  const magnitudes = compareMagnitudes(x, y);
  return x.negative ? Relation.GREATER - magnitudes : magnitudes;
}

function isUnordered(x: Unpacked): boolean {
  return isNan(x) || x.kind === FloatKind.UNSUPPORTED;
}

/** Neither is zero. */
function compareMagnitudes(x: Unpacked, y: Unpacked): number {
  if (x.kind !== y.kind) return x.kind === FloatKind.INFINITY ? Relation.GREATER : Relation.LESS;
  if (x.exponent !== y.exponent) return x.exponent > y.exponent ? Relation.GREATER : Relation.LESS;
  if (x.significand === y.significand) return Relation.EQUAL;
  return x.significand > y.significand ? Relation.GREATER : Relation.LESS;
}
