// The two precisions of packed floating point: their instructions and constants, and masks of lanes by kind.

import { W } from '../../wasm/instructions.ts';
import type { OpEmitter } from '../operation.ts';
import { repeat } from './simd-integer.ts';

/** The instructions and constants of one packed precision. */
export interface PackedPrecision {
  readonly suffix: 'ps' | 'pd';
  readonly laneBytes: 4 | 8;
  readonly minNormal: readonly number[];
  readonly twiceMinNormal: readonly number[];
  readonly infinity: readonly number[];
  /** What an invalid operation gives, and the bit that makes a NaN quiet. */
  readonly defaultNan: readonly number[];
  readonly quiet: readonly number[];
  /** The sign bit of even lanes. */
  readonly evenSign: readonly number[];
  readonly op: {
    readonly splat: number;
    readonly abs: number;
    readonly add: number;
    readonly sub: number;
    readonly mul: number;
    readonly div: number;
    readonly sqrt: number;
    readonly eq: number;
    readonly ne: number;
    readonly lt: number;
    readonly le: number;
    readonly gt: number;
    readonly ge: number;
  };
}

/** Four single-precision lanes. */
export const PACKED_SINGLE: PackedPrecision = {
  suffix: 'ps',
  laneBytes: 4,
  minNormal: repeat([0, 0, 0x80, 0x00]),
  twiceMinNormal: repeat([0, 0, 0x00, 0x01]),
  infinity: repeat([0, 0, 0x80, 0x7f]),
  defaultNan: repeat([0, 0, 0xc0, 0xff]),
  quiet: repeat([0, 0, 0x40, 0]),
  evenSign: repeat([0, 0, 0, 0x80, 0, 0, 0, 0]),
  op: {
    splat: W.f32x4Splat,
    abs: W.f32x4Abs,
    add: W.f32x4Add,
    sub: W.f32x4Sub,
    mul: W.f32x4Mul,
    div: W.f32x4Div,
    sqrt: W.f32x4Sqrt,
    eq: W.f32x4Eq,
    ne: W.f32x4Ne,
    lt: W.f32x4Lt,
    le: W.f32x4Le,
    gt: W.f32x4Gt,
    ge: W.f32x4Ge,
  },
};

/** Two double-precision lanes. */
export const PACKED_DOUBLE: PackedPrecision = {
  suffix: 'pd',
  laneBytes: 8,
  minNormal: repeat([0, 0, 0, 0, 0, 0, 0x10, 0x00]),
  twiceMinNormal: repeat([0, 0, 0, 0, 0, 0, 0x20, 0x00]),
  infinity: repeat([0, 0, 0, 0, 0, 0, 0xf0, 0x7f]),
  defaultNan: repeat([0, 0, 0, 0, 0, 0, 0xf8, 0xff]),
  quiet: repeat([0, 0, 0, 0, 0, 0, 0x08, 0]),
  evenSign: [0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0],
  op: {
    splat: W.f64x2Splat,
    abs: W.f64x2Abs,
    add: W.f64x2Add,
    sub: W.f64x2Sub,
    mul: W.f64x2Mul,
    div: W.f64x2Div,
    sqrt: W.f64x2Sqrt,
    eq: W.f64x2Eq,
    ne: W.f64x2Ne,
    lt: W.f64x2Lt,
    le: W.f64x2Le,
    gt: W.f64x2Gt,
    ge: W.f64x2Ge,
  },
};

/** Pushes a mask of the lanes that are denormal. */
export function pushDenormal(e: OpEmitter, p: PackedPrecision, local: number): void {
  const f = e.f;
  f.get(local).op(p.op.abs).v128(p.minNormal).op(p.op.lt);
  f.get(local)
    .v128(repeat([0]))
    .op(p.op.ne)
    .op(W.v128And);
}

/** Pushes a mask of the lanes that are zero. */
export function pushZero(e: OpEmitter, p: PackedPrecision, local: number): void {
  e.f
    .get(local)
    .v128(repeat([0]))
    .op(p.op.eq);
}
