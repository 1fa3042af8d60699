// The module handed to a guest: unpacked when it is gzip, as Xen's own builder does, because our guest would
// take far longer. Anything else is handed over as it is. Called by the lifecycle code.
import { freeBytes, unpackWholeFile } from './decompressor.ts';
import type { Decompressor } from './decompressor.ts';
import { FormatError, nameFormatError } from './format-error.ts';

/**
 * Unpacks a ramdisk if that helps.
 * @param name - for messages
 * @param file - the file's bytes, which this function takes over
 * @param maxBytes - the guest's memory: a ramdisk that does not fit when unpacked is handed over packed
 * @returns rejects with VmmError when the file is empty or its gzip data damaged
 */
export async function loadRamdisk(
  name: string,
  file: Uint8Array<ArrayBuffer>,
  decompressor: Decompressor,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (file.length === 0) throw new FormatError('IMAGE_TRUNCATED', 'it is empty');
    const unpacked = await unpackWholeFile(file, decompressor, maxBytes);
    // Archives may be joined, each packed in its own way; the guest can take such a file apart, we need not.
    if (unpacked === undefined || unpacked.usedBytes < file.length) return file;
    freeBytes(file);
    return unpacked.data;
  } catch (error) {
    if (error instanceof FormatError && error.code === 'IMAGE_TOO_LARGE') return file;
    throw nameFormatError(name, error);
  }
}
