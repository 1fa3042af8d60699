// Where dumps of code go: a file for each that names one, standard error for the others. Made before the machine, so that a
// file that cannot be written is told at once.

import { closeSync, openSync, writeSync } from 'node:fs';

import { VmmError } from '../base/index.ts';

/** One dump that was asked for. */
export interface DumpTarget {
  /** Name for people: the option with its place. */
  readonly name: string;
  /** File to print to; absent: standard error. */
  readonly file?: string;
}

/** What is told of dumps. */
export interface DumpReporter {
  notice(line: string): void;
  /** Prints lines on standard error. */
  trace(text: string): void;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'a folder of its path does not exist',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be written by this user',
  EROFS: 'it is on a file system that cannot be written',
  ENOSPC: 'the disk is full',
};

/** The dumps of one machine. */
export class DumpOutput {
  readonly #targets: readonly DumpTarget[];
  readonly #reporter: DumpReporter;
  readonly #files = new Map<string, number>();
  readonly #written = new Set<number>();

  /** Makes the files, or empties them. @throws VmmError FILE_UNWRITABLE */
  constructor(targets: readonly DumpTarget[], reporter: DumpReporter) {
    this.#targets = targets;
    this.#reporter = reporter;
    for (const { file } of targets) {
      if (file === undefined || this.#files.has(file)) continue;
      try {
        this.#files.set(file, openSync(file, 'w'));
      } catch (error) {
        this.#closeFiles();
        throw new VmmError('FILE_UNWRITABLE', `cannot write ${file}: ${reasonOf(error)}; name another file`, {
          cause: error,
        });
      }
    }
  }

  /** Prints one dump. @param target - index in the targets */
  write(target: number, text: string): void {
    this.#written.add(target);
    const file = this.#targets[target]?.file;
    if (file === undefined) {
      this.#reporter.trace(text.trimEnd());
      return;
    }
    const handle = this.#files.get(file);
    if (handle === undefined) return;
    try {
      writeSync(handle, text);
    } catch (error) {
      this.#reporter.notice(`cannot write ${file}: ${reasonOf(error)}; the rest of its dumps is lost`);
      closeSync(handle);
      this.#files.delete(file);
    }
  }

  /** Closes the files, and tells which dumps had nothing to print. */
  close(): void {
    this.#closeFiles();
    for (const [n, { name }] of this.#targets.entries())
      if (!this.#written.has(n)) this.#reporter.notice(`${name} had nothing to print`);
  }

  #closeFiles(): void {
    for (const handle of this.#files.values()) closeSync(handle);
    this.#files.clear();
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}
