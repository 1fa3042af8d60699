// Records the answers of this machine's CPU into tests/cpu/vectors/float. An Intel CPU, please: rcp, rsqrt and the
// transcendental instructions differ between vendors. Run: node tests/cpu/float-recorder/record.ts <built float-recorder>

import { writeFileSync } from 'node:fs';

import type { FloatCase, FloatForm } from './float-case.ts';
import { cpuCase, cpuOutcome } from './float-case.ts';
import type { RandomSource } from './random-source.ts';
import { runOnCpu } from './recorder-client.ts';
import { SSE_FORMS, sseCase } from './sse-cases.ts';
import { casesOf, encodeForm, formName } from './vector-file.ts';
import { X87_FORMS, x87Case } from './x87-cases.ts';

const X87_CASES = 160;
const SSE_CASES = 80;

function record<F extends FloatForm>(
  recorder: string,
  forms: readonly F[],
  make: (random: RandomSource, form: F) => FloatCase,
  count: number,
  file: string,
): void {
  const parts = forms.map((form) => {
    const cases = casesOf(form, make, count);
    return encodeForm(formName(form), cases, runOnCpu(recorder, cases.map(cpuCase)).map(cpuOutcome));
  });
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  writeFileSync(new URL(`../vectors/float/${file}`, import.meta.url), bytes);
  console.log(`${file}: ${forms.length} forms, ${forms.length * count} answers, ${size} bytes`);
}

const recorder = process.argv[2];
if (recorder === undefined) {
  console.error('usage: record.ts <path of the built float-recorder>');
  process.exit(2);
}
record(recorder, X87_FORMS, x87Case, X87_CASES, 'x87.bin');
record(recorder, SSE_FORMS, sseCase, SSE_CASES, 'sse.bin');
