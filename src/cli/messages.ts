// Everything that is not the guest's console, on standard error: notices, the progress line, trace lines, reports, the one
// line that names an error. Used by run.ts and main.ts.

import process from 'node:process';
import { VmmError } from '../base/index.ts';
import type { RunReporter } from './ports.ts';
import type { OutputStream } from './world.ts';

/** Erases the line the cursor is in. */
const ERASE_LINE = '\r\u001b[K';

/** Writes to standard error. Failing to is no reason to stop a guest. */
export class Messages implements RunReporter {
  readonly #stderr: OutputStream;
  readonly #quiet: boolean;
  readonly #leaveGuestLine: () => boolean;
  #progressShown = false;

  /** @param leaveGuestLine - called before a message; tells if the guest left the cursor of the same terminal within a line */
  constructor(stderr: OutputStream, options: { quiet: boolean; leaveGuestLine?: () => boolean }) {
    this.#stderr = stderr;
    this.#quiet = options.quiet;
    this.#leaveGuestLine = options.leaveGuestLine ?? ((): boolean => false);
    stderr.on('error', () => undefined); // a closed standard error loses messages, no more
  }

  notice(line: string): void {
    if (!this.#quiet) {
      this.#print(`zendo: ${line}\n`);
    }
  }

  progress(line: string): void {
    if (this.#quiet || this.#stderr.isTTY !== true || (line === '' && !this.#progressShown)) {
      return;
    }
    this.#stderr.write(ERASE_LINE + line);
    this.#progressShown = line !== '';
  }

  trace(line: string): void {
    this.#print(`${line}\n`);
  }

  /** Prints the line that says why the run ended; not held back by quiet mode. */
  error(line: string): void {
    this.#print(`zendo: ${line.replaceAll(/\s*\n\s*/g, '; ')}\n`);
  }

  /** Prints several lines as they are. */
  report(text: string): void {
    this.#print(text.endsWith('\n') ? text : `${text}\n`);
  }

  #print(text: string): void {
    this.progress('');
    this.#stderr.write(this.#leaveGuestLine() ? `\n${text}` : text);
  }
}

/** The one line for an error of any kind. ZENDO_DEBUG=1 adds the stack of one that is our fault. */
export function describeError(error: unknown): string {
  if (error instanceof VmmError) {
    return error.message;
  }
  if (error instanceof Error) {
    const detail = process.env['ZENDO_DEBUG'] === '1' ? `\n${error.stack ?? ''}` : ' (ZENDO_DEBUG=1 shows where)';
    return `a fault of zendo: ${error.message}${detail}`;
  }
  return `a fault of zendo: ${String(error)}`;
}
