// The 512-byte image of fxsave and fxrstor, which the kernel also keeps its signal frames and task states in.
// The caller has checked alignment and access rights and passes bytes that it holds a copy of or may write.
// Intel SDM vol. 1, section 10.5; vol. 2A, FXSAVE, tables 3-36 to 3-40.

import { Cpu } from '../../../engine/index.ts';
import { GENERAL_PROTECTION, MXCSR_MASK } from '../sse-float/mxcsr.ts';
import type { StateView } from '../state.ts';
import { setControlWord } from './control.ts';
import { registerOffset, updateErrorSummary } from './fpu.ts';

/** Offsets in the image. */
export const Fxsave = {
  FCW: 0,
  FSW: 2,
  FTW: 4,
  FOP: 6,
  FIP: 8,
  FDP: 16,
  MXCSR: 24,
  MXCSR_MASK: 28,
  REGISTERS: 32,
  XMM: 160,
  /** Bytes of the image; those from 416 on are not touched. */
  SIZE: 512,
} as const;

/** The CPU keeps this many bits of FIP and extends the sign. */
const LINEAR_ADDRESS_BITS = 57;

/**
 * Writes the image.
 * @param offset - of its first byte in `out`
 * @param rex64 - fxsave64: 64-bit instruction and data pointers instead of 32-bit ones with selectors (stored as 0)
 */
export function fxsaveImage(s: StateView, out: DataView, offset: number, rex64: boolean): void {
  out.setUint16(offset + Fxsave.FCW, s.u16[Cpu.FCW / 2], true);
  out.setUint16(offset + Fxsave.FSW, s.u16[Cpu.FSW / 2], true);
  out.setUint16(offset + Fxsave.FTW, s.u8[Cpu.FTW], true);
  out.setUint16(offset + Fxsave.FOP, s.u16[Cpu.FOP / 2], true);
  out.setBigUint64(offset + Fxsave.FIP, rex64 ? s.u64[Cpu.FIP / 8] : BigInt(s.u32[Cpu.FIP / 4]), true);
  out.setBigUint64(offset + Fxsave.FDP, rex64 ? s.u64[Cpu.FDP / 8] : BigInt(s.u32[Cpu.FDP / 4]), true);
  out.setUint32(offset + Fxsave.MXCSR, s.u32[Cpu.MXCSR / 4], true);
  out.setUint32(offset + Fxsave.MXCSR_MASK, MXCSR_MASK, true);
  for (let i = 0; i < 8; i++) {
    const from = registerOffset(s, i);
    const to = offset + Fxsave.REGISTERS + 16 * i;
    out.setBigUint64(to, s.u64[from / 8], true);
    out.setBigUint64(to + 8, BigInt(s.u16[from / 2 + 4]), true);
  }
  for (let i = 0; i < 32; i++) out.setBigUint64(offset + Fxsave.XMM + 8 * i, s.u64[Cpu.XMM / 8 + i], true);
}

/**
 * Loads the image.
 * @returns 0, or 1 + 13 (#GP) with nothing changed when MXCSR has a reserved bit
 */
export function fxrstorImage(s: StateView, image: DataView, offset: number, rex64: boolean): number {
  const mxcsr = image.getUint32(offset + Fxsave.MXCSR, true);
  if ((mxcsr & ~MXCSR_MASK) !== 0) return GENERAL_PROTECTION;
  s.u32[Cpu.MXCSR / 4] = mxcsr;
  setControlWord(s, image.getUint16(offset + Fxsave.FCW, true));
  s.u16[Cpu.FSW / 2] = image.getUint16(offset + Fxsave.FSW, true);
  s.u8[Cpu.FTW] = image.getUint8(offset + Fxsave.FTW);
  s.u16[Cpu.FOP / 2] = image.getUint16(offset + Fxsave.FOP, true) & 0x7ff;
  s.u64[Cpu.FIP / 8] = rex64
    ? BigInt.asIntN(LINEAR_ADDRESS_BITS, image.getBigUint64(offset + Fxsave.FIP, true))
    : BigInt(image.getUint32(offset + Fxsave.FIP, true));
  s.u64[Cpu.FDP / 8] = rex64
    ? image.getBigUint64(offset + Fxsave.FDP, true)
    : BigInt(image.getUint32(offset + Fxsave.FDP, true));
  for (let i = 0; i < 8; i++) {
    const to = registerOffset(s, i);
    const from = offset + Fxsave.REGISTERS + 16 * i;
    s.u64[to / 8] = image.getBigUint64(from, true);
    s.u16[to / 2 + 4] = image.getUint16(from + 8, true);
  }
  for (let i = 0; i < 32; i++) s.u64[Cpu.XMM / 8 + i] = image.getBigUint64(offset + Fxsave.XMM + 8 * i, true);
  updateErrorSummary(s);
  return 0;
}
