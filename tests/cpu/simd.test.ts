// Replays through the whole engine what a real CPU answered to every SSE and MMX form, and the recorded
// x87 forms, whose helpers `float-x87.test.ts` compares with the CPU.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { FLOAT_HELPERS } from '../../src/engine-wasm/runtime/float-helpers.ts';
import { cpuOutcome, ourOutcome } from './float-recorder/float-case.ts';
import { casesOf, checksum, decodeFile, formName } from './float-recorder/vector-file.ts';
import { X87_FORMS, x87Case } from './float-recorder/x87-cases.ts';
import { CaseMachine } from './simd-recorder/engine-run.ts';
import { simdCase } from './simd-recorder/simd-cases.ts';
import { SIMD_FORMS, type SimdForm } from './simd-recorder/simd-forms.ts';

const X87_CASES = 12;
const machine = new CaseMachine();

const formsByName = new Map(SIMD_FORMS.map((form) => [formName(form), form]));
const recorded = decodeFile(readFileSync(new URL('vectors/simd/simd.bin', import.meta.url)), (name, count) =>
  casesOf(formOf(name), simdCase, count),
);

function formOf(name: string): SimdForm {
  const form = formsByName.get(name);
  assert(form !== undefined, `no form ${name}: record anew`);
  return form;
}

/** Names of the differing bytes of two outcomes, by offset. */
function difference(ours: Uint8Array, expected: Uint8Array | undefined): number[] {
  return [...ours.keys()].filter((k) => ours[k] !== expected?.[k]);
}

const byMnemonic = Map.groupBy(recorded, ({ name }) => formOf(name).mnemonic);

for (const [mnemonic, forms] of byMnemonic) {
  test(`${mnemonic}: agrees with the recorded CPU in every form`, () => {
    for (const { name, checksum: sum, answers } of forms) {
      const cases = casesOf(formOf(name), simdCase, answers.length);
      assert.equal(checksum(cases), sum, `${name}: the generator no longer makes the recorded inputs; record anew`);
      cases.forEach((one, i) => {
        const places = difference(cpuOutcome(machine.run(one)), answers[i]);
        assert.deepEqual(places, [], `${name}: case ${i} differs`);
      });
    }
  });
}

test('SIMD forms: every form of the table has recorded answers', () => {
  const names = new Set(recorded.map(({ name }) => name));
  assert.deepEqual(
    SIMD_FORMS.map(formName).filter((name) => !names.has(name)),
    [],
  );
});

test('x87: every form gives through the engine what its helper gives', () => {
  for (const form of X87_FORMS) {
    const helper = FLOAT_HELPERS[form.helper];
    assert(helper !== undefined, `no helper ${form.helper}`);
    casesOf(form, x87Case, X87_CASES).forEach((one, i) => {
      const places = difference(cpuOutcome(machine.run(one)), ourOutcome(one, helper));
      assert.deepEqual(places, [], `${formName(form)}: case ${i} differs`);
    });
  }
});
