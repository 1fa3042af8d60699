// Constructs that move control as compilers do: conditions, loops, calls, recursion, switches.

import type { Row } from '../../../src/engine-wasm/decode/row.ts';
import { bytesOf } from '../../cpu/addressing.ts';
import { addressOfPage, Page, Table } from './layout.ts';
import { type Item, plain, type Target } from './program.ts';
import { rowsNamed } from './row-choice.ts';
import type { Construct, RoutineWriter } from './routine-writer.ts';

/** Registers that loops count in. */
const COUNTERS = [8, 9, 10, 11, 12, 13] as const;

const COMPARES: readonly Row[] = rowsNamed(
  /^(CMP|TEST|SUB|ADD|AND|DEC|INC|SHR|SAR|BT|UCOMISD|COMISS|PTEST|BSF|NEG|ADC|RCL)$/,
);

/** Instructions that leave the flags: mov, lea, not, movaps. */
const FLAGLESS: readonly Item[] = [
  plain(0x89, 0xc1),
  plain(0x48, 0x8d, 0x40, 0x11),
  plain(0xf7, 0xd2),
  plain(0x0f, 0x28, 0xca),
];

/** The constructs, each as often as it is to be. */
export const CONTROL_CONSTRUCTS: readonly Construct[] = [
  skip,
  skip,
  skip,
  loop,
  loop,
  countedInMemory,
  loopInstruction,
  call,
  call,
  call,
  indirectCall,
  indirectJump,
  either,
  localCall,
  acrossCall,
  switchThroughTable,
  switchByOffset,
];

/** A conditional jump over something; the flags may be old. */
function skip(writer: RoutineWriter): void {
  const behind = writer.names.newLabel();
  writer.jump({ label: behind }, writer.random.below(16));
  writer.body(2);
  writer.label(behind);
}

/** if .. else, with the flags set well before. */
function either(writer: RoutineWriter): void {
  const { random, names } = writer;
  const other = names.newLabel();
  const behind = names.newLabel();
  writer.row(random.pick(COMPARES));
  if (random.oneIn(2)) writer.put(random.pick(FLAGLESS));
  writer.jump({ label: other }, random.below(16));
  writer.body(2);
  writer.jump({ label: behind });
  writer.label(other);
  writer.body(2);
  writer.label(behind);
}

/** mov counter; ..; dec, sub or add; jcc back. Sometimes entered in the middle. */
function loop(writer: RoutineWriter): void {
  const { random, names, kept } = writer;
  const counter = random.pick(COUNTERS.filter((register) => !kept.includes(register)));
  const low = counter & 7;
  const head = names.newLabel();
  const middle = names.newLabel();
  const rounds = random.oneIn(8) ? 30 + random.below(100) : 1 + random.below(8);
  writer.put(plain(0x41, 0xb8 | low, ...bytesOf(BigInt(rounds), 4)));
  if (random.oneIn(6)) writer.jump({ label: middle });
  writer.label(head);
  kept.push(counter);
  writer.body(3);
  writer.label(middle);
  if (random.oneIn(4)) writer.body(1);
  kept.pop();
  const rex = random.oneIn(3) ? 0x49 : 0x41;
  if (random.oneIn(2)) writer.put(plain(rex, 0xff, 0xc8 | low));
  else writer.put(plain(rex, 0x83, 0xe8 | low, 1));
  writer.jump({ label: head }, random.pick([5, 15])); // jnz, jg
}

/** A loop that counts in memory, so that nothing in it can break it: sub $1, counter; jg. */
function countedInMemory(writer: RoutineWriter): void {
  const { random, names } = writer;
  const head = names.newLabel();
  const counter = writer.counter();
  writer.put(plain(0xc7, 0x04, 0x25, ...counter, ...bytesOf(BigInt(1 + random.below(20)), 4)));
  writer.label(head);
  writer.body(3);
  writer.put(plain(0x83, 0x2c, 0x25, ...counter, 1));
  writer.jump({ label: head }, 15);
}

/** mov ecx; ..; loop, loope, loopne; or jrcxz over something. */
function loopInstruction(writer: RoutineWriter): void {
  const { random, names } = writer;
  const head = names.newLabel();
  const prefix = random.oneIn(4) ? [0x67] : [];
  const jump = (opcode: number): Item => ({
    bytes: [...prefix, opcode, 0],
    fixups: [{ at: prefix.length + 1, size: 1, relative: true, target: { label: head } }],
  });
  if (random.oneIn(3)) {
    writer.put(jump(0xe3));
    writer.some(2);
    writer.label(head);
    return;
  }
  writer.put(plain(0xb9, ...bytesOf(BigInt(1 + random.below(6)), 4)));
  writer.label(head);
  writer.some(2);
  writer.put(plain(0x83, 0xe1, 0x0f), jump(random.pick([0xe0, 0xe1, 0xe2]))); // and $15,%ecx
}

function call(writer: RoutineWriter): void {
  const { random } = writer;
  const cleanup = random.oneIn(4);
  if (cleanup) writer.put(plain(0x50));
  writer.call({ label: random.pick(writer.names.entries), alias: random.oneIn(8) });
  if (cleanup) writer.put(plain(0x59));
}

function indirectCall(writer: RoutineWriter): void {
  indirect(writer, 0x10);
}

/** With the way back on the stack, mostly. */
function indirectJump(writer: RoutineWriter): void {
  const behind = writer.names.newLabel();
  if (!writer.random.oneIn(3)) writer.pushAddress({ label: behind });
  indirect(writer, 0x20);
  writer.label(behind);
}

