// Lowerings of SSE and MMX moves: whole registers, parts of them, to and from general registers.

import type { Instruction } from '../../decode/instruction.ts';
import type { Operand, Row } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { temp, xmmSlot, xtemp } from '../../ir/slots.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { inMmxState, readingMmx } from '../mmx/mmx-state.ts';
import { isMmx, loadOf, mmxSlot, operandOf, readerOf, registerOf, storeOf } from './vector-operand.ts';

const MOV32 = opcodeOf('mov32');
const MOV64 = opcodeOf('mov64');
const MOV128 = opcodeOf('mov128');
const MOVQ = opcodeOf('movq');
const MOVD = opcodeOf('movd');
const LANE32 = opcodeOf('lane32');
const LD64 = loadOf('q');
const ST64 = storeOf('q');
const UPPER = 8;

/** Factories by mnemonic. */
export const VECTOR_MOVE_LOWERINGS: LoweringTable = {
  MOVAPS: (row) => lowerWhole(row, 'x'),
  MOVAPD: (row) => lowerWhole(row, 'x'),
  MOVDQA: (row) => lowerWhole(row, 'x'),
  MOVUPS: (row) => lowerWhole(row, 'u'),
  MOVUPD: (row) => lowerWhole(row, 'u'),
  MOVDQU: (row) => lowerWhole(row, 'u'),
  LDDQU: (row) => lowerWhole(row, 'u'),
  MOVNTPS: (row) => lowerWhole(row, 'x'),
  MOVNTPD: (row) => lowerWhole(row, 'x'),
  MOVNTDQ: (row) => lowerWhole(row, 'x'),
  MOVNTDQA: (row) => lowerWhole(row, 'x'),
  MOVSS: (row) => lowerScalar(row, LANE32),
  MOVSD: (row) => lowerScalar(row, MOV64),
  MOVLPS: (row) => lowerHalf(row, 0),
  MOVLPD: (row) => lowerHalf(row, 0),
  MOVHPS: (row) => lowerHalf(row, UPPER),
  MOVHPD: (row) => lowerHalf(row, UPPER),
  MOVHLPS: () => (b, i) => b.op(MOV64, xmmSlot(i.reg), xmmSlot(i.rm) + UPPER),
  MOVLHPS: () => (b, i) => b.op(MOV64, xmmSlot(i.reg) + UPPER, xmmSlot(i.rm)),
  MOVD: (row) => lowerMoveSmall(row),
  MOVQ: (row) => lowerMoveSmall(row),
  MOVNTQ: (row) => lowerMoveSmall(row),
  MOVDQ2Q: (row) => inMmxState(row, (b, i) => b.op(MOV64, mmxSlot(i.reg), xmmSlot(i.rm))),
  MOVQ2DQ: (row) => inMmxState(row, (b, i) => b.op(MOVQ, xmmSlot(i.reg), mmxSlot(i.rm))),
  MASKMOVDQU: (row) => lowerMasked(row, true),
  MASKMOVQ: (row) => lowerMasked(row, false),
};

/** True when an operand is the ModRM r/m operand. */
function isRm(operand: Operand): boolean {
  return ['W', 'Q', 'E', 'M', 'U', 'N'].includes(operand.kind);
}

function lowerWhole(row: Row, size: 'x' | 'u'): Lowering {
  const destination = registerOf(operandOf(row, 0));
  const source = registerOf(operandOf(row, 1));
  const stores = isRm(operandOf(row, 0));
  const load = loadOf(size);
  const store = storeOf(size);
  return (b, i) => {
    if (!i.isMemory) b.op(MOV128, destination(i), source(i));
    else if (stores) b.mem(store, source(i), i);
    else b.mem(load, destination(i), i);
  };
}

/** Between registers one lane moves; a load clears the lanes above. */
function lowerScalar(row: Row, move: number): Lowering {
  const destination = registerOf(operandOf(row, 0));
  const source = registerOf(operandOf(row, 1));
  const stores = isRm(operandOf(row, 0));
  const { size } = operandOf(row, 0);
  const load = opcodeOf(`ld${size}128`);
  const store = storeOf(size);
  return (b, i) => {
    if (!i.isMemory) b.op(move, destination(i), source(i));
    else if (stores) b.mem(store, source(i), i);
    else b.mem(load, destination(i), i);
  };
}

function lowerHalf(row: Row, offset: number): Lowering {
  const stores = isRm(operandOf(row, 0));
  return (b, i) => b.mem(stores ? ST64 : LD64, xmmSlot(i.reg) + offset, i);
}

