// Records the answers of this machine's CPU to the SIMD forms into tests/cpu/vectors/simd; see README.md.
// With `--explore N [NAME]` it records nothing: it runs N cases of each form (whose name contains NAME) on the
// CPU and in the engine and prints the differences.

import { writeFileSync } from 'node:fs';

import { cpuCase, cpuOutcome } from '../float-recorder/float-case.ts';
import { runOnCpu } from '../float-recorder/recorder-client.ts';
import { casesOf, encodeForm, formName } from '../float-recorder/vector-file.ts';
import { CaseMachine } from './engine-run.ts';
import { simdCase } from './simd-cases.ts';
import { SIMD_FORMS, type SimdForm } from './simd-forms.ts';

const CASES = 5;
const FLOAT_CASES = 40;

function record(recorder: string): void {
  const parts = SIMD_FORMS.map((form) => {
    const cases = casesOf(form, simdCase, form.isFloat ? FLOAT_CASES : CASES);
    return encodeForm(formName(form), cases, runOnCpu(recorder, cases.map(cpuCase)).map(cpuOutcome));
  });
  const bytes = Buffer.concat(parts);
  writeFileSync(new URL('../vectors/simd/simd.bin', import.meta.url), bytes);
  console.log(`simd.bin: ${SIMD_FORMS.length} forms, ${bytes.length} bytes`);
}

/** Prints the first difference of each form. */
function explore(recorder: string, count: number, part: string): void {
  const machine = new CaseMachine();
  let differing = 0;
  for (const form of SIMD_FORMS) {
    if (!formName(form).includes(part)) continue;
    const different = differencesOf(recorder, machine, form, count);
    differing += different.length;
    if (different[0] !== undefined) console.log(`${formName(form)}: ${different[0]}`);
  }
  console.log(`${differing} cases differ`);
}

function differencesOf(recorder: string, machine: CaseMachine, form: SimdForm, count: number): string[] {
  const cases = casesOf(form, simdCase, count);
  const answers = runOnCpu(recorder, cases.map(cpuCase)).map(cpuOutcome);
  return cases.flatMap((one, i) => {
    const ours = cpuOutcome(machine.run(one));
    const places = [...ours.keys()].filter((k) => ours[k] !== answers[i]?.[k]);
    return places.length === 0 ? [] : [`case ${i} differs at ${places.join(', ')}`];
  });
}

const [recorder, mode, count, part] = process.argv.slice(2);
if (recorder === undefined) {
  console.error('usage: record.ts <path of the built float-recorder> [--explore N [NAME]]');
  process.exit(2);
}
if (mode === '--explore') explore(recorder, Number(count), part ?? '');
else record(recorder);
