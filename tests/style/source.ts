// TypeScript sources, parsed once for all rules that need to tell code from comments.

import { parseSync } from 'oxc-parser';
import type { Comment, Node, Program } from 'oxc-parser';
import { projectFiles, readText } from './project-files.ts';
import type { Violation } from './project-files.ts';

/** One parsed source. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly program: Program;
  readonly comments: readonly Comment[];
  /** Every node of the tree, parents first. */
  readonly nodes: readonly Node[];
  readonly isTest: boolean;
  readonly isGenerated: boolean;
  /** A layer's public list of names. */
  readonly isIndex: boolean;
}

/** All sources but declarations of what others provide. */
export const sources: readonly Source[] = projectFiles
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  .map((file) => parse(file));

function parse(file: string): Source {
  const text = readText(file);
  const { program, comments } = parseSync(file, text);
  return {
    file,
    text,
    program,
    comments,
    nodes: flatten(program),
    isTest: file.endsWith('.test.ts'),
    isGenerated: file.endsWith('.gen.ts'),
    isIndex: file.endsWith('/index.ts'),
  };
}

function flatten(program: Program): Node[] {
  const nodes: Node[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      value.forEach(visit);
    } else if (isNode(value)) {
      nodes.push(value);
      Object.values(value).forEach(visit);
    }
  };
  visit(program);
  return nodes;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

/** @returns number of the line, from 1, that holds the character at `offset` */
export function lineOf(source: Source, offset: number): number {
  let line = 1;
  for (let i = source.text.indexOf('\n'); i !== -1 && i < offset; i = source.text.indexOf('\n', i + 1)) {
    line += 1;
  }
  return line;
}

/** Reports the place where a node or comment begins. */
export function violation(source: Source, offset: number, what: string): Violation {
  return { file: source.file, line: lineOf(source, offset), what };
}
