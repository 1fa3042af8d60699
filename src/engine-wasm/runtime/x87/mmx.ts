// What MMX instructions do to the x87 state that they share: the data moves themselves are IR, because MMX
// register n is the significand of physical register n. Intel SDM vol. 1, section 9.5; vol. 3A, section 13.2.

import { Cpu } from '../../../engine/index.ts';
import type { Helper } from '../state.ts';
import { isPending } from './control.ts';
import { MATH_FAULT } from './fpu.ts';
import { Fsw } from './fsw.ts';

/** Set in `imm` of `x87.mmx_enter` when the instruction writes the MMX register in the low three bits. */
export const MMX_WRITES = 8;

/** MMX state helpers, by name. */
export const MMX: Readonly<Record<string, Helper>> = {
  /**
   * Part of every MMX instruction but emms, after its last access that can fault: TOP becomes 0, every
   * register is in use, sign and exponent of the written one become ones.
   */
  'x87.mmx_enter': (s, _a, _b, imm) => {
    if (isPending(s)) return MATH_FAULT;
    s.u16[Cpu.FSW / 2] &= ~Fsw.TOP;
    s.u8[Cpu.FTW] = 0xff;
    if ((imm & MMX_WRITES) !== 0) s.u16[(Cpu.X87 + 16 * (imm & 7)) / 2 + 4] = 0xffff;
    return 0;
  },
  'x87.emms': (s) => {
    if (isPending(s)) return MATH_FAULT;
    s.u16[Cpu.FSW / 2] &= ~Fsw.TOP;
    s.u8[Cpu.FTW] = 0;
    return 0;
  },
};
