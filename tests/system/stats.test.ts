// `zendo run --stats` with a real guest, seen from outside: what it prints adds up, and it can be had in between.

import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import type { ProfileReport, ProfileRow } from '../../src/hypervisor/index.ts';
import { withGuest } from '../support/booted-guest.ts';

const memory = '128M';

function sum(rows: readonly ProfileRow[], of: 'ns' | 'count'): number {
  return rows.reduce((total, row) => total + row[of], 0);
}

function countOf(rows: readonly ProfileRow[], name: string): number {
  return rows.find((row) => row.name === name)?.count ?? 0;
}

test('stats: the accounts of a booted guest add up, and hold what a boot must have done', async () => {
  await withGuest({ memory, more: ['-q', '--stats=json'] }, async (guest) => {
    await guest.run('sleep 1; cat /proc/interrupts');
    assert.equal(await guest.end('poweroff -f'), 0);
    const lines = guest.program.stderr.split('\n');
    assert.equal(lines.length, 2, guest.program.stderr.slice(0, 500));
    const profile = JSON.parse(lines[0] ?? '') as ProfileReport; // what `--stats=json` prints
    const { guestNs, loopNs, domain0Ns, idleNs, measuringNs, totalNs, exits, engine } = profile;
    const accounts = guestNs + loopNs + domain0Ns + idleNs + measuringNs + sum(exits, 'ns');
    assert.ok(Math.abs(accounts - totalNs) < 1, `${accounts} of ${totalNs}`);
    assert.ok(idleNs > 0.8e9, `${idleNs} ns idle while the guest slept for a second`);
    assert.equal(sum(exits, 'count'), profile.entries);
    for (const [kind, rows] of [
      ['hypercall', profile.hypercalls],
      ['exception', profile.exceptions],
      ['assist', profile.assists],
    ] as const) {
      const row = exits.find(({ name }) => name === kind);
      assert.equal(sum(rows, 'count'), row?.count, kind);
      assert.ok(Math.abs(sum(rows, 'ns') - (row?.ns ?? 0)) < 1, kind);
    }
    assert.ok(countOf(exits, 'system call') + engine.systemCalls > 100);
    assert.ok(countOf(profile.exceptions, '#PF in user mode') + engine.pageFaults > 100);
    assert.ok(countOf(profile.hypercalls, 'iret') + engine.returns > 100);
    assert.equal(countOf(profile.hypercalls, 'sched_op SCHEDOP_shutdown'), 1);
    assert.equal(countOf(profile.hypercalls, 'unknown hypercalls'), 0);
    assert.ok(profile.upcalls > 0 && engine.instructions > 1e8 && engine.decodedBlocks > 10_000);
    assert.ok(engine.compileNs < guestNs && engine.longestCompileNs <= profile.longestEntryNs);
  });
});

test('stats: SIGUSR2 prints the tables while the guest runs, and the guest goes on', async () => {
  await withGuest({ memory, more: ['-q', '--stats'] }, async (guest) => {
    process.kill(guest.program.pid, 'SIGUSR2');
    assert.equal(await guest.run('sleep 1; echo going on'), 'going on');
    assert.match(guest.program.stderr, /^profile of [^]*^ {2}guest code [^]*^hypercalls [^]*^ {2}guest instructions /m);
    assert.equal(await guest.end('poweroff -f'), 0);
    assert.equal(guest.program.stderr.match(/^profile of /gm)?.length, 2);
  });
});
