// The file of recorded answers. Inputs are not in it: generators make them again from the form's seed, and a
// checksum tells when they no longer do. An answer is the list of bytes in which the outcome differs from
// that of an instruction without effect.
//
// File: for each form u8 length of its name, the name, u32 checksum of the inputs, u16 number of answers, the answers.
// Answer: u8 number of runs; for each run u16 offset, u8 length, the bytes. Little-endian.

import type { FloatCase, FloatForm } from './float-case.ts';
import { Outcome, unchanged } from './float-case.ts';
import { RandomSource, seedOf } from './random-source.ts';

/** Recorded answers of one form. */
export interface RecordedForm {
  readonly name: string;
  /** Of the inputs; see `checksum`. */
  readonly checksum: number;
  /** One outcome a case. */
  readonly answers: readonly Uint8Array[];
}

/** Name of a form in the file. */
export function formName(form: FloatForm): string {
  return form.variant === '' ? form.helper : `${form.helper} ${form.variant}`;
}

/** The cases of a form, always the same. */
export function casesOf<F extends FloatForm>(
  form: F,
  make: (random: RandomSource, form: F) => FloatCase,
  count: number,
): FloatCase[] {
  const random = new RandomSource(seedOf(formName(form)));
  return Array.from({ length: count }, () => make(random, form));
}

/** Checksum of the inputs of some cases. */
export function checksum(cases: readonly FloatCase[]): number {
  let hash = 0x811c9dc5;
  const add = (bytes: Uint8Array | readonly number[]): void => {
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  };
  for (const one of cases) {
    add(one.form.code);
    add(unchanged(one));
  }
  return hash >>> 0;
}

/** Packs the answers of one form. */
export function encodeForm(name: string, cases: readonly FloatCase[], answers: readonly Uint8Array[]): Uint8Array {
  const bytes: number[] = [name.length, ...new TextEncoder().encode(name)];
  pushNumber(bytes, checksum(cases), 4);
  pushNumber(bytes, answers.length, 2);
  answers.forEach((answer, i) => pushAnswer(bytes, unchanged(cases[i]!), answer)); // as many cases as answers
  return Uint8Array.from(bytes);
}

/** Reads a whole file. @param casesOfForm - the cases of a form by its name, to apply differences to */
export function decodeFile(
  file: Uint8Array,
  casesOfForm: (name: string, count: number) => readonly FloatCase[],
): RecordedForm[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const forms: RecordedForm[] = [];
  let at = 0;
  while (at < file.length) {
    const nameEnd = at + 1 + file[at]!; // within the file
    const name = new TextDecoder().decode(file.subarray(at + 1, nameEnd));
    const sum = view.getUint32(nameEnd, true);
    const count = view.getUint16(nameEnd + 4, true);
    at = nameEnd + 6;
    const cases = casesOfForm(name, count);
    const answers: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const answer = unchanged(cases[i]!); // `count` of them
      let runs = file[at++]!; // within the file
      for (; runs > 0; runs--) {
        const offset = view.getUint16(at, true);
        const length = file[at + 2]!; // within the file
        answer.set(file.subarray(at + 3, at + 3 + length), offset);
        at += 3 + length;
      }
      answers.push(answer);
    }
    forms.push({ name, checksum: sum, answers });
  }
  return forms;
}

function pushNumber(bytes: number[], value: number, size: number): void {
  for (let i = 0; i < size; i++) bytes.push(Math.floor(value / 2 ** (8 * i)) & 0xff);
}

/** Gaps of up to three equal bytes do not end a run. */
function pushAnswer(bytes: number[], before: Uint8Array, after: Uint8Array): void {
  const runs: [number, number][] = [];
  for (let i = 0; i < Outcome.SIZE; i++) {
    if (before[i] === after[i]) continue;
    const last = runs[runs.length - 1];
    if (last !== undefined && i - last[1] <= 3 && i - last[0] < 255) last[1] = i + 1;
    else runs.push([i, i + 1]);
  }
  bytes.push(runs.length);
  for (const [start, end] of runs) {
    pushNumber(bytes, start, 2);
    bytes.push(end - start, ...after.subarray(start, end));
  }
}
