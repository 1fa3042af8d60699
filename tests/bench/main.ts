// `npm run bench [-- NAME [OPTION...]]`: runs a bench and prints its figures; boot without a name. Times depend on the
// machine and on what else it does; compare figures of one run only. docs/performance.md says how to read them.

import process from 'node:process';
import { benchBare } from './bare.ts';
import { benchBoot } from './boot.ts';
import { benchCpu } from './cpu.ts';
import { BenchError } from './cpu/build-program.ts';

/** The benches by name. */
const BENCHES: ReadonlyMap<string, (args: readonly string[]) => Promise<void>> = new Map([
  ['boot', benchBoot],
  ['bare', benchBare],
  ['cpu', benchCpu],
]);

const [name = 'boot', ...args] = process.argv.slice(2);
const bench = BENCHES.get(name);
if (bench === undefined) {
  process.stderr.write(`bench: there is no ${name}; the benches are ${[...BENCHES.keys()].join(', ')}\n`);
  process.exitCode = 2;
} else {
  try {
    await bench(args);
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    process.exitCode = 1;
  }
}
