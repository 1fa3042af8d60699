// Replays recorded answers against our helpers. Exact, but for transcendental results: those may be off by the
// form's tolerance, and then C1, which tells the direction of the last rounding, may differ too.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { FLOAT_HELPERS } from '../../../src/engine-wasm/runtime/float-helpers.ts';
import type { FloatCase, FloatForm } from './float-case.ts';
import { Outcome, ourOutcome } from './float-case.ts';
import type { RandomSource } from './random-source.ts';
import { casesOf, checksum, decodeFile, formName } from './vector-file.ts';

const FSW_HIGH = Outcome.IMAGE + 3;
const C1 = 2;
const REGISTERS = Outcome.IMAGE + 32;

/** A form with its cases and what the CPU made of them. */
export interface Replay {
  readonly name: string;
  readonly form: FloatForm;
  readonly cases: readonly FloatCase[];
  readonly answers: readonly Uint8Array[];
  /** The inputs are those that were recorded. */
  readonly current: boolean;
}

/** Reads a vector file. */
export function loadReplays<F extends FloatForm>(
  file: string,
  forms: readonly F[],
  make: (random: RandomSource, form: F) => FloatCase,
): Replay[] {
  const byName = new Map(forms.map((form) => [formName(form), form]));
  const made = new Map<string, readonly FloatCase[]>();
  const casesOfForm = (name: string, count: number): readonly FloatCase[] => {
    const form = byName.get(name);
    assert(form !== undefined, `no form ${name}: record anew`);
    const cases = casesOf(form, make, count);
    made.set(name, cases);
    return cases;
  };
  const bytes = readFileSync(new URL(`../vectors/float/${file}`, import.meta.url));
  return decodeFile(bytes, casesOfForm).map(({ name, checksum: sum, answers }) => {
    const cases = made.get(name)!; // decodeFile has asked for each
    return { name, form: cases[0]!.form, cases, answers, current: checksum(cases) === sum }; // every form has answers
  });
}

/** Asserts that our helper gives every recorded answer. */
export function assertAgrees({ name, form, cases, answers, current }: Replay): void {
  assert(current, `${name}: the generator no longer makes the recorded inputs; record anew`);
  const helper = FLOAT_HELPERS[form.helper];
  assert(helper !== undefined, `no helper ${form.helper}`);
  cases.forEach((one, i) => {
    const ours = ourOutcome(one, helper);
    const cpu = answers[i]!; // one answer a case
    const differences = form.tolerance === 0 ? differing(ours, cpu) : differingBeyond(ours, cpu, form.tolerance);
    if (differences.length > 0) assert.fail(`${name}: case ${i} differs at ${differences.join(', ')}`);
  });
}

function differing(ours: Uint8Array, cpu: Uint8Array): string[] {
  const places: string[] = [];
  for (let i = 0; i < Outcome.SIZE; i++) {
    if (ours[i] !== cpu[i]) places.push(`${placeOf(i)} (${ours[i]} for ${cpu[i]})`);
  }
  return places;
}

function placeOf(i: number): string {
  if (i >= Outcome.IMAGE) return `image+${i - Outcome.IMAGE}`;
  if (i >= Outcome.MEMORY) return `memory+${i - Outcome.MEMORY}`;
  return i >= Outcome.RAX ? 'rax' : i >= Outcome.RFLAGS ? 'rflags' : 'trap';
}

/** Like `differing`, with x87 registers allowed to be off by some units in the last place. */
function differingBeyond(ours: Uint8Array, cpu: Uint8Array, tolerance: number): string[] {
  const a = ours.slice();
  const b = cpu.slice();
  for (let i = 0; i < 8; i++) {
    const distance = position(a, i) - position(b, i);
    if (distance === 0n || distance > BigInt(tolerance) || distance < -BigInt(tolerance)) continue;
    const at = REGISTERS + 16 * i;
    a.set(b.subarray(at, at + 10), at);
  }
  a[FSW_HIGH]! &= ~C1; // inside the outcome
  b[FSW_HIGH]! &= ~C1; // inside the outcome
  return differing(a, b);
}

/** Number of physical register `i` in the order of all 80-bit values, so that neighbours differ by one. */
function position(outcome: Uint8Array, i: number): bigint {
  const view = new DataView(outcome.buffer, outcome.byteOffset + REGISTERS + 16 * i, 10);
  const signExponent = view.getUint16(8, true);
  const exponent = BigInt(signExponent & 0x7fff);
  const significand = view.getBigUint64(0, true);
  const magnitude = exponent === 0n ? significand : (exponent << 63n) | BigInt.asUintN(63, significand);
  return (signExponent & 0x8000) !== 0 ? -magnitude : magnitude;
}
