// The 16 conditions, and the operations that depend on one: setcc, cmovcc. Intel SDM vol. 1, appendix B.
// Conditional jumps use `pushCondition` too.

import { Cpu } from '../../../engine/index.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { widthCode, WORD_WIDTHS, writeResult } from './width.ts';

/** Condition suffixes in encoding order. */
export const CONDITIONS = [
  'o',
  'no',
  'b',
  'ae',
  'e',
  'ne',
  'be',
  'a',
  's',
  'ns',
  'p',
  'np',
  'l',
  'ge',
  'le',
  'g',
] as const;

/** Pushes i32 1 when condition `code` (0 to 15, as encoded) holds, else 0. */
export function pushCondition(e: OpEmitter, code: number): void {
  const f = e.f;
  const result = (): void => e.readState(Cpu.FLAG_RESULT, M.i64Load);
  const aux = (): void => e.readState(Cpu.FLAG_AUX, M.i32Load);
  const carry = (): void => {
    aux();
    f.i32(1).op(W.i32And);
  };
  const zero = (): void => {
    result();
    f.op(W.i64Eqz);
  };
  const overflow = (): void => {
    aux();
    f.i32(11).op(W.i32ShrU).i32(1).op(W.i32And);
  };
  const sign = (): void => {
    result();
    f.i64(63).op(W.i64ShrU).op(W.i32WrapI64);
    aux();
    f.i32(7).op(W.i32ShrU).op(W.i32Xor).i32(1).op(W.i32And);
  };
  const parity = (): void => {
    e.readState(Cpu.FLAG_RESULT, M.i32Load);
    aux();
    f.i32(16).op(W.i32ShrU).op(W.i32Xor).i32(0xff).op(W.i32And).op(W.i32Popcnt).i32(1).op(W.i32And).op(W.i32Eqz);
  };
  const less = (): void => {
    sign();
    overflow();
    f.op(W.i32Xor);
  };
  const tests = [
    overflow,
    carry,
    zero,
    (): void => {
      carry();
      zero();
      f.op(W.i32Or);
    },
    sign,
    parity,
    less,
    (): void => {
      less();
      zero();
      f.op(W.i32Or);
    },
  ];
  tests[code >> 1]?.();
  if ((code & 1) !== 0) f.op(W.i32Eqz);
}

/** Operations of this family: `set<cc>` (a) and `cmov<width><cc>` (a = destination, b = source). */
export function conditionOperations(): Operation[] {
  const list: Operation[] = [];
  CONDITIONS.forEach((name, code) => {
    list.push({
      name: `set${name}`,
      kind: 'plain',
      emit: (e) => e.write('a', M.i32Store8, () => pushCondition(e, code)),
    });
    for (const width of WORD_WIDTHS) {
      list.push({
        name: `cmov${width}${name}`,
        kind: 'plain',
        emit: (e) => {
          writeResult(e, 'a', width, () => {
            e.read('b', widthCode(width).load);
            e.read('a', widthCode(width).load);
            pushCondition(e, code);
            e.f.op(W.select);
          });
        },
      });
    }
  });
  return list;
}
