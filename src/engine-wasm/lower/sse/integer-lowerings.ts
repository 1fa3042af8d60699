// Lowerings of SSE and MMX integer arithmetic, logic and lane moves that are one operation on two
// registers, and of shifts. An MMX instruction runs the same operation on the 16-byte slots of its
// registers, where only the lower half matters; those that mix lanes first join two lower halves.

import type { Row } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { xtemp } from '../../ir/slots.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { inMmxState } from '../mmx/mmx-state.ts';
import { isMmx, operandOf, readerOf, registerOf } from './vector-operand.ts';

/** Mnemonics that are lower-case operations of the same name, lane by lane. */
const LANE_WISE =
  'PADDB PADDW PADDD PADDQ PADDSB PADDSW PADDUSB PADDUSW PSUBB PSUBW PSUBD PSUBQ PSUBSB PSUBSW PSUBUSB PSUBUSW ' +
  'PMINUB PMINUW PMINUD PMINSB PMINSW PMINSD PMAXUB PMAXUW PMAXUD PMAXSB PMAXSW PMAXSD PAVGB PAVGW ' +
  'PCMPEQB PCMPEQW PCMPEQD PCMPEQQ PCMPGTB PCMPGTW PCMPGTD PCMPGTQ PAND PANDN POR PXOR ' +
  'PMULLW PMULLD PMULHW PMULHUW PMULHRSW PMULUDQ PMULDQ PMADDWD PMADDUBSW PSADBW PSIGNB PSIGNW PSIGND ' +
  'PUNPCKLBW PUNPCKLWD PUNPCKLDQ PUNPCKLQDQ PUNPCKHQDQ';

/** The same, but results come from both halves: in MMX form from both operands' only half. */
const HALF_WISE = 'PACKSSWB PACKUSWB PACKSSDW PACKUSDW PHADDW PHADDD PHADDSW PHSUBW PHSUBD PHSUBSW';

/** Floating point mnemonics whose operation is an integer one. */
const ALIASES: Readonly<Record<string, string>> = {
  ANDPS: 'pand',
  ANDPD: 'pand',
  ANDNPS: 'pandn',
  ANDNPD: 'pandn',
  ORPS: 'por',
  ORPD: 'por',
  XORPS: 'pxor',
  XORPD: 'pxor',
  UNPCKLPS: 'punpckldq',
  UNPCKHPS: 'punpckhdq',
  UNPCKLPD: 'punpcklqdq',
  UNPCKHPD: 'punpckhqdq',
};

const SHIFTS: Readonly<Record<string, number>> = {
  PSLLW: 16,
  PSLLD: 32,
  PSLLQ: 64,
  PSRLW: 16,
  PSRLD: 32,
  PSRLQ: 64,
  PSRAW: 16,
  PSRAD: 32,
};

/** Factories by mnemonic. */
export const VECTOR_INTEGER_LOWERINGS: LoweringTable = {
  ...fromList(LANE_WISE, (name) => (row) => lowerBinary(row, opcodeOf(name))),
  ...fromList(HALF_WISE, (name) => (row) => lowerHalfWise(row, opcodeOf(name))),
  ...Object.fromEntries(
    Object.entries(ALIASES).map(([name, alias]) => [name, (row: Row) => lowerBinary(row, opcodeOf(alias))]),
  ),
  ...fromList('PUNPCKHBW PUNPCKHWD PUNPCKHDQ', (name) => (row) => lowerUnpackHigh(row, name)),
  ...fromList('PABSB PABSW PABSD', (name) => (row) => lowerUnary(row, opcodeOf(name))),
  ...fromList(
    'PMOVSXBW PMOVSXBD PMOVSXBQ PMOVSXWD PMOVSXWQ PMOVSXDQ PMOVZXBW PMOVZXBD PMOVZXBQ PMOVZXWD PMOVZXWQ PMOVZXDQ',
    (name) => (row) => lowerUnary(row, opcodeOf(name)),
  ),
  ...fromList(Object.keys(SHIFTS).join(' '), (name) => (row) => lowerShift(row, name)),
  PSRLDQ: (row) => lowerByteShift(row, opcodeOf('psrldq')),
  PSLLDQ: (row) => lowerByteShift(row, opcodeOf('pslldq')),
  PSHUFB: lowerShuffleBytes,
};

/** A table from space-separated mnemonics. @param make - gets the lower-case name */
export function fromList(mnemonics: string, make: (name: string) => LoweringTable[string]): LoweringTable {
  return Object.fromEntries(mnemonics.split(' ').map((name) => [name, make(name.toLowerCase())]));
}

function lowerBinary(row: Row, opcode: number): Lowering {
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return inMmxState(row, (b, i) => {
    const source = read(b, i);
    const slot = destination(i);
    b.op(opcode, slot, slot, source);
  });
}

function lowerUnary(row: Row, opcode: number): Lowering {
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return inMmxState(row, (b, i) => b.op(opcode, destination(i), read(b, i)));
}

function lowerHalfWise(row: Row, opcode: number): Lowering {
  if (!isMmx(operandOf(row, 0))) return lowerBinary(row, opcode);
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  const join = opcodeOf('joinlow');
  return inMmxState(row, (b, i) => {
    const source = read(b, i);
    const slot = destination(i);
    b.op(join, xtemp(1), slot, source);
    b.op(opcode, slot, xtemp(1), xtemp(1));
  });
}

/** The upper halves of MMX registers interleaved are the upper half of the whole registers' interleaving. */
function lowerUnpackHigh(row: Row, name: string): Lowering {
  if (!isMmx(operandOf(row, 0))) return lowerBinary(row, opcodeOf(name));
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  const low = opcodeOf(name.replace('punpckh', 'punpckl'));
  const move = opcodeOf('mov64');
  return inMmxState(row, (b, i) => {
    const source = read(b, i);
    const slot = destination(i);
    b.op(low, xtemp(1), slot, source);
    b.op(move, slot, xtemp(1) + 8);
  });
}

function lowerShuffleBytes(row: Row): Lowering {
  return lowerBinary(row, opcodeOf(isMmx(operandOf(row, 0)) ? 'pshufb64' : 'pshufb'));
}

/** Immediate counts of the lane width or more are settled here, so that the operation need not check. */
function lowerShift(row: Row, name: string): Lowering {
  const second = operandOf(row, 1);
  if (second.kind !== 'I') return lowerBinary(row, opcodeOf(name));
  const destination = registerOf(operandOf(row, 0));
  const bits = SHIFTS[row.mnemonic] ?? 0;
  const opcode = opcodeOf(`${name}i`);
  const zero = opcodeOf('vzero');
  const arithmetic = name.startsWith('psra');
  return inMmxState(row, (b, i) => {
    const slot = destination(i);
    const count = i.imm & 0xff;
    if (count < bits) b.op(opcode, slot, slot, 0, 0, count);
    else if (arithmetic) b.op(opcode, slot, slot, 0, 0, bits - 1);
    else b.op(zero, slot);
  });
}

function lowerByteShift(row: Row, opcode: number): Lowering {
  const destination = registerOf(operandOf(row, 0));
  return (b, i) => {
    const slot = destination(i);
    b.op(opcode, slot, slot, 0, 0, Math.min(i.imm & 0xff, 16));
  };
}
