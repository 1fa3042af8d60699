// Debian's own kernels and programs as guests. Fetches packages, checked by apt's signatures or, on machines
// without apt, against a mirror's list; takes the kernel out of them; makes ramdisks. Everything is cached by
// package version, so only the first call takes time. Called by `zendo run` without --kernel and by the
// system tests.
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
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
/** Folder of the notes that say which version of a thing is the newest we know. */
const POINTERS = 'debian';
/** Free space that fetching begins with: the lists of packages and the largest package, twice over. */
const ROOM_BYTES = 300 << 20;
/** So that a cached archive is the same whenever it is made. */
const RAMDISK_MTIME_SECONDS = 0;

/**
 * The guest that runs when no other is named: Debian's kernel for clouds and a busybox shell.
 * @returns rejects with VmmError FETCH_FAILED, CACHE_FULL or CACHE_UNUSABLE
 */
export async function ensureDefaultGuest(options: DebianOptions = {}): Promise<GuestFiles> {
  const [kernel, ramdisk] = await ensureFiles(options, [kernelRecipe('6.1-cloud'), busyboxRecipe()]);
  return { kernel, ramdisk, append: CONSOLE };
}

/** The default guest with python3 and its test suite in the ramdisk: for guests with 512 MiB of memory or more. */
export async function ensurePythonGuest(options: DebianOptions = {}): Promise<GuestFiles> {
  const [kernel, ramdisk] = await ensureFiles(options, [kernelRecipe('6.1-cloud'), pythonRecipe()]);
  return { kernel, ramdisk, append: CONSOLE };
}

/** Path of one of Debian's kernels, a bzImage. Fails like `ensureDefaultGuest`. */
export async function ensureKernel(which: DebianKernel, options: DebianOptions = {}): Promise<string> {
  return (await ensureFiles(options, [kernelRecipe(which)]))[0];
}

/** Path of GRUB built as a Xen guest, an ELF file. Fails like `ensureDefaultGuest`. */
export async function ensureGrubXen(options: DebianOptions = {}): Promise<string> {
  return (await ensureFiles(options, [grubRecipe()]))[0];
}

/** How to make one file of the cache. */
interface Recipe {
  /** Under which the cache remembers the file's name. */
  readonly key: string;
  /** @returns the file's name in the cache */
  make(job: Job): Promise<string>;
}

function kernelRecipe(which: DebianKernel): Recipe {
  const { meta, suite } = KERNELS[which];
  return {
    key: `kernel-${which}`,
    async make(job) {
      const newest = await job.resolve(meta, suite);
      const image = newest.depends.find((name) => /^linux-image-[0-9]/.test(name));
      if (image === undefined) throw new VmmError('FETCH_FAILED', `${meta} of ${suite} names no kernel: use --kernel`);
      const packed = await job.resolve(image, suite);
      return job.cacheFile(packed, 'vmlinuz', async () => {
        const files = await job.extract([packed], suite, (path) => path.startsWith('boot/vmlinuz-'), 1);
        return only(files, image);
      });
    },
  };
}

function grubRecipe(): Recipe {
  const path = 'usr/lib/grub-xen/grub-x86_64-xen.bin';
  return {
    key: 'grub-xen',
    async make(job) {
      const grub = await job.resolve('grub-xen-host', RELEASE);
      return job.cacheFile(grub, 'grub-x86_64-xen.bin', async () => {
        return only(await job.extract([grub], RELEASE, (name) => name === path, 1), grub.name);
      });
    },
  };
}

function busyboxRecipe(): Recipe {
  const key = ramdiskKey('busybox');
  return {
    key,
    async make(job) {
      const busybox = await job.resolve('busybox-static', RELEASE);
      return job.cacheFile(busybox, `${key}.cpio.gz`, async () =>
        packRamdisk(busyboxEntries(await extractBusybox(job, busybox))),
      );
    },
  };
}

