// Reads a tar archive from a stream of chunks, keeping in memory only the entries that are asked for.
// Knows what dpkg writes: ustar, GNU long names and pax paths. Called by `deb-archive.ts`.
// Source: POSIX pax(1), "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
import { FormatError } from '../../toolstack/index.ts';

/** One entry of an archive. Paths have no leading `./`. */
export interface TarEntry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  /** Target of a link, as written for a symlink, as a path of the archive for a hard link. */
  readonly target: string;
  readonly data: Uint8Array;
}

const BLOCK = 512;

/** Offsets and lengths of the header's fields. */
const Field = {
  name: [0, 100],
  mode: [100, 8],
  size: [124, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  prefix: [345, 155],
} as const;

/**
 * Reads entries until the archive ends or the caller stops.
 * @param wanted - says which paths to yield; others are skipped
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  wanted: (path: string) => boolean,
): AsyncGenerator<TarEntry> {
  const stream = new ChunkReader(chunks);
  try {
    yield* readEntries(stream, wanted);
  } finally {
    await stream.close(); // whoever makes the chunks must learn that no more are wanted
  }
}

async function* readEntries(stream: ChunkReader, wanted: (path: string) => boolean): AsyncGenerator<TarEntry> {
  let longPath: string | undefined;
  let longTarget: string | undefined;
  for (;;) {
    const header = await stream.take(BLOCK);
    if (header === undefined || header.every((byte) => byte === 0)) return;
    checkHeader(header);
    const type = text(header, Field.type);
    const size = octal(header, Field.size);
    if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
      const body = await takeBody(stream, size);
      if (type === 'L') longPath = cString(body);
      if (type === 'K') longTarget = cString(body);
      if (type === 'x') {
        longPath = paxValue(body, 'path') ?? longPath;
        longTarget = paxValue(body, 'linkpath') ?? longTarget;
      }
      continue;
    }
    const prefix = text(header, Field.prefix);
    const path = cleanPath(longPath ?? (prefix === '' ? '' : `${prefix}/`) + text(header, Field.name));
    const target = longTarget ?? text(header, Field.linkname);
    longPath = undefined;
    longTarget = undefined;
    const kind = kindOf(type);
    if (kind === undefined || !wanted(path)) {
      await stream.skip(padded(size));
      continue;
    }
    const data = kind === 'file' ? await takeBody(stream, size) : new Uint8Array(0);
    yield {
      path,
      kind,
      mode: octal(header, Field.mode) & 0o7777,
      target: kind === 'hardlink' ? cleanPath(target) : target,
      data,
    };
  }
}

function kindOf(type: string): TarEntry['kind'] | undefined {
  switch (type) {
    case '0':
    case '':
      return 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '5':
      return 'directory';
    default:
      return undefined;
  }
}

async function takeBody(stream: ChunkReader, size: number): Promise<Uint8Array> {
  const body = await stream.take(padded(size));
  if (body === undefined) throw truncated();
  return body.subarray(0, size);
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function checkHeader(header: Uint8Array): void {
  const [at, length] = Field.checksum;
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= at && i < at + length ? 0x20 : (header[i] ?? 0);
  if (sum !== octal(header, Field.checksum))
    throw new FormatError('IMAGE_CORRUPT', 'the tar archive has a damaged header');
}

function text(header: Uint8Array, [at, length]: readonly [number, number]): string {
  return cString(header.subarray(at, at + length));
}

function cString(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  return new TextDecoder().decode(nul < 0 ? bytes : bytes.subarray(0, nul));
}

function octal(header: Uint8Array, field: readonly [number, number]): number {
  const digits = text(header, field).trim();
  if (!/^[0-7]*$/.test(digits)) throw new FormatError('IMAGE_CORRUPT', 'the tar archive has a bad number');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function paxValue(body: Uint8Array, key: string): string | undefined {
  return new RegExp(`^[0-9]+ ${key}=(.*)$`, 'm').exec(new TextDecoder().decode(body))?.[1];
}

/** Drops a leading `./` and a trailing slash. */
function cleanPath(path: string): string {
  return path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
}

function truncated(): FormatError {
  return new FormatError('IMAGE_TRUNCATED', 'the tar archive ends in the middle of an entry');
}

/** Cuts a stream of chunks into pieces of the sizes asked for. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#chunks = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  /** Takes `size` bytes; undefined at the clean end of the stream. */
  async take(size: number): Promise<Uint8Array | undefined> {
    const piece = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      if (!(await this.#fill())) {
        if (length === 0) return undefined;
        throw truncated();
      }
      const part = this.#chunk.subarray(this.#at, this.#at + size - length);
      piece.set(part, length);
      length += part.length;
      this.#at += part.length;
    }
    return piece;
  }

  /** Passes over `size` bytes. */
  async skip(size: number): Promise<void> {
    let left = size;
    while (left > 0) {
      if (!(await this.#fill())) throw truncated();
      const part = Math.min(left, this.#chunk.length - this.#at);
      left -= part;
      this.#at += part;
    }
  }

  /** Ends the source of the chunks. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#chunk = next.value;
      this.#at = 0;
    }
    return true;
  }
}
