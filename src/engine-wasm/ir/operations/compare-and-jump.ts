// A comparison and the conditional jump behind it as one operation: the most frequent pair there is. The
// record of the comparison gets a fused number; the record of the jump stays behind it and holds target
// and LINK. The flags are set as by the comparison alone; the condition comes from its operands.

import { W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { CONDITIONS } from './condition.ts';
import { scratch, type Width, WIDTHS } from './width.ts';

/** Conditions that follow from the operands without the flag words, by their code; overflow and parity do not. */
const FUSED_CONDITIONS = [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15] as const;

/** A fused operation and its parts. */
export interface CompareAndJump {
  readonly name: string;
  /** Name of the comparison, such as `cmp64i`. */
  readonly compare: string;
  /** Name of the jump, such as `jne`. */
  readonly jump: string;
  readonly width: Width;
  /** `test` instead of `cmp`. */
  readonly isTest: boolean;
  readonly condition: number;
}

/** All fused pairs, in the order of their numbers. */
export const COMPARE_AND_JUMPS: readonly CompareAndJump[] = WIDTHS.filter((width) => width !== 16).flatMap((width) =>
  ['cmp', 'test'].flatMap((kind) =>
    ['', 'i'].flatMap((second) =>
      FUSED_CONDITIONS.map((condition) => {
        const compare = `${kind}${width}${second}`;
        const jump = `j${CONDITIONS[condition]}`;
        return { name: `${compare}.${jump}`, compare, jump, width, isTest: kind === 'test', condition };
      }),
    ),
  ),
);

/** The fused pairs as operations. */
export function compareAndJumpOperations(): Operation[] {
  return COMPARE_AND_JUMPS.map(({ name }) => ({ name, kind: 'control' }));
}

/** Pushes i32 1 when the condition holds, else 0; the comparison has just been emitted and left its operands and result in the scratch locals. */
export function pushFusedCondition(e: OpEmitter, pair: CompareAndJump): void {
  const [x = 0, y = 0, r = 0] = scratch(e, pair.width);
  const wide = pair.width === 64;
  const f = e.f;
  const signed = (local: number): void => {
    f.get(local);
    if (pair.width === 8) f.op(W.i32Extend8S);
  };
  const compare = (narrowCode: number, wideCode: number): void => {
    f.op(wide ? wideCode : narrowCode);
  };
  const zero = (): void => {
    if (wide) f.i64(0);
    else f.i32(0);
  };
  switch (pair.condition >> 1) {
    case 1: // b: a test clears CF
      if (pair.isTest) f.i32(0);
      else {
        f.get(x).get(y);
        compare(W.i32LtU, W.i64LtU);
      }
      break;
    case 2: // e
      f.get(r);
      if (pair.width === 8) f.i32(0xff).op(W.i32And);
      compare(W.i32Eqz, W.i64Eqz);
      break;
    case 3: // be
      f.get(x).get(y);
      if (pair.isTest) {
        f.op(wide ? W.i64And : W.i32And);
        compare(W.i32Eqz, W.i64Eqz);
      } else {
        compare(W.i32LeU, W.i64LeU);
      }
      break;
    case 4: // s
      signed(r);
      zero();
      compare(W.i32LtS, W.i64LtS);
      break;
    case 6: // l
      signed(pair.isTest ? r : x);
      if (pair.isTest) zero();
      else signed(y);
      compare(W.i32LtS, W.i64LtS);
      break;
    default: // le
      signed(pair.isTest ? r : x);
      if (pair.isTest) zero();
      else signed(y);
      compare(W.i32LeS, W.i64LeS);
  }
  if ((pair.condition & 1) !== 0) f.op(W.i32Eqz);
}
