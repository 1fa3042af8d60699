// Makes a random program from a seed: its character, its routines and their places, its jump tables, and the
// rounds it runs in. The same seed gives the same program always.

import { RandomSource } from '../../cpu/float-recorder/random-source.ts';
import { CONTROL_CONSTRUCTS } from './control-constructs.ts';
import { DATA_CONSTRUCTS } from './data-constructs.ts';
import { Frame, NR_CODE, PAGE, Page, Table } from './layout.ts';
import { type OperandHabits, OperandPlaces } from './operand-places.ts';
import type { Program, Routine, Target } from './program.ts';
import type { Event, Round } from './round.ts';
import { RowChoice, type RowFamilyName } from './row-choice.ts';
import { RowEncoder } from './row-encoder.ts';
import { type Character, type Kit, type ProgramNames, RoutineWriter } from './routine-writer.ts';
import { STORE_CONSTRUCTS } from './store-constructs.ts';
import { STRANGE_TRANSFERS } from './strange-transfers.ts';

const NR_ROUNDS = 300;

/** Instructions of a program. */
const LENGTH = 2500;

/** The same of one that recurses deeply. */
const DEEP_LENGTH = 15_000;

/** Deepest recursion: what the stack has room for. */
const DEEPEST = 3500;
const DEEP_BUDGET = 30_000;
const CODE_SIZE = NR_CODE * PAGE;

/** Families of rows of the characters. */
const FAMILIES: readonly (readonly RowFamilyName[])[] = [
  ['integer'],
  ['integer', 'flags'],
  ['flags', 'flags', 'flags', 'integer'],
  ['integer', 'sse'],
  ['sse', 'sse', 'integer'],
  ['integer', 'x87'],
  ['x87', 'x87', 'mmx', 'integer'],
  ['integer', 'flags', 'sse', 'x87', 'mmx', 'system'],
];

/** Makes the program of a seed. */
export function generate(seed: number): Program {
  const random = new RandomSource(seed);
  const quiet = random.oneIn(3); // few faults, so that loops run and much is compiled
  const habits: OperandHabits = {
    crossing: random.pick([0, 12, 30]),
    faulting: quiet ? 0 : random.pick([20, 60, 150]),
    code: quiet ? 0 : random.pick([0, 100, 300]),
    wild: quiet ? 0 : random.pick([0, 10, 2]),
  };
  const character: Character = {
    control: random.pick([8, 15, 25, 35]),
    prepared: random.pick([4, 10, 20]),
    rewriting: random.pick([0, 0, 2, 8]),
    leaving: random.pick([10_000, 300, 100]),
    crooked: random.pick([3, 10, 1000]),
  };
  const places = new OperandPlaces(random, habits);
  const isDeep = random.oneIn(8);
  const nrRoutines = 3 + random.below(10);
  let labels = nrRoutines;
  const entries = Array.from({ length: nrRoutines }, (_, n) => n);
  const common: Target[] = Array.from({ length: Table.NR_COMMON }, () => ({ label: random.pick(entries) }));
  const names: ProgramNames = { entries, places: [], targets: [...common], newLabel: () => labels++ };
  const kit: Kit = {
    random,
    places,
    encoder: new RowEncoder(random, places),
    names,
    rows: new RowChoice(random, random.pick(FAMILIES)),
    character,
    control: [...CONTROL_CONSTRUCTS, ...STRANGE_TRANSFERS.slice(random.below(STRANGE_TRANSFERS.length))],
    prepared: DATA_CONSTRUCTS,
    rewriting: STORE_CONSTRUCTS,
  };
  const routines: Routine[] = [];
  let at = 0;
  for (const entry of entries) {
    const writer = new RoutineWriter(kit);
    writer.routine(entry, 3 + random.below(20));
    const { items } = writer;
    const length = items.reduce((sum, item) => sum + (item.long ?? item).bytes.length, 0);
    at = place(random, at, length);
    if (at + length >= CODE_SIZE) break;
    routines.push({ offset: at, items });
    at += length;
  }
  const anywhere = (): Target => ({
    label: random.pick(names.places.length > 0 && random.oneIn(3) ? names.places : entries),
    alias: random.oneIn(5),
    addend: random.oneIn(24) ? random.below(8) : 0,
  });
  const targets = [...common.map(anywhere), ...names.targets.slice(Table.NR_COMMON)];
  return {
    seed,
    routines,
    entries: entries.slice(0, routines.length),
    targets,
    rounds: makeRounds(random, quiet, isDeep),
    mending: random.pick([0, 50, 90]),
    length: isDeep ? DEEP_LENGTH : LENGTH,
    deepest: isDeep ? DEEPEST : 40,
  };
}

