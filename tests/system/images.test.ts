// The stock images, as Debian ships them: fetched (the first time), unpacked and understood, without running them.
// Needs apt with a Debian archive or ZENDO_DEBIAN_MIRROR when the cache is empty.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ensureDefaultGuest, ensureGrubXen, ensureKernel } from '../../src/host/images/debian.ts';
import type { DebianKernel } from '../../src/host/images/debian.ts';
import { nodeDecompressor } from '../../src/host/images/decompress.ts';
import { findKallsyms, loadGuestImage, loadRamdisk, planLayout, unpackKernel } from '../../src/toolstack/index.ts';

async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(path));
}

const kernels: readonly DebianKernel[] = ['6.1-cloud', '6.1', '6.12-cloud', '6.12'];

for (const which of kernels) {
  test(`images: Debian's kernel ${which} is read, and its own symbols name its entry`, async () => {
    const path = await ensureKernel(which);
    const image = await loadGuestImage(path, await readBytes(path), nodeDecompressor);
    assert.equal(image.guestOs, 'linux');
    assert.equal(image.virtBase, 0xffffffff80000000n);
    assert.equal(image.initP2m, 0x8000000000n);
    assert.equal(image.modStartIsPfn, true);
    assert.equal(image.hypercallPage, undefined);
    assert.ok(planLayout(image, { moduleBytes: 2 << 20, nrPages: 32768, cmdline: 'console=hvc0' }).nrPages < 32768);
    const { entry } = image;
    image.release();

    const symbols = findKallsyms(await unpackKernel(await readBytes(path), nodeDecompressor));
    assert.deepEqual(symbols?.lookup(entry), { name: 'startup_xen', offset: 0 });
    assert.ok(symbols.size > 80_000, `${symbols.size} symbols`);
  });
}

test('images: GRUB for Xen is read as a guest at base and entry 0', async () => {
  const path = await ensureGrubXen();
  const image = await loadGuestImage(path, await readBytes(path), nodeDecompressor);
  assert.equal(image.guestOs, 'GRUB');
  assert.equal(image.virtBase, 0n);
  assert.equal(image.entry, 0n);
  assert.equal(image.initP2m, undefined);
  assert.equal(image.modStartIsPfn, false);
  assert.equal(image.segments.length, 2);
});

test('images: the default guest comes out of the cache at once, and its ramdisk is an archive', async () => {
  const { ramdisk, append } = await ensureDefaultGuest();
  const startMs = performance.now();
  await ensureDefaultGuest();
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 1000, `${tookMs} ms`);
  const archive = await loadRamdisk(ramdisk, await readBytes(ramdisk), nodeDecompressor, 128 << 20);
  assert.equal(Buffer.from(archive.subarray(0, 6)).toString(), '070701');
  assert.equal(append, 'console=hvc0');
});
