// Rules on comments: headings, doc comments, reasons, and marks that are not left behind.

import { test } from 'node:test';
import { assertNone } from './project-files.ts';
import type { Violation } from './project-files.ts';
import { lineOf, sources, violation } from './source.ts';
import type { Source } from './source.ts';

const MAX_HEADING_LINES = 12;
/** The heading of a table explains its columns. */
const MAX_TABLE_HEADING_LINES = 60;

const written = sources.filter((source) => !source.isGenerated);

test('style: every file begins with a comment that says what it is', () => {
  assertNone(
    written
      .filter((source) => !source.isIndex)
      .flatMap((source) => {
        const lines = headingLines(source);
        if (lines === 0) {
          return [violation(source, 0, 'no heading comment')];
        }
        const limit = /\/table(-[a-z0-9-]+)?\.ts$/.test(source.file) ? MAX_TABLE_HEADING_LINES : MAX_HEADING_LINES;
        return lines > limit ? [violation(source, 0, `heading comment of ${lines} lines`)] : [];
      }),
  );
});

test('style: every exported name has a doc comment', () => {
  assertNone(
    written
      .filter((source) => !source.isTest && !source.isIndex)
      .flatMap((source) => {
        const documented = new Set(
          source.comments
            .filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
            .map(({ end }) => end + (/\S/.exec(source.text.slice(end))?.index ?? 0)),
        );
        const overloads = new Set<string>();
        return source.program.body.flatMap((statement) => {
          const isExport = statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration';
          if (!isExport || statement.declaration === null || documented.has(statement.start)) {
            const name = isExport ? declaredName(statement.declaration) : undefined;
            overloads.add(name ?? '');
            return [];
          }
          const name = declaredName(statement.declaration) ?? 'default';
          return overloads.has(name) ? [] : [violation(source, statement.start, `no doc comment on ${name}`)];
        });
      }),
  );
});

test('style: a cast, a non-null assertion and a suppression carry the reason on the same line', () => {
  assertNone(written.flatMap((source) => [...missingReasons(source), ...bareSuppressions(source)]));
});

test('style: no marks for later, no commented-out checks', () => {
  const marks = /\b(TODO|FIXME|XXX|HACK)\b|@ts-ignore|@ts-nocheck|eslint-disable/;
  assertNone(
    written.flatMap((source) =>
      source.comments.flatMap(({ value, start }) => {
        const match = marks.exec(value);
        return match === null ? [] : [violation(source, start, `mark: ${match[0]}`)];
      }),
    ),
  );
});

test('style: no test is skipped, put off or run alone', () => {
  assertNone(
    written
      .filter((source) => source.isTest)
      .flatMap((source) =>
        source.nodes.flatMap((node) => {
          if (node.type === 'MemberExpression' && node.property.type === 'Identifier') {
            const isTestCall =
              node.object.type === 'Identifier' && /^(test|it|describe|suite|t)$/.test(node.object.name);
            const { name } = node.property;
            return isTestCall && /^(skip|only|todo)$/.test(name) ? [violation(source, node.start, `.${name}`)] : [];
          }
          if (node.type === 'Property' && node.key.type === 'Identifier' && /^(skip|only|todo)$/.test(node.key.name)) {
            return [violation(source, node.start, `${node.key.name}:`)];
          }
          return [];
        }),
      ),
  );
});

/** Lines of the comment, or the block of line comments, that the file begins with. */
function headingLines(source: Source): number {
  const start = source.text.startsWith('#!') ? source.text.indexOf('\n') + 1 : 0;
  const first = source.comments.find((comment) => comment.start === start);
  if (first === undefined) {
    return 0;
  }
  const lines = source.text.slice(start).split('\n');
  return first.type === 'Block'
    ? lineOf(source, first.end) - lineOf(source, first.start) + 1
    : lines.findIndex((line) => !line.startsWith('//'));
}

function declaredName(declaration: unknown): string | undefined {
  if (typeof declaration !== 'object' || declaration === null) {
    return undefined;
  }
  const { id, declarations } = declaration as {
    id?: { name?: string } | null;
    declarations?: { id: { name?: string } }[];
  }; // the two shapes of declarations
  return id?.name ?? declarations?.[0]?.id.name;
}

/**
 * Tests may cast freely. A file whose every `!` has one and the same reason may give it once, in its heading, in a line
 * that contains "`!`".
 */
function missingReasons(source: Source): Violation[] {
  if (source.isTest) {
    return [];
  }
  const heading = source.text.split('\n').slice(0, headingLines(source)).join('\n');
  const reasonForAll = heading.includes('`!`');
  const commentLines = new Set(
    source.comments.flatMap(({ start, end }) => [lineOf(source, start), lineOf(source, end)]),
  );
  return source.nodes.flatMap((node) => {
    const isCast =
      (node.type === 'TSAsExpression' &&
        source.text.slice(node.typeAnnotation.start, node.typeAnnotation.end) !== 'const') ||
      node.type === 'TSTypeAssertion';
    const isNonNull = node.type === 'TSNonNullExpression' && !reasonForAll;
    if (!isCast && !isNonNull) {
      return [];
    }
    // The comment of an object type or a call that spans lines stands on its last line.
    const operator = node.type === 'TSAsExpression' ? node.typeAnnotation.start : node.end - 1;
    const line = lineOf(source, operator);
    const endLine = lineOf(source, node.end);
    return commentLines.has(line) || commentLines.has(endLine)
      ? []
      : [violation(source, operator, isCast ? 'cast without a reason' : '! without a reason')];
  });
}

/** Tools want `oxlint-disable-line rule -- reason` and `@ts-expect-error reason`. */
function bareSuppressions(source: Source): Violation[] {
  return source.comments.flatMap(({ value, start }) => {
    const lint = /oxlint-disable(?:-next-line|-line)?\b(?!.*--\s*\S)/.exec(value);
    const types = /@ts-expect-error\s*$/.exec(value);
    return lint === null && types === null ? [] : [violation(source, start, 'suppression without a reason')];
  });
}
