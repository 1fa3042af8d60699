// Programs as a user meets them: started in a process, on pipes or on a terminal of their own, watched from outside. Used by
// tests/system.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';

/** Root of the project. */
export const root = join(import.meta.dirname, '..', '..');

/** After so long a program is killed, unless its test gives it longer. */
const LIMIT_MS = 20_000;

/** Characters of each stream that a failure shows. */
const MAX_SHOWN = 3000;

/** How to start a program. */
export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** After so long it is killed; its status is then 137. */
  readonly limitMs?: number;
}

/** A program that was started, what it has written so far, and how it ended. */
export class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #wake: () => void = () => undefined;
  #over = false;
  stdout = '';
  stderr = '';

  constructor(command: readonly string[], options: ProgramOptions = {}) {
    const [file = '', ...args] = command;
    const { cwd = root, env, limitMs = LIMIT_MS } = options;
    this.#child = spawn(file, args, {
      cwd,
      ...(env === undefined ? {} : { env }),
      stdio: 'pipe',
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      this.stdout += bytes.toString('latin1');
      this.#wake();
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString('latin1');
      this.#wake();
    });
    this.#child.stdin?.on('error', () => undefined); // it may end before it has read everything
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (status, signal) => {
        this.#over = true;
        this.#wake();
        resolve(status ?? (signal === 'SIGKILL' ? 137 : -1));
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Settles with the exit status once all output is here. */
  get ended(): Promise<number> {
    return this.#ended;
  }

  type(text: string): void {
    this.#child.stdin?.write(Buffer.from(text, 'latin1'));
  }

  /** Ends it at once, if it still runs. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Waits until standard output from `start` on matches, and returns the match. Fails if the program ends first. */
  async shows(pattern: RegExp, start = 0): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(start === 0 ? this.stdout : this.stdout.slice(start));
      if (match !== null) {
        return match;
      }
      if (this.#over) {
        const wrote = this.stdout.slice(-MAX_SHOWN) + this.stderr.slice(-MAX_SHOWN);
        throw new Error(`ended without showing ${String(pattern)}; it wrote: ${wrote}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/**
 * Starts a shell command on a terminal of its own. What is typed and shown goes through the terminal, so `stdout` holds
 * both outputs, with `\r\n` line ends.
 */
export function onTerminal(command: string, options: ProgramOptions = {}): Program {
  return new Program(['script', '--quiet', '--return', '--flush', '--command', command, '/dev/null'], options);
}

/** The command that runs `zendo` with a scripted machine under this Node. */
export const scriptedZendo = `${process.execPath} ${join(root, 'tests', 'support', 'scripted-zendo.ts')}`;
