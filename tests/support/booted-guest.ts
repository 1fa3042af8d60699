// A stock guest as a user meets it: `bin/zendo run` in a process of its own, its console on pipes, a person at the shell.
// Used by tests/system and tests/bench.

import { join } from 'node:path';
import process from 'node:process';
import { Program, root } from './process.ts';

/** The program as it lies in the tree; the same Node runs it that runs the test. */
export const zendo: readonly string[] = [process.execPath, join(root, 'bin', 'zendo')];

/** What the shell of our ramdisks shows when it waits. */
const PROMPT = /\nzendo:~# /;

/** Lines that the kernel prints whenever it likes. */
const KERNEL_LINE = /^\[ *\d+\.\d+\] /;

/** What to boot. Without a kernel, zendo's default guest. */
export interface GuestOptions {
  readonly kernel?: string;
  readonly ramdisk?: string;
  readonly append?: string;
  /** As `--memory` takes it. */
  readonly memory?: string;
  readonly vcpus?: number;
  /** More words for the command line. */
  readonly more?: readonly string[];
  /** After so long zendo ends the run with status 4. */
  readonly limitS?: number;
}

const LIMIT_S = 240;

/** A guest that runs. */
export class BootedGuest {
  readonly program: Program;
  #read = 0;

  constructor(options: GuestOptions) {
    const limitS = options.limitS ?? LIMIT_S;
    const command = [...zendo, 'run', ...words(options), '--timeout', String(limitS)];
    // with this set the launcher starts no process of its own, and the program's pid is the machine's
    const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
    this.program = new Program(command, { limitMs: (limitS + 30) * 1000, env });
  }

  /** Everything on the console so far. */
  get console(): string {
    return this.program.stdout;
  }

  /** Waits for the shell's next prompt. @returns what came before it and after the last one, without line ends' `\r` */
  async prompt(): Promise<string> {
    const { index, 0: prompt } = await this.program.shows(PROMPT, this.#read);
    const text = this.console.slice(this.#read, this.#read + index);
    this.#read += index + prompt.length;
    return text.replaceAll('\r', '');
  }

  /** Types a command at the prompt. @returns what it printed: neither its echo nor lines of the kernel */
  async run(command: string): Promise<string> {
    this.program.type(`${command}\n`);
    const [, ...lines] = (await this.prompt()).split('\n'); // the first is the echo
    return lines.filter((line) => !KERNEL_LINE.test(line)).join('\n');
  }

  /** Types a command that ends the guest. @returns the exit status of zendo */
  async end(command: string): Promise<number> {
    this.program.type(`${command}\n`);
    return this.program.ended;
  }

  /** Ends the guest however it is. For tests that have failed. */
  kill(): void {
    this.program.kill();
  }
}

/** Boots a guest, waits for its shell, and hands it over; no process is left behind when `body` throws. */
export async function withGuest(options: GuestOptions, body: (guest: BootedGuest) => Promise<void>): Promise<void> {
  const guest = new BootedGuest(options);
  try {
    await guest.prompt();
    await body(guest);
  } finally {
    guest.kill();
  }
}

function words(options: GuestOptions): string[] {
  const given: [string, string | number | undefined][] = [
    ['--kernel', options.kernel],
    ['--ramdisk', options.ramdisk],
    ['--append', options.append],
    ['--memory', options.memory],
    ['--vcpus', options.vcpus],
  ];
  const named = given.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
  return [...named, ...(options.more ?? [])];
}
