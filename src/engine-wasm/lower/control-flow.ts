// Lowering of near jumps, calls, returns and loops. Targets are offsets relative to the code page.

import { Gpr } from '../../engine/index.ts';
import { CONDITION_NAMES, type Row } from '../decode/row.ts';
import type { IrBuilder } from '../ir/builder.ts';
import { opcodeOf } from '../ir/operations.ts';
import { gprSlot, temp } from '../ir/slots.ts';
import type { Lowering, LoweringFactory, LoweringTable } from './lowering.ts';
import { readRm } from './operand.ts';

const LEA32 = opcodeOf('lea32');
const LEA64 = opcodeOf('lea64');
const MOV64I = opcodeOf('mov64i');
const RCX = gprSlot(Gpr.RCX);
const VALUE = temp(0);

/** Factories by mnemonic. */
export const CONTROL_FLOW_LOWERINGS: LoweringTable = {
  JMP: (row) =>
    row.operands[0]?.kind === 'J' ? (b, i) => b.jump(i.next + i.imm) : (b, i) => b.jumpTo(readRm(b, i, 64, VALUE)),
  CALL: (row) =>
    row.operands[0]?.kind === 'J'
      ? (b, i) => b.call(i.next + i.imm, i)
      : (b, i) => b.callTo(readRm(b, i, 64, VALUE), i),
  RET: (row) => (row.operands.length === 0 ? (b) => b.ret(0) : (b, i) => b.ret(i.imm & 0xffff)),
  LOOP: () => loop(''),
  LOOPE: () => loop('cmov64e'),
  LOOPNE: () => loop('cmov64ne'),
  JRCXZ: () => {
    const jz64 = opcodeOf('jz64');
    const jz32 = opcodeOf('jz32');
    return (b, i) => b.jumpIf(i.addressSize === 64 ? jz64 : jz32, i.next + i.imm, RCX);
  },
  ...Object.fromEntries<LoweringFactory>(CONDITION_NAMES.map((name) => [`J${name}`, jumpIf])),
};

function jumpIf(row: Row): Lowering {
  const opcode = opcodeOf(row.mnemonic.toLowerCase());
  return (b, i) => b.jumpIf(opcode, i.next + i.imm);
}

/** Counts rcx (ecx with a 32-bit address size) down without touching flags; `condition` moves the count into the 0 that is tested. */
function loop(condition: string): Lowering {
  const jnz64 = opcodeOf('jnz64');
  const conditionalMove = condition === '' ? 0 : opcodeOf(condition);
  if (condition === '') {
    return (b, i) => {
      countDown(b, i.addressSize);
      b.jumpIf(jnz64, i.next + i.imm, RCX);
    };
  }
  return (b, i) => {
    countDown(b, i.addressSize);
    b.op(MOV64I, VALUE, 0, 0, 0, 0);
    b.op(conditionalMove, VALUE, RCX);
    b.jumpIf(jnz64, i.next + i.imm, VALUE);
  };
}

function countDown(b: IrBuilder, addressSize: number): void {
  b.op(addressSize === 64 ? LEA64 : LEA32, RCX, RCX, 0, 0, -1);
}
