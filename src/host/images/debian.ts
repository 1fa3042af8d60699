// Debian's own kernels and programs as guests. Fetches packages, checked by apt's signatures or, on machines
// without apt, against a mirror's list; takes the kernel out of them; makes ramdisks. Everything is cached by
// package version, so only the first call takes time. Called by `zendo run` without --kernel and by the
// system tests.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { VmmError } from '../../base/index.ts';
import { writeCpio } from '../../toolstack/index.ts';
import type { CpioEntry } from '../../toolstack/index.ts';
import { openAptSource } from './apt-source.ts';
import { defaultCacheDir, ImageCache } from './cache.ts';
import { extractDeb } from './deb-archive.ts';
import { busyboxEntries, isWantedForPython, PYTHON_PACKAGES, pythonEntries } from './initramfs-contents.ts';
import { openMirrorSource } from './mirror-source.ts';
import type { PackageFile, PackageSource } from './package-source.ts';
import type { Progress } from './progress.ts';
import type { TarEntry } from './tar-reader.ts';

/** Files to start a domain with. */
export interface GuestFiles {
  readonly kernel: string;
  readonly ramdisk: string;
  /** Kernel command line. */
  readonly append: string;
}

/** Kernels of Debian 12 that can be had: by version and flavour. */
export type DebianKernel = '6.1-cloud' | '6.1' | '6.12-cloud' | '6.12';

