// GRUB built as a Xen guest, as Debian ships it: no Linux, no module, addresses from 0 on, and it talks to a console ring, a
// store and a clock in ways of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensureGrubXen } from '../../src/host/images/debian.ts';
import { zendo } from '../support/booted-guest.ts';
import { Program } from '../support/process.ts';

/** GRUB places the cursor around every key that it echoes. */
const CONTROL = /\x1b\[[?0-9;]*[A-Za-z]|\r/g;

test('grub: shows its prompt, takes commands and halts', async () => {
  const kernel = await ensureGrubXen();
  const program = new Program([...zendo, 'run', '--kernel', kernel, '--memory', '128M', '--timeout', '100'], {
    limitMs: 120_000,
  });
  try {
    const enter = async (command: string, answer: RegExp): Promise<void> => {
      const start = program.stdout.length;
      program.type(`${command}\r`);
      await program.shows(answer, start);
    };
    await program.shows(/GNU GRUB {2}version 2\.06/);
    await program.shows(/grub> /);
    await enter('echo hello from grub', /hello from grub[^]*grub> /);
    await enter('ls', /\(memdisk\) \(proc\)[^]*grub> /);
    await enter('set answer=42', /grub> /);
    await enter('echo $answer', /42[^]*grub> /);
    program.type('halt\r');
    assert.equal(await program.ended, 0);
    assert.match(program.stdout.replaceAll(CONTROL, ''), /grub> halt\n/);
  } finally {
    program.kill();
  }
});
