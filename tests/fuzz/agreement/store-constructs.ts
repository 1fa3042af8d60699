// Constructs that store to code while it runs: in front of the running instruction or behind it, at its own address
// or through the other mapping, a byte or many, in the same page or another one.

import { bytesOf } from '../../cpu/addressing.ts';
import { type Item, plain, type Target } from './program.ts';
import type { Construct, RoutineWriter } from './routine-writer.ts';

/** Instructions of one byte that do something and need nothing. */
const SHORT = [0xf8, 0xf9, 0xf5, 0x98, 0x99, 0x9f, 0x9e, 0x91, 0x90, 0xfc];

/** The constructs. */
export const STORE_CONSTRUCTS: readonly Construct[] = [
  ahead,
  ahead,
  immediateInLoop,
  jumpInLoop,
  anywhere,
  wide,
  copied,
  behindCall,
  behindCall,
  codeAsData,
  codeAsData,
];

/** movb $value, target */
function storeByte(value: number, target: Target): Item {
  return {
    bytes: [0xc6, 0x04, 0x25, 0, 0, 0, 0, value],
    fixups: [{ at: 3, size: 4, relative: false, target }],
  };
}

/** movb %al, target; or an operation on it: add, xor, inc, xchg with lock. */
function changeByte(writer: RoutineWriter, target: Target): Item {
  const opcode = writer.random.pick([[0x88], [0x00], [0x30], [0xfe], [0xf0, 0x86], [0x0f, 0x94]]);
  return {
    bytes: [...opcode, 0x04, 0x25, 0, 0, 0, 0],
    fixups: [{ at: opcode.length + 2, size: 4, relative: false, target }],
  };
}

/** A nop that is on the way becomes another instruction just before it is reached, or just behind. */
function ahead(writer: RoutineWriter): void {
  const { random, names } = writer;
  const place = names.newLabel();
  const target: Target = { label: place, alias: random.oneIn(2) };
  if (random.oneIn(3)) writer.label(place);
  else writer.put({ bytes: [], fixups: [], label: -1 });
  const before = writer.items.at(-1)?.label === place;
  if (before) writer.put(plain(0x90));
  writer.put(storeByte(random.pick(SHORT), target));
  if (random.oneIn(2)) writer.some(2);
  if (before) return;
  writer.label(place);
  writer.put(plain(0x90));
}

/** A loop whose constant changes in every round: mov $imm,%eax .. incb imm .. jg. */
function immediateInLoop(writer: RoutineWriter): void {
  const { random, names } = writer;
  const head = names.newLabel();
  writer.put(plain(0x41, 0xb8, ...bytesOf(BigInt(2 + random.below(6)), 4))); // mov $n,%r8d
  writer.label(head);
  writer.put(plain(0xb8 | random.pick([0, 2, 3]), ...bytesOf(BigInt(random.u32()), 4)));
  writer.some(2);
  writer.put(changeByte(writer, { label: head, addend: 1 + random.below(4), alias: random.oneIn(2) }));
  writer.put(plain(0x41, 0xff, 0xc8)); // dec %r8d
  writer.jump({ label: head }, 15);
}

/** A loop in which a jump changes its condition. */
function jumpInLoop(writer: RoutineWriter): void {
  const { random, names } = writer;
  const head = names.newLabel();
  const jump = names.newLabel();
  writer.put(plain(0x41, 0xb9, ...bytesOf(BigInt(2 + random.below(6)), 4))); // mov $n,%r9d
  writer.label(head);
  writer.instruction();
  writer.label(jump);
  writer.put(plain(0x70 | random.below(16), 2), plain(0x89, 0xd1)); // jcc over mov %edx,%ecx
  writer.put(storeByte(0x70 | random.below(16), { label: jump, alias: random.oneIn(2) }));
  writer.put(plain(0x41, 0x83, 0xe9, 1)); // sub $1,%r9d
  writer.jump({ label: head }, 15);
}

/** A byte of code anywhere in the program. */
function anywhere(writer: RoutineWriter): void {
  const { random, names } = writer;
  const label = random.pick(names.places.length > 0 ? names.places : names.entries);
  const target: Target = { label, addend: random.below(12), alias: random.oneIn(2) };
  writer.put(random.oneIn(2) ? storeByte(random.pick(SHORT), target) : changeByte(writer, target));
}

