// All floating point helpers by name, for registration with the back ends. Names of x87 helpers follow the
// mnemonic with its operand form, such as `x87.fadd_st0_sti` or `x87.fld_m64`; SSE helpers are `sse.` and the mnemonic.

import type { Helper } from './state.ts';
import { SSE_ARITHMETIC } from './sse-float/arithmetic.ts';
import { SSE_COMPARE } from './sse-float/compare.ts';
import { SSE_CONVERT } from './sse-float/convert.ts';
import { SSE_CONTROL } from './sse-float/mxcsr.ts';
import { SSE_RECIPROCAL } from './sse-float/reciprocal.ts';
import { ARITHMETIC } from './x87/arithmetic.ts';
import { BCD } from './x87/bcd.ts';
import { COMPARE } from './x87/compare.ts';
import { CONTROL } from './x87/control.ts';
import { ENVIRONMENT } from './x87/environment.ts';
import { LOAD_STORE } from './x87/load-store.ts';
import { MMX } from './x87/mmx.ts';
import { REMAINDER } from './x87/remainder.ts';
import { TRANSCENDENTAL } from './x87/transcendental.ts';

/** Name to helper. Each file that defines some says what their `a`, `b` and `imm` are. */
export const FLOAT_HELPERS: Readonly<Record<string, Helper>> = {
  ...LOAD_STORE,
  ...ARITHMETIC,
  ...COMPARE,
  ...REMAINDER,
  ...BCD,
  ...TRANSCENDENTAL,
  ...CONTROL,
  ...ENVIRONMENT,
  ...MMX,
  ...SSE_ARITHMETIC,
  ...SSE_COMPARE,
  ...SSE_CONVERT,
  ...SSE_RECIPROCAL,
  ...SSE_CONTROL,
};
