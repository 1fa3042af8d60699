// Writes an initramfs: a cpio archive in the "newc" form that Linux unpacks into its first root directory.
// The same entries give the same bytes. Called by the host's image source, which packs the result with gzip.
// Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
import { bug } from '../../base/index.ts';

/** One entry of the archive. Paths have no leading slash; directories they need are added by the writer. */
export type CpioEntry =
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'device';
      readonly path: string;
      readonly mode: number;
      readonly type: 'char' | 'block';
      readonly major: number;
      readonly minor: number;
    };

const MAGIC = '070701';
const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
const MAX_FILE_BYTES = 0xffffffff;

/** File types in a mode. Source: POSIX sys/stat.h as Linux numbers them. */
const S_IF = { LNK: 0o120000, REG: 0o100000, BLK: 0o060000, DIR: 0o040000, CHR: 0o020000 } as const;

/** What goes into an entry's header beside its place in the archive. */
interface Header {
  readonly path: Uint8Array;
  readonly mode: number;
  readonly nrLinks: number;
  readonly major: number;
  readonly minor: number;
  readonly data: Uint8Array;
}

/**
 * Writes the archive.
 * @param entries - in any order; a path that comes twice is an error of the caller
 * @param mtimeSeconds - modification time of every entry, so that the result is reproducible
 */
export function writeCpio(entries: readonly CpioEntry[], mtimeSeconds = 0): Uint8Array<ArrayBuffer> {
  const headers = withParents(entries).map(toHeader);
  headers.push({ path: encode(TRAILER), mode: 0, nrLinks: 1, major: 0, minor: 0, data: new Uint8Array(0) });
  const size = headers.reduce((sum, header) => sum + entryBytes(header), 0);
  const archive = new Uint8Array(align(size, 512));
  let at = 0;
  headers.forEach((header, index) => {
    const isTrailer = index === headers.length - 1;
    archive.set(encode(headerText(header, isTrailer ? 0 : index + 1, isTrailer ? 0 : mtimeSeconds)), at);
    archive.set(header.path, at + HEADER_BYTES);
    const dataAt = at + align(HEADER_BYTES + header.path.length + 1, 4);
    archive.set(header.data, dataAt);
    at += entryBytes(header);
  });
  return archive;
}

/** Adds the directories that entries stand in, and sorts so that a directory comes before what is in it. */
function withParents(entries: readonly CpioEntry[]): readonly CpioEntry[] {
  const byPath = new Map<string, CpioEntry>();
  for (const entry of entries) {
    if (entry.path === '' || entry.path.startsWith('/')) bug(`cpio path "${entry.path}"`);
    if (byPath.has(entry.path)) bug(`cpio path "${entry.path}" comes twice`);
    byPath.set(entry.path, entry);
  }
  for (const { path } of entries) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (!byPath.has(parent)) byPath.set(parent, { kind: 'directory', path: parent, mode: 0o755 });
    }
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function toHeader(entry: CpioEntry): Header {
  const path = encode(entry.path);
  const plain = { path, nrLinks: 1, major: 0, minor: 0, data: new Uint8Array(0) };
  switch (entry.kind) {
    case 'file':
      if (entry.data.length > MAX_FILE_BYTES) bug(`cpio entry "${entry.path}" is over 4 GiB`);
      return { ...plain, mode: S_IF.REG | entry.mode, data: entry.data };
    case 'directory':
      return { ...plain, mode: S_IF.DIR | entry.mode, nrLinks: 2 };
    case 'symlink':
      return { ...plain, mode: S_IF.LNK | 0o777, data: encode(entry.target) };
    case 'device': {
      const type = entry.type === 'char' ? S_IF.CHR : S_IF.BLK;
      return { ...plain, mode: type | entry.mode, major: entry.major, minor: entry.minor };
    }
  }
}

/** The fields in their order: each eight hexadecimal digits. */
function headerText(header: Header, inode: number, mtimeSeconds: number): string {
  const fields = [
    inode,
    header.mode,
    0, // uid
    0, // gid
    header.nrLinks,
    mtimeSeconds,
    header.data.length,
    0, // major number of the device the file is on
    0, // minor number of it
    header.major,
    header.minor,
    header.path.length + 1,
    0, // checksum: not used in this form
  ];
  return MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
}

function entryBytes(header: Header): number {
  return align(HEADER_BYTES + header.path.length + 1, 4) + align(header.data.length, 4);
}

function align(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
