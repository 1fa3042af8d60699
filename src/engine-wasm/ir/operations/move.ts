// Moves, sign and zero extension, byte swaps, and address arithmetic without flags.
// Fields: a = destination slot, b = source slot or imm.

import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { immediate, widthCode, WIDTHS, writeResult } from './width.ts';

/** Operations of this family. */
export function moveOperations(): Operation[] {
  const list: Operation[] = [];
  const add = (name: string, emit: (e: OpEmitter) => void): void => {
    list.push({ name, kind: 'plain', emit });
  };
  for (const width of WIDTHS) {
    add(`mov${width}`, (e) => writeResult(e, 'a', width, () => e.read('b', widthCode(width).load)));
    add(`mov${width}i`, (e) => writeResult(e, 'a', width, () => immediate(e, width)));
  }
  // a = imm | (d:c << 32): the high half of the constant is in c (low 16 bits) and d
  add('movabs64', (e) => {
    e.write('a', M.i64Store, () => {
      e.imm32();
      e.f.op(W.i64ExtendI32U);
      e.number('c');
      e.number('d');
      e.f.i32(16).op(W.i32Shl).op(W.i32Or).op(W.i64ExtendI32U).i64(32).op(W.i64Shl).op(W.i64Or);
    });
  });
  add('mov128', (e) => e.write('a', M.v128Store, () => e.read('b', M.v128Load)));
  const extensions = [
    ['movzx8', M.i64Load8U],
    ['movzx16', M.i64Load16U],
    ['movsx8', M.i64Load8S],
    ['movsx16', M.i64Load16S],
    ['movsx32', M.i64Load32S],
  ] as const;
  for (const [name, load] of extensions) {
    add(`${name}_64`, (e) => e.write('a', M.i64Store, () => e.read('b', load)));
  }
  add('movsx8_32', (e) => writeResult(e, 'a', 32, () => e.read('b', M.i32Load8S)));
  add('movsx16_32', (e) => writeResult(e, 'a', 32, () => e.read('b', M.i32Load16S)));
  add('movsx8_16', (e) => writeResult(e, 'a', 16, () => e.read('b', M.i32Load8S)));
  add('movzx8_16', (e) => writeResult(e, 'a', 16, () => e.read('b', M.i32Load8U)));
  // cwd, cdq, cqo: a is filled with b's sign
  add('sign16', (e) => writeResult(e, 'a', 16, () => shiftedSign(e, M.i32Load16S)));
  add('sign32', (e) => writeResult(e, 'a', 32, () => shiftedSign(e, M.i32Load)));
  add('sign64', (e) => {
    e.write('a', M.i64Store, () => {
      e.read('b', M.i64Load);
      e.f.i64(63).op(W.i64ShrS);
    });
  });
  add('bswap32', (e) => writeResult(e, 'a', 32, () => emitSwap32(e)));
  add('bswap64', (e) => e.write('a', M.i64Store, () => emitSwap64(e)));
  return list;
}

function shiftedSign(e: OpEmitter, load: number): void {
  e.read('b', load);
  e.f.i32(31).op(W.i32ShrS);
}

function emitSwap32(e: OpEmitter): void {
  const [x] = e.i32;
  e.read('b', M.i32Load);
  e.f.tee(x).i32(8).op(W.i32Rotl).i32(0x00ff00ff).op(W.i32And);
  e.f.get(x).i32(8).op(W.i32Rotr).i32(0xff00ff00).op(W.i32And).op(W.i32Or);
}

/** Swaps bytes in pairs, then pairs in words, then the two words. */
function emitSwap64(e: OpEmitter): void {
  const [x] = e.i64;
  const f = e.f;
  e.read('b', M.i64Load);
  f.set(x);
  for (const [shift, mask] of [
    [8n, 0x00ff00ff00ff00ffn],
    [16n, 0x0000ffff0000ffffn],
  ] as const) {
    f.get(x).i64(mask).op(W.i64And).i64(shift).op(W.i64Shl);
    f.get(x).i64(shift).op(W.i64ShrU).i64(mask).op(W.i64And).op(W.i64Or).set(x);
  }
  f.get(x).i64(32).op(W.i64Rotl);
}
