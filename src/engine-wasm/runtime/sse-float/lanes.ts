// The frame of SSE floating point instructions: read the lanes of two slots, compute all, then write all or,
// after an unmasked exception, none. Slot `a` is the destination and first operand, slot `b` the second.

import { pack32, pack64, unpack32, unpack64 } from '../softfloat/codec.ts';
import { FloatFlag } from '../softfloat/context.ts';
import type { FloatContext } from '../softfloat/context.ts';
import { BINARY32, BINARY64 } from '../softfloat/format.ts';
import type { Format } from '../softfloat/format.ts';
import { FloatKind, isNan, quieted, zero } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { denormalsAreZeros, settle, sseContext } from './mxcsr.ts';

/** One of the two element types. */
export interface Lane {
  readonly bytes: 4 | 8;
  readonly format: Format;
  read(s: StateView, at: number): Unpacked;
  write(s: StateView, at: number, x: Unpacked): void;
  /** Writes all ones or all zeros. */
  writeMask(s: StateView, at: number, set: boolean): void;
}

/** binary32 elements. */
export const SINGLE: Lane = {
  bytes: 4,
  format: BINARY32,
  read: (s, at) => unpack32(s.u32[at / 4]),
  write: (s, at, x) => {
    s.u32[at / 4] = pack32(x);
  },
  writeMask: (s, at, set) => {
    s.i32[at / 4] = set ? -1 : 0;
  },
};

/** binary64 elements. */
export const DOUBLE: Lane = {
  bytes: 8,
  format: BINARY64,
  read: (s, at) => unpack64(s.u64[at / 8]),
  write: (s, at, x) => {
    s.u64[at / 8] = pack64(x);
  },
  writeMask: (s, at, set) => {
    s.u64[at / 8] = set ? 0xffffffffffffffffn : 0n;
  },
};

/** Suffix of the mnemonic, element type and number of elements: ss, sd, ps, pd. */
export const SHAPES: readonly (readonly [suffix: string, lane: Lane, count: number])[] = [
  ['ss', SINGLE, 1],
  ['sd', DOUBLE, 1],
  ['ps', SINGLE, 4],
  ['pd', DOUBLE, 2],
];

/** An operation on one element of each operand; raises its exceptions in the context. */
export type LaneOperation = (
  context: FloatContext,
  format: Format,
  x: Unpacked,
  y: Unpacked,
  index: number,
) => Unpacked;

/** Reads an element, as zero when it is denormal and DAZ is set. */
export function readLane(s: StateView, lane: Lane, at: number): Unpacked {
  const x = lane.read(s, at);
  return x.denormal && denormalsAreZeros(s) ? zero(x.negative) : x;
}

/** The helper that combines element i of `a` with element i of `b`. */
export function elementwise(lane: Lane, count: number, operation: LaneOperation): Helper {
  return (s, a, b) => {
    const context = sseContext(s);
    const results: Unpacked[] = [];
    for (let i = 0; i < count; i++) {
      const at = i * lane.bytes;
      results.push(operation(context, lane.format, readLane(s, lane, a + at), readLane(s, lane, b + at), i));
    }
    return finish(s, context, lane, a, results);
  };
}

/** Settles the exceptions, then writes results to consecutive elements of `a`. */
export function finish(
  s: StateView,
  context: FloatContext,
  lane: Lane,
  a: number,
  results: readonly Unpacked[],
): number {
  const fault = settle(s, context);
  if (fault === 0) for (let i = 0; i < results.length; i++) lane.write(s, a + i * lane.bytes, results[i]);
  return fault;
}

/** The NaN that an operation with a NaN operand gives: the first that is one, quieted. Undefined without a NaN. */
export function propagatedNan(context: FloatContext, x: Unpacked, y: Unpacked): Unpacked | undefined {
  if (x.kind === FloatKind.SIGNALLING_NAN || y.kind === FloatKind.SIGNALLING_NAN) context.flags |= FloatFlag.INVALID;
  if (isNan(x)) return quieted(x);
  return isNan(y) ? quieted(y) : undefined;
}
