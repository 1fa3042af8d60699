// The port through which the pure layer has gzip and zstd unpacked, the list of compressors that guests
// come in, and the one place that tells them apart. LZ4 and xz are decoded here; gzip and zstd come from the
// host's libraries (`src/host/images/decompress.ts`).
import { FormatError } from './format-error.ts';
import { decodeLz4Legacy } from './lz4-legacy.ts';
import { XzReader } from './xz.ts';

/** What the host found in a compressed file. */
export interface Unpacked {
  /** The data, in a buffer of its own. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Bytes of the input that were used. Less than all: something else follows, and `data` may lack it or be empty. */
  readonly usedBytes: number;
}

/** Unpacks what the pure layer does not unpack itself. Implemented by the host. */
export interface Decompressor {
  /**
   * Unpacks one file.
   * @param sizeBytes - expected size of the data; a hint that saves memory, the result may differ
   * @param maxBytes - more data than this is refused
   * @returns rejects with FormatError: IMAGE_CORRUPT, IMAGE_TRUNCATED or IMAGE_TOO_LARGE
   */
  unpack(kind: 'gzip' | 'zstd', input: Uint8Array, sizeBytes: number, maxBytes: number): Promise<Unpacked>;
}

/** A compressor that guest images or Linux payloads come in; those from `bzip2` on are not implemented. */
export type Compression = 'gzip' | 'zstd' | 'xz' | 'lz4' | 'bzip2' | 'lzma' | 'lzo';

const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lzma', [0x5d, 0x00, 0x00]],
  ['lzo', [0x89, 0x4c, 0x5a, 0x4f]],
];

/** Tells the compressor from the first bytes; undefined when it is none of them. */
export function detectCompression(bytes: Uint8Array): Compression | undefined {
  return MAGICS.find(([, magic]) => magic.every((byte, i) => bytes[i] === byte))?.[0];
}

/**
 * Unpacks a stream whose exact size is known.
 * @returns the data in a buffer of its own, checked against the stream's checksum where it has one
 */
export async function unpackExactly(
  kind: Compression,
  input: Uint8Array,
  sizeBytes: number,
  decompressor: Decompressor,
): Promise<Uint8Array<ArrayBuffer>> {
  switch (kind) {
    case 'gzip':
    case 'zstd': {
      const { data } = await decompressor.unpack(kind, input, sizeBytes, sizeBytes);
      if (data.length === sizeBytes) return data;
      throw new FormatError('IMAGE_CORRUPT', `the ${kind} stream gives less data than it announces`);
    }
    case 'xz': {
      const reader = new XzReader(input);
      if (reader.sizeBytes !== sizeBytes) {
        throw new FormatError('IMAGE_CORRUPT', 'the xz stream has another size than the image announces');
      }
      const output = new Uint8Array(sizeBytes);
      reader.decodeInto(output);
      return output;
    }
    case 'lz4': {
      const output = new Uint8Array(sizeBytes);
      decodeLz4Legacy(input, output);
      return output;
    }
    default:
      throw new FormatError('IMAGE_COMPRESSOR', `it is compressed with ${kind}, a compressor we do not have`);
  }
}

/** Largest guest image that is unpacked, in bytes. Stock kernels are below 100 MiB. */
export const MAX_IMAGE_BYTES = 1 << 30;

/**
 * Unpacks a file that is compressed as a whole with gzip, and hands any other back as it is.
 * @param maxBytes - more data than this is refused
 */
export async function unpackWholeFile(
  file: Uint8Array,
  decompressor: Decompressor,
  maxBytes: number,
): Promise<Unpacked | undefined> {
  if (detectCompression(file) !== 'gzip' || file.length < 18) return undefined;
  // The stream ends with the size of its data, modulo 2^32; wrong when several streams are joined.
  const trailer = new DataView(file.buffer, file.byteOffset + file.length - 4, 4);
  return decompressor.unpack('gzip', file, trailer.getUint32(0, true), maxBytes);
}

/**
 * Gives memory back at once instead of when the collector finds it: images are large, and the guest's
 * memory is about to be filled. The array is empty afterwards. Does nothing to shared memory, nor to a
 * view on a part of a buffer.
 */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength && !buffer.detached) buffer.transfer(0);
}
