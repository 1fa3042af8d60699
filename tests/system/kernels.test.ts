// Debian's kernels, unmodified, from power on to power off: each boots through `bin/zendo run` with 1 and with 4 vCPUs,
// computes, passes python's own tests, and powers off. ZENDO_TEST_MATRIX=full runs python on every combination.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import process from 'node:process';
import { suite, test } from 'node:test';
import { ensureDefaultGuest, ensureKernel, ensurePythonGuest } from '../../src/host/images/debian.ts';
import type { DebianKernel } from '../../src/host/images/debian.ts';
import { type BootedGuest, withGuest } from '../support/booted-guest.ts';

const MIB = 1 << 20;
const SUM_BYTES = 64 * MIB;
const PYTHON_TESTS = 'test_math test_float test_struct test_re';
/** Boots at a time: one for each processor of the smallest machine that tests run on. */
const concurrency = 2;

const full = process.env['ZENDO_TEST_MATRIX'] === 'full';
const kernels: readonly DebianKernel[] = ['6.1-cloud', '6.1', '6.12-cloud', '6.12'];

/** Where python runs in the short run: every kernel once, every number of vCPUs twice. */
const pythonRuns = new Set(['6.1-cloud/4', '6.1/1', '6.12-cloud/1', '6.12/4']);

const zeros = createHash('sha256').update(new Uint8Array(SUM_BYTES)).digest('hex');

/** What every guest must show. */
async function compute(guest: BootedGuest, release: string, vcpus: number): Promise<void> {
  assert.equal(await guest.run('uname -r'), release);
  assert.equal(await guest.run('nproc'), String(vcpus));
  assert.equal(await guest.run('head -c 64m /dev/zero | sha256sum'), `${zeros}  -`);
}

async function powerOff(guest: BootedGuest): Promise<void> {
  assert.equal(await guest.end('poweroff -f'), 0);
  assert.match(guest.console, /reboot: (Power off not available: )?System halted/);
  assert.equal(guest.program.stderr, "zendo: 'guest' powered off\n");
}

/** The release in a kernel's package name, as `uname -r` says it. */
function releaseOf(kernel: string): string {
  const [, release = ''] = /^linux-image-(.*)_/.exec(dirname(kernel).split('/').at(-1) ?? '') ?? [];
  return release;
}

suite('stock kernels', { concurrency }, () => {
  for (const which of kernels) {
    for (const vcpus of [1, 4]) {
      const python = full || pythonRuns.has(`${which}/${vcpus}`);
      test(`${which}: with ${vcpus} vCPU and 1 GiB ${python ? 'passes python, ' : ''}computes and powers off`, async () => {
        const kernel = await ensureKernel(which);
        const { ramdisk } = await (python ? ensurePythonGuest() : ensureDefaultGuest());
        const options = { kernel, ramdisk, append: 'console=hvc0', memory: '1G', vcpus, limitS: 900 };
        await withGuest(options, async (guest) => {
          await compute(guest, releaseOf(kernel), vcpus);
          if (python) {
            const report = await guest.run(`python3 -m test ${PYTHON_TESTS}`);
            assert.match(report, /All 4 tests OK\./, report);
          }
          await powerOff(guest);
        });
      });
    }
  }

  for (const which of ['6.1-cloud', '6.12-cloud'] as const) {
    for (const vcpus of [1, 4]) {
      test(`${which}: with ${vcpus} vCPU and 128 MiB computes and powers off`, async () => {
        const kernel = await ensureKernel(which);
        const { ramdisk, append } = await ensureDefaultGuest();
        await withGuest({ kernel, ramdisk, append, memory: '128M', vcpus }, async (guest) => {
          await compute(guest, releaseOf(kernel), vcpus);
          await powerOff(guest);
        });
      });
    }
  }

  test('default guest: boots to a shell without an option, and powers off when the shell ends', async () => {
    await withGuest({}, async (guest) => {
      assert.match(guest.console, /Welcome to Zendo: Linux \S+-cloud-amd64 on 1 vCPU/);
      assert.equal(await guest.end('exit'), 0);
    });
  });
});
