// A machine as domain 0 sees it: what it holds of a domain from before the guest runs.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assemble } from '../../tests/support/guest/guest-test.ts';
import { GnttabReserved } from '../abi/index.ts';
import { loadGuestImage } from '../toolstack/index.ts';
import { nodeDecompressor } from './images/decompress.ts';
import { Machine } from './machine.ts';

test('machine: domain 0 uses the ring pages of a new domain through their grants', async () => {
  const nrPages = 1056;
  const image = await loadGuestImage(
    'kernel',
    assemble(() => undefined, {}),
    nodeDecompressor,
  );
  const machine = await Machine.start(nrPages, { trace: new Set() }, { log() {}, trace() {}, dump() {} });
  try {
    const domain = await machine.create({
      name: 'rings',
      nrPages,
      vcpus: 1,
      cmdline: '',
      image,
      module: new Uint8Array(),
    });
    for (const ref of [GnttabReserved.GNTTAB_RESERVED_CONSOLE, GnttabReserved.GNTTAB_RESERVED_XENSTORE]) {
      await assert.doesNotReject(machine.pcpu.call('unmapGrant', domain.domid, ref, true), `grant ${ref}`);
    }
  } finally {
    await machine.stop();
  }
});
