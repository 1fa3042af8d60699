// Addition, subtraction, logic and their flags. Intel SDM vol. 1, section 7.3; flags: appendix A.
// Fields: a = destination slot, b = first source slot, c = second source slot (or imm in the `i` forms).

import { Cpu, Rflags } from '../../../engine/index.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import {
  constant,
  immediate,
  scratch,
  signExtend,
  topBitToOverflow,
  type Width,
  widthCode,
  WIDTHS,
  writeResult,
} from './width.ts';

type Second = 'slot' | 'immediate';

/** Operations of this family. */
export function arithmeticOperations(): Operation[] {
  const list: Operation[] = [];
  for (const width of WIDTHS) {
    for (const second of ['slot', 'immediate'] as const) {
      const suffix = `${width}${second === 'immediate' ? 'i' : ''}`;
      const add = (name: string, emit: (e: OpEmitter) => void): void => {
        list.push({ name: name + suffix, kind: 'plain', emit });
      };
      add('add', (e) => emitAdd(e, width, second));
      add('adc', (e) => emitAddWithCarry(e, width, second));
      add('sub', (e) => emitSubtract(e, width, second, true));
      add('sbb', (e) => emitSubtractWithBorrow(e, width, second));
      add('cmp', (e) => emitSubtract(e, width, second, false));
      add('and', (e) => emitLogic(e, width, second, widthCode(width).and, true));
      add('or', (e) => emitLogic(e, width, second, widthCode(width).or, true));
      add('xor', (e) => emitLogic(e, width, second, widthCode(width).xor, true));
      add('test', (e) => emitLogic(e, width, second, widthCode(width).and, false));
    }
    list.push({ name: `inc${width}`, kind: 'plain', emit: (e) => emitStep(e, width, 1) });
    list.push({ name: `dec${width}`, kind: 'plain', emit: (e) => emitStep(e, width, -1) });
    list.push({ name: `neg${width}`, kind: 'plain', emit: (e) => emitNegate(e, width) });
    list.push({ name: `not${width}`, kind: 'plain', emit: (e) => emitNot(e, width) });
  }
  return list;
}

/** Leaves the operands in the first two scratch locals. */
function readOperands(e: OpEmitter, width: Width, second: Second): void {
  const [x = 0, y = 0] = scratch(e, width);
  e.read('b', widthCode(width).load);
  e.f.set(x);
  if (second === 'immediate') immediate(e, width);
  else e.read('c', widthCode(width).load);
  e.f.set(y);
}

/** Pushes AF | OF for the operands x and y and the result r in the scratch locals. */
function pushAdjustAndOverflow(e: OpEmitter, width: Width, subtract: boolean): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  const code = widthCode(width);
  const f = e.f;
  f.get(x).get(y).op(code.xor).get(r).op(code.xor);
  if (width === 64) f.op(W.i32WrapI64);
  f.i32(Rflags.AF).op(W.i32And);
  f.get(x)
    .get(subtract ? y : r)
    .op(code.xor);
  f.get(subtract ? x : y)
    .get(r)
    .op(code.xor);
  f.op(code.and);
  topBitToOverflow(e, width);
  f.op(W.i32Or);
}

/** Pushes the flag result for the sum or difference in the third scratch local. */
function pushResult(e: OpEmitter, width: Width): void {
  e.f.get(scratch(e, width)[2] ?? 0);
  signExtend(e, width);
}

/** Pushes the carry out of the sum of two zero-extended operands. */
function pushCarryOfSum(e: OpEmitter, width: Width): void {
  const [x = 0, , r = 0] = scratch(e, width);
  const f = e.f;
  if (width === 8 || width === 16) f.get(r).i32(width).op(W.i32ShrU);
  else f.get(r).get(x).op(widthCode(width).ltU);
}

function emitAdd(e: OpEmitter, width: Width, second: Second): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  readOperands(e, width, second);
  e.f.get(x).get(y).op(widthCode(width).add).set(r);
  e.setFlags(
    () => pushResult(e, width),
    () => {
      pushCarryOfSum(e, width);
      pushAdjustAndOverflow(e, width, false);
      e.f.op(W.i32Or);
    },
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitSubtract(e: OpEmitter, width: Width, second: Second, store: boolean): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  readOperands(e, width, second);
  e.f.get(x).get(y).op(widthCode(width).sub).set(r);
  e.setFlags(
    () => pushResult(e, width),
    () => {
      e.f.get(x).get(y).op(widthCode(width).ltU);
      pushAdjustAndOverflow(e, width, true);
      e.f.op(W.i32Or);
    },
  );
  if (store) writeResult(e, 'a', width, () => e.f.get(r));
}

