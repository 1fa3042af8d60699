// Compiler and interpreter agree with the interpreter that runs one instruction at a time, bit for bit, on random
// programs with faults, stores to code, remapped pages and interrupts. ZENDO_FUZZ_INSTRUCTIONS says how many
// instructions (1 000 000); ZENDO_FUZZ_SEED which program is the first, and the only one when no number is given.

import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import type { EngineTier } from '../../src/engine/index.ts';
import type { EngineOptions } from '../../src/engine-wasm/index.ts';
import { NAMED_ROWS } from '../cpu/row-list.ts';
import { Duel } from './agreement/duel.ts';
import { generate } from './agreement/generate.ts';
import { Machine } from './agreement/machine.ts';
import type { Program } from './agreement/program.ts';
import { listing, shrink } from './agreement/shrink.ts';

const SEED = process.env['ZENDO_FUZZ_SEED'];
const FIRST = Number(SEED ?? 1);
const INSTRUCTIONS = Number(process.env['ZENDO_FUZZ_INSTRUCTIONS'] ?? (SEED === undefined ? 1_000_000 : 1));

const MOST_TRIES = 6000;

/** Part of the table's rows that a million instructions have to have among them. */
const COVERAGE = 0.98;

/** An engine to be tested. */
interface Subject {
  readonly name: string;
  readonly tier: EngineTier;
  readonly options?: EngineOptions;
  /** Programs that run in the same engine, one after the other: its code cache remembers. */
  readonly programs: number;
}

const SUBJECTS: readonly Subject[] = [
  { name: 'interpreter', tier: 'interpreter', programs: 50 },
  { name: 'compiler', tier: 'compiler', programs: 50 },
  // frames whose code changes often are not compiled any more, so these are few
  { name: 'compiler of hot code', tier: 'auto', options: { threshold: 3 }, programs: 4 },
];

for (const subject of SUBJECTS)
  test(`${subject.name}: agrees with single steps on random programs`, () => runAll(subject));

function runAll(subject: Subject): void {
  const executed = new Set<number>();
  let steps = 0;
  let first = FIRST;
  while (steps < INSTRUCTIONS) {
    const duel = makeDuel(subject);
    for (let seed = first; seed < first + subject.programs && steps < INSTRUCTIONS; seed++) {
      const outcome = duel.run(generate(seed));
      steps += outcome.steps;
      if (outcome.mismatch.length > 0) assert.fail(report(subject, first, seed, outcome.mismatch));
    }
    duel.executed.forEach((count, row) => count > 0 && executed.add(row));
    first += subject.programs;
  }
  const missing = NAMED_ROWS.filter(({ row }) => !executed.has(row.id)).map(({ text }) => text);
  if (INSTRUCTIONS >= 1_000_000)
    assert.ok(missing.length < NAMED_ROWS.length * (1 - COVERAGE), `never executed: ${missing.join('; ')}`);
}

function makeDuel({ tier, options }: Subject): Duel {
  return new Duel(new Machine('interpreter'), new Machine(tier, options));
}

/** The failing program, as small as it gets. */
function report(subject: Subject, first: number, seed: number, mismatch: readonly string[]): string {
  const run = (program: Program, tracing: boolean): readonly string[] => {
    const duel = makeDuel(subject);
    duel.tracing = tracing;
    return duel.run(program).mismatch;
  };
  const program = generate(seed);
  const title = `the ${subject.name} differs: ZENDO_FUZZ_SEED=${seed}`;
  if (run(program, false).length === 0)
    return [`${title}, but only after the programs from seed ${first} on`, ...mismatch].join('\n');
  const duel = makeDuel(subject);
  const small = shrink(program, (candidate) => duel.run(candidate).mismatch.length > 0, MOST_TRIES);
  return [title, ...listing(small), ...run(small, true)].join('\n');
}
