// SIMD operations that meet the rest of the machine: flags, masks in general registers, MXCSR, and the
// x87 state that MMX instructions share. Intel SDM vol. 1, sections 9.5 (MMX state) and 10.2.3 (MXCSR).
// Fields: a = destination slot or first operand, b = source slot.

import { Cpu, FlagAux, Rflags } from '../../../engine/index.ts';
import { Vector } from '../../../x86/index.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';

/** Bits that LDMXCSR accepts; any other raises #GP. Intel SDM vol. 1, section 11.6.6. */
const MXCSR_MASK = 0xffff;

/** FSW: an unmasked x87 exception is pending. */
const FSW_ES = 1 << 7;
const FSW_TOP = 7 << 11;
/** Sign and exponent of an x87 register that holds an MMX value. */
const MMX_EXPONENT = 0xffff;

const MASKS: readonly (readonly [name: string, code: number, mask: number])[] = [
  ['movmskps', W.i32x4Bitmask, 0xf],
  ['movmskpd', W.i64x2Bitmask, 0x3],
  ['pmovmskb', W.i8x16Bitmask, 0xffff],
  ['pmovmskb64', W.i8x16Bitmask, 0xff], // MMX: 8 lanes
];

/** Operations of this family. */
export function simdStateOperations(): Operation[] {
  const list: Operation[] = [];
  const add = (name: string, emit: (e: OpEmitter) => void): void => {
    list.push({ name, kind: 'plain', emit });
  };
  for (const [name, code, mask] of MASKS) {
    add(name, (e) => {
      e.write('a', M.i64Store, () => {
        e.read('b', M.v128Load);
        e.f.op(code).i32(mask).op(W.i32And).op(W.i64ExtendI32U);
      });
    });
  }
  add('ptest', emitTest);
  add('ldmxcsr', emitLoadMxcsr);
  add('mmxbegin', emitMmxBegin);
  add('mmxend', (e) => emitMmxTags(e, 0xff));
  add('mmxwritten', (e) => {
    emitMmxTags(e, 0xff);
    e.write('a', M.i64Store, () => e.f.i64(MMX_EXPONENT), 8);
  });
  // emms: all registers empty, TOP = 0
  add('emms', (e) => emitMmxTags(e, 0));
  return list;
}

/**
 * Sets ZF and CF from two i32 locals that are 0 or 1; PF, AF, SF and OF become 0. The stored result is
 * 0 or 1: the one has odd parity as wanted, the other needs the parity correction (see `flags.ts`).
 */
export function writeZeroAndCarry(e: OpEmitter, zero: number, carry: number): void {
  const f = e.f;
  e.writeState(Cpu.FLAG_RESULT, M.i64Store, () => f.get(zero).op(W.i32Eqz).op(W.i64ExtendI32U));
  e.writeState(Cpu.FLAG_AUX, M.i32Store, () => {
    f.get(zero).i32(FlagAux.PARITY_DELTA_SHIFT).op(W.i32Shl);
    f.get(carry).op(W.i32Or); // CF is bit 0
  });
}

/** ZF: no bit of a and b; CF: no bit of b outside a. */
function emitTest(e: OpEmitter): void {
  const [x, y] = e.v128;
  const [zero, carry] = e.i32;
  const f = e.f;
  e.read('a', M.v128Load);
  f.set(x);
  e.read('b', M.v128Load);
  f.set(y);
  f.get(x).get(y).op(W.v128And).op(W.v128AnyTrue).op(W.i32Eqz).set(zero);
  f.get(y).get(x).op(W.v128Andnot).op(W.v128AnyTrue).op(W.i32Eqz).i32(Rflags.CF).op(W.i32And).set(carry);
  writeZeroAndCarry(e, zero, carry);
}

function emitLoadMxcsr(e: OpEmitter): void {
  const [value] = e.i32;
  const f = e.f;
  e.read('b', M.i32Load);
  f.tee(value).i32(~MXCSR_MASK).op(W.i32And);
  f.if();
  e.raise(Vector.GP);
  f.end();
  e.writeState(Cpu.MXCSR, M.i32Store, () => f.get(value));
}

/** #MF when an x87 exception is pending: comes before any access of the instruction. */
function emitMmxBegin(e: OpEmitter): void {
  e.readState(Cpu.FSW, M.i32Load16U);
  e.f.i32(FSW_ES).op(W.i32And);
  e.f.if();
  e.raise(Vector.MF);
  e.f.end();
}

/** Sets all tags, and TOP to 0: comes after the last access of the instruction. */
function emitMmxTags(e: OpEmitter, tags: number): void {
  e.writeState(Cpu.FTW, M.i32Store8, () => e.f.i32(tags));
  e.writeState(Cpu.FSW, M.i32Store16, () => {
    e.readState(Cpu.FSW, M.i32Load16U);
    e.f.i32(~FSW_TOP).op(W.i32And);
  });
}
