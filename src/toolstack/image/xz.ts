// The xz container: stream header, blocks, index and footer, all checked. The index at the end tells the
// size of every block's data, so each block is unpacked into one buffer of the right size. Filters: LZMA2,
// alone or behind x86 BCJ. Called by `decompress.ts` for kernels and by the host's package reader.
// Source: "The .xz File Format" 1.2.1.
import { ByteView } from './byte-view.ts';
import { decodeBcjX86 } from './bcj-x86.ts';
import { crc32, crc64 } from './crc.ts';
import { FormatError } from './format-error.ts';
import { decodeLzma2 } from './lzma2.ts';

/** First bytes of a stream. */
export const XZ_MAGIC: readonly number[] = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];

const HEADER_BYTES = 12;
const FOOTER_BYTES = 12;
/** Larger blocks are refused before memory is taken for them. */
const MAX_BLOCK_BYTES = 2 ** 31;
const FOOTER_MAGIC = 0x5a59; // "YZ"

/** Kinds of integrity check, and their size in bytes. */
const Check = { NONE: 0, CRC32: 1, CRC64: 4 } as const;
const Filter = { X86: 0x04n, LZMA2: 0x21n } as const;

/** One block, as the index describes it. */
interface BlockPlace {
  /** Offset of the block header in the stream. */
  readonly offset: number;
  /** Bytes of header, data and check, without the padding between the last two. */
  readonly unpaddedBytes: number;
  /** Bytes of the unpacked data. */
  readonly sizeBytes: number;
}

/** Reads one xz stream block by block, so that a large archive never has to be held whole. */
export class XzReader {
  readonly #view: ByteView;
  readonly #check: number;
  readonly #blocks: readonly BlockPlace[];

  /** @param stream - one whole stream without padding; its framing is checked here, its data when read */
  constructor(stream: Uint8Array) {
    this.#view = new ByteView(stream, 'xz stream');
    this.#check = readStreamFlags(this.#view);
    this.#blocks = readIndex(this.#view);
  }

  /** Size of all unpacked data in bytes. */
  get sizeBytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.sizeBytes, 0);
  }

  /** Unpacks the blocks in turn, each into a buffer of its own, checked. */
  *blocks(): Generator<Uint8Array<ArrayBuffer>> {
    for (const block of this.#blocks) {
      const output = new Uint8Array(block.sizeBytes);
      this.#decodeBlock(block, output);
      yield output;
    }
  }

  /** Unpacks everything into `output`, whose length must be `sizeBytes`. */
  decodeInto(output: Uint8Array): void {
    let at = 0;
    for (const block of this.#blocks) {
      this.#decodeBlock(block, output.subarray(at, at + block.sizeBytes));
      at += block.sizeBytes;
    }
  }

  #decodeBlock(block: BlockPlace, output: Uint8Array): void {
    const paddedBytes = Math.ceil(block.unpaddedBytes / 4) * 4;
    const view = this.#view.part(block.offset, paddedBytes, 'xz block');
    const header = readBlockHeader(view);
    const checkBytes = checkSize(this.#check);
    const dataBytes = block.unpaddedBytes - checkBytes - header.headerBytes;
    const data = view.part(header.headerBytes, dataBytes, 'xz block').bytes;
    checkPadding(view, header.headerBytes + dataBytes, paddedBytes - checkBytes);
    if (decodeLzma2(data, output) !== data.length) throw corrupt('has a block of the wrong length');
    if (header.hasX86Filter) decodeBcjX86(output);
    verifyCheck(this.#check, view, paddedBytes - checkBytes, output);
  }
}

function readStreamFlags(view: ByteView): number {
  if (!XZ_MAGIC.every((byte, i) => view.u8(i) === byte)) throw corrupt('has no xz magic number');
  const kind = view.u8(7);
  if (view.u8(6) !== 0 || kind > 15) throw new FormatError('IMAGE_COMPRESSOR', 'the xz stream has unknown flags');
  if (crc32(view.part(6, 2, 'xz header').bytes) !== view.u32(8)) throw corrupt('has a damaged header');
  checkSize(kind);
  return kind;
}

function checkSize(kind: number): number {
  switch (kind) {
    case Check.NONE:
      return 0;
    case Check.CRC32:
      return 4;
    case Check.CRC64:
      return 8;
    default:
      throw new FormatError('IMAGE_COMPRESSOR', `the xz stream has a check of unknown kind ${kind}`);
  }
}

