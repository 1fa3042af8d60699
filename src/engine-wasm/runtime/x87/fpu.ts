// The x87 unit as one instruction sees it: register stack with tags, exceptions, instruction pointers.
// `waiting` wraps the body of an instruction into a helper: pending exception first, then the body, then
// the exceptions it raised go to the status word, where the next waiting instruction finds them.
//
// `imm` of every x87 helper: bits 0-10 FOP (low three bits of the first opcode byte, then ModRM), so bits 0-2
// are i of ST(i); bits 16-27 the offset of the instruction in the code page. `a` is the slot of a memory operand:
// loaded before, stored back after (unchanged when there is nothing to store). `b` is the slot of its address, or 0. FIP follows every instruction that is
// not a control instruction; FOP and FDP only an unmasked exception (CPUID leaf 7 EBX bit 6).
// Intel SDM vol. 1, sections 8.1 to 8.7; vol. 3A, section 2.5.

import { Cpu } from '../../../engine/index.ts';
import { signExponent80, significand80, unpack80 } from '../softfloat/codec.ts';
import { ALL_FLAGS, FloatContext, FloatFlag, PRE_COMPUTATION } from '../softfloat/context.ts';
import { EXTENDED_BY_PRECISION_CONTROL } from '../softfloat/format.ts';
import type { Format } from '../softfloat/format.ts';
import { DEFAULT_NAN } from '../softfloat/unpacked.ts';
import type { Unpacked } from '../softfloat/unpacked.ts';
import type { Helper, StateView } from '../state.ts';
import { Fcw, Fsw } from './fsw.ts';

/** What a helper returns for a pending x87 exception: 1 + vector 16 (#MF). */
export const MATH_FAULT = 17;

const CODE_OFFSET_SHIFT = 16;
const FOP_MASK = 0x7ff;

/** Exponent adjustment of unmasked overflow and underflow. Intel SDM vol. 1, section 8.5.4. */
const EXPONENT_WRAP = 24576;

/** One x87 instruction at work on the state. */
export class Fpu {
  readonly s: StateView;
  readonly context: FloatContext;
  /** i of ST(i), from the instruction's ModRM byte. */
  readonly operand: number;
  /** C1 as the instruction leaves it; rounding up sets it too. */
  c1 = false;
  #stackFault = false;
  readonly #imm: number;
  readonly #addressSlot: number;

  constructor(s: StateView, addressSlot: number, imm: number) {
    const fcw = s.u16[Cpu.FCW / 2];
    this.s = s;
    this.operand = imm & 7;
    this.context = new FloatContext((fcw >> Fcw.ROUNDING_SHIFT) & 3, fcw & ALL_FLAGS, EXPONENT_WRAP, false);
    this.#imm = imm;
    this.#addressSlot = addressSlot;
  }

  /** Format that arithmetic results are rounded to, by precision control. */
  get format(): Format {
    return EXTENDED_BY_PRECISION_CONTROL[(this.s.u16[Cpu.FCW / 2] >> Fcw.PRECISION_SHIFT) & 3];
  }

  /** Byte offset of the physical register that is ST(i). */
  at(i: number): number {
    return registerOffset(this.s, i);
  }

  /** Whether ST(i) is tagged empty. */
  isEmpty(i: number): boolean {
    return (this.s.u8[Cpu.FTW] & (1 << physicalRegister(this.s, i))) === 0;
  }

  /** Reads ST(i), whatever its tag. */
  read(i: number): Unpacked {
    const at = this.at(i);
    return unpack80(this.s.u64[at / 8], this.s.u16[at / 2 + 4]);
  }

  /** Writes ST(i) and tags it as in use. */
  write(i: number, x: Unpacked): void {
    this.writeBits(i, significand80(x), signExponent80(x));
  }

  /** Writes the bits of ST(i) and tags it as in use. */
  writeBits(i: number, significand: bigint, signExponent: number): void {
    const at = this.at(i);
    this.s.u64[at / 8] = significand;
    this.s.u16[at / 2 + 4] = signExponent;
    this.s.u8[Cpu.FTW] |= 1 << physicalRegister(this.s, i);
  }

  /** Tags ST(0) as empty and moves the stack up. */
  pop(): void {
    this.s.u8[Cpu.FTW] &= ~(1 << physicalRegister(this.s, 0));
    this.rotate(1);
  }

  /** Moves the stack down and writes the new ST(0), which was seen to be free. */
  push(x: Unpacked): void {
    this.rotate(-1);
    this.write(0, x);
  }

