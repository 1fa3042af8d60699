// The cache of fetched guests: `${XDG_CACHE_HOME:-~/.cache}/zendo`. Whatever is in it is complete: entries are
// made under a temporary name and renamed, so a full disk, a lost network or a kill leaves nothing half-written.
// Used by `debian.ts`; any number of processes may share one cache.
import { randomBytes } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { VmmError } from '../../base/index.ts';

/** Where the cache is unless a caller says otherwise. */
export function defaultCacheDir(): string {
  const xdg = process.env['XDG_CACHE_HOME'];
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache'), 'zendo');
}

const SCRATCH = 'scratch-';
const MIB = 1 << 20;

/** A folder of complete files and folders. */
export class ImageCache {
  /** The folder itself. */
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** The path of an entry, or undefined when there is none. */
  async find(name: string): Promise<string | undefined> {
    const path = join(this.dir, name);
    return (await exists(path)) ? path : undefined;
  }

  /**
   * Adds a file, unless it is there.
   * @returns its path; rejects with VmmError CACHE_FULL or CACHE_UNUSABLE
   */
  async addFile(name: string, data: Uint8Array): Promise<string> {
    const path = join(this.dir, name);
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await makeFolder(dirname(path));
      await writeFile(temporary, data);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined); // the first failure is the one to tell
      throw this.#explain(error);
    }
    return path;
  }

  /** Reads a small text that `remember` wrote. */
  async recall(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.dir, name), 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw this.#explain(error);
    }
  }

  /** Writes a small text, such as which version of a package is the newest we know. */
  async remember(name: string, text: string): Promise<void> {
    await this.addFile(name, new TextEncoder().encode(text));
  }

  /**
   * Lends a scratch folder for as long as `use` runs, and clears those away that killed processes left.
   * @param roomBytes - refuse to begin with less free space: apt does not end by itself when its disk is full
   * @returns what `use` gives; a failure of the file system is a VmmError
   */
  async withScratch<T>(roomBytes: number, use: (dir: string) => Promise<T>): Promise<T> {
    let dir: string | undefined;
    try {
      await makeFolder(this.dir);
      await this.#clearScratch();
      await this.#checkRoom(roomBytes);
      dir = await mkdtemp(join(this.dir, `${SCRATCH}${process.pid}-`));
      return await use(dir);
    } catch (error) {
      throw this.#explain(error);
    } finally {
      if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    }
  }

  async #checkRoom(roomBytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.dir);
    if (bavail * bsize >= roomBytes) return;
    const wanted = Math.ceil(roomBytes / MIB);
    throw new VmmError(
      'CACHE_FULL',
      `${this.dir} has less than ${wanted} MiB free: free some space, or set XDG_CACHE_HOME`,
    );
  }

  async #clearScratch(): Promise<void> {
    for (const name of await readdir(this.dir)) {
      const pid = Number(name.startsWith(SCRATCH) ? name.slice(SCRATCH.length).split('-')[0] : Number.NaN);
      if (pid > 0 && !isRunning(pid)) await rm(join(this.dir, name), { recursive: true, force: true });
    }
  }

  /** Turns a failure of the file system into a line an operator can act on; hands others back. */
  #explain(error: unknown): unknown {
    const code = errorCode(error);
    switch (code) {
      case 'ENOSPC':
      case 'EDQUOT':
        return new VmmError('CACHE_FULL', `no room left in ${this.dir}: free some space, or set XDG_CACHE_HOME`, {
          cause: error,
        });
      default:
        if (code === undefined || !(error instanceof Error && 'syscall' in error)) return error;
        return new VmmError(
          'CACHE_UNUSABLE',
          `cannot use ${this.dir} (${code}): set XDG_CACHE_HOME to a folder of yours`,
          { cause: error },
        );
    }
  }
}

/**
 * Makes a folder, and those above it where `mayMakeParents`. Node's own recursive `mkdir` never ends in some places, such
 * as /proc, and gives a wrong reason in others.
 */
async function makeFolder(path: string, mayMakeParents = true): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' && mayMakeParents && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await makeFolder(path, false);
    } else if (code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // whatever is in the way, the entry cannot be used
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM'; // it runs, but is somebody else's
  }
}

/** The system's code of an error, such as ENOENT; undefined when it has none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
