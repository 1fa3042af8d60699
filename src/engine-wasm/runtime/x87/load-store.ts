// fld, fst, fstp, fild, fist, fistp, fisttp, fxch and fcmov. A store whose exception is unmasked leaves its
// slot as it was, so that storing the slot back changes nothing. Intel SDM vol. 2A, the instructions' pages.

import { arithmeticFlags, Cpu, Rflags } from '../../../engine/index.ts';
import { roundExact } from '../softfloat/arithmetic.ts';
import { pack32, pack64, significand80, signExponent80, unpack32, unpack64 } from '../softfloat/codec.ts';
import { FloatFlag, Rounding } from '../softfloat/context.ts';
import { BINARY32, BINARY64 } from '../softfloat/format.ts';
import type { Format } from '../softfloat/format.ts';
import { fromInteger, toInteger } from '../softfloat/integer.ts';
import { DEFAULT_NAN } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { Fsw } from './fsw.ts';
import { waiting, waitingKeepingC1 } from './fpu.ts';
import type { Fpu, FpuBody } from './fpu.ts';
import { noteDenormal, unaryNan } from './operands.ts';

/** Helpers that move values, by name. */
export const LOAD_STORE: Readonly<Record<string, Helper>> = {
  'x87.fld_m32': waiting((fpu, a) => loadReal(fpu, read32(fpu.s, a))),
  'x87.fld_m64': waiting((fpu, a) => loadReal(fpu, read64(fpu.s, a))),
  'x87.fld_m80': waiting((fpu, a) => loadBits(fpu, fpu.s.u64[a / 8], fpu.s.u16[a / 2 + 4])),
  'x87.fld_sti': waiting(loadRegister),
  'x87.fild_m16': waiting((fpu, a) => fpu.load(readInteger16(fpu.s, a))),
  'x87.fild_m32': waiting((fpu, a) => fpu.load(readInteger32(fpu.s, a))),
  'x87.fild_m64': waiting((fpu, a) => fpu.load(fromInteger(BigInt.asIntN(64, fpu.s.u64[a / 8])))),
  'x87.fst_m32': waiting(storing(store32, false)),
  'x87.fst_m64': waiting(storing(store64, false)),
  'x87.fstp_m32': waiting(storing(store32, true)),
  'x87.fstp_m64': waiting(storing(store64, true)),
  'x87.fstp_m80': waiting(storing(store80, true)),
  'x87.fst_sti': waiting((fpu) => storeRegister(fpu, false)),
  'x87.fstp_sti': waiting((fpu) => storeRegister(fpu, true)),
  'x87.fist_m16': waiting(storing(storeInteger(16, false), false)),
  'x87.fist_m32': waiting(storing(storeInteger(32, false), false)),
  'x87.fistp_m16': waiting(storing(storeInteger(16, false), true)),
  'x87.fistp_m32': waiting(storing(storeInteger(32, false), true)),
  'x87.fistp_m64': waiting(storing(storeInteger(64, false), true)),
  'x87.fisttp_m16': waiting(storing(storeInteger(16, true), true)),
  'x87.fisttp_m32': waiting(storing(storeInteger(32, true), true)),
  'x87.fisttp_m64': waiting(storing(storeInteger(64, true), true)),
  'x87.fxch': waiting(exchange),
  'x87.fcmovb': conditionalMove(Rflags.CF, true),
  'x87.fcmove': conditionalMove(Rflags.ZF, true),
  'x87.fcmovbe': conditionalMove(Rflags.CF | Rflags.ZF, true),
  'x87.fcmovu': conditionalMove(Rflags.PF, true),
  'x87.fcmovnb': conditionalMove(Rflags.CF, false),
  'x87.fcmovne': conditionalMove(Rflags.ZF, false),
  'x87.fcmovnbe': conditionalMove(Rflags.CF | Rflags.ZF, false),
  'x87.fcmovnu': conditionalMove(Rflags.PF, false),
};

/** Reads the binary32 at slot `a`. */
export function read32(s: StateView, a: number): Unpacked {
  return unpack32(s.u32[a / 4]);
}

/** Reads the binary64 at slot `a`. */
export function read64(s: StateView, a: number): Unpacked {
  return unpack64(s.u64[a / 8]);
}

/** Reads the 16-bit integer at slot `a`. */
export function readInteger16(s: StateView, a: number): Unpacked {
  return fromInteger(BigInt((s.u16[a / 2] << 16) >> 16));
}

/** Reads the 32-bit integer at slot `a`. */
export function readInteger32(s: StateView, a: number): Unpacked {
  return fromInteger(BigInt(s.i32[a / 4]));
}

/** Writes ST(0) to slot `a`; `empty` when ST(0) is, with IE raised and masked. */
type Store = (fpu: Fpu, a: number, empty: boolean) => void;

/** The frame of every store to memory: underflow, conversion, pop. */
export function storing(store: Store, pops: boolean): FpuBody {
  return (fpu, a) => {
    if (fpu.isEmpty(0)) {
      if (!fpu.underflow()) return;
      store(fpu, a, true);
    } else {
      store(fpu, a, false);
      if ((fpu.context.flags & ~fpu.context.masks & ~FloatFlag.INEXACT) !== 0) return;
    }
    if (pops) fpu.pop();
  };
}

