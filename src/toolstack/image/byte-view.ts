// Bounds-checked little-endian reads from a file image. Every offset in an image is hostile data, so all
// parsers of this folder read through here: a read past the end is a FormatError, never `undefined`.
import { FormatError } from './format-error.ts';

/** A window on the bytes of a file that refuses to read outside itself. */
export class ByteView {
  /** The bytes of the window; a view, not a copy. */
  readonly bytes: Uint8Array;
  readonly #data: DataView;
  readonly #what: string;

  /** @param what - names the window in errors, such as "ELF header" */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** Length of the window in bytes. */
  get length(): number {
    return this.bytes.length;
  }

  /** Reads one byte. */
  u8(offset: number): number {
    this.#check(offset, 1);
    return this.#data.getUint8(offset);
  }

  /** Reads 16 bits, little-endian. */
  u16(offset: number): number {
    this.#check(offset, 2);
    return this.#data.getUint16(offset, true);
  }

  /** Reads 32 bits, little-endian, unsigned. */
  u32(offset: number): number {
    this.#check(offset, 4);
    return this.#data.getUint32(offset, true);
  }

  /** Reads 64 bits, little-endian, unsigned. */
  u64(offset: number): bigint {
    this.#check(offset, 8);
    return this.#data.getBigUint64(offset, true);
  }

  /**
   * Makes a window on a part.
   * @param offset - of any value; a window that does not lie inside this one is a FormatError
   */
  part(offset: number | bigint, length: number | bigint, what: string): ByteView {
    const start = BigInt(offset);
    const end = start + BigInt(length);
    if (start < 0n || end < start || end > BigInt(this.length)) {
      throw new FormatError('IMAGE_TRUNCATED', `${what} lies outside the ${this.length} bytes of the ${this.#what}`);
    }
    return new ByteView(this.bytes.subarray(Number(start), Number(end)), what);
  }

  /** Reads a NUL-terminated string; one that is not terminated ends with the window. */
  text(offset: number): string {
    this.#check(offset, 0);
    const nul = this.bytes.indexOf(0, offset);
    const end = nul < 0 ? this.length : nul;
    return decodeLatin1(this.bytes.subarray(offset, end));
  }

  #check(offset: number, size: number): void {
    if (!(offset >= 0 && offset + size <= this.length)) {
      throw new FormatError('IMAGE_TRUNCATED', `the ${this.#what} ends before byte ${offset + size}`);
    }
  }
}

/** Decodes bytes one to one; image strings are ASCII and anything else must not throw. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