function verifyCheck(kind: number, view: ByteView, offset: number, data: Uint8Array): void {
  const good =
    kind === Check.NONE ||
    (kind === Check.CRC32 && crc32(data) === view.u32(offset)) ||
    (kind === Check.CRC64 && crc64(data) === view.u64(offset));
  if (!good) throw corrupt('fails its checksum');
}

/** Reads footer and index, back to front. */
function readIndex(view: ByteView): readonly BlockPlace[] {
  const footer = view.part(view.length - FOOTER_BYTES, FOOTER_BYTES, 'xz footer');
  if (footer.u16(10) !== FOOTER_MAGIC) throw new FormatError('IMAGE_TRUNCATED', 'the xz stream has no footer');
  if (crc32(footer.part(4, 6, 'xz footer').bytes) !== footer.u32(0)) throw corrupt('has a damaged footer');
  if (footer.u16(8) !== view.u16(6)) throw corrupt('has a footer that belongs to another stream');
  const indexBytes = (footer.u32(4) + 1) * 4;
  const indexAt = view.length - FOOTER_BYTES - indexBytes;
  const index = view.part(indexAt, indexBytes, 'xz index');
  if (index.u8(0) !== 0 || crc32(index.part(0, indexBytes - 4, 'xz index').bytes) !== index.u32(indexBytes - 4)) {
    throw corrupt('has a damaged index');
  }
  const cursor = new VarintCursor(index, 1);
  const count = cursor.next();
  const blocks: BlockPlace[] = [];
  let offset = HEADER_BYTES;
  for (let i = 0n; i < count; i++) {
    const unpaddedBytes = Number(cursor.next());
    const sizeBytes = Number(cursor.next());
    if (sizeBytes > MAX_BLOCK_BYTES) {
      throw new FormatError('IMAGE_TOO_LARGE', `the xz stream has a block of ${sizeBytes} bytes`);
    }
    blocks.push({ offset, unpaddedBytes, sizeBytes });
    offset += Math.ceil(unpaddedBytes / 4) * 4;
    if (offset > indexAt) throw corrupt('has an index that does not match its blocks');
  }
  if (offset !== indexAt) throw corrupt('has an index that does not match its blocks');
  checkPadding(index, cursor.at, indexBytes - 4);
  return blocks;
}

function readBlockHeader(view: ByteView): { headerBytes: number; hasX86Filter: boolean } {
  const headerBytes = (view.u8(0) + 1) * 4;
  const header = view.part(0, headerBytes, 'xz block header');
  if (crc32(header.part(0, headerBytes - 4, 'xz block header').bytes) !== header.u32(headerBytes - 4)) {
    throw corrupt('has a damaged block header');
  }
  const flags = header.u8(1);
  const cursor = new VarintCursor(header, 2);
  if (flags & 0x40) cursor.next(); // packed size: the index has it too
  if (flags & 0x80) cursor.next(); // unpacked size: likewise
  const filters: bigint[] = [];
  for (let i = 0; i <= (flags & 3); i++) {
    const id = cursor.next();
    const properties = cursor.skip(Number(cursor.next()));
    if (id === Filter.X86 && properties !== 0) throw unsupportedFilter('x86 with a start offset');
    filters.push(id);
  }
  checkPadding(header, cursor.at, headerBytes - 4);
  const lzma2 = filters.pop();
  const x86 = filters.pop();
  if (lzma2 !== Filter.LZMA2) throw unsupportedFilter(String(lzma2));
  if ((x86 !== undefined && x86 !== Filter.X86) || filters.length > 0) throw unsupportedFilter(String(x86));
  return { headerBytes, hasX86Filter: x86 !== undefined };
}

/** Unused bytes are zero, so that no damage goes unnoticed. */
function checkPadding(view: ByteView, from: number, to: number): void {
  for (let at = from; at < to; at++) {
    if (view.u8(at) !== 0) throw corrupt('has padding that is not zero');
  }
}

/** Walks over the variable-length integers of headers and index. */
class VarintCursor {
  readonly #view: ByteView;
  #at: number;

  constructor(view: ByteView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  /** Where the next number starts. */
  get at(): number {
    return this.#at;
  }

  next(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 63n; shift += 7n) {
      const byte = this.#view.u8(this.#at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw corrupt('has an overlong number');
  }

  /** @returns the number of bytes skipped */
  skip(count: number): number {
    this.#at += count;
    return count;
  }
}

function corrupt(how: string): FormatError {
  return new FormatError('IMAGE_CORRUPT', `the xz stream ${how}`);
}

function unsupportedFilter(which: string): FormatError {
  return new FormatError('IMAGE_COMPRESSOR', `the xz stream uses a filter we do not have (${which})`);
}
