// Builds the recorder and runs cases through it. Used only to record vectors; the tests replay what was recorded.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Input, Outcome } from '../machine-layout.ts';
import { normalize } from '../vector-file.ts';

/** The built recorder. Disposing of it removes the program. */
export class Recorder implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'zendo-recorder-'));
  readonly #program = join(this.#folder, 'recorder');

  constructor() {
    const source = join(import.meta.dirname, 'recorder.c');
    const options = ['-O2', '-Wall', '-mfsgsbase', '-fno-stack-protector'];
    const built = spawnSync('gcc', [...options, source, '-o', this.#program], { stdio: 'inherit' });
    if (built.status !== 0) throw new Error('gcc could not build the recorder; it needs Linux on x86-64');
  }

  /** Runs the cases of `inputs`, `Input.SIZE` bytes each; returns their outcomes, `Outcome.SIZE` bytes each. */
  run(inputs: Uint8Array): Uint8Array {
    const count = inputs.length / Input.SIZE;
    const { status, signal, stdout } = spawnSync(this.#program, {
      input: inputs,
      maxBuffer: count * Outcome.SIZE + 4096,
    });
    if (status !== 0 || stdout.length !== count * Outcome.SIZE) {
      throw new Error(
        `the recorder stopped after ${Math.floor(stdout.length / Outcome.SIZE)} of ${count} cases (${signal ?? `status ${status}`})`,
      );
    }
    for (let n = 0; n < count; n++) normalize(stdout.subarray(n * Outcome.SIZE, (n + 1) * Outcome.SIZE));
    return stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** Name of this machine's CPU. */
export function cpuName(): string {
  const text = readFileSync('/proc/cpuinfo', 'utf8');
  const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? '?';
  return `${field('model name')}, family ${field('cpu family')} model ${field('model')} stepping ${field('stepping')}`;
}
