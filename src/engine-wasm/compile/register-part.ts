// Parts of a 64-bit local variable, as loads and stores of a register in the state block would read and write them.
// The compiler's emitter uses it for general registers, temporaries and flags.

import { bug } from '../../base/index.ts';
import type { FunctionBuilder } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';

/** Pushes what a load at bit `shift` of a 64-bit local gives. */
export function readLocal(f: FunctionBuilder, local: number, shift: number, load: number): void {
  f.get(local);
  if (shift !== 0) f.i64(shift).op(W.i64ShrU);
  switch (load) {
    case M.i64Load:
      if (shift !== 0) bug('a load runs over the end of a register');
      break;
    case M.i64Load32U:
      f.i64(0xffffffffn).op(W.i64And);
      break;
    case M.i64Load16U:
      f.i64(0xffff).op(W.i64And);
      break;
    case M.i64Load8U:
      f.i64(0xff).op(W.i64And);
      break;
    case M.i64Load32S:
      f.op(W.i64Extend32S);
      break;
    case M.i64Load16S:
      f.op(W.i64Extend16S);
      break;
    case M.i64Load8S:
      f.op(W.i64Extend8S);
      break;
    case M.i32Load:
      f.op(W.i32WrapI64);
      break;
    case M.i32Load16U:
      f.op(W.i32WrapI64).i32(0xffff).op(W.i32And);
      break;
    case M.i32Load8U:
      f.op(W.i32WrapI64).i32(0xff).op(W.i32And);
      break;
    case M.i32Load16S:
      f.op(W.i32WrapI64).op(W.i32Extend16S);
      break;
    case M.i32Load8S:
      f.op(W.i32WrapI64).op(W.i32Extend8S);
      break;
    case M.f64Load:
      f.op(W.f64ReinterpretI64);
      break;
    case M.f32Load:
      f.op(W.i32WrapI64).op(W.f32ReinterpretI32);
      break;
    default:
      bug(`a register is loaded by ${load}`);
  }
}

/** Takes a value from the stack and stores it at bit `shift` of a 64-bit local. */
export function writeLocal(f: FunctionBuilder, local: number, shift: number, store: number): void {
  if (store === M.i64Store || store === M.f64Store) {
    if (shift !== 0) bug('a store runs over the end of a register');
    if (store === M.f64Store) f.op(W.i64ReinterpretF64);
    f.set(local);
    return;
  }
  if (store === M.f32Store) f.op(W.i32ReinterpretF32);
  if (store === M.i32Store || store === M.i32Store8 || store === M.i32Store16 || store === M.f32Store)
    f.op(W.i64ExtendI32U);
  const bits = bitsOf(store);
  const mask = (1n << BigInt(bits)) - 1n;
  f.i64(mask).op(W.i64And);
  if (shift !== 0) f.i64(shift).op(W.i64Shl);
  f.get(local)
    .i64(~(mask << BigInt(shift)))
    .op(W.i64And)
    .op(W.i64Or)
    .set(local);
}

function bitsOf(store: number): number {
  switch (store) {
    case M.i32Store8:
    case M.i64Store8:
      return 8;
    case M.i32Store16:
    case M.i64Store16:
      return 16;
    case M.i32Store:
    case M.i64Store32:
    case M.f32Store:
      return 32;
    default:
      return bug(`a register is stored by ${store}`);
  }
}
