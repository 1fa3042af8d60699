// Programs as a user meets them: started in a process, on pipes or on a terminal of their own, watched from outside. Used by
// tests/system.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';

/** Root of the project. */
export const root = join(import.meta.dirname, '..', '..');

const LIMIT_MS = 20_000;

/** A program that was started, what it has written so far, and how it ended. */
export class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #wake: () => void = () => undefined;
  stdout = '';
  stderr = '';

  constructor(command: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
    const [file = '', ...args] = command;
    this.#child = spawn(file, args, { cwd: root, ...options, stdio: 'pipe', timeout: LIMIT_MS, killSignal: 'SIGKILL' });
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

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Waits until standard output matches, and returns the match. Fails if the program ends first. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    let over = false;
    void this.#ended.finally(() => {
      over = true;
    });
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match !== null) {
        return match;
      }
      if (over) {
        throw new Error(`ended without showing ${String(pattern)}; it wrote: ${this.stdout}${this.stderr}`);
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
export function onTerminal(command: string): Program {
  return new Program(['script', '--quiet', '--return', '--flush', '--command', command, '/dev/null']);
}

/** The command that runs `zendo` with a scripted machine under this Node. */
export const scriptedZendo = `${process.execPath} ${join(root, 'tests', 'support', 'scripted-zendo.ts')}`;
