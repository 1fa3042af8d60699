// Lowering of system instructions. What is privileged or touches descriptors leaves the engine as an
// assist, which the hypervisor carries out or refuses; hints do nothing. See `lowering.ts`.

import { Assist, type AssistKind, Cpu, Gpr, Sreg } from '../../engine/index.ts';
import type { Instruction } from '../decode/instruction.ts';
import type { Row } from '../decode/row.ts';
import type { IrBuilder } from '../ir/builder.ts';
import { ExitCode } from '../ir/exit-code.ts';
import { opcodeOf } from '../ir/operations.ts';
import { gprSlot, temp } from '../ir/slots.ts';
import type { Lowering, LoweringFactory, LoweringTable } from './lowering.ts';
import { store } from './operand.ts';
import { lowerUndefined } from './undefined.ts';

const EXIT = opcodeOf('exit');
const RDTSC = opcodeOf('rdtsc');
const MOV16 = opcodeOf('mov16');
const MOV64I = opcodeOf('mov64i');
const MOVZX16_64 = opcodeOf('movzx16_64');
const LDZ8 = opcodeOf('ldz8');
const LDZ16 = opcodeOf('ldz16');
const LD16 = opcodeOf('ld16');
const LD32 = opcodeOf('ld32');
const LD64 = opcodeOf('ld64');
const LEA64 = opcodeOf('lea64');
const BREAKPOINT = 3;
const DEBUG = 1;

/** The operand of an assist. */
const VALUE = temp(0);
/** Offset of a far transfer, whose selector is the operand. */
const FAR_OFFSET = temp(1);
/** `reg` of an assist whose other operand is in memory: its address is the operand. */
const IN_MEMORY = 0xff;

/** Hints, and orderings of memory accesses, which are all in order here. */
const NO_OPERATIONS = [
  'NOP',
  'PAUSE',
  'PREFETCH',
  'PREFETCHW',
  'PREFETCHNTA',
  'PREFETCHT0',
  'PREFETCHT1',
  'PREFETCHT2',
  'LFENCE',
  'MFENCE',
  'SFENCE',
];

/** Factories by mnemonic. */
export const SYSTEM_LOWERINGS: LoweringTable = {
  ...Object.fromEntries<LoweringFactory>(NO_OPERATIONS.map((name) => [name, () => () => {}])),
  CLFLUSH: () => (b, i) => b.mem(LDZ8, VALUE, i), // faults like a load
  RDTSC: () => (b) => b.op(RDTSC),

  SYSCALL: () => (b, i) => exit(b, i, ExitCode.SYSCALL, 0),
  SYSENTER: () => (b, i) => exit(b, i, ExitCode.SYSENTER, 0),
  INT3: () => (b, i) => exit(b, i, ExitCode.TRAP, BREAKPOINT),
  INT1: () => (b, i) => exit(b, i, ExitCode.TRAP, DEBUG),
  INT: () => (b, i) => exit(b, i, ExitCode.SOFTWARE_INTERRUPT, i.imm & 0xff),

  CPUID: () => (b, i) => assist(b, i, Assist.CPUID),
  RDMSR: () => (b, i) => assist(b, i, Assist.RDMSR),
  WRMSR: () => (b, i) => assist(b, i, Assist.WRMSR),
  RDPMC: () => (b, i) => assist(b, i, Assist.RDPMC),
  HLT: () => (b, i) => assist(b, i, Assist.HLT),
  CLI: () => (b, i) => assist(b, i, Assist.CLI),
  STI: () => (b, i) => assist(b, i, Assist.STI),
  CLTS: () => (b, i) => assist(b, i, Assist.CLTS),
  INVD: () => (b, i) => assist(b, i, Assist.INVD),
  WBINVD: () => (b, i) => assist(b, i, Assist.WBINVD),
  ...Object.fromEntries<LoweringFactory>(
    ['SYSRET', 'SYSEXIT', 'SWAPGS', 'LGDT', 'LIDT', 'LLDT', 'LTR', 'LSS', 'LFS', 'LGS'].map((name) => [
      name,
      () => (b, i) => assist(b, i, Assist.OTHER_PRIVILEGED),
    ]),
  ),
  INVLPG: () => (b, i) => {
    b.effectiveAddress(LEA64, VALUE, i);
    assist(b, i, Assist.INVLPG);
  },
  LMSW: () => withSelector(Assist.LMSW),
  VERR: () => withSelector(Assist.VERR),
  VERW: () => withSelector(Assist.VERW),
  LAR: () => descriptorQuery(Assist.LAR),
  LSL: () => descriptorQuery(Assist.LSL),
  SGDT: () => storeSystem(0),
  SIDT: () => storeSystem(1),
  SLDT: () => storeSystem(2),
  STR: () => storeSystem(3),
  SMSW: () => storeSystem(4),

  IRET: () => (b, i) => assist(b, i, Assist.IRET, 0, 0, i.operandSize >> 3),
  RETF: () => (b, i) => {
    b.op(MOV64I, VALUE, 0, 0, 0, i.row.operands.length === 0 ? 0 : i.imm & 0xffff);
    assist(b, i, Assist.RETF, 0, 0, i.operandSize >> 3);
  },
  JMPF: () => farTransfer(0),
  CALLF: () => farTransfer(1),

  IN: (row) => portAccess(row, Assist.IN, 1),
  OUT: (row) => portAccess(row, Assist.OUT, 0),
  INS: (row) => (b, i) => assist(b, i, Assist.INS, 0, 0, portBytes(row, i)),
  OUTS: (row) => (b, i) => assist(b, i, Assist.OUTS, 0, 0, portBytes(row, i)),
};