function loadReal(fpu: Fpu, x: Unpacked): void {
  if (!fpu.isEmpty(-1)) {
    fpu.load(x);
    return;
  }
  const nan = unaryNan(fpu, x);
  noteDenormal(fpu, x); // even unmasked it does not keep the value from being loaded
  if ((fpu.context.flags & FloatFlag.INVALID & ~fpu.context.masks) === 0) fpu.push(nan ?? x);
}

function loadBits(fpu: Fpu, significand: bigint, signExponent: number): void {
  if (!fpu.isEmpty(-1)) {
    fpu.load(DEFAULT_NAN);
    return;
  }
  fpu.rotate(-1);
  fpu.writeBits(0, significand, signExponent);
}

function loadRegister(fpu: Fpu): void {
  if (fpu.isEmpty(fpu.operand)) {
    if (fpu.underflow()) fpu.push(DEFAULT_NAN);
  } else if (!fpu.isEmpty(-1)) {
    fpu.load(DEFAULT_NAN);
  } else {
    const at = fpu.at(fpu.operand);
    loadBits(fpu, fpu.s.u64[at / 8], fpu.s.u16[at / 2 + 4]);
  }
}

/** ST(0) rounded to a memory format; undefined when an unmasked exception forbids the store. */
function narrowed(fpu: Fpu, format: Format, empty: boolean): Unpacked | undefined {
  if (empty) return DEFAULT_NAN;
  const x = fpu.read(0);
  const result = unaryNan(fpu, x) ?? roundExact(fpu.context, format, x);
  if ((fpu.context.flags & ~fpu.context.masks & ~FloatFlag.INEXACT) === 0) return result;
  fpu.context.flags &= ~FloatFlag.INEXACT; // nothing was rounded
  return undefined;
}

function store32(fpu: Fpu, a: number, empty: boolean): void {
  const x = narrowed(fpu, BINARY32, empty);
  if (x !== undefined) fpu.s.u32[a / 4] = pack32(x);
}

function store64(fpu: Fpu, a: number, empty: boolean): void {
  const x = narrowed(fpu, BINARY64, empty);
  if (x !== undefined) fpu.s.u64[a / 8] = pack64(x);
}

function store80(fpu: Fpu, a: number, empty: boolean): void {
  const at = fpu.at(0);
  fpu.s.u64[a / 8] = empty ? significand80(DEFAULT_NAN) : fpu.s.u64[at / 8];
  fpu.s.u16[a / 2 + 4] = empty ? signExponent80(DEFAULT_NAN) : fpu.s.u16[at / 2 + 4];
}

function storeInteger(bits: number, truncates: boolean): Store {
  return (fpu, a, empty) => {
    const { context, s } = fpu;
    const rounding = truncates ? Rounding.ZERO : context.rounding;
    const value = toInteger(context, rounding, empty ? DEFAULT_NAN : fpu.read(0), bits);
    if (fpu.isBlocked()) return;
    if (bits === 64) s.u64[a / 8] = value;
    else if (bits === 32) s.u32[a / 4] = Number(value);
    else s.u16[a / 2] = Number(value);
  };
}

function storeRegister(fpu: Fpu, pops: boolean): void {
  if (fpu.isEmpty(0)) {
    if (!fpu.underflow()) return;
    fpu.write(fpu.operand, DEFAULT_NAN);
  } else {
    const at = fpu.at(0);
    fpu.writeBits(fpu.operand, fpu.s.u64[at / 8], fpu.s.u16[at / 2 + 4]);
  }
  if (pops) fpu.pop();
}

function exchange(fpu: Fpu): void {
  const i = fpu.operand;
  if (fpu.isEmpty(0) || fpu.isEmpty(i)) {
    if (!fpu.underflow()) return;
    if (fpu.isEmpty(0)) fpu.write(0, DEFAULT_NAN);
    if (fpu.isEmpty(i)) fpu.write(i, DEFAULT_NAN);
  }
  const { s } = fpu;
  const at = fpu.at(0);
  const significand = s.u64[at / 8];
  const signExponent = s.u16[at / 2 + 4];
  const other = fpu.at(i);
  fpu.writeBits(0, s.u64[other / 8], s.u16[other / 2 + 4]);
  fpu.writeBits(i, significand, signExponent);
}

/** Moves when any of `flags` is set (`wanted`) or none is; an empty register is an underflow either way. */
function conditionalMove(flags: number, wanted: boolean): Helper {
  return waitingKeepingC1((fpu) => {
    const { s } = fpu;
    if (fpu.isEmpty(0) || fpu.isEmpty(fpu.operand)) {
      fpu.setCodes(Fsw.C1, 0);
      if (fpu.underflow()) fpu.write(0, DEFAULT_NAN);
      return;
    }
    const result = Cpu.FLAG_RESULT / 4;
    const rflags = arithmeticFlags(s.u32[result], s.u32[result + 1], s.u32[Cpu.FLAG_AUX / 4]);
    if (((rflags & flags) !== 0) !== wanted) return;
    const at = fpu.at(fpu.operand);
    fpu.writeBits(0, s.u64[at / 8], s.u16[at / 2 + 4]);
  });
}
