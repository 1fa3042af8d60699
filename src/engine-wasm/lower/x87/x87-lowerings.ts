// Lowerings of the x87 instructions by mnemonic; see `../lowering.ts`. Every instruction is one call of
// its exact helper, with the memory operand loaded before or stored after. What a helper gets stands in
// `runtime/x87/fpu.ts`.

import { bug } from '../../../base/index.ts';
import { Cpu, Gpr } from '../../../engine/index.ts';
import type { Instruction } from '../../decode/instruction.ts';
import { X87_ROWS } from '../../decode/table-x87.ts';
import { parseRow, type Row } from '../../decode/row.ts';
import type { IrBuilder } from '../../ir/builder.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { gprSlot, temp, xtemp } from '../../ir/slots.ts';
import { FLOAT_HELPERS } from '../../runtime/float-helpers.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import type { Lowering, LoweringFactory, LoweringTable } from '../lowering.ts';
import { IMAGE_LOWERINGS } from './image-lowerings.ts';

const HELPER = opcodeOf('helper');
const LEA64 = opcodeOf('lea64');
const ADDRESS = temp(0);
const VALUE = xtemp(0);
const UPPER = 8;

/** Names of an operand in helper names. */
const OPERAND_SUFFIX: Readonly<Record<string, string>> = {
  Mw: '_m16',
  Md: '_m32',
  Mq: '_m64',
  Mt: '_m80',
  STi: '_sti',
  'ST0,STi': '_st0_sti',
  'STi,ST0': '_sti_st0',
};

/** Mnemonics that write their memory operand. */
const STORES = new Set(['FST', 'FSTP', 'FIST', 'FISTP', 'FISTTP', 'FBSTP']);

/** Factories by mnemonic. */
export const X87_LOWERINGS: LoweringTable = {
  ...Object.fromEntries(mnemonics().map((mnemonic) => [mnemonic, lowerHelper satisfies LoweringFactory])),
  ...IMAGE_LOWERINGS,
  FNSTCW: () => lowerStoreWord(Cpu.FCW),
  FNSTSW: (row) => (row.hasModrm && row.mod === 1 ? lowerStoreWord(Cpu.FSW) : lowerStatusToAx()),
  // 8087 and 80287 leftovers that do nothing
  FENI: () => () => undefined,
  FDISI: () => () => undefined,
  FSETPM: () => () => undefined,
};

function mnemonics(): string[] {
  return [...new Set(X87_ROWS.flatMap((line) => parseRow(line).map((row) => row.mnemonic)))];
}

/** Number of the helper of a row: its name may or may not carry the operand form. */
function helperOf(row: Row): number {
  const name = `x87.${row.mnemonic.toLowerCase()}`;
  const full = name + (OPERAND_SUFFIX[row.operands.map((operand) => operand.text).join()] ?? '');
  return helperIndex(Object.hasOwn(FLOAT_HELPERS, full) ? full : name);
}

function lowerHelper(row: Row): Lowering {
  const index = helperOf(row);
  const [operand] = row.operands;
  if (operand?.kind !== 'M') return (b, i) => call(b, i, index, VALUE, 0);
  const { size } = operand;
  return STORES.has(row.mnemonic) ? lowerStoring(index, size) : lowerLoading(index, size);
}

/** FOP and the instruction's offset go to the 32 bits at the record's c. */
function call(b: IrBuilder, i: Instruction, index: number, a: number, address: number): void {
  const fop = ((i.opcode & 7) << 8) | i.modrm;
  b.op(HELPER, a, address, fop, i.offset & 0xfff, index);
}

function lowerLoading(index: number, size: string): Lowering {
  const loads: Readonly<Record<string, number>> = { w: opcodeOf('ldz16'), d: opcodeOf('ld32'), q: opcodeOf('ld64') };
  const load = loads[size === 't' ? 'q' : size] ?? bug(`no x87 load of size ${size}`);
  const loadUpper = opcodeOf('ldz16');
  return (b, i) => {
    b.mem(load, VALUE, i);
    if (size === 't') b.mem(loadUpper, VALUE + UPPER, i, UPPER);
    b.effectiveAddress(LEA64, ADDRESS, i);
    call(b, i, index, VALUE, ADDRESS);
  };
}

/** The old contents are loaded first: a helper that must not store leaves them, and they are written back. */
function lowerStoring(index: number, size: string): Lowering {
  if (size === 't') return lowerStoringTenBytes(index);
  const widths: Readonly<Record<string, number>> = { w: 16, d: 32, q: 64 };
  const width = widths[size] ?? bug(`no x87 store of size ${size}`);
  const [load, store] = [opcodeOf(`ldw${width}`), opcodeOf(`stw${width}`)];
  return (b, i) => {
    b.effectiveAddress(LEA64, ADDRESS, i);
    b.mem(load, VALUE, i);
    call(b, i, index, VALUE, ADDRESS);
    b.mem(store, VALUE, i);
  };
}

/** Two stores: both places are known to be writable before the helper changes the state. */
function lowerStoringTenBytes(index: number): Lowering {
  const [load, loadUpper] = [opcodeOf('ldw64'), opcodeOf('ldw16')];
  const [store, storeUpper] = [opcodeOf('st64'), opcodeOf('st16')];
  return (b, i) => {
    b.effectiveAddress(LEA64, ADDRESS, i);
    b.mem(load, VALUE, i);
    b.mem(loadUpper, VALUE + UPPER, i, UPPER);
    call(b, i, index, VALUE, ADDRESS);
    b.mem(store, VALUE, i);
    b.mem(storeUpper, VALUE + UPPER, i, UPPER);
  };
}

function lowerStoreWord(slot: number): Lowering {
  const store = opcodeOf('st16');
  return (b, i) => b.mem(store, slot, i);
}

function lowerStatusToAx(): Lowering {
  const move = opcodeOf('mov16');
  return (b) => b.op(move, gprSlot(Gpr.RAX), Cpu.FSW);
}
