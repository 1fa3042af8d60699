// Names for the slots that lowering uses: byte offsets in the vCPU state block.

import { Cpu } from '../../engine/index.ts';

/** Slot of general register `n`. */
export function gprSlot(n: number): number {
  return Cpu.GPR + n * 8;
}

/** Slot of byte register `n` as an instruction encodes it: without REX, 4 to 7 are ah, ch, dh and bh. */
export function byteSlot(n: number, rex: boolean): number {
  return !rex && n >= 4 && n < 8 ? Cpu.GPR + (n - 4) * 8 + 1 : Cpu.GPR + n * 8;
}

/** Slot of SSE register `n`. */
export function xmmSlot(n: number): number {
  return Cpu.XMM + n * 16;
}

/** Slot of 8-byte temporary `n`, 0 to 15. */
export function temp(n: number): number {
  return Cpu.TEMP + n * 8;
}

/** Slot of 16-byte temporary `n`, 0 to 7. */
export function xtemp(n: number): number {
  return Cpu.XTEMP + n * 16;
}
