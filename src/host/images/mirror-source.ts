// Packages from a mirror that the user named, for machines without apt. The mirror is trusted for its list of
// packages; every file is checked against the SHA-256 in that list.
// Source: Debian repository format ("Packages" indices).
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { VmmError } from '../../base/index.ts';
import { XzReader } from '../../toolstack/index.ts';
import { errorCode } from './cache.ts';
import type { FetchedPackage, PackageFile, PackageSource } from './package-source.ts';
import { progressBar } from './progress.ts';
import type { Progress } from './progress.ts';

interface ListedPackage extends PackageFile {
  readonly filename: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Opens a mirror as a source.
 * @param mirror - its base address, the folder that has `dists` and `pool` in it
 * @param signal - ends what is being fetched
 */
export function openMirrorSource(mirror: string, signal?: AbortSignal): PackageSource {
  if (!/^https?:\/\/\S+$/.test(mirror)) {
    throw new VmmError('FETCH_FAILED', `the Debian mirror "${mirror}" is no http or https address: correct it`);
  }
  return new MirrorSource(mirror.replace(/\/+$/, ''), signal);
}

class MirrorSource implements PackageSource {
  readonly #mirror: string;
  readonly #signal: AbortSignal | undefined;
  readonly #lists = new Map<string, Promise<string>>();

  constructor(mirror: string, signal: AbortSignal | undefined) {
    this.#mirror = mirror;
    this.#signal = signal;
  }

  async resolve(names: readonly string[], suite: string): Promise<readonly PackageFile[]> {
    const list = await this.#list(suite);
    return names.map((name) => findPackage(list, name, suite));
  }

  async fetch(
    packages: readonly PackageFile[],
    suite: string,
    dir: string,
    progress: Progress,
  ): Promise<readonly FetchedPackage[]> {
    const list = await this.#list(suite);
    const fetched: FetchedPackage[] = [];
    for (const { name } of packages) {
      const listed = findPackage(list, name, suite);
      const data = await this.#get(listed.filename, (bytes) =>
        progress(progressBar(`fetching ${name}`, bytes, listed.sizeBytes)),
      );
      progress('');
      if (createHash('sha256').update(data).digest('hex') !== listed.sha256) {
        throw new VmmError(
          'FETCH_FAILED',
          `${name} from ${this.#mirror} has a wrong checksum: try again or change mirrors`,
        );
      }
      const path = join(dir, basename(listed.filename));
      await writeFile(path, data);
      fetched.push({ name, path });
    }
    return fetched;
  }

  #list(suite: string): Promise<string> {
    let list = this.#lists.get(suite);
    if (list === undefined) {
      list = this.#fetchList(suite);
      this.#lists.set(suite, list);
    }
    return list;
  }

  async #fetchList(suite: string): Promise<string> {
    const index = `dists/${suite}/main/binary-amd64/Packages`;
    try {
      const packed = await this.#get(`${index}.xz`);
      return this.#unpackList(`${index}.xz`, () => unpackXz(packed));
    } catch (error) {
      if (!(error instanceof VmmError) || error.code !== 'FETCH_MISSING') throw error;
      const packed = await this.#get(`${index}.gz`);
      return this.#unpackList(`${index}.gz`, () => gunzipSync(packed));
    }
  }

  #unpackList(path: string, unpack: () => Uint8Array): string {
    try {
      return new TextDecoder().decode(unpack());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new VmmError(
        'FETCH_FAILED',
        `${this.#mirror}/${path} is no list of packages (${reason}): check the network and ZENDO_DEBIAN_MIRROR`,
        { cause: error },
      );
    }
  }

  async #get(path: string, onBytes: (bytes: number) => void = () => {}): Promise<Uint8Array> {
    const url = `${this.#mirror}/${path}`;
    try {
      const response = await fetch(url, { signal: this.#signal ?? null });
      if (!response.ok || response.body === null) {
        throw new VmmError(
          response.status === 404 ? 'FETCH_MISSING' : 'FETCH_FAILED',
          `${url}: the mirror answers ${response.status} ${response.statusText}: check ZENDO_DEBIAN_MIRROR`,
        );
      }
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      const body = response.body as AsyncIterable<Uint8Array>; // the declarations leave the element type out
      for await (const chunk of body) {
        chunks.push(chunk);
        bytes += chunk.length;
        onBytes(bytes);
      }
      return Buffer.concat(chunks);
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (error instanceof VmmError) throw error;
      const cause = error instanceof Error ? error.cause : undefined;
      const reason = errorCode(cause) ?? (cause instanceof Error ? cause.message : String(error));
      throw new VmmError(
        'FETCH_FAILED',
        `cannot fetch ${url} (${reason}): check the network, or name a kernel and a ramdisk with --kernel and --ramdisk`,
        { cause: error },
      );
    }
  }
}

function unpackXz(packed: Uint8Array): Uint8Array {
  const reader = new XzReader(packed);
  const data = new Uint8Array(reader.sizeBytes);
  reader.decodeInto(data);
  return data;
}

/** Finds a package's record; a list has the newest version only. */
function findPackage(list: string, name: string, suite: string): ListedPackage {
  const mark = `Package: ${name}\n`;
  const at = list.startsWith(mark) ? 0 : list.indexOf(`\n${mark}`) + 1;
  if (at === 0 && !list.startsWith(mark)) {
    throw new VmmError('FETCH_FAILED', `${suite} has no package ${name}: name a kernel with --kernel`);
  }
  const end = list.indexOf('\n\n', at);
  const record = list.slice(at, end < 0 ? undefined : end);
  const field = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(record)?.[1] ?? '';
  return {
    name,
    version: field('Version'),
    depends: field('Depends')
      .split(',')
      .map((choice) => choice.trim().split(/[\s|(:]/)[0] ?? '')
      .filter((depend) => depend !== ''),
    filename: field('Filename'),
    sizeBytes: Number(field('Size')),
    sha256: field('SHA256'),
  };
}