  /** Adds to TOP. */
  rotate(by: number): void {
    const fsw = this.s.u16[Cpu.FSW / 2];
    this.s.u16[Cpu.FSW / 2] = (fsw & ~Fsw.TOP) | ((fsw + (by << Fsw.TOP_SHIFT)) & Fsw.TOP);
  }

  /** Replaces condition codes: clears `clear`, then sets `set`. */
  setCodes(clear: number, set: number): void {
    const fsw = this.s.u16[Cpu.FSW / 2];
    this.s.u16[Cpu.FSW / 2] = (fsw & ~clear) | set;
  }

  /** Raises a stack underflow. @returns whether it is masked: the caller then goes on with the default NaN */
  underflow(): boolean {
    this.context.flags |= FloatFlag.INVALID;
    this.#stackFault = true;
    return !this.isBlocked();
  }

  /** Raises a stack overflow. @returns whether it is masked */
  overflow(): boolean {
    this.c1 = true;
    return this.underflow();
  }

  /** Whether an unmasked exception forbids writing a result to a register. */
  isBlocked(): boolean {
    return (this.context.flags & PRE_COMPUTATION & ~this.context.masks) !== 0;
  }

  /** Pushes `x`, or raises a stack overflow (masked: pushes the default NaN). */
  load(x: Unpacked): void {
    if (!this.isEmpty(-1)) {
      if (this.overflow()) this.push(DEFAULT_NAN);
    } else if (!this.isBlocked()) this.push(x);
  }

  /** Moves the exceptions raised, and C1, to the status word. */
  finish(): void {
    const { context, s } = this;
    if (this.isBlocked()) context.flags &= PRE_COMPUTATION;
    let fsw = s.u16[Cpu.FSW / 2] | context.flags;
    if (this.#stackFault) fsw |= Fsw.SF;
    if (this.c1 || ((context.flags & FloatFlag.INEXACT) !== 0 && context.roundedUp)) fsw |= Fsw.C1;
    if ((context.flags & ~context.masks) !== 0) {
      fsw |= Fsw.ES | Fsw.B;
      s.u16[Cpu.FOP / 2] = this.#imm & FOP_MASK;
      if (this.#addressSlot !== 0) s.u64[Cpu.FDP / 8] = s.u64[this.#addressSlot / 8];
    }
    s.u16[Cpu.FSW / 2] = fsw;
  }
}

/** Physical number of ST(i). */
export function physicalRegister(s: StateView, i: number): number {
  return ((s.u16[Cpu.FSW / 2] >> Fsw.TOP_SHIFT) + i) & 7;
}

/** Byte offset of ST(i) in the state block. */
export function registerOffset(s: StateView, i: number): number {
  return Cpu.X87 + 16 * physicalRegister(s, i);
}

/** Body of an instruction. @param a - offset of the slot of its memory operand */
export type FpuBody = (fpu: Fpu, a: number) => void;

/** The helper of a waiting, non-control instruction that clears C1 unless it sets it. */
export function waiting(body: FpuBody): Helper {
  return (s, a, b, imm) => {
    const fsw = s.u16[Cpu.FSW / 2];
    if ((fsw & Fsw.ES) !== 0) return MATH_FAULT;
    s.u16[Cpu.FSW / 2] = fsw & ~Fsw.C1;
    return execute(s, a, b, imm, body);
  };
}

/** Like `waiting`, for the few instructions that leave C1 alone unless they fail. */
export function waitingKeepingC1(body: FpuBody): Helper {
  return (s, a, b, imm) => ((s.u16[Cpu.FSW / 2] & Fsw.ES) !== 0 ? MATH_FAULT : execute(s, a, b, imm, body));
}

function execute(s: StateView, a: number, b: number, imm: number, body: FpuBody): number {
  s.u64[Cpu.FIP / 8] = s.u64[Cpu.CODE_PAGE / 8] + BigInt((imm >>> CODE_OFFSET_SHIFT) & 0xfff);
  const fpu = new Fpu(s, b, imm);
  body(fpu, a);
  fpu.finish();
  return 0;
}

/** Recomputes ES and B after the control or status word was loaded. */
export function updateErrorSummary(s: StateView): void {
  const fsw = s.u16[Cpu.FSW / 2];
  const pending = (fsw & ~s.u16[Cpu.FCW / 2] & ALL_FLAGS) !== 0;
  s.u16[Cpu.FSW / 2] = pending ? fsw | Fsw.ES | Fsw.B : fsw & ~(Fsw.ES | Fsw.B);
}
