// Bit tests, bit scans and population count. Intel SDM vol. 2A, BT, BTC, BTR, BTS, BSF, BSR, POPCNT.
// Fields: a = destination slot, b = source slot, c = slot of the bit index or imm = index, taken modulo
// the width. bt has no destination. bitaddr: a = byte offset of the operand-sized word that the bit index
// at slot b, signed, lies in.

import { Cpu, Rflags } from '../../../engine/index.ts';
import { M, W } from '../../wasm/instructions.ts';
import type { Operation, OpEmitter } from '../operation.ts';
import { constant, immediate, scratch, signExtend, type Width, widthCode, WORD_WIDTHS, writeResult } from './width.ts';

/** Operations of this family. */
export function bitOperations(): Operation[] {
  const list: Operation[] = [];
  const add = (name: string, emit: (e: OpEmitter) => void): void => {
    list.push({ name, kind: 'plain', emit });
  };
  for (const width of WORD_WIDTHS) {
    for (const index of ['slot', 'immediate'] as const) {
      const suffix = `${width}${index === 'immediate' ? 'i' : ''}`;
      for (const change of ['none', 'set', 'reset', 'complement'] as const) {
        const name = { none: 'bt', set: 'bts', reset: 'btr', complement: 'btc' }[change];
        add(name + suffix, (e) => emitBitTest(e, width, index, change));
      }
    }
    add(`bitaddr${width}`, (e) => emitBitAddress(e, width));
    add(`bsf${width}`, (e) => emitScan(e, width, true));
    add(`bsr${width}`, (e) => emitScan(e, width, false));
    add(`popcnt${width}`, (e) => emitPopulationCount(e, width));
  }
  return list;
}

/** CF = the bit; hardware leaves the other flags alone. */
function emitBitTest(
  e: OpEmitter,
  width: Width,
  index: 'slot' | 'immediate',
  change: 'none' | 'set' | 'reset' | 'complement',
): void {
  const [x = 0, n = 0] = scratch(e, width);
  const code = widthCode(width);
  const f = e.f;
  e.read('b', code.load);
  f.set(x);
  if (index === 'immediate') immediate(e, width);
  else e.read('c', code.load);
  constant(e, width, width - 1);
  f.op(code.and).set(n);
  e.writeState(Cpu.FLAG_AUX, M.i32Store, () => {
    e.readState(Cpu.FLAG_AUX, M.i32Load);
    f.i32(~Rflags.CF).op(W.i32And);
    f.get(x).get(n).op(code.shrU);
    if (width === 64) f.op(W.i32WrapI64);
    f.i32(1).op(W.i32And).op(W.i32Or);
  });
  if (change === 'none') return;
  writeResult(e, 'a', width, () => {
    f.get(x);
    constant(e, width, 1);
    f.get(n).op(code.shl);
    if (change === 'set') f.op(code.or);
    if (change === 'complement') f.op(code.xor);
    if (change === 'reset') {
      constant(e, width, -1);
      f.op(code.xor).op(code.and);
    }
  });
}

/** Bit strings in memory reach 2^(width - 1) bits to either side of their address. */
function emitBitAddress(e: OpEmitter, width: Width): void {
  const loads = { 8: M.i64Load8S, 16: M.i64Load16S, 32: M.i64Load32S, 64: M.i64Load };
  e.write('a', M.i64Store, () => {
    e.read('b', loads[width]);
    e.f
      .i64(3)
      .op(W.i64ShrS)
      .i64(-width / 8)
      .op(W.i64And);
  });
}

/** ZF = source is 0, and then the destination stays as it is; the other flags are undefined. */
function emitScan(e: OpEmitter, width: Width, forward: boolean): void {
  const [x = 0] = scratch(e, width);
  const code = widthCode(width);
  const f = e.f;
  e.read('b', code.load);
  f.set(x);
  e.setFlags(
    () => {
      f.get(x);
      signExtend(e, width);
    },
    () => f.i32(0),
  );
  f.get(x).op(code.eqz).op(W.i32Eqz);
  f.if();
  writeResult(e, 'a', width, () => {
    if (forward) {
      f.get(x).op(width === 64 ? W.i64Ctz : W.i32Ctz);
    } else {
      constant(e, width, width === 64 ? 63 : 31);
      f.get(x)
        .op(width === 64 ? W.i64Clz : W.i32Clz)
        .op(code.sub);
    }
  });
  f.end();
}

/** ZF = source is 0; all other flags are cleared, PF too, which a result of 0 would set. */
function emitPopulationCount(e: OpEmitter, width: Width): void {
  const [x = 0] = scratch(e, width);
  const code = widthCode(width);
  const f = e.f;
  e.read('b', code.load);
  f.set(x);
  e.writeState(Cpu.FLAG_RESULT, M.i64Store, () => f.get(x).op(code.eqz).op(W.i32Eqz).op(W.i64ExtendI32U));
  e.writeState(Cpu.FLAG_AUX, M.i32Store, () => f.get(x).op(code.eqz).i32(16).op(W.i32Shl)); // FlagAux.PARITY_DELTA = 1
  writeResult(e, 'a', width, () => f.get(x).op(width === 64 ? W.i64Popcnt : W.i32Popcnt));
}
