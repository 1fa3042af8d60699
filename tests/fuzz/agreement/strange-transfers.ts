// Constructs that move control as no compiler does: returns to where nobody called from, jumps into the middle of
// instructions or into the other mapping of the same code, stacks that are left behind.

import { bytesOf } from '../../cpu/addressing.ts';
import { addressOfPage, Page, Table } from './layout.ts';
import { plain } from './program.ts';
import type { Construct, RoutineWriter } from './routine-writer.ts';

/** The constructs. */
export const STRANGE_TRANSFERS: readonly Construct[] = [
  returnAsJump,
  sharedReturn,
  returnToAlias,
  returnToAlias,
  leaveStack,
  callNext,
  intoInstruction,
  returnWithImmediate,
  toAlias,
  backToStart,
  changeTable,
];

/** push; ret. */
function returnAsJump(writer: RoutineWriter): void {
  const place = writer.names.newLabel();
  writer.pushAddress({ label: place, alias: writer.random.oneIn(4) });
  writer.put(plain(0xc3));
  writer.some(2);
  writer.label(place);
}

/** A routine that is called, and then jumped to with the same return address pushed, or the one in the other mapping. */
function sharedReturn(writer: RoutineWriter): void {
  const { random, names } = writer;
  const routine = names.newLabel();
  const back = names.newLabel();
  const behind = names.newLabel();
  const counter = writer.counter();
  writer.call({ label: routine });
  writer.label(back);
  writer.body(1);
  writer.put(plain(0xff, 0x0c, 0x25, ...counter)); // decl
  writer.jump({ label: behind }, 8); // js
  writer.pushAddress({ label: back, alias: random.oneIn(2) });
  writer.jump({ label: routine });
  writer.label(routine);
  writer.body(1);
  writer.return();
  writer.label(behind);
}

/** A routine, called in a loop, that now and then returns to its caller's other mapping. */
function returnToAlias(writer: RoutineWriter): void {
  const { random, names } = writer;
  const routine = names.newLabel();
  const head = names.newLabel();
  const back = names.newLabel();
  const straight = names.newLabel();
  const behind = names.newLabel();
  const counter = writer.counter();
  writer.put(plain(0xc7, 0x04, 0x25, ...counter, ...bytesOf(BigInt(2 + random.below(8)), 4)));
  writer.label(head);
  writer.call({ label: routine });
  writer.label(back);
  writer.put(plain(0x83, 0x2c, 0x25, ...counter, 1)); // subl
  writer.jump({ label: head }, 15); // jg
  writer.jump({ label: behind });
  writer.label(routine);
  writer.body(2);
  writer.put(plain(0xf6, 0x04, 0x25, ...counter, 1)); // testb $1,counter
  writer.jump({ label: straight }, 5); // jnz
  const target = { label: back, alias: true };
  writer.put({ bytes: [0xc7, 0x04, 0x24, 0, 0, 0, 0], fixups: [{ at: 3, size: 4, relative: false, target }] });
  writer.label(straight);
  writer.put(plain(0xc3));
  writer.label(behind);
}

/** The stack pointer is kept in memory, other routines are called, and the frames they left are forgotten. */
function leaveStack(writer: RoutineWriter): void {
  const { random, names } = writer;
  const save = bytesOf(BigInt(addressOfPage(Page.TABLES) + Table.SAVED_STACK + 8 * random.below(4)), 4);
  const routine = names.newLabel();
  const deeper = names.newLabel();
  const behind = names.newLabel();
  writer.put(plain(0x48, 0x89, 0x24, 0x25, ...save)); // mov %rsp,save
  writer.call({ label: routine });
  writer.jump({ label: behind });
  writer.label(routine);
  writer.some(1);
  writer.call({ label: deeper });
  writer.put(plain(0xc3));
  writer.label(deeper);
  writer.some(1);
  if (random.oneIn(3)) writer.put(plain(0x48, 0x87, 0x24, 0x25, ...save)); // xchg %rsp,save
  else writer.put(plain(0x48, 0x8b, 0x24, 0x25, ...save)); // mov save,%rsp
  if (random.oneIn(3)) writer.put(plain(0x48, 0x83, 0xec, random.pick([8, 16])), plain(0xc3)); // what lies below the top
  writer.label(behind);
}

/** call the next instruction; pop. */
function callNext(writer: RoutineWriter): void {
  writer.put(plain(0xe8, 0, 0, 0, 0), plain(0x58 | writer.random.pick([0, 3, 6])));
}

/** Into mov $imm,%eax, whose immediate is code. */
function intoInstruction(writer: RoutineWriter): void {
  const place = writer.names.newLabel();
  if (writer.random.oneIn(2)) writer.jump({ label: place, addend: 1 }, writer.random.below(16));
  else writer.jump({ label: place, addend: 1 });
  writer.label(place);
  writer.put(plain(0xb8, 0x90, writer.random.pick([0xf8, 0xf9, 0xf5, 0x98]), 0x90, 0x90));
}

/** ret imm, with what it takes away pushed before. */
function returnWithImmediate(writer: RoutineWriter): void {
  const place = writer.names.newLabel();
  writer.put(plain(0x50), plain(0x51));
  writer.pushAddress({ label: place, alias: writer.random.oneIn(4) });
  writer.put(plain(0xc2, 0x10, 0));
  writer.label(place);
}

/** On at the same place in the other mapping. */
function toAlias(writer: RoutineWriter): void {
  const place = writer.names.newLabel();
  writer.jump({ label: place, alias: true });
  writer.label(place);
}

/** A jump to the beginning of any routine, bounded. */
function backToStart(writer: RoutineWriter): void {
  const { random } = writer;
  writer.bounded();
  writer.jump({ label: random.pick(writer.names.entries), addend: random.oneIn(8) ? random.below(8) : 0 });
}

/** An entry of a jump table is changed. */
function changeTable(writer: RoutineWriter): void {
  const { random, names } = writer;
  const entry = addressOfPage(Page.TABLES) + Table.TARGETS + 8 * random.below(Table.NR_COMMON + 16);
  writer.loadAddress(3, { label: random.pick(names.entries), alias: random.oneIn(4) });
  writer.put(plain(0x48, 0x89, 0x1c, 0x25, ...bytesOf(BigInt(entry), 4))); // mov %rbx,entry
}
