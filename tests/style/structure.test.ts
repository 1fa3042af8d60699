// Rules on what stands where: layers and their index, state, privacy, time and chance.

import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import type { NewExpression, Node } from 'oxc-parser';
import { assertNone, readText } from './project-files.ts';
import { sources, violation } from './source.ts';

/** Layers that run in Node or a browser as they are; see the table in docs/design.md. */
const impureLayers = new Set(['host', 'cli', 'api', 'server', 'sdk', 'web']);

const layerSources = sources.filter(({ file }) => file.startsWith('src/'));

const layerOf = (file: string): string => file.split('/')[1] ?? '';

test('style: an index only lists names', () => {
  assertNone(
    layerSources
      .filter((source) => source.isIndex)
      .flatMap((source) =>
        source.program.body
          .filter((statement) => statement.type !== 'ExportNamedDeclaration' || statement.source === null)
          .map((statement) => violation(source, statement.start, 'not a list of names from a file')),
      ),
  );
});

test("style: another layer is imported through its index, a file of one's own layer directly", () => {
  assertNone(
    layerSources
      .filter((source) => !source.isTest)
      .flatMap((source) =>
        source.program.body.flatMap((statement) => {
          const isImport = statement.type === 'ImportDeclaration' || statement.type === 'ExportNamedDeclaration';
          const from = isImport ? statement.source?.value : undefined;
          if (from?.startsWith('.') !== true) {
            return [];
          }
          const target = normalize(join(dirname(source.file), from));
          const isOwnLayer = layerOf(target) === layerOf(source.file);
          const isIndex = target.endsWith('/index.ts');
          const isPart = target.split('/').length > 3; // a layer made of parts has an index in each
          return isOwnLayer
            ? isIndex && !isPart
              ? [violation(source, statement.start, `own index: ${from}`)]
              : []
            : isIndex
              ? []
              : [violation(source, statement.start, `past the index: ${from}`)];
        }),
      ),
  );
});

test('style: no variable state in modules', () => {
  assertNone(
    layerSources
      .filter((source) => !source.isTest)
      .flatMap((source) =>
        source.program.body.flatMap((statement) => {
          const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
          if (declaration?.type !== 'VariableDeclaration') {
            return [];
          }
          return declaration.kind === 'const'
            ? declaration.declarations
                .filter(({ init }) => init?.type === 'NewExpression' && isEmptyCollection(init))
                .map(({ start }) => violation(source, start, 'an empty collection, to be filled later'))
            : [violation(source, statement.start, `module-level ${declaration.kind}`)];
        }),
      ),
  );
});

test('style: private members are #private', () => {
  assertNone(
    sources.flatMap((source) =>
      source.nodes.flatMap((node) =>
        'accessibility' in node && node.accessibility === 'private' && !isConstructor(node)
          ? [violation(source, node.start, 'private')]
          : [],
      ),
    ),
  );
});

test('style: pure layers are given time and chance, they do not take them', () => {
  assertNone(
    layerSources
      .filter((source) => !source.isTest && !impureLayers.has(layerOf(source.file)))
      .flatMap((source) =>
        source.nodes.flatMap((node) => {
          const code = source.text.slice(node.start, node.end);
          const taken =
            (node.type === 'MemberExpression' && /^(Math\.random|Date\.now)$/.test(code)) ||
            (node.type === 'NewExpression' && code === 'new Date()');
          return taken ? [violation(source, node.start, code)] : [];
        }),
      ),
  );
});

test('style: every layer in the sources is a TypeScript project of the whole', () => {
  const { references } = JSON.parse(readText('tsconfig.json')) as { references: { path: string }[] };
  const projects = new Set(references.map(({ path }) => path));
  const layers = new Set(layerSources.map(({ file }) => `src/${layerOf(file)}`));
  assertNone(
    [...layers]
      .filter((layer) => !projects.has(layer))
      .map((layer) => ({
        file: 'tsconfig.json',
        line: 1,
        what: `no reference to ${layer}`,
      })),
  );
});

/** A constructor cannot be #private: the word is what a class made by a function of its own has. */
function isConstructor(node: Node): boolean {
  return node.type === 'MethodDefinition' && node.kind === 'constructor';
}

function isEmptyCollection({ callee, arguments: words }: NewExpression): boolean {
  return callee.type === 'Identifier' && /^(Weak)?(Map|Set)$/.test(callee.name) && words.length === 0;
}
