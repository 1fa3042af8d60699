// Constructs whose instructions need operands that fit together: strings, divisions, exchanges, stack frames, bit
// strings, flags through the stack. Each prepares registers with a few moves first, mostly.

import { bytesOf } from '../../cpu/addressing.ts';
import type { Row } from '../../../src/engine-wasm/decode/row.ts';
import { integer } from '../../cpu/operands.ts';
import { plain } from './program.ts';
import type { Construct, RoutineWriter } from './routine-writer.ts';
import { rowsNamed } from './row-choice.ts';

const STRINGS = rowsNamed(/^(MOVS|CMPS|STOS|LODS|SCAS)$/);
const DIVISIONS = rowsNamed(/^I?DIV$/);
const EXCHANGES = rowsNamed(/^CMPXCHG/);
const BITS = rowsNamed(/^BT.?$/);
const MASKED = rowsNamed(/^MASKMOV/);
const SHIFTS = rowsNamed(/^(RO|RC|SH|SA)[LR]D?$/);
const CARRIES = rowsNamed(/^(ADC|SBB|RC[LR]|SETB|CMOVB|CMC|LAHF|SAHF)$/);
const PUSHES = rowsNamed(/^(PUSH|PUSHF)$/);
const POPS = rowsNamed(/^POP$/).filter(({ operands }) => operands[0]?.kind === 'Z' || operands[0]?.kind === 'E');
const XLAT = rowsNamed(/^XLAT$/);
const ENTER = rowsNamed(/^ENTER$/);
const COUNTS = [0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 255];
const POPF_FLAGS = 0x200cd5;
const TRAP_FLAG = 0x100;

const RCX = 1;
const RBX = 3;
const RSI = 6;
const RDI = 7;

/** The constructs. */
export const DATA_CONSTRUCTS: readonly Construct[] = [
  string,
  string,
  string,
  divide,
  divide,
  exchange,
  bits,
  shift,
  shift,
  carries,
  carries,
  stack,
  stack,
  frame,
  flagsFromStack,
  lookUp,
  masked,
  constant,
  constant,
];

function string(writer: RoutineWriter): void {
  const { random } = writer;
  const length = random.pick([0, 1, 2, 3, 5, 8, 13, 40, 40, 200, 1200]);
  const target = writer.places.data(8);
  set(writer, RSI, random.oneIn(4) ? target + random.below(17) - 8 : writer.places.data(8));
  set(writer, RDI, target);
  if (!random.oneIn(6)) set(writer, RCX, length);
  const back = random.oneIn(5);
  if (back) writer.put(plain(0xfd));
  if (random.oneIn(5)) writer.instruction();
  pick(writer, STRINGS);
  if (back) writer.put(plain(0xfc));
}

function divide(writer: RoutineWriter): void {
  const { random } = writer;
  if (random.oneIn(2)) writer.put(plain(0x31, 0xd2)); // xor %edx,%edx
  else writer.put(random.oneIn(2) ? plain(0x48, 0x99) : plain(0x99)); // cqo, cdq
  if (random.oneIn(2)) writer.put(plain(0x0f, 0xb6, 0xc0)); // movzbl %al,%eax
  if (random.oneIn(2)) for (const r of [RCX, RBX, RSI]) writer.put(plain(0x83, 0xc8 | r, 1)); // or $1,register
  pick(writer, DIVISIONS);
}

function exchange(writer: RoutineWriter): void {
  if (writer.random.oneIn(2)) {
    // what is compared with is what is there: mov address,%rax; mov address+8,%rdx
    const address = writer.places.data(16) & -16;
    writer.put(plain(0x48, 0x8b, 0x04, 0x25, ...bytesOf(BigInt(address), 4)));
    writer.put(plain(0x48, 0x8b, 0x14, 0x25, ...bytesOf(BigInt(address + 8), 4)));
    writer.put(plain(0xf0, 0x48, 0x0f, 0xc7, 0x0c, 0x25, ...bytesOf(BigInt(address), 4)));
  }
  pick(writer, EXCHANGES);
}

function bits(writer: RoutineWriter): void {
  for (const r of [0, RCX, RBX]) if (writer.random.oneIn(2)) set(writer, r, writer.random.below(600) - 300);
  if (writer.random.oneIn(2)) writer.put(plain(0x48, 0x98)); // cdqe
  pick(writer, BITS);
}

function shift(writer: RoutineWriter): void {
  writer.put(plain(0xb1, writer.random.pick(COUNTS))); // mov $count,%cl
  for (let n = 1 + writer.random.below(3); n > 0; n--) pick(writer, SHIFTS);
}

function carries(writer: RoutineWriter): void {
  for (let n = 2 + writer.random.below(5); n > 0; n--) pick(writer, CARRIES);
}

function stack(writer: RoutineWriter): void {
  pick(writer, PUSHES);
  writer.some(2);
  pick(writer, POPS);
}

function frame(writer: RoutineWriter): void {
  const { random } = writer;
  if (random.oneIn(3)) pick(writer, ENTER);
  else writer.put(plain(0xc8, 16 * random.below(8), 0, random.pick([0, 0, 1, 2, 5])));
  writer.some(3);
  writer.put(plain(0xc9));
}

function flagsFromStack(writer: RoutineWriter): void {
  const { random } = writer;
  const flags = (random.u32() & POPF_FLAGS) | (random.oneIn(10) ? TRAP_FLAG : 0);
  writer.put(plain(0x68, ...bytesOf(BigInt(flags), 4)));
  if (random.oneIn(3)) writer.some(1);
  writer.put(random.oneIn(6) ? plain(0x48, 0x9d) : plain(0x9d));
  writer.some(2);
  if (random.oneIn(2)) writer.put(plain(0xfc));
}

function lookUp(writer: RoutineWriter): void {
  set(writer, RBX, writer.places.data(256));
  pick(writer, XLAT);
}

function masked(writer: RoutineWriter): void {
  set(writer, RDI, writer.places.data(16));
  pick(writer, MASKED);
}

function constant(writer: RoutineWriter): void {
  const value = integer(writer.random);
  writer.put(plain(0x48, 0xb8 | writer.random.pick([0, 1, 2, 3, 5, 6, 7]), ...bytesOf(value, 8)));
}

/** mov $value to a 32-bit register: the high half becomes 0. */
function set(writer: RoutineWriter, register: number, value: number): void {
  writer.put(plain(0xb8 | register, ...bytesOf(BigInt(value >>> 0), 4)));
}

function pick(writer: RoutineWriter, rows: readonly Row[]): void {
  writer.row(writer.random.pick(rows));
}