/** Where the next routine begins: often so that it lies across the end of a page. */
function place(random: RandomSource, at: number, length: number): number {
  const toEnd = PAGE - (at % PAGE);
  switch (random.below(4)) {
    case 0:
      return at;
    case 1:
      return at + random.below(64);
    case 2:
      return at + toEnd + random.below(32);
    default:
      return Math.max(at, at + toEnd - random.below(Math.max(length, 1)));
  }
}

function makeRounds(random: RandomSource, quiet: boolean, isDeep: boolean): Round[] {
  const eventful = quiet ? 8 : random.pick([1, 2, 5]);
  return Array.from({ length: NR_ROUNDS }, () => {
    const events: Event[] = [];
    if (random.oneIn(eventful)) for (let n = 1 + random.below(2); n > 0; n--) events.push(makeEvent(random));
    return { events, budget: isDeep && random.oneIn(3) ? DEEP_BUDGET : makeBudget(random) };
  });
}

function makeBudget(random: RandomSource): number {
  switch (random.below(5)) {
    case 0:
      return 1 + random.below(20);
    case 1:
      return 1 + random.below(300);
    case 2:
      return 1000 + random.below(100);
    default:
      return 2000 + random.below(8000);
  }
}

function makeEvent(random: RandomSource): Event {
  const codePage = (): number => random.pick([Page.CODE, Page.CODE, Page.ALIAS]) + random.below(NR_CODE);
  const anyPage = (): number =>
    random.pick([codePage(), codePage(), Page.DATA + random.below(4), Page.STACK + 7, Page.TABLES, Page.LAZY_HIGH]);
  switch (random.below(24)) {
    case 20:
    case 21:
    case 22:
    case 23: {
      const value = random.oneIn(3) ? random.below(256) : random.pick([0x90, 0xf8, 0xf9, 0xf5, 0x98, 0x99]);
      // near the ends of the page, where instructions lie across them
      const at = random.pick([random.below(PAGE), random.below(12), PAGE - 1 - random.below(12)]);
      return { kind: 'migrate', page: codePage(), spare: random.below(Frame.NR_SPARE), at, value };
    }
    case 0:
    case 1:
      return { kind: 'patch', at: random.u32(), value: random.u32() };
    case 2:
      return { kind: 'swap-contents', a: random.below(NR_CODE), b: random.below(NR_CODE) };
    case 3:
    case 4:
      return { kind: 'remap', page: codePage(), frame: random.below(NR_CODE) };
    case 5:
    case 6:
    case 7: {
      const how = random.pick(['absent', 'read-only', 'no-execute', 'proper', 'proper'] as const);
      return { kind: 'protect', page: anyPage(), how };
    }
    case 8:
      return { kind: 'flush-tlb' };
    case 9:
      return { kind: 'flush-page', page: anyPage() };
    case 10:
      return { kind: 'invalidate', frame: random.below(NR_CODE) };
    case 11:
      return { kind: 'clear-accessed' };
    case 12:
    case 13:
      return { kind: 'switch-vcpu' };
    case 14:
      return { kind: 'switch-mode' };
    case 15:
      return { kind: 'registers', seed: random.u32() };
    case 16:
    case 17:
      return { kind: 'go', entry: random.u32(), alias: random.oneIn(3) };
    case 18:
      return { kind: 'emulate', page: Page.DATA + random.below(4) };
    default: {
      const access = random.pick([0, 1, 2] as const);
      return { kind: 'translate', page: anyPage(), access, kernelMode: random.oneIn(2) };
    }
  }
}
