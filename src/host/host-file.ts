// Reads files that the user names, with errors a user can act on.

import { readFile } from 'node:fs/promises';

import { VmmError } from '../base/index.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read by this user',
  EISDIR: 'it is a folder',
  ENOMEM: 'it does not fit into the host memory',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
};

/**
 * The whole contents of a file, in a buffer of its own.
 * @param role - what the file is to be, for the message
 * @returns rejects with VmmError FILE_UNREADABLE
 */
export async function readHostFile(path: string, role: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const data = await readFile(path, { signal });
    const whole = data.byteOffset === 0 && data.buffer.byteLength === data.length;
    return whole ? new Uint8Array(data.buffer) : new Uint8Array(data);
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new VmmError(
      'FILE_UNREADABLE',
      `cannot read ${role} ${path}: ${REASONS[code] ?? String(error)}; name another file`,
      {
        cause: error,
      },
    );
  }
}
