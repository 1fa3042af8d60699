// Replays the vectors of one source and reports what differs, for people: the first few cases in full, the rest as a
// number. Used by vectors.test.ts.

import { createInstruction, decode } from '../../src/engine-wasm/decode/decode.ts';
import type { CaseSource } from './case-source.ts';
import { describeInput, differences, isSame } from './comparison.ts';
import { DEVIATIONS } from './deviations.ts';
import { formatInstruction } from './format-instruction.ts';
import { Input, Outcome } from './machine-layout.ts';
import type { Replayer } from './replay.ts';
import { applyDifference, hashOf, quietOutcome } from './vector-file.ts';
import type { RowVectors } from './vector-file.ts';

/** What to run when a row's recorded inputs are not those that the generator makes. */
export const REGENERATE = 'run `npm run vectors` on Linux on an x86-64 CPU and commit tests/cpu/vectors';

const MAX_SHOWN = 3;

/** Replays rows, alternately in both modes, and counts the deviations that were needed. */
export class RowChecker {
  readonly #replayers: readonly [Replayer, Replayer];
  readonly #quiet = new Uint8Array(Outcome.SIZE);
  readonly #expected = new Uint8Array(Outcome.SIZE);
  readonly #actual = new Uint8Array(Outcome.SIZE);
  readonly #before = new Uint8Array(Outcome.SIZE);
  readonly #instruction = createInstruction();
  /** How often each of `DEVIATIONS` was needed. */
  readonly needed: number[] = DEVIATIONS.map(() => 0);
  /** Cases replayed. */
  cases = 0;

  constructor(userMode: Replayer, kernelMode: Replayer) {
    this.#replayers = [userMode, kernelMode];
  }

  /** @returns lines about the row's failures; none when it is as recorded */
  check(source: CaseSource, vectors: RowVectors | undefined): string[] {
    if (vectors === undefined) return [`${source.text}: nothing is recorded; ${REGENERATE}`];
    const inputs = source.cases();
    if (hashOf(inputs) !== vectors.hash) return [`${source.text}: the generator makes other cases now; ${REGENERATE}`];
    const shown: string[] = [];
    let failures = 0;
    let at = 0;
    for (let n = 0; n < vectors.count; n++) {
      const input = inputs.subarray(n * Input.SIZE, (n + 1) * Input.SIZE);
      quietOutcome(input, this.#quiet);
      this.#expected.set(this.#quiet);
      at = applyDifference(vectors.outcomes, at, this.#expected);
      this.cases++;
      this.#replayers[n % 2 === 0 ? 0 : 1].run(input, this.#actual);
      if (isSame(this.#expected, this.#actual) || this.#isExcused(input)) continue;
      failures++;
      if (failures <= MAX_SHOWN) shown.push(...this.#describe(n, input));
    }
    return failures === 0 ? [] : [`${source.text}: ${failures} of ${vectors.count} cases`, ...shown];
  }

  #isExcused(input: Uint8Array): boolean {
    this.#decode(input);
    const expected = this.#expected;
    const actual = this.#actual;
    for (const [n, deviation] of DEVIATIONS.entries()) {
      this.#before.set(actual);
      deviation.apply({ instruction: this.#instruction, input, expected, actual });
      if (!isSame(this.#before, actual)) this.needed[n]! += 1; // as many as deviations
    }
    return isSame(expected, actual);
  }

  #decode(input: Uint8Array): void {
    const length = input[Input.CODE_LENGTH] ?? 0;
    decode(input, Input.CODE, Input.CODE + length, 0, this.#instruction);
  }

  #describe(n: number, input: Uint8Array): string[] {
    const code = input.subarray(Input.CODE, Input.CODE + (input[Input.CODE_LENGTH] ?? 0));
    this.#decode(input);
    return [
      `  case ${n}: ${Buffer.from(code).toString('hex')}  ${formatInstruction(this.#instruction)}`,
      `    ${describeInput(this.#quiet)}`,
      ...differences(this.#quiet, this.#expected, this.#actual).map((line) => `    ${line}`),
    ];
  }
}
