// Records the vectors on this machine's CPU: `npm run vectors [-- FILE...]`. Writes tests/cpu/vectors. Sources whose
// cases have not changed keep their recorded outcomes, unless --all is given.

import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { CASE_SOURCES, INSTRUCTION_FILES, SEQUENCE_FILE } from './case-source.ts';
import { Input } from './machine-layout.ts';
import { cpuName, Recorder } from './recorder/recorder-client.ts';
import { encodeOutcomes, hashOf, readVectors, vectorPath, writeVectors } from './vector-file.ts';
import type { RowVectors } from './vector-file.ts';

record(process.argv.slice(2));

function record(args: readonly string[]): void {
  const all = args.includes('--all');
  const wanted = args.filter((arg) => arg !== '--all');
  const cpu = cpuName();
  using recorder = new Recorder();
  for (const file of [...INSTRUCTION_FILES, SEQUENCE_FILE]) {
    if (wanted.length > 0 && !wanted.includes(file)) continue;
    const path = vectorPath(file);
    mkdirSync(dirname(path), { recursive: true });
    const before = !all && existsSync(path) ? readVectors(path) : { cpu, rows: [] };
    const known = new Map(before.cpu === cpu ? before.rows.map((row) => [row.text, row]) : []);
    let recorded = 0;
    const rows = CASE_SOURCES.filter((source) => source.file === file).map(({ text, cases }): RowVectors => {
      const inputs = cases();
      const hash = hashOf(inputs);
      const old = known.get(text);
      if (old?.hash === hash) return old;
      recorded++;
      return { text, count: inputs.length / Input.SIZE, hash, outcomes: encodeOutcomes(inputs, recorder.run(inputs)) };
    });
    if (recorded > 0 || rows.length !== before.rows.length) writeVectors(path, { cpu, rows });
    const nrCases = rows.reduce((sum, row) => sum + row.count, 0);
    console.log(`${file}: ${rows.length} rows, ${nrCases} cases; ${recorded} rows recorded`);
  }
}
