// The console of Debian's cloud kernel against the recording of the same kernel under the real hypervisor
// (Xen 4.17, 2 vCPUs, 256 MiB): every line that only one of them has must be in the list below, and every
// line of the list must still be a difference. docs/console-differences.md says why each is there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { BootedGuest } from '../support/booted-guest.ts';
import { comparableLines, compareLogs } from '../support/console-log.ts';
import { root } from '../support/process.ts';

const RECORDING = join(root, 'tests', 'golden', 'console-cloud-reference.txt');
const COMMAND_LINE = 'console=hvc0 earlyprintk=xen loglevel=8 initcall_blacklist=none';

/** Lines that only the recording has. */
const MISSING = [
  'Xen version: N.N.N (preserve-AD)',
  'xen:events: Using FIFO-based ABI',
  'tsc: Marking TSC unstable due to TSCs unsynchronized',
  'Spectre VN : Mitigation: usercopy/swapgs barriers and __user pointer sanitization',
  'Spectre VN : Mitigation: Retpolines',
  'Spectre VN : Spectre vN / SpectreRSB: Filling RSB on context switch and VMEXIT',
  'Performance Events:',
  'no APIC, boot with the "lapic" boot parameter to force-enable it.',
  'no hardware sampling interrupt available.',
  'PMU not available due to virtualization, using software events only.',
  'xenbus_probe_frontend: Device with no driver: device/vbd/N',
  'xenbus_probe_frontend: Device with no driver: device/vif/N',
];

/** Lines that only our guest prints. */
const ADDED = [
  'mapping kernel into physical memory',
  'about to get started...',
  'Xen version: N.N-zendo (preserve-AD)',
  'xen:events: Using N-level ABI',
  'clocksource: tsc-early: mask: # max_cycles: #, max_idle_ns: N ns',
  'Performance Events: unsupported pN CPU model N no PMU driver, software events only.',
  'clocksource: tsc: mask: # max_cycles: #, max_idle_ns: N ns',
  'intel_pstate: CPU model not supported',
];

test('console: the cloud kernel prints what it prints under the real hypervisor, but for explained differences', async () => {
  const guest = new BootedGuest({ vcpus: 2, memory: '256M', more: ['--append', COMMAND_LINE] });
  try {
    const boot = await guest.prompt();
    const kernel = boot.slice(0, boot.indexOf('Welcome to Zendo'));
    const recording = readFileSync(RECORDING, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const difference = compareLogs(recording, comparableLines(kernel));
    assert.deepEqual(difference.missing.toSorted(), MISSING.toSorted());
    assert.deepEqual(difference.added.toSorted(), ADDED.toSorted());
    assert.equal(await guest.end('exit'), 0);
  } finally {
    guest.kill();
  }
});