/** Pushes CF as i32 0 or 1. */
function pushCarry(e: OpEmitter): void {
  e.readState(Cpu.FLAG_AUX, M.i32Load);
  e.f.i32(Rflags.CF).op(W.i32And);
}

function emitAddWithCarry(e: OpEmitter, width: Width, second: Second): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  const carry = e.i32[3];
  const code = widthCode(width);
  const f = e.f;
  readOperands(e, width, second);
  pushCarry(e);
  f.set(carry);
  f.get(x).get(y).op(code.add).get(carry);
  if (width === 64) f.op(W.i64ExtendI32U);
  f.op(code.add).set(r);
  e.setFlags(
    () => pushResult(e, width),
    () => {
      if (width === 8 || width === 16) f.get(r).i32(width).op(W.i32ShrU);
      else {
        // carry out: r < x, or r == x when a carry came in (then y was all ones)
        f.get(r).get(x).op(code.ltU).get(r).get(x).op(code.eq).get(carry).op(W.i32And).op(W.i32Or);
      }
      pushAdjustAndOverflow(e, width, false);
      f.op(W.i32Or);
    },
  );
  writeResult(e, 'a', width, () => f.get(r));
}

function emitSubtractWithBorrow(e: OpEmitter, width: Width, second: Second): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  const carry = e.i32[3];
  const code = widthCode(width);
  const f = e.f;
  readOperands(e, width, second);
  pushCarry(e);
  f.set(carry);
  f.get(x).get(y).op(code.sub).get(carry);
  if (width === 64) f.op(W.i64ExtendI32U);
  f.op(code.sub).set(r);
  e.setFlags(
    () => pushResult(e, width),
    () => {
      f.get(x).get(y).op(code.ltU).get(x).get(y).op(code.eq).get(carry).op(W.i32And).op(W.i32Or);
      pushAdjustAndOverflow(e, width, true);
      f.op(W.i32Or);
    },
  );
  writeResult(e, 'a', width, () => f.get(r));
}

/** AF is undefined after logic; hardware clears it. */
function emitLogic(e: OpEmitter, width: Width, second: Second, operation: number, store: boolean): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  readOperands(e, width, second);
  e.f.get(x).get(y).op(operation).set(r);
  e.setFlags(
    () => pushResult(e, width),
    () => e.f.i32(0),
  );
  if (store) writeResult(e, 'a', width, () => e.f.get(r));
}

/** inc and dec: like add and sub of 1, but CF stays. */
function emitStep(e: OpEmitter, width: Width, step: 1 | -1): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  const carry = e.i32[3];
  const code = widthCode(width);
  e.read('b', code.load);
  e.f.set(x);
  constant(e, width, 1);
  e.f.set(y);
  pushCarry(e);
  e.f.set(carry);
  e.f
    .get(x)
    .get(y)
    .op(step === 1 ? code.add : code.sub)
    .set(r);
  e.setFlags(
    () => pushResult(e, width),
    () => {
      e.f.get(carry);
      pushAdjustAndOverflow(e, width, step === -1);
      e.f.op(W.i32Or);
    },
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitNegate(e: OpEmitter, width: Width): void {
  const [x = 0, y = 0, r = 0] = scratch(e, width);
  const code = widthCode(width);
  constant(e, width, 0);
  e.f.set(x);
  e.read('b', code.load);
  e.f.set(y);
  e.f.get(x).get(y).op(code.sub).set(r);
  e.setFlags(
    () => pushResult(e, width),
    () => {
      e.f.get(x).get(y).op(code.ltU);
      pushAdjustAndOverflow(e, width, true);
      e.f.op(W.i32Or);
    },
  );
  writeResult(e, 'a', width, () => e.f.get(r));
}

function emitNot(e: OpEmitter, width: Width): void {
  writeResult(e, 'a', width, () => {
    e.read('b', widthCode(width).load);
    constant(e, width, -1);
    e.f.op(widthCode(width).xor);
  });
}
