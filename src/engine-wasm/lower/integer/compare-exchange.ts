// Lowering of xadd, cmpxchg, cmpxchg8b and cmpxchg16b. The lock prefix needs nothing: all vCPUs of a
// domain run on one thread.

import type { Row } from '../../decode/row.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { gprSlot, temp, xtemp } from '../../ir/slots.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { family, helper, isByteRow, loadForWrite, regSlot, rmSlot, storeBack } from '../operand.ts';

const MOV = family('mov');
const ADD = family('add');
const CMP = family('cmp');
const MOV32 = opcodeOf('mov32');
const MOV64 = opcodeOf('mov64');
const MOVZX8_64 = opcodeOf('movzx8_64');
const CMOV64E = opcodeOf('cmov64e');
const CMOV64NE = opcodeOf('cmov64ne');
const LDW128A = opcodeOf('ldw128a');
const STW128 = opcodeOf('stw128');
const RAX = gprSlot(0);
const VALUE = temp(0);
const RESULT = temp(1);

/** Factories by mnemonic. */
export const COMPARE_EXCHANGE_LOWERINGS: LoweringTable = {
  XADD: exchangeAdd,
  CMPXCHG: compareExchange,
  CMPXCHG8B: () => {
    const index = helperIndex('cmpxchg8b');
    return (b, i) => {
      loadForWrite(b, i, 64, VALUE);
      helper(b, index, VALUE, 0, 0);
      storeBack(b, i, 64, VALUE);
    };
  },
  CMPXCHG16B: () => {
    const index = helperIndex('cmpxchg16b');
    return (b, i) => {
      b.mem(LDW128A, xtemp(0), i);
      helper(b, index, xtemp(0), 0, 0);
      b.mem(STW128, xtemp(0), i);
    };
  },
};

function exchangeAdd(row: Row): Lowering {
  const isByte = isByteRow(row);
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    const reg = regSlot(i, width);
    if (i.isMemory) loadForWrite(b, i, width, VALUE);
    else b.op(MOV[width >> 4], VALUE, rmSlot(i, width));
    b.op(ADD[width >> 4], RESULT, VALUE, reg);
    if (i.isMemory) storeBack(b, i, width, RESULT);
    b.op(MOV[width >> 4], reg, VALUE);
    if (!i.isMemory) b.op(MOV[width >> 4], rmSlot(i, width), RESULT);
  };
}

/**
 * A destination in memory is always written: with the source when it equals the accumulator, else with
 * itself. The accumulator gets the old destination, which changes nothing when they are equal. Of two
 * 32-bit registers, the one that does not change keeps its upper half.
 */
function compareExchange(row: Row): Lowering {
  const isByte = isByteRow(row);
  return (b, i) => {
    const width = isByte ? 8 : i.operandSize;
    if (i.isMemory) loadForWrite(b, i, width, VALUE);
    else b.op(MOV[width >> 4], VALUE, rmSlot(i, width));
    b.op(CMP[width >> 4], 0, RAX, VALUE);
    b.op(isByte ? MOVZX8_64 : width === 32 ? MOV32 : MOV64, RESULT, regSlot(i, width));
    if (i.isMemory || width !== 32) b.op(CMOV64NE, RESULT, VALUE);
    if (i.isMemory) storeBack(b, i, width, RESULT);
    if (width === 32) b.op(CMOV64NE, RAX, VALUE);
    else b.op(MOV[width >> 4], RAX, VALUE);
    if (i.isMemory) return;
    if (width === 32) b.op(CMOV64E, rmSlot(i, 32), RESULT);
    else b.op(MOV[width >> 4], rmSlot(i, width), RESULT);
  };
}
