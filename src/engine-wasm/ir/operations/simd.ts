// SSE and MMX operations on WebAssembly SIMD. An MMX register is the significand of an x87 register
// and its slot has 16 bytes, so that lane-wise operations serve both; lowering tidies the upper half.
// Fields: a = destination slot, b = first source, c = second source; two-operand forms compute a = a op b.

import type { Operation } from '../operation.ts';
import { simdConversionOperations } from './simd-convert.ts';
import { simdFloatOperations } from './simd-float.ts';
import { simdIntegerOperations } from './simd-integer.ts';
import { simdPackedFloatOperations } from './simd-packed-float.ts';
import { simdShiftOperations } from './simd-shift.ts';
import { simdShuffleOperations } from './simd-shuffle.ts';
import { simdStateOperations } from './simd-state.ts';
import { simdStringOperations } from './simd-string.ts';

/** Operations of this family. */
export function simdOperations(): Operation[] {
  return [
    ...simdIntegerOperations(),
    ...simdShiftOperations(),
    ...simdShuffleOperations(),
    ...simdStateOperations(),
    ...simdStringOperations(),
    ...simdFloatOperations(),
    ...simdPackedFloatOperations(),
    ...simdConversionOperations(),
  ];
}
