// MXCSR and how an SSE instruction ends: exceptions become sticky flags, an unmasked one is a fault (#XM) and
// leaves the destination alone. Intel SDM vol. 1, sections 10.2.3 and 11.5.

import { Cpu } from '../../../engine/index.ts';
import { ALL_FLAGS, FloatContext, FloatFlag, PRE_COMPUTATION } from '../softfloat/context.ts';
import type { Helper, StateView } from '../state.ts';

/** Fields of MXCSR. The six exception flags are `FloatFlag`, at bit 0; their masks start at bit 7. */
const Mxcsr = {
  DAZ: 1 << 6, // denormals are zeros
  MASK_SHIFT: 7,
  ROUNDING_SHIFT: 13,
  FTZ: 1 << 15, // flush to zero
} as const;

/** Bits of MXCSR that can be set; others fault. It is also the MXCSR_MASK of fxsave. Intel SDM vol. 1, section 11.6.6. */
export const MXCSR_MASK = 0xffff;

/** What fxrstor and ldmxcsr return for a reserved bit: 1 + vector 13 (#GP). */
export const GENERAL_PROTECTION = 14;

/** What a helper returns for an unmasked SSE exception: 1 + vector 19 (#XM). */
const SIMD_FAULT = 20;

/** ldmxcsr and stmxcsr; slot `a` holds the 32 bits. */
export const SSE_CONTROL: Readonly<Record<string, Helper>> = {
  'sse.ldmxcsr': (s, a) => {
    const value = s.u32[a / 4];
    if ((value & ~MXCSR_MASK) !== 0) return GENERAL_PROTECTION;
    s.u32[Cpu.MXCSR / 4] = value;
    return 0;
  },
  'sse.stmxcsr': (s, a) => {
    s.u32[a / 4] = s.u32[Cpu.MXCSR / 4];
    return 0;
  },
};

/** The environment that MXCSR asks for. */
export function sseContext(s: StateView): FloatContext {
  const mxcsr = s.u32[Cpu.MXCSR / 4];
  const masks = (mxcsr >> Mxcsr.MASK_SHIFT) & ALL_FLAGS;
  const flushToZero = (mxcsr & Mxcsr.FTZ) !== 0 && (masks & FloatFlag.UNDERFLOW) !== 0;
  return new FloatContext((mxcsr >> Mxcsr.ROUNDING_SHIFT) & 3, masks, 0, flushToZero);
}

/** Whether denormal operands count as zeros. */
export function denormalsAreZeros(s: StateView): boolean {
  return (s.u32[Cpu.MXCSR / 4] & Mxcsr.DAZ) !== 0;
}

/** Moves the exceptions raised to MXCSR. @returns 0, or `SIMD_FAULT` when the destination must not be written */
export function settle(s: StateView, context: FloatContext): number {
  const unmasked = context.flags & ~context.masks;
  if ((unmasked & PRE_COMPUTATION) !== 0) context.flags &= PRE_COMPUTATION;
  s.u32[Cpu.MXCSR / 4] |= context.flags;
  return unmasked === 0 ? 0 : SIMD_FAULT;
}
