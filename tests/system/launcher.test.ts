// bin/zendo from outside: any Node from 20 on, any directory, through links; status, signals and streams pass through.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Program, root } from '../support/process.ts';

const zendo = join(root, 'bin', 'zendo');

/** Node versions at hand: ours, and the one that the machine had before. */
const nodes = new Set([process.execPath, systemNode()]);

function systemNode(): string {
  const elsewhere = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  const path = execFileSync('/bin/sh', ['-c', 'command -v node || true'], {
    encoding: 'utf8',
    env: { PATH: elsewhere.join(':') },
  });
  return path.trim() === '' ? process.execPath : path.trim();
}

async function inScratch(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zendo-launcher-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const node of nodes) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();

  test(`launcher: runs under Node ${version}`, async () => {
    const program = new Program([node, zendo, 'version']);
    assert.equal(await program.ended, 0);
    const { version: ours } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }; // our own file
    assert.equal(program.stdout, `zendo ${ours}\n`);
    assert.equal(program.stderr, '');
  });

  test(`launcher: runs from another directory and through a link under Node ${version}`, async () => {
    await inScratch(async (folder) => {
      symlinkSync(zendo, join(folder, 'z'));
      symlinkSync('z', join(folder, 'zz'));
      const program = new Program([node, './zz', 'help'], { cwd: folder });
      assert.equal(await program.ended, 0);
      assert.match(program.stdout, /^Usage: zendo run/);
    });
  });

  test(`launcher: passes the exit status on under Node ${version}`, async () => {
    assert.equal(await new Program([node, zendo, 'run', '--vcpus', 'x']).ended, 2);
  });

  for (const [signal, status] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const) {
    test(`launcher: ${signal} reaches the program, and its status comes back, under Node ${version}`, async () => {
      await inScratch(async (folder) => {
        const script = join(folder, 'waits.ts');
        writeFileSync(
          script,
          `process.on('${signal}', () => { console.log('got it'); process.exit(${status}); });
           setInterval(() => {}, 1000); console.log('ready');`,
        );
        const program = new Program([node, join(root, 'bin', 'bootstrap.mjs'), script]);
        await program.shows(/ready/);
        process.kill(program.pid, signal);
        assert.equal(await program.ended, status);
        assert.equal(program.stdout, 'ready\ngot it\n');
      });
    });
  }

  test(`launcher: standard input, arguments and a killed program come through under Node ${version}`, async () => {
    await inScratch(async (folder) => {
      const script = join(folder, 'echo.ts');
      writeFileSync(
        script,
        `console.log(JSON.stringify(process.argv.slice(2)));
         process.stdin.on('data', (d) => process.stdout.write(d)).on('end', () => process.kill(process.pid, 'SIGTERM'));`,
      );
      const shell = 'node=$1; shift; "$node" "$@"; echo status:$?'; // a shell tells both kinds of end in one number
      const bootstrap = join(root, 'bin', 'bootstrap.mjs');
      const program = new Program(['sh', '-c', shell, 'sh', node, bootstrap, script, 'a b', '--', '']);
      program.type('typed\n');
      program.endInput();
      await program.ended;
      assert.equal(program.stdout, '["a b","--",""]\ntyped\nstatus:143\n');
    });
  });
}

test('launcher: a program whose launcher is killed ends too', async () => {
  for (const node of nodes) {
    const bootstrap = join(root, 'bin', 'bootstrap.mjs');
    const scripted = join(root, 'tests', 'support', 'scripted-zendo.ts');
    const launcher = new Program([node, bootstrap, scripted, 'run', '--append', 'stubborn']);
    const [, pid] = await launcher.shows(/pid (\d+)/);
    process.kill(launcher.pid, 'SIGKILL');
    // Its pipes are closed only when the program is gone as well.
    const isOver = await Promise.race([launcher.ended.then(() => true), delay(5000, false)]);
    if (!isOver) process.kill(Number(pid), 'SIGKILL');
    assert.ok(isOver, `the program under ${node} goes on`);
  }
});
