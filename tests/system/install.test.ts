// How bin/bootstrap.mjs installs the packages of a fresh clone: once for all who come at the same time, and completely or not at
// all. With a scripted npm, so no network is needed; .ci/run does it with the real one.

import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { Program, root } from '../support/process.ts';

/** Behaves as `npm ci` does in the end: says which packages are installed. */
const INSTALL = 'sleep 0.3; mkdir -p node_modules; cp package-lock.json node_modules/.package-lock.json';

/** A clone without packages, with a program to launch and an npm that runs `script`. */
class Clone {
  readonly folder = mkdtempSync(join(tmpdir(), 'zendo-install-'));
  readonly modules = join(this.folder, 'node_modules');
  readonly #calls = join(this.folder, 'calls');

  constructor() {
    for (const name of ['bin/bootstrap.mjs', 'package.json', 'package-lock.json']) {
      mkdirSync(join(this.folder, 'bin'), { recursive: true });
      copyFileSync(join(root, name), join(this.folder, name));
    }
    writeFileSync(join(this.folder, 'hello.mjs'), `console.log('hello');`);
  }

  npm(script: string): void {
    const file = join(this.folder, 'tools', 'npm');
    mkdirSync(join(this.folder, 'tools'), { recursive: true });
    writeFileSync(file, `#!/bin/sh\necho called >> ${this.#calls}\n${script}\n`);
    chmodSync(file, 0o755);
  }

  launch(): Program {
    const path = `${join(this.folder, 'tools')}:${process.env['PATH'] ?? ''}`;
    return new Program([process.execPath, join(this.folder, 'bin', 'bootstrap.mjs'), join(this.folder, 'hello.mjs')], {
      env: { ...process.env, PATH: path },
    });
  }

  get nrCalls(): number {
    return existsSync(this.#calls) ? readFileSync(this.#calls, 'utf8').split('\n').length - 1 : 0;
  }

  /** What installations have left behind. */
  get leftovers(): string[] {
    const build = join(this.folder, 'build');
    return existsSync(build) ? readdirSync(build) : [];
  }
}

async function withClone(body: (clone: Clone) => Promise<void>): Promise<void> {
  const clone = new Clone();
  try {
    await body(clone);
  } finally {
    rmSync(clone.folder, { recursive: true });
  }
}

test('install: three that are started at once in a fresh clone install once, and all of them run', async () => {
  await withClone(async (clone) => {
    clone.npm(INSTALL);
    const programs = [clone.launch(), clone.launch(), clone.launch()];
    for (const program of programs) {
      assert.equal(await program.ended, 0, program.stderr);
      assert.equal(program.stdout, 'hello\n');
    }
    assert.ok(clone.nrCalls >= 1 && clone.nrCalls <= 3, `npm ran ${clone.nrCalls} times`);
    assert.deepEqual(clone.leftovers, []);
  });
});

test('install: packages that are up to date are left alone', async () => {
  await withClone(async (clone) => {
    clone.npm(INSTALL);
    assert.equal(await clone.launch().ended, 0);
    assert.equal(await clone.launch().ended, 0);
    assert.equal(clone.nrCalls, 1);
  });
});

test('install: one that fails says why in one line, and leaves the packages as they were', async () => {
  await withClone(async (clone) => {
    mkdirSync(clone.modules);
    writeFileSync(join(clone.modules, 'old'), '');
    clone.npm('mkdir node_modules; echo "npm error code ENOTFOUND\nnpm error network request failed" >&2; exit 1');
    const program = clone.launch();
    assert.equal(await program.ended, 1);
    const [, last] = program.stderr.split('\n');
    assert.match(last ?? '', /^zendo: npm ci failed \(network request failed\): check the network and the disk, then/);
    assert.deepEqual(readdirSync(clone.modules), ['old']);
    assert.deepEqual(clone.leftovers, []);
  });
});

test('install: what a killed one left behind is cleared away by the next', async () => {
  await withClone(async (clone) => {
    clone.npm('mkdir node_modules; kill -9 $PPID');
    assert.equal(await clone.launch().ended, 137);
    assert.ok(!existsSync(clone.modules));
    assert.equal(clone.leftovers.length, 1);
    clone.npm(INSTALL);
    const program = clone.launch();
    assert.equal(await program.ended, 0, program.stderr);
    assert.deepEqual(clone.leftovers, []);
  });
});

test('install: a missing npm is named', async () => {
  await withClone(async (clone) => {
    const program = new Program([process.execPath, join(clone.folder, 'bin', 'bootstrap.mjs'), 'hello.mjs'], {
      env: { PATH: '/nonexistent' },
    });
    assert.equal(await program.ended, 1);
    assert.match(program.stderr, /\nzendo: cannot run npm \(.*ENOENT.*\): install npm, then run this again\n$/);
    assert.deepEqual(clone.leftovers, []);
  });
});