/** Eight or 16 nops at once, perhaps across the end of a page; some of them on the way. */
function wide(writer: RoutineWriter): void {
  const { random, names } = writer;
  const place = names.newLabel();
  const target: Target = { label: place, alias: random.oneIn(2), addend: -random.below(4) };
  const nops = random.oneIn(2);
  writer.jump({ label: place, addend: nops ? 0 : 4 });
  if (!nops) writer.label(place);
  writer.put(plain(...Array.from({ length: 16 }, () => 0x90)));
  if (nops) writer.label(place);
  writer.put(plain(0x48, 0xb8, ...Array.from({ length: 8 }, () => random.pick(SHORT)))); // mov $imm,%rax
  const store = random.oneIn(2) ? [0x48, 0x89, 0x04, 0x25] : [0x0f, 0x11, 0x04, 0x25]; // mov %rax, or movups %xmm0
  writer.put({ bytes: [...store, 0, 0, 0, 0], fixups: [{ at: 4, size: 4, relative: false, target }] });
}

/** rep movsb over code that runs next, or that runs. */
function copied(writer: RoutineWriter): void {
  const { random, names } = writer;
  const from = names.newLabel();
  const to = names.newLabel();
  const behind = names.newLabel();
  writer.put(loadAddress(6, { label: from }), loadAddress(7, { label: to, alias: random.oneIn(2) }));
  writer.put(plain(0xb9, ...bytesOf(BigInt(1 + random.below(6)), 4)), plain(0xf3, 0xa4));
  writer.label(to);
  writer.put(plain(0x90, 0x90, 0x90, 0x90, 0x90, 0x90));
  writer.jump({ label: behind });
  writer.label(from);
  writer.put(plain(...Array.from({ length: 6 }, () => random.pick(SHORT))));
  writer.label(behind);
}

/** A routine that changes what comes behind its call, several times. */
function behindCall(writer: RoutineWriter): void {
  const { random, names } = writer;
  const routine = names.newLabel();
  const head = names.newLabel();
  const back = names.newLabel();
  const behind = names.newLabel();
  writer.put(plain(0x41, 0xba, ...bytesOf(BigInt(1 + random.below(5)), 4))); // mov $n,%r10d
  writer.label(head);
  writer.call({ label: routine, alias: random.oneIn(4) });
  writer.label(back);
  writer.put(plain(0x90), plain(0x90));
  writer.put(plain(0x41, 0xff, 0xca)); // dec %r10d
  writer.jump({ label: head }, 15);
  writer.jump({ label: behind });
  writer.label(routine);
  if (random.oneIn(2)) writer.some(1);
  writer.put(storeByte(random.pick(SHORT), { label: back, addend: random.below(2), alias: random.oneIn(2) }));
  if (random.oneIn(3)) writer.put(changeByte(writer, { label: back, addend: random.below(2) }));
  writer.return();
  writer.label(behind);
}

/** Stores to a page through a register, runs what is there, and stores to it again: the page becomes code in between. */
function codeAsData(writer: RoutineWriter): void {
  const { random, names } = writer;
  const routine = random.pick(names.entries);
  const head = names.newLabel();
  const counter = writer.counter();
  const store = (): void => writer.put(plain(0x88, 0x43, 0x80 | random.below(128))); // mov %al,disp(%rbx)
  writer.put(plain(0xc7, 0x04, 0x25, ...counter, ...bytesOf(BigInt(1 + random.below(4)), 4)));
  writer.label(head);
  writer.put(loadAddress(3, { label: routine, addend: random.below(64) - 32, alias: random.oneIn(2) }));
  store();
  if (random.oneIn(2)) store();
  writer.call({ label: routine, alias: random.oneIn(4) });
  writer.put(loadAddress(3, { label: routine, addend: random.below(64) - 32, alias: random.oneIn(2) }));
  store();
  writer.put(plain(0x83, 0x2c, 0x25, ...counter, 1)); // subl
  writer.jump({ label: head }, 15);
}

/** mov $target to a register. */
function loadAddress(register: number, target: Target): Item {
  return { bytes: [0xb8 | register, 0, 0, 0, 0], fixups: [{ at: 1, size: 4, relative: false, target }] };
}
