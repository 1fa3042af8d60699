// Lowerings of SSE floating point arithmetic, comparison and conversion. The frequent forms have an
// operation with a fast path; the others call their exact helper outright.

import type { Row } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { xmmSlot } from '../../ir/slots.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { helper } from '../operand.ts';
import { fromList } from './integer-lowerings.ts';
import { mmxSlot, operandOf, readerOf, registerOf } from './vector-operand.ts';

/** a = a op b, and comparisons to flags. */
const GUARDED =
  'ADDPS ADDPD ADDSS ADDSD SUBPS SUBPD SUBSS SUBSD MULPS MULPD MULSS MULSD DIVPS DIVPD DIVSS DIVSD ' +
  'MINPS MINPD MINSS MINSD MAXPS MAXPD MAXSS MAXSD SQRTPS SQRTPD SQRTSS SQRTSD ' +
  'HADDPS HADDPD HSUBPS HSUBPD ADDSUBPS ADDSUBPD COMISS COMISD UCOMISS UCOMISD ' +
  'CVTSS2SD CVTSD2SS CVTPS2PD CVTPD2PS CVTDQ2PS CVTDQ2PD CVTPS2DQ CVTTPS2DQ CVTPD2DQ CVTTPD2DQ';

/** Exact helpers that get destination, source and the immediate. */
const HELPERS = 'RCPPS RCPSS RSQRTPS RSQRTSS DPPS DPPD ROUNDPS ROUNDPD';

const PREDICATES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];
const ROUNDINGS = ['nearest', 'floor', 'ceil', 'trunc'];

/** Factories by mnemonic. */
export const FLOAT_LOWERINGS: LoweringTable = {
  ...fromList(GUARDED, (name) => (row) => lowerGuarded(row, opcodeOf(name))),
  ...fromList(HELPERS, (name) => (row) => lowerHelper(row, helperIndex(`sse.${name}`))),
  ...fromList('CVTPI2PS CVTPI2PD', (name) => (row) => lowerFromMmx(row, helperIndex(`sse.${name}`))),
  ...fromList('CVTPS2PI CVTTPS2PI CVTPD2PI CVTTPD2PI', (name) => (row) => lowerToMmx(row, helperIndex(`sse.${name}`))),
  ...fromList('CVTSI2SS CVTSI2SD', (name) => (row) => lowerConversion(row, name)),
  ...fromList('CVTSS2SI CVTSD2SI CVTTSS2SI CVTTSD2SI', (name) => (row) => lowerConversion(row, name)),
  CMPSS: (row) => lowerScalarCompare(row, 'cmpss'),
  CMPSD: (row) => lowerScalarCompare(row, 'cmpsd'),
  CMPPS: (row) => lowerPackedCompare(row, 'ps'),
  CMPPD: (row) => lowerPackedCompare(row, 'pd'),
  ROUNDSS: (row) => lowerRound(row, 'ss'),
  ROUNDSD: (row) => lowerRound(row, 'sd'),
};

function lowerGuarded(row: Row, opcode: number): Lowering {
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    b.op(opcode, destination(i), source);
  };
}

/** A helper reads its source from a slot of 16 bytes. */
function lowerHelper(row: Row, index: number): Lowering {
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    helper(b, index, destination(i), source, i.imm & 0xff);
  };
}

/** Conversions from MMX registers; the same from memory leaves the x87 state alone. */
function lowerFromMmx(row: Row, index: number): Lowering {
  const [begin, end] = [opcodeOf('mmxbegin'), opcodeOf('mmxend')];
  const fromMemory = lowerHelper(row, index);
  return (b, i) => {
    if (i.isMemory) return fromMemory(b, i);
    b.op(begin);
    b.op(end);
    helper(b, index, xmmSlot(i.reg), mmxSlot(i.rm), 0);
  };
}

/** Conversions to MMX registers: the x87 registers are taken over even when the conversion then faults. */
function lowerToMmx(row: Row, index: number): Lowering {
  const [begin, end, written] = [opcodeOf('mmxbegin'), opcodeOf('mmxend'), opcodeOf('mmxwritten')];
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    b.op(begin);
    const source = read(b, i);
    b.op(end);
    helper(b, index, mmxSlot(i.reg), source, 0);
    b.op(written, mmxSlot(i.reg));
  };
}

/** The general register's width is part of the operation's name. */
function lowerConversion(row: Row, name: string): Lowering {
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  const [narrow, wide] = [opcodeOf(`${name}_i32`), opcodeOf(`${name}_i64`)];
  return (b, i) => {
    const source = read(b, i);
    b.op(i.rexW ? wide : narrow, destination(i), source);
  };
}

function lowerScalarCompare(row: Row, name: string): Lowering {
  const opcode = opcodeOf(name);
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    b.op(opcode, destination(i), source, i.imm & 7);
  };
}

function lowerPackedCompare(row: Row, suffix: string): Lowering {
  const opcodes = PREDICATES.map((predicate) => opcodeOf(`cmp${predicate}${suffix}`));
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    b.op(opcodes[i.imm & 7], destination(i), source, i.imm & 7);
  };
}

/** Bit 2 of the immediate asks for the rounding mode of MXCSR, which the helper looks up. */
function lowerRound(row: Row, suffix: string): Lowering {
  const opcodes = ROUNDINGS.map((mode) => opcodeOf(`round${mode}${suffix}`));
  const index = helperIndex(`sse.round${suffix}`);
  const destination = registerOf(operandOf(row, 0));
  const read = readerOf(operandOf(row, 1));
  return (b, i) => {
    const source = read(b, i);
    const imm = i.imm & 0xf;
    if ((imm & 4) !== 0) helper(b, index, destination(i), source, imm);
    else b.op(opcodes[imm & 3], destination(i), source, imm);
  };
}
