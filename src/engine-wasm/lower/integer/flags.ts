// Lowering of the instructions on single flags.

import { opcodeOf } from '../../ir/operations.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { helper } from '../operand.ts';

/** Factories by mnemonic. */
export const FLAG_LOWERINGS: LoweringTable = {
  CLC: () => plain('clc'),
  STC: () => plain('stc'),
  CMC: () => plain('cmc'),
  CLD: () => plain('cld'),
  STD: () => plain('std'),
  LAHF: () => byHelper('lahf'),
  SAHF: () => byHelper('sahf'),
};

function plain(name: string): Lowering {
  const opcode = opcodeOf(name);
  return (b) => b.op(opcode);
}

function byHelper(name: string): Lowering {
  const index = helperIndex(name);
  return (b) => helper(b, index, 0, 0, 0);
}
