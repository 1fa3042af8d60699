// One guest test: a kernel, run to its verdict. With GUEST_KERNELS set in the environment nothing is run
// and the kernel's file is written to that directory instead: see tests/guest/build.ts.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { Shutdown } from '../../../src/abi/index.ts';
import { type DomainOptions, GuestMachine } from '../guest-runner.ts';
import { Kernel, type KernelOptions } from './kernel.ts';

/** Guest time that a kernel may take. */
const LIMIT_NS = 3_000_000_000;

/** How a test is run. */
export interface GuestTestOptions extends KernelOptions, DomainOptions {
  /** The domain must be crashed by the hypervisor, for a reason like this, instead of giving a verdict. */
  readonly crash?: RegExp;
}

/**
 * Declares a guest test: the kernel must say SUCCESS and power off, every frame's counts must agree whenever
 * it asks and at the end, and all of its memory must come back.
 */
export function guestTest(name: string, write: (k: Kernel) => void, options: GuestTestOptions = {}): void {
  const directory = process.env['GUEST_KERNELS'];
  if (directory !== undefined) {
    writeFileSync(join(directory, `${fileName(name)}.elf`), assemble(write, options));
    return;
  }
  test(name, (context) => {
    const machine = new GuestMachine();
    const before = machine.nrFreeFrames;
    const guest = machine.start(assemble(write, options), options);
    const ending = machine.run(LIMIT_NS);
    const report = machine.crashReport(guest);
    machine.audit('at the end');
    assert.equal(ending, 'ended', `the kernel did not end; it said: ${guest.console}`);
    if (options.crash !== undefined)
      assert.match(report?.reason ?? `no crash; console: ${guest.console}`, options.crash);
    else checkVerdict(guest.console, report?.reason, machine.shutdownReason(guest));
    if (guest.console.includes('SKIP')) context.diagnostic(guest.console.trim());
    assert.deepEqual(machine.bugs, []);
    assert.equal(machine.destroyAll(), 0, 'the domain cannot be taken apart');
    assert.deepEqual(machine.auditLines, []);
    assert.equal(machine.nrFreeFrames, before, 'frames were lost');
  });
}

/**
 * Declares a test of two kernels in one machine, as domains 1 and 2. Both must say SUCCESS. They cannot be run
 * one by one, so no files are written of them.
 */
export function pairTest(name: string, first: (k: Kernel) => void, second: (k: Kernel) => void): void {
  if (process.env['GUEST_KERNELS'] !== undefined) return;
  test(name, () => {
    const machine = new GuestMachine();
    const before = machine.nrFreeFrames;
    const guests = [first, second].map((write) => machine.start(assemble(write, {})));
    const ending = machine.run(LIMIT_NS);
    machine.audit('at the end');
    const said = guests.map((guest) => guest.console).join('');
    assert.equal(ending, 'ended', `the kernels did not end; they said: ${said}`);
    for (const guest of guests) {
      checkVerdict(guest.console, machine.crashReport(guest)?.reason, machine.shutdownReason(guest));
    }
    assert.deepEqual(machine.bugs, []);
    assert.equal(machine.destroyAll(), 0, 'the domains cannot be taken apart');
    assert.deepEqual(machine.auditLines, []);
    assert.equal(machine.nrFreeFrames, before, 'frames were lost');
  });
}

/** The file of a kernel. */
export function assemble(write: (k: Kernel) => void, options: KernelOptions): Uint8Array<ArrayBuffer> {
  const k = new Kernel(options);
  write(k);
  return k.finish();
}

function checkVerdict(console: string, crash: string | undefined, shutdown: number | undefined): void {
  const verdict = console.trim().split('\n').at(-1) ?? '';
  assert.match(verdict, /^(SUCCESS|SKIP)/, crash === undefined ? verdict : `crashed: ${crash}; said: ${console}`);
  assert.equal(shutdown, Shutdown.SHUTDOWN_poweroff);
}

function fileName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}
