// Lowerings of SSE and MMX instructions that touch flags, general registers or the state as a whole,
// and of the rare ones that runtime helpers carry out.

import { Cpu } from '../../../engine/index.ts';
import type { Row } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { isByteCompare } from '../../ir/operations/simd-string.ts';
import { gprSlot, temp, xmmSlot, xtemp } from '../../ir/slots.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import { Word } from '../../runtime/layout.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { inMmxState } from '../mmx/mmx-state.ts';
import { helper } from '../operand.ts';
import { fromList } from './integer-lowerings.ts';
import { isMmx, loadOf, operandOf, readerOf, registerOf, storeOf } from './vector-operand.ts';

/** Bytes of an FXSAVE image that are read and written; the rest, to 512, only has to be accessible. */
const FX_USED = 416;
const FX_LAST = 511;

/** Factories by mnemonic. */
export const VECTOR_STATE_LOWERINGS: LoweringTable = {
  MOVMSKPS: (row) => lowerMask(row, 'movmskps'),
  MOVMSKPD: (row) => lowerMask(row, 'movmskpd'),
  PMOVMSKB: (row) => lowerMask(row, isMmx(operandOf(row, 1)) ? 'pmovmskb64' : 'pmovmskb'),
  PTEST: lowerTest,
  LDMXCSR: lowerLoadMxcsr,
  STMXCSR: () => {
    const store = storeOf('d');
    return (b, i) => b.mem(store, Cpu.MXCSR, i);
  },
  EMMS: () => {
    const [begin, emms] = [opcodeOf('mmxbegin'), opcodeOf('emms')];
    return (b) => {
      b.op(begin);
      b.op(emms);
    };
  },
  MPSADBW: (row) => lowerHelper(row, 'simd.mpsadbw', 'x'),
  PHMINPOSUW: (row) => lowerHelper(row, 'simd.phminposuw', 'x'),
  ...fromList('PCMPESTRM PCMPESTRI PCMPISTRM PCMPISTRI', (name) => (row) => lowerStringCompare(row, name)),
  FXSAVE: lowerSave,
  FXRSTOR: lowerRestore,
};

function lowerMask(row: Row, name: string): Lowering {
  const opcode = opcodeOf(name);
  const source = registerOf(operandOf(row, 1));
  return inMmxState(row, (b, i) => b.op(opcode, gprSlot(i.reg), source(i)));
}

function lowerTest(row: Row): Lowering {
  const opcode = opcodeOf('ptest');
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    b.op(opcode, xmmSlot(i.reg), source);
  };
}

function lowerLoadMxcsr(): Lowering {
  const load = loadOf('d');
  const opcode = opcodeOf('ldmxcsr');
  return (b, i) => {
    b.mem(load, temp(0), i);
    b.op(opcode, 0, temp(0));
  };
}

function lowerHelper(row: Row, name: string, size: 'x' | 'u'): Lowering {
  const index = helperIndex(name);
  const read = readerOf(operandOf(row, 1), size);
  return (b, i) => {
    const source = read(b, i);
    helper(b, index, xmmSlot(i.reg), source, i.imm & 0xff);
  };
}

/** The string compares accept any alignment; REX.W makes the explicit lengths 64 bits wide. */
function lowerStringCompare(row: Row, name: string): Lowering {
  const index = helperIndex(`simd.${name}`);
  const read = readerOf(operandOf(row, 1), 'u');
  const byteCompare = opcodeOf('pcmpistribytes');
  return (b, i) => {
    const source = read(b, i);
    const imm = i.imm & 0xff;
    if (name === 'pcmpistri' && isByteCompare(imm)) b.op(byteCompare, xmmSlot(i.reg), source, 0, 0, imm);
    else helper(b, index, xmmSlot(i.reg), source, imm | (i.rexW ? 0x100 : 0));
  };
}

/** Probes both ends for writing, so that no store of the image can fault. */
function lowerSave(): Lowering {
  const [probeFirst, probeLast, store] = [opcodeOf('ldw128a'), opcodeOf('ldw8'), opcodeOf('st128')];
  const index = helperIndex('simd.fxsave');
  return (b, i) => {
    b.mem(probeFirst, xtemp(0), i);
    b.mem(probeLast, temp(0), i, FX_LAST);
    helper(b, index, Word.FX_IMAGE, 0, i.rexW ? 1 : 0);
    for (let at = 0; at < FX_USED; at += 16) b.mem(store, Word.FX_IMAGE + at, i, at);
  };
}

/** Loads the image into the engine's buffer; the helper commits it as a whole. */
function lowerRestore(): Lowering {
  const [loadFirst, load, probeLast] = [opcodeOf('ld128a'), opcodeOf('ld128'), opcodeOf('ldz8')];
  const index = helperIndex('simd.fxrstor');
  return (b, i) => {
    b.mem(loadFirst, Word.FX_IMAGE, i);
    b.mem(probeLast, temp(0), i, FX_LAST);
    for (let at = 16; at < FX_USED; at += 16) b.mem(load, Word.FX_IMAGE + at, i, at);
    helper(b, index, Word.FX_IMAGE, 0, i.rexW ? 1 : 0);
  };
}
