// Where Debian packages come from: a port with two implementations, Debian's own tools (`apt-source.ts`) and
// a mirror (`mirror-source.ts`). Both hand over only files whose checksums they have verified.
import type { Progress } from './progress.ts';

/** A package that can be fetched. */
export interface PackageFile {
  readonly name: string;
  readonly version: string;
  /** Direct dependencies, first choice of each, without versions. */
  readonly depends: readonly string[];
}

/** A fetched package. */
export interface FetchedPackage {
  readonly name: string;
  /** Path of the .deb file. */
  readonly path: string;
}

/** A source of packages, open for the length of one task. All methods reject with VmmError FETCH_FAILED. */
export interface PackageSource {
  /**
   * Looks packages up.
   * @param suite - a release such as `bookworm`; its updates and security fixes are looked through as well
   * @returns the newest of each, in the order asked for
   */
  resolve(names: readonly string[], suite: string): Promise<readonly PackageFile[]>;
  /**
   * Fetches packages and checks them.
   * @param dir - scratch folder for the files
   */
  fetch(
    packages: readonly PackageFile[],
    suite: string,
    dir: string,
    progress: Progress,
  ): Promise<readonly FetchedPackage[]>;
}
