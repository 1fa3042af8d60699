// Takes files out of a Debian package. With dpkg-deb where the machine has it, which is faster; otherwise with
// our own readers of ar, xz and tar.
// Source: deb(5).
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { FormatError, nameFormatError, XzReader } from '../../toolstack/index.ts';
import { hasCommand } from './run-command.ts';
import { readTar } from './tar-reader.ts';
import type { TarEntry } from './tar-reader.ts';

/** Debian's tool; no machine has to have it. */
const DPKG_DEB = 'dpkg-deb';
const AR_MAGIC = '!<arch>\n';
const AR_HEADER_BYTES = 60;

/**
 * Takes entries out of a package.
 * @param wanted - says which paths
 * @param enough - stop as soon as so many have been found: most packages are far larger than what we want of them
 * @returns rejects with VmmError when the package is damaged
 */
export async function extractDeb(
  file: string,
  wanted: (path: string) => boolean,
  enough = Infinity,
): Promise<readonly TarEntry[]> {
  const chunks = (await hasCommand(DPKG_DEB)) ? dpkgTar(file) : ownTar(await readFile(file));
  const entries: TarEntry[] = [];
  try {
    for await (const entry of readTar(chunks, wanted)) {
      entries.push(entry);
      if (entries.length >= enough) break;
    }
  } catch (error) {
    throw nameFormatError(basename(file), error);
  }
  return entries;
}

/** The package's tar archive, unpacked by dpkg-deb; ended early when the reader stops. */
async function* dpkgTar(file: string): AsyncGenerator<Uint8Array> {
  const child = spawn(DPKG_DEB, ['--fsys-tarfile', file], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer; // a stream without an encoding yields buffers
  } finally {
    child.kill();
  }
}

/** The package's tar archive, unpacked by ourselves. */
export function* ownTar(deb: Uint8Array): Generator<Uint8Array> {
  const { name, data } = findData(deb);
  switch (name) {
    case 'data.tar.xz':
      yield* new XzReader(data).blocks();
      break;
    case 'data.tar.zst':
      yield zstdDecompressSync(data);
      break;
    case 'data.tar.gz':
      yield gunzipSync(data);
      break;
    case 'data.tar':
      yield data;
      break;
    default:
      throw new FormatError('IMAGE_COMPRESSOR', `the package has its files in "${name}", which we cannot read`);
  }
}

/** Finds the member with the files. Source: ar(5), System V form. */
function findData(deb: Uint8Array): { name: string; data: Uint8Array } {
  const latin1 = new TextDecoder('latin1');
  if (latin1.decode(deb.subarray(0, AR_MAGIC.length)) !== AR_MAGIC) {
    throw new FormatError('IMAGE_FORMAT', 'it is no Debian package');
  }
  for (let at = AR_MAGIC.length; at + AR_HEADER_BYTES <= deb.length;) {
    const header = latin1.decode(deb.subarray(at, at + AR_HEADER_BYTES));
    const name = header.slice(0, 16).trim().replace(/\/$/, '');
    const size = Number.parseInt(header.slice(48, 58), 10);
    const data = deb.subarray(at + AR_HEADER_BYTES, at + AR_HEADER_BYTES + size);
    if (!(size >= 0) || data.length < size) break;
    if (name.startsWith('data.tar')) return { name, data };
    at += AR_HEADER_BYTES + size + (size % 2);
  }
  throw new FormatError('IMAGE_TRUNCATED', 'the package has no files');
}
