// The cache of fetched guests: complete or not there at all, whatever goes wrong. Works in the temporary folder.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { VmmError } from '../../base/index.ts';
import { ImageCache } from './cache.ts';

async function withCache(use: (cache: ImageCache, dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'zendo-cache-'));
  try {
    await use(new ImageCache(join(dir, 'cache')), dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

test('cache: a file that was added is found, and nothing else is left', async () => {
  await withCache(async (cache) => {
    assert.equal(await cache.find('debian/kernel/vmlinuz'), undefined);
    const path = await cache.addFile('debian/kernel/vmlinuz', Uint8Array.of(1, 2, 3));
    assert.equal(await cache.find('debian/kernel/vmlinuz'), path);
    assert.deepEqual(await readdir(join(cache.dir, 'debian', 'kernel')), ['vmlinuz']);
  });
});

test('cache: what was remembered is recalled, also by another', async () => {
  await withCache(async (cache) => {
    assert.equal(await cache.recall('debian/newest'), undefined);
    await cache.remember('debian/newest', 'one');
    await cache.remember('debian/newest', 'two');
    assert.equal(await new ImageCache(cache.dir).recall('debian/newest'), 'two');
  });
});

test('cache: a scratch folder is gone whether its user succeeds or fails', async () => {
  await withCache(async (cache) => {
    await cache.withScratch(0, async (scratch) => writeFile(join(scratch, 'half'), 'x'));
    const failure = cache.withScratch(0, async () => Promise.reject(new Error('lost the network')));
    await assert.rejects(failure, /lost the network/);
    assert.deepEqual(await readdir(cache.dir), []);
  });
});

test('cache: scratch folders of processes that are gone are cleared away, others are kept', async () => {
  await withCache(async (cache) => {
    const others = `scratch-${process.ppid}-abc`;
    await mkdir(join(cache.dir, 'scratch-999999999-abc'), { recursive: true });
    await mkdir(join(cache.dir, others));
    await cache.withScratch(0, async () => {});
    assert.deepEqual(await readdir(cache.dir), [others]);
  });
});

test('cache: too little room and an unusable place are told in one line', async () => {
  await withCache(async (cache, dir) => {
    await assert.rejects(
      cache.withScratch(2 ** 60, async () => {}),
      (error) => error instanceof VmmError && error.code === 'CACHE_FULL' && /free/.test(error.message),
    );
    await writeFile(join(dir, 'file'), '');
    await assert.rejects(
      new ImageCache(join(dir, 'file')).addFile('a/b', new Uint8Array(1)),
      (error) => error instanceof VmmError && error.code === 'CACHE_UNUSABLE',
    );
  });
});