function pythonRecipe(): Recipe {
  const key = ramdiskKey('python');
  return {
    key,
    async make(job) {
      const [python, ...others] = PYTHON_PACKAGES;
      const first = await job.resolve(python, RELEASE);
      return job.cacheFile(first, `${key}.cpio.gz`, async () => {
        const packages = [first, ...(await job.source.resolve(others, RELEASE))];
        const files = await job.extract(packages, RELEASE, isWantedForPython, Infinity);
        const busybox = await extractBusybox(job, await job.resolve('busybox-static', RELEASE));
        job.progress('packing the ramdisk');
        return packRamdisk(pythonEntries(busybox, files));
      });
    },
  };
}

async function extractBusybox(job: Job, busybox: PackageFile): Promise<Uint8Array> {
  const files = await job.extract([busybox], RELEASE, (path) => /^(usr\/)?bin\/busybox$/.test(path), 1);
  return only(files, busybox.name);
}

/** What recipes work with. */
interface Job {
  readonly source: PackageSource;
  readonly progress: Progress;
  /** Looks one package up. */
  resolve(name: string, suite: string): Promise<PackageFile>;
  /** Fetches packages and takes files out of them, `enough` of each. */
  extract(
    packages: readonly PackageFile[],
    suite: string,
    wanted: (path: string) => boolean,
    enough: number,
  ): Promise<readonly TarEntry[]>;
  /** The cached file of this version of a package; made now if there is none. @returns its name in the cache */
  cacheFile(from: PackageFile, name: string, make: () => Promise<Uint8Array>): Promise<string>;
}

/** One path for each recipe. */
type Paths<R extends readonly Recipe[]> = { [K in keyof R]: string };

/** Finds the files that earlier calls have made, and makes those that are missing, all with one source. */
async function ensureFiles<const R extends readonly Recipe[]>(options: DebianOptions, recipes: R): Promise<Paths<R>> {
  const cache = new ImageCache(options.cacheDir ?? defaultCacheDir());
  const progress = options.progress ?? (() => {});
  const paths: (string | undefined)[] = [];
  for (const { key } of recipes) {
    const name = options.refresh === true ? undefined : await cache.recall(join(POINTERS, key));
    paths.push(name === undefined ? undefined : await cache.find(name));
  }
  if (paths.includes(undefined)) {
    await cache.withScratch(ROOM_BYTES, async (scratch) => {
      try {
        progress("looking for Debian's packages");
        const job = openJob(cache, await openSource(options, scratch), scratch, progress);
        for (const [i, recipe] of recipes.entries()) {
          if (paths[i] !== undefined) continue;
          const name = await recipe.make(job);
          await cache.remember(join(POINTERS, recipe.key), name);
          paths[i] = join(cache.dir, name);
        }
      } finally {
        progress('');
      }
    });
  }
  return paths as Paths<R>; // none is undefined any more, and there is one for each recipe
}

function openJob(cache: ImageCache, source: PackageSource, scratch: string, progress: Progress): Job {
  return {
    source,
    progress,
    async resolve(name, suite) {
      const [found] = await source.resolve([name], suite);
      if (found === undefined)
        throw new VmmError('FETCH_FAILED', `${suite} has no ${name}: use --kernel and --ramdisk`);
      return found;
    },
    async extract(packages, suite, wanted, enough) {
      const fetched = await source.fetch(packages, suite, scratch, progress);
      const entries: TarEntry[] = [];
      for (const { name, path } of fetched) {
        progress(`unpacking ${name}`);
        entries.push(...(await extractDeb(path, wanted, enough)));
        await rm(path); // the scratch folder may be on a small disk
      }
      return entries;
    },
    async cacheFile(from, name, make) {
      const entry = join('debian', `${from.name}_${from.version.replaceAll(':', '%3a')}`, name);
      if ((await cache.find(entry)) === undefined) await cache.addFile(entry, await make());
      return entry;
    },
  };
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
function ramdiskKey(prefix: string): string {
  const ours = writeCpio(busyboxEntries(new Uint8Array(0)));
  return `${prefix}-${createHash('sha256').update(ours).digest('hex').slice(0, 12)}`;
}
