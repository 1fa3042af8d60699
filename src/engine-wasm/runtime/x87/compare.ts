// fcom and its relatives, ftst, fxam. Results go to C3, C2 and C0, or for the ...i forms to ZF, PF and CF with
// OF, SF and AF cleared. They are set even when an unmasked exception suppresses the pop. Intel SDM vol. 2A, FCOM, FCOMI, FXAM.

import { auxOfFlags, Cpu, resultOfFlags, Rflags } from '../../../engine/index.ts';
import { compare, Relation } from '../softfloat/compare.ts';
import { FloatFlag } from '../softfloat/context.ts';
import { FloatKind, isNan, zero } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { waiting, waitingKeepingC1 } from './fpu.ts';
import type { Fpu } from './fpu.ts';
import { Fsw } from './fsw.ts';
import { read32, read64, readInteger16, readInteger32 } from './load-store.ts';
import { noteDenormal } from './operands.ts';

/** Codes by `Relation`. */
const CODES: readonly number[] = [Fsw.C0, Fsw.C3, 0, Fsw.C0 | Fsw.C2 | Fsw.C3];
const FLAGS: readonly number[] = [Rflags.CF, Rflags.ZF, 0, Rflags.CF | Rflags.PF | Rflags.ZF];

type Report = (fpu: Fpu, relation: number) => void;

/** Comparison helpers, by name. */
export const COMPARE: Readonly<Record<string, Helper>> = {
  'x87.fcom_sti': registers(false, 0, reportCodes),
  'x87.fcomp_sti': registers(false, 1, reportCodes),
  'x87.fcompp': registers(false, 2, reportCodes),
  'x87.fucom_sti': registers(true, 0, reportCodes),
  'x87.fucomp_sti': registers(true, 1, reportCodes),
  'x87.fucompp': registers(true, 2, reportCodes),
  'x87.fcomi': registers(false, 0, reportFlags),
  'x87.fcomip': registers(false, 1, reportFlags),
  'x87.fucomi': registers(true, 0, reportFlags),
  'x87.fucomip': registers(true, 1, reportFlags),
  'x87.fcom_m32': memory(read32, 0),
  'x87.fcomp_m32': memory(read32, 1),
  'x87.fcom_m64': memory(read64, 0),
  'x87.fcomp_m64': memory(read64, 1),
  'x87.ficom_m16': memory(readInteger16, 0),
  'x87.ficomp_m16': memory(readInteger16, 1),
  'x87.ficom_m32': memory(readInteger32, 0),
  'x87.ficomp_m32': memory(readInteger32, 1),
  'x87.ftst': memory(() => zero(false), 0),
  'x87.fxam': waiting(examine),
};

/** Sets the arithmetic flags of RFLAGS to a comparison's outcome; SSE's comis uses it too. */
export function setComparisonFlags(s: StateView, relation: number): void {
  const flags = FLAGS[relation];
  s.u32[Cpu.FLAG_RESULT / 4] = resultOfFlags(flags);
  s.u32[Cpu.FLAG_RESULT / 4 + 1] = 0;
  s.u32[Cpu.FLAG_AUX / 4] = auxOfFlags(flags);
}

function registers(quiet: boolean, pops: number, report: Report): Helper {
  const wrap = report === reportFlags ? waitingKeepingC1 : waiting;
  return wrap((fpu) => {
    const i = pops === 2 ? 1 : fpu.operand;
    if (fpu.isEmpty(0) || fpu.isEmpty(i)) underflow(fpu, pops, report);
    else relate(fpu, fpu.read(0), fpu.read(i), quiet, pops, report);
  });
}

function memory(read: (s: StateView, a: number) => Unpacked, pops: number): Helper {
  return waiting((fpu, a) => {
    if (fpu.isEmpty(0)) underflow(fpu, pops, reportCodes);
    else relate(fpu, fpu.read(0), read(fpu.s, a), false, pops, reportCodes);
  });
}

function underflow(fpu: Fpu, pops: number, report: Report): void {
  fpu.setCodes(Fsw.C1, 0);
  report(fpu, Relation.UNORDERED);
  if (fpu.underflow()) popTimes(fpu, pops);
}

/** @param quiet - a quiet NaN is no invalid operand (fucom) */
function relate(fpu: Fpu, x: Unpacked, y: Unpacked, quiet: boolean, pops: number, report: Report): void {
  if (isInvalid(x, quiet) || isInvalid(y, quiet)) fpu.context.flags |= FloatFlag.INVALID;
  else if (!isNan(x) && !isNan(y)) {
    noteDenormal(fpu, x);
    noteDenormal(fpu, y);
  }
  report(fpu, compare(x, y));
  if (!fpu.isBlocked()) popTimes(fpu, pops);
}

function isInvalid(x: Unpacked, quiet: boolean): boolean {
  return x.kind >= FloatKind.SIGNALLING_NAN || (!quiet && x.kind === FloatKind.QUIET_NAN);
}

function popTimes(fpu: Fpu, times: number): void {
  for (let i = 0; i < times; i++) fpu.pop();
}

function reportCodes(fpu: Fpu, relation: number): void {
  fpu.setCodes(Fsw.C0 | Fsw.C2 | Fsw.C3, CODES[relation]);
}

function reportFlags(fpu: Fpu, relation: number): void {
  setComparisonFlags(fpu.s, relation);
}

/** Class of ST(0) in C3, C2 and C0; its sign in C1. Intel SDM vol. 1, table 8-9. */
function examine(fpu: Fpu): void {
  fpu.c1 = (fpu.s.u16[fpu.at(0) / 2 + 4] & 0x8000) !== 0;
  fpu.setCodes(Fsw.C0 | Fsw.C2 | Fsw.C3, fpu.isEmpty(0) ? Fsw.C3 | Fsw.C0 : classCodes(fpu.read(0)));
}

function classCodes(x: Unpacked): number {
  switch (x.kind) {
    case FloatKind.ZERO:
      return Fsw.C3;
    case FloatKind.FINITE:
      return x.denormal ? Fsw.C3 | Fsw.C2 : Fsw.C2;
    case FloatKind.INFINITY:
      return Fsw.C2 | Fsw.C0;
    case FloatKind.UNSUPPORTED:
      return 0;
    default:
      return Fsw.C0;
  }
}
