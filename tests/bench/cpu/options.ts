// Reads the options of a bench: words that each take a value. What is wrong with them is said in one line.

import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BenchError } from './build-program.ts';

/** Reads `--name value` pairs. @param names - those that there are. Fails with BenchError */
export function parseOptions<N extends string>(
  args: readonly string[],
  names: readonly N[],
): Readonly<Partial<Record<N, string>>> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    return parseArgs({ args: [...args], options }).values as Partial<Record<N, string>>; // every option is one of `names`
  } catch (error) {
    throw new BenchError(error instanceof Error ? error.message : String(error));
  }
}

/** Reads a number of rounds. @param text - as given, if it is. Fails with BenchError */
export function roundsOf(text: string | undefined, otherwise: number): number {
  const rounds = Number(text ?? otherwise);
  if (Number.isInteger(rounds) && rounds > 0) return rounds;
  throw new BenchError('--rounds takes a whole number from 1 on');
}

/** Picks things by the names in `--only`, all without it. Fails with BenchError */
export function chosen<T extends { readonly name: string }>(all: readonly T[], only: string | undefined): readonly T[] {
  if (only === undefined) return all;
  return only.split(',').map((name) => {
    const found = all.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw new BenchError(`there is no line ${name}; the lines are ${all.map((each) => each.name).join(', ')}`);
  });
}

/** A path as the user means it: npm starts programs in the root of the project. */
export function pathOf(text: string): string {
  return resolve(process.env['INIT_CWD'] ?? '.', text);
}