/** How to fetch. All of it has defaults. */
export interface DebianOptions {
  /** Shows what is going on; nothing by default. */
  readonly progress?: Progress;
  /** The cache's folder. */
  readonly cacheDir?: string;
  /** A Debian mirror to use instead of apt; by default the environment's ZENDO_DEBIAN_MIRROR. */
  readonly mirror?: string;
  /** Look for newer packages although there are cached ones. */
  readonly refresh?: boolean;
  /** Ends fetching; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const RELEASE = 'bookworm';
const BACKPORTS = 'bookworm-backports';

const KERNELS: Readonly<Record<DebianKernel, { meta: string; suite: string }>> = {
  '6.1-cloud': { meta: 'linux-image-cloud-amd64', suite: RELEASE },
  '6.1': { meta: 'linux-image-amd64', suite: RELEASE },
  '6.12-cloud': { meta: 'linux-image-cloud-amd64', suite: BACKPORTS },
  '6.12': { meta: 'linux-image-amd64', suite: BACKPORTS },
};

const CONSOLE = 'console=hvc0';
/** Free space that fetching begins with: the lists of packages and the largest package, twice over. */
const ROOM_BYTES = 300 << 20;
/** So that a cached archive is the same whenever it is made. */
const RAMDISK_MTIME_SECONDS = 0;

/**
 * The guest that runs when no other is named: Debian's kernel for clouds and a busybox shell.
 * @returns rejects with VmmError FETCH_FAILED, CACHE_FULL or CACHE_UNUSABLE
 */
export async function ensureDefaultGuest(options: DebianOptions = {}): Promise<GuestFiles> {
  const kernel = await ensureKernel('6.1-cloud', options);
  return { kernel, ramdisk: await ensureBusyboxRamdisk(options), append: CONSOLE };
}

/** The default guest with python3 and its test suite in the ramdisk: needs 512 MiB of memory. */
export async function ensurePythonGuest(options: DebianOptions = {}): Promise<GuestFiles> {
  const kernel = await ensureKernel('6.1-cloud', options);
  return { kernel, ramdisk: await ensurePythonRamdisk(options), append: CONSOLE };
}

/** Path of one of Debian's kernels, a bzImage. Fails like `ensureDefaultGuest`. */
export function ensureKernel(which: DebianKernel, options: DebianOptions = {}): Promise<string> {
  const { meta, suite } = KERNELS[which];
  return ensureFile(options, `kernel-${which}`, async (job) => {
    const [wanted] = await job.source.resolve([meta], suite);
    const image = wanted?.depends.find((name) => /^linux-image-[0-9]/.test(name));
    if (image === undefined) throw new VmmError('FETCH_FAILED', `${meta} of ${suite} names no kernel: use --kernel`);
    const [packed] = await job.source.resolve([image], suite);
    if (packed === undefined) throw new VmmError('FETCH_FAILED', `${suite} has no ${image}: use --kernel`);
    return job.cacheFile(packed, 'vmlinuz', async () => {
      const files = await job.extract([packed], suite, (path) => path.startsWith('boot/vmlinuz-'), 1);
      return only(files, image);
    });
  });
}

/** Path of GRUB built as a Xen guest, an ELF file. Fails like `ensureDefaultGuest`. */
export function ensureGrubXen(options: DebianOptions = {}): Promise<string> {
  return ensureFile(options, 'grub-xen', async (job) => {
    const [grub] = await job.source.resolve(['grub-xen-host'], RELEASE);
    if (grub === undefined) throw new VmmError('FETCH_FAILED', `${RELEASE} has no grub-xen-host`);
    return job.cacheFile(grub, 'grub-x86_64-xen.bin', async () => {
      const files = await job.extract([grub], RELEASE, (path) => path === 'usr/lib/grub-xen/grub-x86_64-xen.bin', 1);
      return only(files, grub.name);
    });
  });
}

/** Path of a ramdisk with a busybox shell. Fails like `ensureDefaultGuest`. */
export function ensureBusyboxRamdisk(options: DebianOptions = {}): Promise<string> {
  return ensureFile(options, ramdiskKey('busybox', busyboxEntries(new Uint8Array(0))), async (job) => {
    const busybox = await job.busybox();
    const name = ramdiskKey('ramdisk', busyboxEntries(new Uint8Array(0)));
    return job.cacheFile(busybox.from, `${name}.cpio.gz`, async () => packRamdisk(busyboxEntries(busybox.data)));
  });
}

/** Path of a ramdisk with busybox, python3 and its test suite. Fails like `ensureDefaultGuest`. */
export function ensurePythonRamdisk(options: DebianOptions = {}): Promise<string> {
  const key = ramdiskKey('python', busyboxEntries(new Uint8Array(0)));
  return ensureFile(options, key, async (job) => {
    const packages = await job.source.resolve(PYTHON_PACKAGES, RELEASE);
    const python = packages[0];
    if (python === undefined) throw new VmmError('FETCH_FAILED', `${RELEASE} has no python3.11`);
    return job.cacheFile(python, `${key}.cpio.gz`, async () => {
      const busybox = await job.busybox();
      const files = await job.extract(packages, RELEASE, isWantedForPython, Infinity);
      job.progress('packing the ramdisk');
      return packRamdisk(pythonEntries(busybox.data, files));
    });
  });
}

/** What one call works with. */
interface Job {
  readonly source: PackageSource;
  readonly progress: Progress;
  /** Fetches packages and takes files out of them, `enough` of each. */
  extract(
    packages: readonly PackageFile[],
    suite: string,
    wanted: (path: string) => boolean,
    enough: number,
  ): Promise<readonly TarEntry[]>;
  /** The cached file of this version of a package; made now if there is none. @returns its name in the cache */
  cacheFile(from: PackageFile, name: string, make: () => Promise<Uint8Array>): Promise<string>;
  busybox(): Promise<{ from: PackageFile; data: Uint8Array }>;
}

/**
 * Finds a file that an earlier call has made, or makes it.
 * @param key - under which the cache remembers the file's name
 */
async function ensureFile(options: DebianOptions, key: string, make: (job: Job) => Promise<string>): Promise<string> {
  const cache = new ImageCache(options.cacheDir ?? defaultCacheDir());
  const progress = options.progress ?? (() => {});
  const pointer = join('debian', key);
  const known = await cache.recall(pointer);
  if (known !== undefined && options.refresh !== true) {
    const path = await cache.find(known);
    if (path !== undefined) return path;
  }
  return cache.withScratch(ROOM_BYTES, async (scratch) => {
    try {
      progress("looking for Debian's packages");
      const source = await openSource(options, scratch);
      const name = await make(openJob(cache, source, scratch, progress));
      await cache.remember(pointer, name);
      return join(cache.dir, name);
    } finally {
      progress('');
    }
  });
}

function openJob(cache: ImageCache, source: PackageSource, scratch: string, progress: Progress): Job {
  const job: Job = {
    source,
    progress,
    async extract(packages, suite, wanted, enough) {
      const fetched = await source.fetch(packages, suite, scratch, progress);
      const entries: TarEntry[] = [];
      for (const { name, path } of fetched) {
        progress(`unpacking ${name}`);
        entries.push(...(await extractDeb(path, wanted, enough)));
      }
      return entries;
    },
    async cacheFile(from, name, make) {
      const entry = join('debian', `${from.name}_${from.version.replaceAll(':', '%3a')}`, name);
      if ((await cache.find(entry)) === undefined) await cache.addFile(entry, await make());
      return entry;
    },
    async busybox() {
      const [from] = await source.resolve(['busybox-static'], RELEASE);
      if (from === undefined) throw new VmmError('FETCH_FAILED', `${RELEASE} has no busybox-static`);
      const files = await job.extract([from], RELEASE, (path) => /^(usr\/)?bin\/busybox$/.test(path), 1);
      return { from, data: only(files, from.name) };
    },
  };
  return job;
}

async function openSource(options: DebianOptions, scratch: string): Promise<PackageSource> {
  const mirror = options.mirror ?? process.env['ZENDO_DEBIAN_MIRROR'];
  if (mirror !== undefined && mirror !== '') return openMirrorSource(mirror, options.signal);
  const apt = await openAptSource(scratch, options.signal);
  if (apt !== undefined) return apt;
  throw new VmmError(
    'FETCH_FAILED',
    'this machine has no apt with a Debian archive: set ZENDO_DEBIAN_MIRROR to the address of a Debian mirror, ' +
      'or name a kernel and a ramdisk with --kernel and --ramdisk',
  );
}

function only(files: readonly TarEntry[], from: string): Uint8Array {
  const file = files[0];
  if (file === undefined) throw new VmmError('FETCH_FAILED', `${from} does not hold the file we want: use --kernel`);
  return file.data;
}

function packRamdisk(entries: readonly CpioEntry[]): Uint8Array {
  return gzipSync(writeCpio(entries, RAMDISK_MTIME_SECONDS), { level: 6 });
}

/** A name that changes when what we put into every ramdisk changes, so that an old one is not taken for a new. */
function ramdiskKey(prefix: string, entries: readonly CpioEntry[]): string {
  const digest = createHash('sha256').update(writeCpio(entries)).digest('hex').slice(0, 12);
  return `${prefix}-${digest}`;
}
