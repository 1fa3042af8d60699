// Reads files that the user names, with errors a user can act on. A pipe will do as well, as shells make for `<(command)`;
// a device will not: it may have no end.

import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { VmmError } from '../base/index.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is no folder',
  ENAMETOOLONG: 'its name is too long',
  EACCES: 'it may not be read by this user',
  ENOMEM: 'it does not fit into the host memory',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
};

const CHUNK_BYTES = 1 << 16;
const MAX_PIPE_BYTES = 2 ** 31;
/** How long a pipe whose writer is slow is left alone. */
const LOOK_AGAIN_MS = 10;

/**
 * The whole contents of a file, in a buffer of its own.
 * @param role - what the file is to be, for the message
 * @returns rejects with VmmError FILE_UNREADABLE
 */
export async function readHostFile(path: string, role: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const kind = kindOf(await stat(path));
    if (kind !== 'file' && kind !== 'pipe') throw unreadable(path, role, `it is ${kind}`);
    // Without waiting for a writer: a thread that waits in the system cannot be ended.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const data = kind === 'pipe' ? await readPipe(handle, signal) : await handle.readFile({ signal });
      const whole = data.byteOffset === 0 && data.buffer.byteLength === data.length;
      return whole ? new Uint8Array(data.buffer) : new Uint8Array(data);
    } finally {
      await handle.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof VmmError) throw error;
    const code = codeOf(error);
    const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
    throw unreadable(path, role, reason, error);
  }
}

function kindOf(info: Stats): 'file' | 'pipe' | 'a folder' | 'a device' {
  if (info.isFile()) return 'file';
  if (info.isFIFO()) return 'pipe';
  return info.isDirectory() ? 'a folder' : 'a device';
}

async function readPipe(handle: FileHandle, signal: AbortSignal): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < MAX_PIPE_BYTES;) {
    signal.throwIfAborted();
    const chunk = new Uint8Array(CHUNK_BYTES);
    const length = await readSome(handle, chunk);
    if (length === 0) return Buffer.concat(chunks);
    if (length === undefined) {
      await sleep(LOOK_AGAIN_MS);
      continue;
    }
    chunks.push(chunk.subarray(0, length));
    size += length;
  }
  throw Object.assign(new Error('too much'), { code: 'ERR_FS_FILE_TOO_LARGE' });
}

/** @returns the number of bytes; 0 at the end, undefined while there are none */
async function readSome(handle: FileHandle, chunk: Uint8Array): Promise<number | undefined> {
  try {
    return (await handle.read(chunk)).bytesRead;
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function unreadable(path: string, role: string, reason: string, cause?: unknown): VmmError {
  return new VmmError('FILE_UNREADABLE', `cannot read ${role} ${path}: ${reason}; name another file`, { cause });
}
