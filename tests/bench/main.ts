// `npm run bench [-- NAME...]`: runs the benches that are named, or all, and prints their figures. Times
// depend on the machine and on what else it does; compare figures of one run only.

import process from 'node:process';

import { benchBoot } from './boot.ts';

/** The benches by name. */
const BENCHES: ReadonlyMap<string, () => Promise<void>> = new Map([['boot', benchBoot]]);

const names = process.argv.slice(2);
const unknown = names.filter((name) => !BENCHES.has(name));
if (unknown.length > 0) {
  process.stderr.write(`bench: there is no ${unknown.join(', ')}; the benches are ${[...BENCHES.keys()].join(', ')}\n`);
  process.exitCode = 2;
} else {
  for (const [name, bench] of BENCHES) {
    if (names.length === 0 || names.includes(name)) await bench();
  }
}
