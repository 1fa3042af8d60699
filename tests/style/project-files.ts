// The files of the project, as git would see them, and how a rule reports what breaks it. Used by all style checks.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Root of the project. */
export const root = join(import.meta.dirname, '..', '..');

/** What .gitignore names, and git itself. */
const outside = new Set(['.git', 'node_modules', 'build', '.cache']);

/** All files, as paths from the root, in order. */
export const projectFiles: readonly string[] = walk(root).toSorted();

/** Text files: everything that is not packed or an image. */
export const textFiles: readonly string[] = projectFiles.filter(
  (file) => !/\.(bin|gz|xz|zst|lz4|elf|png|wasm)$/.test(file),
);

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (outside.has(entry.name) || entry.name.endsWith('.tsbuildinfo')) {
      return [];
    }
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [relative(root, path)];
  });
}

/** @param file - path from the root */
export function readText(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** One place that breaks a rule. */
export interface Violation {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly what: string;
}

/** Fails with one line for each violation. */
export function assertNone(violations: readonly Violation[]): void {
  const lines = violations.map(({ file, line, what }) => `${file}:${line}: ${what}`);
  assert.equal(lines.length, 0, `${lines.length} violations\n${lines.join('\n')}`);
}

/** The lines of a text file that match, each with `what` in front of the match. */
export function findLines(file: string, pattern: RegExp, what: string): Violation[] {
  return readText(file)
    .split('\n')
    .flatMap((text, i) => {
      const match = pattern.exec(text);
      return match === null ? [] : [{ file, line: i + 1, what: `${what}: ${match[0]}` }];
    });
}