/** Lowering of a mov to or from a segment, control or debug register. */
export function moveSystemRegister(row: Row): Lowering {
  const [first, second] = row.operands;
  if (first?.kind === 'S') {
    return (b, i) => {
      const register = i.reg & 7;
      if (register === Sreg.CS || register > Sreg.GS) return lowerUndefined(b);
      readSelector(b, i);
      loadSegmentRegister(b, i, register, 0);
    };
  }
  if (second?.kind === 'S') return storeSegmentRegister;
  const kinds: Readonly<Record<string, AssistKind>> = { C: Assist.MOV_TO_CR, D: Assist.MOV_TO_DR };
  const to = kinds[first?.kind ?? ''];
  const from = second?.kind === 'C' ? Assist.MOV_FROM_CR : Assist.MOV_FROM_DR;
  return (b, i) => assist(b, i, to ?? from, i.rm, i.reg);
}

/** Leaves for a load of a segment register with the selector in temp(0). @param stackDelta - bytes to add to rsp when it succeeds */
export function loadSegmentRegister(b: IrBuilder, i: Instruction, register: number, stackDelta: number): void {
  b.leave(EXIT, ExitCode.ASSIST, b.nrInstructions, i.next, stackDelta, Assist.LOAD_SREG | (register << 16));
}

/** Ends the block with an exit. */
function exit(b: IrBuilder, i: Instruction, code: number, detail: number): void {
  b.leave(EXIT, code, b.nrInstructions, i.next, 0, detail);
}

function assist(b: IrBuilder, i: Instruction, kind: AssistKind, reg = 0, index = 0, size = 0): void {
  exit(b, i, ExitCode.ASSIST, kind | (reg << 8) | (index << 16) | (size << 24));
}

function storeSegmentRegister(b: IrBuilder, i: Instruction): void {
  const register = i.reg & 7;
  if (register > Sreg.GS) return lowerUndefined(b);
  const selector = Cpu.SELECTOR + 2 * register;
  if (i.isMemory) {
    b.op(MOVZX16_64, VALUE, selector);
    store(b, i, 16, VALUE);
  } else {
    b.op(i.operandSize === 16 ? MOV16 : MOVZX16_64, gprSlot(i.rm), selector);
  }
}

/** Leaves the 16-bit r/m operand in the assist's operand. */
function readSelector(b: IrBuilder, i: Instruction): void {
  if (i.isMemory) b.mem(LDZ16, VALUE, i);
  else b.op(MOVZX16_64, VALUE, gprSlot(i.rm));
}

function withSelector(kind: AssistKind): Lowering {
  return (b, i) => {
    readSelector(b, i);
    assist(b, i, kind);
  };
}

function descriptorQuery(kind: AssistKind): Lowering {
  return (b, i) => {
    readSelector(b, i);
    assist(b, i, kind, i.reg, 0, i.operandSize >> 3);
  };
}

function storeSystem(index: number): Lowering {
  return (b, i) => {
    if (i.isMemory) b.effectiveAddress(LEA64, VALUE, i);
    assist(b, i, Assist.STORE_SYSTEM, i.isMemory ? IN_MEMORY : i.rm, index, i.operandSize >> 3);
  };
}

/** The pointer in memory is the offset, then the selector. */
function farTransfer(index: number): Lowering {
  return (b, i) => {
    const bytes = i.operandSize >> 3;
    if (bytes === 2) b.op(MOV64I, FAR_OFFSET, 0, 0, 0, 0);
    b.mem(bytes === 2 ? LD16 : bytes === 4 ? LD32 : LD64, FAR_OFFSET, i);
    b.mem(LDZ16, VALUE, i, bytes);
    assist(b, i, Assist.FAR_TRANSFER, 0, index, bytes);
  };
}

function portBytes(row: Row, i: Instruction): number {
  if (
    row.operands.some((operand) => operand.size === 'b' && operand.kind !== 'I') ||
    row.operands.some((operand) => operand.text === 'AL')
  )
    return 1;
  return i.operandSize === 16 ? 2 : 4;
}

/** @param place - which operand is the port */
function portAccess(row: Row, kind: AssistKind, place: number): Lowering {
  const byImmediate = row.operands[place]?.kind === 'I';
  return (b, i) => {
    if (byImmediate) b.op(MOV64I, VALUE, 0, 0, 0, i.imm & 0xff);
    else b.op(MOVZX16_64, VALUE, gprSlot(Gpr.RDX));
    assist(b, i, kind, 0, 0, portBytes(row, i));
  };
}
