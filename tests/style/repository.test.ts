// Rules on the repository as a whole: nothing of one machine in it, links that lead somewhere, tests that are run, packages
// that are pinned and documented.

import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { suites } from '../suites.ts';
import { assertNone, findLines, projectFiles, readText, root, textFiles } from './project-files.ts';

/** What npm writes, not people. */
const LOCK = 'package-lock.json';

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

interface LockFile {
  readonly packages: Record<string, Manifest & { readonly resolved?: string }>;
}

test('style: no absolute path of a machine in the repository', () => {
  const path = /(?<![\w.~}])\/(?:home|root|Users|work|mnt|workspace)\/[\w.-]+/;
  assertNone(textFiles.flatMap((file) => findLines(file, path, 'path of a machine')));
});

test('style: no host of a package registry in the repository', () => {
  const hosts = [String.raw`\b(?:registry|mirrors?|artifactory|nexus|deb|snapshot)\.[a-z0-9-]+\.[a-z]{2,}\b`];
  hosts.push(...hostsOfThisMachine().map((host) => host.replaceAll('.', String.raw`\.`)));
  const pattern = new RegExp(hosts.join('|'), 'i');
  assertNone(textFiles.flatMap((file) => findLines(file, pattern, 'registry host')));
});

test('style: sources and documents are plain ASCII', () => {
  const files = textFiles.filter(
    (file) => /^(src|bin|docs|\.ci)\/|^[^/]+\.(md|json)$/.test(file) && !file.endsWith('.test.ts'),
  );
  assertNone(files.flatMap((file) => findLines(file, /[^\t\x20-\x7e]+/, 'not ASCII')));
});

test('style: every relative link in a document leads to a file', () => {
  assertNone(
    textFiles
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        readText(file)
          .split('\n')
          .flatMap((text, i) =>
            [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
              .map((match) => match[1] ?? '')
              .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(root, dirname(file), link)))
              .map((link) => ({ file, line: i + 1, what: `link to nothing: ${link}` })),
          ),
      ),
  );
});

test('style: every test file belongs to exactly one suite', () => {
  const runs = new Map<string, number>();
  for (const suite of Object.values(suites)) {
    for (const file of suite.kind === 'tests' ? globSync([...suite.files], { cwd: root }) : []) {
      runs.set(file, (runs.get(file) ?? 0) + 1);
    }
  }
  assertNone(
    projectFiles
      .filter((file) => file.endsWith('.test.ts') && runs.get(file) !== 1)
      .map((file) => ({ file, line: 1, what: `in ${runs.get(file) ?? 0} suites` })),
  );
});

test('style: packages have exact versions, and a line in docs/dependencies.md', () => {
  const manifest = JSON.parse(readText('package.json')) as Manifest;
  const documented = readText('docs/dependencies.md');
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  assertNone(
    Object.entries(all).flatMap(([name, version]) => [
      ...(/^\d+\.\d+\.\d+$/.test(version) ? [] : [{ file: 'package.json', line: 1, what: `${name} is not pinned` }]),
      ...(documented.includes(`\`${name}\``)
        ? []
        : [{ file: 'docs/dependencies.md', line: 1, what: `no line on ${name}` }]),
    ]),
  );
});

test('style: the lock file names no download address and leaves out no package', () => {
  const { packages } = JSON.parse(readText(LOCK)) as LockFile;
  for (const [path, entry] of Object.entries(packages)) {
    assert.equal(entry.resolved, undefined, `${path} has an address`);
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      // npm ci refuses a lock file without these
      assert.ok(packages[`node_modules/${name}`] !== undefined, `${path} asks for ${name}, which is not in ${LOCK}`);
    }
  }
});

/** The hosts that this machine gets its packages from, if it tells. */
function hostsOfThisMachine(): string[] {
  const lists = ['/etc/apt/sources.list', ...listFolder('/etc/apt/sources.list.d')].filter((file) => existsSync(file));
  const texts = [process.env['npm_config_registry'] ?? '', ...lists.map((file) => readFileSync(file, 'utf8'))];
  return texts.flatMap((text) => [...text.matchAll(/https?:\/\/([^/:\s]+)/g)].map((match) => match[1] ?? ''));
}

function listFolder(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
