// Control instructions: they do not touch FIP, FOP and FDP, and the fn... forms do not wait for pending
// exceptions. fincstp, fdecstp, ffree and fnop are not among them. Intel SDM vol. 2A; vol. 1, section 8.3.11.

import { Cpu } from '../../../engine/index.ts';
import { ALL_FLAGS } from '../softfloat/context.ts';
import type { Helper, StateView } from '../state.ts';
import { MATH_FAULT, physicalRegister, updateErrorSummary, waiting, waitingKeepingC1 } from './fpu.ts';
import { Fcw, Fsw } from './fsw.ts';

/** Control helpers, by name. */
export const CONTROL: Readonly<Record<string, Helper>> = {
  'x87.fninit': (s) => {
    initialise(s);
    return 0;
  },
  'x87.fnclex': (s) => {
    s.u16[Cpu.FSW / 2] &= ~(ALL_FLAGS | Fsw.SF | Fsw.ES | Fsw.B);
    return 0;
  },
  'x87.fldcw': (s, a) => {
    if (isPending(s)) return MATH_FAULT;
    setControlWord(s, s.u16[a / 2]);
    updateErrorSummary(s);
    return 0;
  },
  'x87.fnstcw': (s, a) => {
    s.u16[a / 2] = s.u16[Cpu.FCW / 2];
    return 0;
  },
  'x87.fnstsw': (s, a) => {
    s.u16[a / 2] = s.u16[Cpu.FSW / 2];
    return 0;
  },
  'x87.fwait': (s) => (isPending(s) ? MATH_FAULT : 0),
  'x87.fnop': waitingKeepingC1(() => undefined),
  'x87.fincstp': waiting((fpu) => fpu.rotate(1)),
  'x87.fdecstp': waiting((fpu) => fpu.rotate(-1)),
  'x87.ffree': waiting((fpu) => {
    fpu.s.u8[Cpu.FTW] &= ~(1 << physicalRegister(fpu.s, fpu.operand));
  }),
  'x87.ffreep': waiting((fpu) => {
    fpu.s.u8[Cpu.FTW] &= ~(1 << physicalRegister(fpu.s, fpu.operand));
    fpu.pop();
  }),
};

/** Puts the unit into its state after fninit; the registers keep their contents but are empty. */
export function initialise(s: StateView): void {
  s.u16[Cpu.FCW / 2] = Fcw.INITIAL;
  s.u16[Cpu.FSW / 2] = 0;
  s.u8[Cpu.FTW] = 0;
  s.u16[Cpu.FOP / 2] = 0;
  s.u64[Cpu.FIP / 8] = 0n;
  s.u64[Cpu.FDP / 8] = 0n;
}

/** Loads FCW as the CPU takes it: reserved bits are fixed. The caller then updates the error summary. */
export function setControlWord(s: StateView, value: number): void {
  s.u16[Cpu.FCW / 2] = (value & Fcw.WRITABLE) | Fcw.FIXED;
}

/** Whether an unmasked exception waits to be delivered. */
export function isPending(s: StateView): boolean {
  return (s.u16[Cpu.FSW / 2] & Fsw.ES) !== 0;
}
