// Lowering of push, pop, pushf, popf, enter and leave. The stack pointer is written after the last
// access that can fault.

import { Cpu, Gpr, Sreg } from '../../../engine/index.ts';
import type { Instruction } from '../../decode/instruction.ts';
import type { Row } from '../../decode/row.ts';
import type { IrBuilder } from '../../ir/builder.ts';
import { ExitCode } from '../../ir/exit-code.ts';
import { opcodeOf } from '../../ir/operations.ts';
import { gprSlot, temp } from '../../ir/slots.ts';
import { helperIndex } from '../../runtime/helper-table.ts';
import type { Lowering, LoweringTable } from '../lowering.ts';
import { family, helper, load } from '../operand.ts';
import { loadSegmentRegister } from '../system.ts';

const LOAD = family('ld');
const LOAD_FOR_WRITE = family('ldw');
const STORE = family('st');
const MOV = family('mov');
const LEA64 = opcodeOf('lea64');
const EXIT = opcodeOf('exit');
const POP64 = opcodeOf('pop64');
const MOV64I = opcodeOf('mov64i');
const MOVZX16_64 = opcodeOf('movzx16_64');
const READ_FLAGS = helperIndex('readFlags');
const WRITE_FLAGS = helperIndex('writeFlags');
const RSP = gprSlot(Gpr.RSP);
const RBP = gprSlot(Gpr.RBP);
const VALUE = temp(0);
const PROBED = temp(1);

/** Factories by mnemonic. */
export const STACK_LOWERINGS: LoweringTable = {
  PUSH: push,
  POP: pop,
  PUSHF: () => (b, i) => {
    helper(b, READ_FLAGS, VALUE, 0, 0);
    pushSlot(b, i, VALUE);
  },
  POPF: () => (b, i) => {
    b.op(LOAD[i.operandSize >> 4], VALUE, RSP);
    helper(b, WRITE_FLAGS, VALUE, 0, i.operandSize);
    b.op(LEA64, RSP, RSP, 0, 0, i.operandSize >> 3);
    b.leave(EXIT, ExitCode.RESUME, b.nrInstructions, i.next); // the driver must see TF
  },
  ENTER: () => enter,
  LEAVE: () => leave,
};

/** Pushes a slot with the operand size. */
function pushSlot(b: IrBuilder, i: Instruction, slot: number): void {
  if (i.operandSize === 64) {
    b.push(slot);
    return;
  }
  b.op(STORE[1], slot, RSP, 0, 0, -2);
  b.op(LEA64, RSP, RSP, 0, 0, -2);
}

function push(row: Row): Lowering {
  const operand = row.operands[0];
  if (operand?.kind === 'Z') return (b, i) => pushSlot(b, i, gprSlot(i.opcodeReg));
  if (operand?.kind === 'I') {
    return (b, i) => {
      b.op(MOV64I, VALUE, 0, 0, 0, i.imm);
      pushSlot(b, i, VALUE);
    };
  }
  if (operand?.kind === 'E') {
    return (b, i) => {
      if (i.isMemory) load(b, i, i.operandSize, VALUE);
      pushSlot(b, i, i.isMemory ? VALUE : gprSlot(i.rm));
    };
  }
  const selector = Cpu.SELECTOR + 2 * (operand?.text === 'FS' ? Sreg.FS : Sreg.GS);
  return (b, i) => {
    b.op(MOVZX16_64, VALUE, selector);
    pushSlot(b, i, VALUE);
  };
}

function pop(row: Row): Lowering {
  const operand = row.operands[0];
  if (operand?.kind === '') {
    const register = operand.text === 'FS' ? Sreg.FS : Sreg.GS;
    return (b, i) => {
      b.op(LOAD[i.operandSize >> 4], VALUE, RSP);
      loadSegmentRegister(b, i, register, i.operandSize >> 3);
    };
  }
  const inOpcode = operand?.kind === 'Z';
  return (b, i) => {
    const width = i.operandSize;
    if (!inOpcode && i.isMemory) {
      // an address that uses rsp is computed with its value after the pop
      b.op(LOAD[width >> 4], VALUE, RSP);
      b.mem(STORE[width >> 4], VALUE, i, i.base === Gpr.RSP ? width >> 3 : 0);
      b.op(LEA64, RSP, RSP, 0, 0, width >> 3);
      return;
    }
    const target = gprSlot(inOpcode ? i.opcodeReg : i.rm);
    if (width === 64) {
      b.op(POP64, target);
      return;
    }
    b.op(LOAD[1], VALUE, RSP);
    b.op(LEA64, RSP, RSP, 0, 0, 2);
    b.op(MOV[1], target, VALUE);
  };
}

/**
 * enter size, level: a new frame, with the frame pointers of `level` enclosing procedures. Like hardware it
 * ends with a probe: it faults when the new top of the stack cannot be written.
 */
function enter(b: IrBuilder, i: Instruction): void {
  const width = i.operandSize;
  const bytes = width >> 3;
  const level = i.imm2 & 31;
  const top = -bytes * (level + 1) - (i.imm & 0xffff);
  b.op(STORE[width >> 4], RBP, RSP, 0, 0, -bytes);
  for (let n = 1; n < level; n++) {
    b.op(LOAD[width >> 4], VALUE, RBP, 0, 0, -bytes * n);
    b.op(STORE[width >> 4], VALUE, RSP, 0, 0, -bytes * (n + 1));
  }
  b.op(LEA64, VALUE, RSP, 0, 0, -bytes);
  if (level > 0) b.op(STORE[width >> 4], VALUE, RSP, 0, 0, -bytes * (level + 1));
  b.op(LOAD_FOR_WRITE[width >> 4], PROBED, RSP, 0, 0, top);
  b.op(LEA64, RSP, RSP, 0, 0, top);
  b.op(MOV[width >> 4], RBP, VALUE);
}

function leave(b: IrBuilder, i: Instruction): void {
  const width = i.operandSize;
  b.op(LOAD[width >> 4], VALUE, RBP);
  b.op(LEA64, RSP, RBP, 0, 0, width >> 3);
  b.op(MOV[width >> 4], RBP, VALUE);
}
