// What a guest costs its host: memory beyond the guest's own, and processor time while the guest does nothing. Measured
// from outside, on the whole process with all its threads.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type BootedGuest, withGuest } from '../support/booted-guest.ts';

const MAX_EXTRA_MIB = 250;
const GUEST_MIB = 128;
/** What the guest writes into a file system in its memory, beside what the kernel and the ramdisk fill. */
const FILL_MIB = 60;

const MAX_IDLE_PERCENT = 3;
const IDLE_S = 20;
/** Linux counts processor time in these ticks per second, whatever its own clock. */
const TICKS_PER_S = 100;

test(`footprint: a guest of ${GUEST_MIB} MiB takes at most ${MAX_EXTRA_MIB} MiB more of the host, at its peak`, async () => {
  await withGuest({ memory: `${GUEST_MIB}M` }, async (guest) => {
    await guest.run('mount -t tmpfs -o size=90m none /tmp');
    assert.equal(await guest.run(`head -c ${FILL_MIB}m /dev/zero > /tmp/full; ls -s /tmp`), sizes());
    const peakMib = peakKib(guest) / 1024;
    assert.ok(peakMib <= GUEST_MIB + MAX_EXTRA_MIB, `${peakMib.toFixed(0)} MiB at the peak`);
    assert.equal(await guest.end('poweroff -f'), 0);
  });
});

for (const vcpus of [1, 4]) {
  test(`footprint: a guest with ${vcpus} vCPU that waits at its shell takes less than ${MAX_IDLE_PERCENT} % of a core`, async () => {
    await withGuest({ memory: `${GUEST_MIB}M`, vcpus }, async (guest) => {
      await guest.run('sleep 3'); // what the kernel does late, and what the host compiles, is over then
      const before = cpuTicks(guest);
      await delay(IDLE_S * 1000);
      const percent = ((cpuTicks(guest) - before) / TICKS_PER_S / IDLE_S) * 100;
      assert.ok(percent < MAX_IDLE_PERCENT, `${percent.toFixed(1)} %`);
      assert.equal(await guest.end('poweroff -f'), 0);
    });
  });
}

function sizes(): string {
  return `total ${FILL_MIB * 1024}\n ${FILL_MIB * 1024} full`;
}

function peakKib(guest: BootedGuest): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${guest.program.pid}/status`, 'utf8')) ?? [];
  return Number(kib);
}

/** User and system time of all threads so far. Source: proc(5), fields 14 and 15 of /proc/PID/stat. */
function cpuTicks(guest: BootedGuest): number {
  const stat = readFileSync(`/proc/${guest.program.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold anything
  return Number(fields[11]) + Number(fields[12]);
}