/** A transfer to an address from the common table, or from a register. @param field - of the ModRM byte */
function indirect(writer: RoutineWriter, field: number): void {
  const { random } = writer;
  const table = addressOfPage(Page.TABLES) + Table.TARGETS;
  switch (random.below(4)) {
    case 0:
      index(writer, Table.NR_COMMON);
      writer.put(plain(0xff, 0x04 | field, 0xc5, ...bytesOf(BigInt(table), 4))); // *table(,%rax,8)
      break;
    case 1:
      index(writer, Table.NR_COMMON);
      writer.put(plain(0x48, 0x8b, 0x04, 0xc5, ...bytesOf(BigInt(table), 4))); // mov table(,%rax,8),%rax
      writer.put(plain(0xff, 0xc0 | field));
      break;
    case 2:
      writer.loadAddress(3, { label: random.pick(writer.names.entries), alias: random.oneIn(4) });
      writer.put(plain(0xff, 0xc3 | field));
      break;
    default:
      writer.put(plain(0xff, 0x04 | field, 0x25, ...bytesOf(BigInt(table + 8 * random.below(Table.NR_COMMON)), 4)));
  }
}

/** Puts a number below `count`, a power of two, into rax: from a register, or from a counter that goes round. */
function index(writer: RoutineWriter, count: number): void {
  const { random } = writer;
  if (random.oneIn(2)) {
    writer.put(plain(0x89, 0xc0 | (random.below(8) << 3))); // mov register,%eax
  } else {
    const counter = writer.counter();
    writer.put(plain(0xff, 0x04, 0x25, ...counter)); // incl
    writer.put(plain(0x8b, 0x04, 0x25, ...counter)); // mov
  }
  writer.put(plain(0x83, 0xe0, count - 1)); // and
}

/** call over something to a piece that returns, one way or another. */
function localCall(writer: RoutineWriter): void {
  const routine = writer.names.newLabel();
  const behind = writer.names.newLabel();
  writer.call({ label: routine });
  writer.body(2);
  writer.jump({ label: behind });
  writer.label(routine);
  writer.body(2);
  writer.return();
  writer.label(behind);
}

/** Flags that are set before a call or a jump to elsewhere and used behind it. */
function acrossCall(writer: RoutineWriter): void {
  const { random, names } = writer;
  const routine = names.newLabel();
  const behind = names.newLabel();
  const end = names.newLabel();
  writer.row(random.pick(COMPARES));
  writer.call({ label: routine, alias: random.oneIn(4) });
  writer.jump({ label: behind }, random.below(16));
  writer.some(2);
  writer.jump({ label: end });
  writer.label(routine);
  for (let n = random.below(3); n > 0; n--) writer.put(random.pick(FLAGLESS));
  if (random.oneIn(3)) writer.row(random.pick(COMPARES));
  writer.return();
  writer.label(behind);
  writer.body(1);
  writer.label(end);
}

/** A switch through a table of its own. */
function switchThroughTable(writer: RoutineWriter): void {
  const { random, names } = writer;
  const count = random.pick([2, 4, 8]);
  const first = names.targets.length;
  if (first + count > Table.NR_TARGETS) return;
  const cases = Array.from({ length: count }, () => names.newLabel());
  names.targets.push(...cases.map((label): Target => ({ label, alias: random.oneIn(12) })));
  const table = addressOfPage(Page.TABLES) + Table.TARGETS + 8 * first;
  inLoop(writer, () => {
    index(writer, count);
    if (random.oneIn(2)) writer.put(plain(0xff, 0x24, 0xc5, ...bytesOf(BigInt(table), 4)));
    else
      writer.put(plain(0x48, 0x8b, 0x14, 0xc5, ...bytesOf(BigInt(table), 4)), plain(0xff, random.pick([0xe2, 0xd2])));
    writeCases(writer, cases);
  });
}

/** A switch with a table of offsets behind the jump, as position-independent code has it. */
function switchByOffset(writer: RoutineWriter): void {
  const { random, names } = writer;
  const count = random.pick([2, 4, 8]);
  const cases = Array.from({ length: count }, () => names.newLabel());
  const table = names.newLabel();
  inLoop(writer, () => {
    index(writer, count);
    // lea table(%rip),%rdx
    const fixup = { at: 3, size: 4, relative: true, target: { label: table } } as const;
    writer.put({ bytes: [0x48, 0x8d, 0x15, 0, 0, 0, 0], fixups: [fixup] });
    writer.put(plain(0x48, 0x63, 0x04, 0x82)); // movslq (%rdx,%rax,4),%rax
    writer.put(plain(0x48, 0x01, 0xd0), plain(0xff, 0xe0)); // add %rdx,%rax; jmp *%rax
    writer.names.places.push(table);
    writer.label(table);
    cases.forEach((label, n) => {
      const target: Target = { label, addend: 4 * n + 4 };
      writer.put({ bytes: [0, 0, 0, 0], fixups: [{ at: 0, size: 4, relative: true, target }] });
    });
    writeCases(writer, cases);
  });
}

/** A few rounds of something, mostly, counted in memory. */
function inLoop(writer: RoutineWriter, write: () => void): void {
  const { random, names } = writer;
  const head = names.newLabel();
  const counter = writer.counter();
  writer.put(plain(0xc7, 0x04, 0x25, ...counter, ...bytesOf(BigInt(1 + random.below(12)), 4)));
  writer.label(head);
  write();
  writer.put(plain(0x83, 0x2c, 0x25, ...counter, 1));
  writer.jump({ label: head }, 15); // jg
}

/** The cases of a switch; some fall into the next. */
function writeCases(writer: RoutineWriter, cases: readonly number[]): void {
  const end = writer.names.newLabel();
  for (const label of cases) {
    writer.label(label);
    writer.some(2);
    if (!writer.random.oneIn(4)) writer.jump({ label: end });
  }
  writer.label(end);
}