/** movd and movq between registers of all kinds and memory: the destination's upper part is cleared. */
function lowerMoveSmall(row: Row): Lowering {
  const [to, from] = [operandOf(row, 0), operandOf(row, 1)];
  const destination = registerOf(to);
  const source = registerOf(from);
  const wide = to.size === 'q';
  const stores = isRm(to);
  const toXmm = to.kind === 'V' || to.kind === 'W';
  const load = toXmm ? opcodeOf(`ld${to.size}128`) : loadOf(to.size);
  const store = storeOf(to.size);
  const move = toXmm ? (wide ? MOVQ : MOVD) : wide ? MOV64 : MOV32;
  return inMmxState(row, (b, i) => {
    if (!i.isMemory) b.op(move, destination(i), source(i));
    else if (stores) b.mem(store, source(i), i);
    else b.mem(load, destination(i), i);
  });
}

/** Stores the bytes of the first operand whose mask byte in the second has its top bit set, to (rdi). */
function lowerMasked(row: Row, whole: boolean): Lowering {
  const first = registerOf(operandOf(row, 0));
  const second = registerOf(operandOf(row, 1));
  const blend = opcodeOf('pblendvb');
  const load = opcodeOf(whole ? 'ldw128' : 'ldw64');
  const store = opcodeOf(whole ? 'stw128' : 'stw64');
  return readingMmx(row, (b, i) => {
    const target = atDestinationIndex(i);
    b.mem(load, xtemp(0), target);
    b.op(blend, xtemp(0), xtemp(0), first(i), second(i));
    b.mem(store, xtemp(0), target);
  });
}

/** The instruction with (rdi) as its memory operand. */
function atDestinationIndex(i: Instruction): Instruction {
  return { ...i, isMemory: true, base: 7, index: -1, scale: 0, displacement: 0, ripRelative: false };
}

const STORE_BYTES: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8 };

/** Lowerings that move a lane whose number is the immediate. */
export const LANE_LOWERINGS: LoweringTable = {
  PEXTRB: lowerExtract,
  PEXTRW: lowerExtract,
  PEXTRD: lowerExtract,
  PEXTRQ: lowerExtract,
  EXTRACTPS: lowerExtract,
  PINSRB: lowerInsert,
  PINSRW: lowerInsert,
  PINSRD: lowerInsert,
  PINSRQ: lowerInsert,
  INSERTPS: lowerInsertSingle,
};

/** Byte offset of the lane that an immediate names. */
function laneOffset(imm: number, bytes: number, total: number): number {
  return (imm & (total / bytes - 1)) * bytes;
}

function lowerExtract(row: Row): Lowering {
  const [to, from] = [operandOf(row, 0), operandOf(row, 1)];
  const bytes = row.mnemonic === 'PEXTRW' ? 2 : (STORE_BYTES[to.size] ?? 0);
  const total = isMmx(from) ? 8 : 16;
  const destination = registerOf(to);
  const source = registerOf(from);
  const moves: Readonly<Record<number, number>> = {
    1: opcodeOf('movzx8_64'),
    2: opcodeOf('movzx16_64'),
    4: MOV32,
    8: MOV64,
  };
  const move = moves[bytes] ?? 0;
  const store = storeOf({ 1: 'b', 2: 'w', 4: 'd', 8: 'q' }[bytes] ?? '');
  return inMmxState(row, (b, i) => {
    const lane = source(i) + laneOffset(i.imm, bytes, total);
    if (i.isMemory) b.mem(store, lane, i);
    else b.op(move, destination(i), lane);
  });
}

function lowerInsert(row: Row): Lowering {
  const [to, from] = [operandOf(row, 0), operandOf(row, 1)];
  const bytes = STORE_BYTES[from.size] ?? 0;
  const total = isMmx(to) ? 8 : 16;
  const destination = registerOf(to);
  const read = readerOf(from, from.size, temp(0));
  const moves: Readonly<Record<number, number>> = { 1: opcodeOf('mov8'), 2: opcodeOf('mov16'), 4: LANE32, 8: MOV64 };
  const move = moves[bytes] ?? 0;
  return inMmxState(row, (b, i) => {
    const source = read(b, i);
    b.op(move, destination(i) + laneOffset(i.imm, bytes, total), source);
  });
}

/** imm: source lane (registers only), destination lane, mask of lanes to clear. */
function lowerInsertSingle(row: Row): Lowering {
  const read = readerOf(operandOf(row, 1));
  const clear = opcodeOf('zerolane32');
  return (b, i) => {
    const source = read(b, i) + (i.isMemory ? 0 : ((i.imm >> 6) & 3) * 4);
    const destination = xmmSlot(i.reg);
    b.op(LANE32, destination + ((i.imm >> 4) & 3) * 4, source);
    for (let lane = 0; lane < 4; lane++) if ((i.imm & (1 << lane)) !== 0) b.op(clear, destination + lane * 4);
  };
}
