// Lowerings of shuffles and blends. Their operations take lane numbers as byte offsets in the four bytes
// of imm (see `ir/operations/simd-shuffle.ts`); x86 packs them into two bits each.

import type { Instruction } from '../../decode/instruction.ts';
import type { Row } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { xmmSlot, xtemp } from '../../ir/slots.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { inMmxState } from '../mmx/mmx-state.ts';
import { isMmx, operandOf, readerOf, registerOf } from './vector-operand.ts';

/** Factories by mnemonic. */
export const SHUFFLE_LOWERINGS: LoweringTable = {
  PSHUFD: (row) => lowerPermute(row, 'pshufd', (i) => offsets(i.imm, 4, 0)),
  PSHUFLW: (row) => lowerPermute(row, 'pshuflw', (i) => offsets(i.imm, 2, 0)),
  PSHUFHW: (row) => lowerPermute(row, 'pshufhw', (i) => offsets(i.imm, 2, 8)),
  PSHUFW: (row) => lowerPermute(row, 'pshuflw', (i) => offsets(i.imm, 2, 0)),
  MOVDDUP: (row) => lowerPermute(row, 'pshufd', () => offsets(0b01_00_01_00, 4, 0)),
  MOVSLDUP: (row) => lowerPermute(row, 'pshufd', () => offsets(0b10_10_00_00, 4, 0)),
  MOVSHDUP: (row) => lowerPermute(row, 'pshufd', () => offsets(0b11_11_01_01, 4, 0)),
  SHUFPS: (row) => lowerBinaryWithImmediate(row, 'shufps', (i) => offsets(i.imm, 4, 0)),
  SHUFPD: (row) => lowerBinaryWithImmediate(row, 'shufps', (i) => offsets(pairsOfSingles(i.imm), 4, 0)),
  PBLENDW: (row) => lowerBinaryWithImmediate(row, 'pblendw', (i) => i.imm & 0xff),
  BLENDPS: (row) => lowerBinaryWithImmediate(row, 'pblendw', (i) => wordMask(i.imm, 4)),
  BLENDPD: (row) => lowerBinaryWithImmediate(row, 'pblendw', (i) => wordMask(i.imm, 2)),
  PBLENDVB: (row) => lowerVariableBlend(row, 'pblendvb'),
  BLENDVPS: (row) => lowerVariableBlend(row, 'blendvps'),
  BLENDVPD: (row) => lowerVariableBlend(row, 'blendvpd'),
  PALIGNR: lowerAlign,
};

/** Four two-bit lane numbers as byte offsets, one a byte. */
function offsets(imm: number, laneBytes: number, base: number): number {
  let packed = 0;
  for (let lane = 0; lane < 4; lane++) packed |= (((imm >> (lane * 2)) & 3) * laneBytes + base) << (lane * 8);
  return packed;
}

/** The single-precision lane numbers of shufpd's two one-bit fields. */
function pairsOfSingles(imm: number): number {
  const low = (imm & 1) * 2;
  const high = ((imm >> 1) & 1) * 2;
  return low | ((low + 1) << 2) | (high << 4) | ((high + 1) << 6);
}

/** A mask by lane as a mask by word. */
function wordMask(imm: number, lanes: 2 | 4): number {
  const words = 8 / lanes;
  let mask = 0;
  for (let lane = 0; lane < lanes; lane++) if ((imm & (1 << lane)) !== 0) mask |= ((1 << words) - 1) << (lane * words);
  return mask;
}

function lowerPermute(row: Row, name: string, imm: (i: Instruction) => number): Lowering {
  const opcode = opcodeOf(name);
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return inMmxState(row, (b, i) => {
    const source = read(b, i);
    b.op(opcode, destination(i), source, 0, 0, imm(i));
  });
}

function lowerBinaryWithImmediate(row: Row, name: string, imm: (i: Instruction) => number): Lowering {
  const opcode = opcodeOf(name);
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    const slot = destination(i);
    b.op(opcode, slot, slot, source, 0, imm(i));
  };
}

/** The mask is xmm0. */
function lowerVariableBlend(row: Row, name: string): Lowering {
  const opcode = opcodeOf(name);
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    const slot = xmmSlot(i.reg);
    b.op(opcode, slot, slot, source, xmmSlot(0));
  };
}

/** In MMX form the operand pair is one register, shifted right by bytes. */
function lowerAlign(row: Row): Lowering {
  if (!isMmx(operandOf(row, 0))) return lowerBinaryWithImmediate(row, 'palignr', (i) => Math.min(i.imm & 0xff, 32));
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  const join = opcodeOf('joinlow');
  const shift = opcodeOf('psrldq');
  return inMmxState(row, (b, i) => {
    const source = read(b, i);
    const slot = destination(i);
    b.op(join, xtemp(1), source, slot);
    b.op(shift, slot, xtemp(1), 0, 0, Math.min(i.imm & 0xff, 16));
  });
}
