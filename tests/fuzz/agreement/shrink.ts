// Makes a program that fails smaller: leaves out rounds, events and instructions as long as it still fails. What is
// left is printed for people.

import { createInstruction, decode, Decoded } from '../../../src/engine-wasm/decode/decode.ts';
import { disassemble } from '../../../src/engine-wasm/decode/disassemble.ts';
import { addressOfPage, PAGE, Page } from './layout.ts';
import { assemble, type Item, plain, type Program } from './program.ts';
import type { Event } from './round.ts';

const NOP = 0x90;

/** True when a program still fails. */
export type Fails = (program: Program) => boolean;

/** The smallest failing program that at most `most` tries find. */
export function shrink(program: Program, fails: Fails, most: number): Program {
  let tries = 0;
  const stillFails: Fails = (candidate) => tries++ < most && fails(candidate);
  for (let best = program; ;) {
    const smaller = shrinkOnce(best, stillFails);
    if (sizeOf(smaller) === sizeOf(best) || tries >= most) return smaller;
    best = smaller;
  }
}

function shrinkOnce(program: Program, fails: Fails): Program {
  const withRounds = (rounds: Program['rounds']): Program => ({ ...program, rounds });
  let best = withRounds(reduce(program.rounds, (rounds) => fails(withRounds(rounds))));
  const events = best.rounds.flatMap((round, n) => round.events.map((event) => ({ n, event })));
  best = withEvents(
    best,
    reduce(events, (kept) => fails(withEvents(best, kept))),
  );
  const instructions = best.routines.flatMap(({ items }) => items.filter(({ bytes }) => bytes.length > 0));
  for (const replace of [drop, blank]) {
    const kept = reduce(instructions, (some) => fails(keepOnly(best, new Set(some), replace)));
    best = keepOnly(best, new Set(kept), replace);
  }
  return best;
}

function withEvents(program: Program, events: readonly { readonly n: number; readonly event: Event }[]): Program {
  const rounds = program.rounds.map((round, n) => ({
    ...round,
    events: events.filter((kept) => kept.n === n).map(({ event }) => event),
  }));
  return { ...program, rounds };
}

/** The code of a program with its labels' places, the rounds, and nothing else. */
export function listing(program: Program): string[] {
  const { code, starts, entries } = assemble(program);
  const instruction = createInstruction();
  const lines: string[] = [];
  for (const start of starts) {
    const page = Math.floor(start / PAGE);
    const outcome = decode(code, start, code.length, start % PAGE, instruction);
    const length = outcome === Decoded.OK ? instruction.length : 1;
    const bytes = Buffer.from(code.subarray(start, start + length)).toString('hex');
    if (length === 1 && code[start] === NOP) continue;
    const text = outcome === Decoded.OK ? disassemble(instruction, addressOfPage(Page.CODE + page)) : '(bad)';
    lines.push(`  ${(addressOfPage(Page.CODE) + start).toString(16)}: ${bytes.padEnd(24)} ${text}`);
  }
  lines.push(`  entries: ${entries.map((entry) => entry.toString(16)).join(' ')}`);
  program.rounds.forEach(({ events, budget }, n) => {
    lines.push(`  round ${n}: ${events.map((event) => JSON.stringify(event)).join(' ')} budget ${budget}`);
  });
  return lines;
}

/** The smallest part of a list that passes, found by leaving out shorter and shorter runs. */
function reduce<T>(list: readonly T[], passes: (part: readonly T[]) => boolean): readonly T[] {
  let best = list;
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length;) {
      const part = [...best.slice(0, at), ...best.slice(at + size)];
      if (passes(part)) best = part;
      else at += size;
    }
  }
  return best;
}

type Replace = (item: Item) => readonly Item[];

/** Leaves an instruction out: what is behind it moves. */
const drop: Replace = () => [];

/** Puts nops in its place. */
const blank: Replace = ({ bytes }) => [plain(...bytes.map(() => NOP))];

function keepOnly(program: Program, kept: ReadonlySet<Item>, replace: Replace): Program {
  const routines = program.routines.map(({ offset, items }) => ({
    offset,
    items: items.flatMap((item) =>
      item.label !== undefined || kept.has(item) || isNops(item) ? [item] : replace(item),
    ),
  }));
  return { ...program, routines };
}

function sizeOf({ routines, rounds }: Program): string {
  return `${rounds.length} ${rounds.flatMap(({ events }) => events).length} ${routines.flatMap(({ items }) => items).length}`;
}

function isNops({ bytes }: Item): boolean {
  return bytes.every((byte) => byte === NOP);
}
