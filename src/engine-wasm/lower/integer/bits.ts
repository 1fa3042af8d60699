// Lowering of bit tests, bit scans, population count and CRC32. A bit index in a register reaches beyond
// an operand in memory: the word that holds the bit is accessed.

import type { Instruction } from '../../decode/instruction.ts';
import type { Row } from '../../decode/row.ts';
import type { IrBuilder } from '../../ir/builder.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { temp } from '../../ir/slots.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import { Cpu } from '../../../engine/index.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { family, helper, load, loadForWrite, readRm, regSlot, rmSlot, storeBack, wordFamily } from '../operand.ts';

const LEA32 = opcodeOf('lea32');
const LEA64 = opcodeOf('lea64');
const CRC32 = helperIndex('crc32');
const BIT_ADDRESS = wordFamily('bitaddr');
const LOAD = family('ld');
const LOAD_FOR_WRITE = family('ldw');
const STORE_BACK = family('stw');
const VALUE = temp(0);
const OFFSET = temp(1);
const ADDRESS = temp(2);

/** Factories by mnemonic. */
export const BIT_LOWERINGS: LoweringTable = {
  BT: (row) => bitTest(row, 'bt', false),
  BTS: (row) => bitTest(row, 'bts', true),
  BTR: (row) => bitTest(row, 'btr', true),
  BTC: (row) => bitTest(row, 'btc', true),
  BSF: () => fromRm('bsf'),
  BSR: () => fromRm('bsr'),
  POPCNT: () => fromRm('popcnt'),
  CRC32: crc32,
};

function bitTest(row: Row, name: string, changes: boolean): Lowering {
  if (row.operands[1]?.kind === 'I') return bitTestImmediate(name, changes);
  const opcodes = wordFamily(name);
  return (b, i) => {
    const width = i.operandSize;
    const index = regSlot(i, width);
    if (!i.isMemory) {
      const slot = rmSlot(i, width);
      b.op(opcodes[width >> 4], slot, slot, index);
      return;
    }
    pushWordAddress(b, i, index);
    b.op((changes ? LOAD_FOR_WRITE : LOAD)[width >> 4], VALUE, ADDRESS);
    b.op(opcodes[width >> 4], VALUE, VALUE, index);
    if (changes) b.op(STORE_BACK[width >> 4], VALUE, ADDRESS);
  };
}

/** Leaves the address of the word that holds the bit in `ADDRESS`. */
function pushWordAddress(b: IrBuilder, i: Instruction, index: number): void {
  b.op(BIT_ADDRESS[i.operandSize >> 4], OFFSET, index);
  b.effectiveAddress(LEA64, ADDRESS, i);
  b.op((i.addressSize === 32 ? LEA32 : LEA64) + 1, ADDRESS, ADDRESS, OFFSET);
  if (i.segment !== 0) b.op(LEA64 + 1, ADDRESS, i.segment === 4 ? Cpu.FS_BASE : Cpu.GS_BASE, ADDRESS);
}

function bitTestImmediate(name: string, changes: boolean): Lowering {
  const opcodes = wordFamily(name, 'i');
  return (b, i) => {
    const width = i.operandSize;
    let slot = VALUE;
    if (!i.isMemory) slot = rmSlot(i, width);
    else if (changes) loadForWrite(b, i, width, VALUE);
    else load(b, i, width, VALUE);
    b.op(opcodes[width >> 4], slot, slot, 0, 0, i.imm & (width - 1));
    if (i.isMemory && changes) storeBack(b, i, width, VALUE);
  };
}

function fromRm(name: string): Lowering {
  const opcodes = wordFamily(name);
  return (b, i) => {
    const width = i.operandSize;
    const source = readRm(b, i, width, VALUE);
    b.op(opcodes[width >> 4], regSlot(i, width), source);
  };
}

function crc32(row: Row): Lowering {
  const isByte = row.operands[1]?.size === 'b';
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    helper(b, CRC32, regSlot(i, 64), readRm(b, i, width, VALUE), width >> 3);
  };
}
