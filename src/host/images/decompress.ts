// gzip and zstd for the toolstack, by Node's own zlib. The output chunk is as large as the whole result is
// expected to be, so zlib fills one buffer and copies nothing: unpacking a kernel costs the kernel's size.
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { FormatError } from '../../toolstack/index.ts';
import type { Decompressor, Unpacked } from '../../toolstack/index.ts';

/** Bounds of the output chunk: gzip never gives more than 1032 bytes for one. */
const MIN_CHUNK_BYTES = 1 << 16;
const MAX_RATIO = 1032;

/** What zlib's functions give with `info`: the engine beside the data. */
interface ResultWithInfo {
  readonly buffer: Buffer<ArrayBuffer>;
  readonly engine: { readonly bytesWritten: number };
}

/** The host's implementation of the toolstack's port. */
export const nodeDecompressor: Decompressor = {
  // Synchronous below: a worker thread of zlib's would need its chunks copied together.
  unpack: async (kind, input, sizeBytes, maxBytes) => unpack(kind, input, sizeBytes, maxBytes),
};

function unpack(kind: 'gzip' | 'zstd', input: Uint8Array, sizeBytes: number, maxBytes: number): Unpacked {
  const wanted = kind === 'gzip' ? Math.min(sizeBytes, input.length * MAX_RATIO) : sizeBytes;
  const chunkSize = Math.max(Math.min(wanted, maxBytes), MIN_CHUNK_BYTES);
  const decode = kind === 'gzip' ? gunzipSync : zstdDecompressSync;
  try {
    const options = { chunkSize, maxOutputLength: Math.max(maxBytes, 1), info: true };
    const result = decode(input, options) as unknown as ResultWithInfo; // the declarations know no `info`
    return { data: ownBytes(result.buffer), usedBytes: result.engine.bytesWritten };
  } catch (error) {
    return explainFailure(kind, error, maxBytes);
  }
}

/** Makes an array that owns its buffer, so that it can be given back; copies only when it must. */
function ownBytes(data: Buffer<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (data.byteLength !== data.buffer.byteLength) return new Uint8Array(data);
  return new Uint8Array(data.buffer);
}

function explainFailure(kind: string, error: unknown, maxBytes: number): Unpacked {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'ERR_BUFFER_TOO_LARGE') {
    throw new FormatError('IMAGE_TOO_LARGE', `the ${kind} stream gives more than ${maxBytes} bytes`, { cause: error });
  }
  // The first member's magic number was checked by the caller, so it is a later one that is something else.
  if (kind === 'gzip' && message === 'incorrect header check') return { data: new Uint8Array(0), usedBytes: 0 };
  if (/unexpected end/i.test(message)) {
    throw new FormatError('IMAGE_TRUNCATED', `the ${kind} stream ends too early`, { cause: error });
  }
  throw new FormatError('IMAGE_CORRUPT', `the ${kind} stream is damaged (${message})`, { cause: error });
}
