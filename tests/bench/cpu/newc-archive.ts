// Reads a cpio archive in the "newc" form, as Linux takes it for its first root directory: the bench takes python's files
// out of a guest's ramdisk. Reads only what our own writer makes, and relies on that.
// Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.

import type { CpioEntry } from '../../../src/toolstack/index.ts';

const HEADER_BYTES = 110;
const FIRST_FIELD = 6;
const FIELD_DIGITS = 8;
const Field = { MODE: 1, FILE_SIZE: 6, RDEV_MAJOR: 9, RDEV_MINOR: 10, NAME_SIZE: 11 } as const;
/** File types in a mode. Source: POSIX sys/stat.h as Linux numbers them. */
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;
const PERMISSIONS = 0o7777;

/** All entries of an archive, in order. */
export function readCpio(archive: Buffer): CpioEntry[] {
  const entries: CpioEntry[] = [];
  for (let at = 0; ;) {
    const field = (index: number): number => {
      const from = at + FIRST_FIELD + index * FIELD_DIGITS;
      return Number.parseInt(archive.toString('latin1', from, from + FIELD_DIGITS), 16);
    };
    const nameEnd = at + HEADER_BYTES + field(Field.NAME_SIZE);
    const path = archive.toString('utf8', at + HEADER_BYTES, nameEnd - 1);
    if (path === 'TRAILER!!!') return entries;
    const dataAt = align(nameEnd);
    const data = archive.subarray(dataAt, dataAt + field(Field.FILE_SIZE));
    const mode = field(Field.MODE) & PERMISSIONS;
    switch (field(Field.MODE) & S_IFMT) {
      case S_IFDIR:
        entries.push({ kind: 'directory', path, mode });
        break;
      case S_IFLNK:
        entries.push({ kind: 'symlink', path, target: data.toString('utf8') });
        break;
      case S_IFCHR: {
        const [major, minor] = [field(Field.RDEV_MAJOR), field(Field.RDEV_MINOR)];
        entries.push({ kind: 'device', path, mode, type: 'char', major, minor });
        break;
      }
      default:
        entries.push({ kind: 'file', path, mode, data });
    }
    at = align(dataAt + data.length);
  }
}

function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
