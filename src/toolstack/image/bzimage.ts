// The Linux bzImage: finds the compressed kernel in it. The boot code around the kernel never runs, since a
// PV guest starts at the entry its notes name. Called by `guest-image.ts`.
// Source: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
import { ByteView } from './byte-view.ts';
import { detectCompression, MAX_IMAGE_BYTES, unpackExactly } from './decompressor.ts';
import type { Compression, Decompressor } from './decompressor.ts';
import { FormatError } from './format-error.ts';
import { isElf } from './elf64.ts';

/** Offsets of the setup header's fields that we read. */
const Header = {
  SETUP_SECTS: 0x1f1, // u8, 0 means 4
  SYSSIZE: 0x1f4, // u32, size of all that follows the setup code, in units of 16 bytes
  BOOT_FLAG: 0x1fe, // u16
  MAGIC: 0x202, // "HdrS"
  VERSION: 0x206, // u16
  XLOADFLAGS: 0x236, // u16, from version 2.12 on
  PAYLOAD_OFFSET: 0x248, // u32, from version 2.08 on
  PAYLOAD_LENGTH: 0x24c, // u32
} as const;

const BOOT_FLAG = 0xaa55;
const HDRS = 0x53726448;
const VERSION_PAYLOAD = 0x208;
const VERSION_XLOADFLAGS = 0x20c;
const XLF_KERNEL_64 = 1;
const SECTOR = 512;
const PARAGRAPH = 16;

/** The compressed kernel inside a bzImage. */
export interface BzImagePayload {
  /** The compressor, or `none` for a kernel that is not compressed. */
  readonly compression: Compression | 'none';
  /** The compressed stream, without the size that follows it; a view. */
  readonly stream: Uint8Array;
  /** Size of the kernel in bytes. */
  readonly sizeBytes: number;
}

/** Whether a file starts as a Linux x86 kernel does. */
export function isBzImage(file: Uint8Array): boolean {
  if (file.length < SECTOR * 2) return false;
  const view = new ByteView(file, 'kernel image');
  return view.u16(Header.BOOT_FLAG) === BOOT_FLAG && view.u32(Header.MAGIC) === HDRS;
}

/** Finds the compressed kernel; throws FormatError. */
export function readBzImage(file: Uint8Array): BzImagePayload {
  const view = new ByteView(file, 'kernel image');
  const version = view.u16(Header.VERSION);
  if (version < VERSION_PAYLOAD) {
    throw new FormatError('IMAGE_FORMAT', `its boot protocol 0x${version.toString(16)} is older than 2.08`);
  }
  if (version >= VERSION_XLOADFLAGS && !(view.u16(Header.XLOADFLAGS) & XLF_KERNEL_64)) {
    throw new FormatError('IMAGE_ARCH', 'it is a 32-bit Linux kernel');
  }
  const setupBytes = ((view.u8(Header.SETUP_SECTS) || 4) + 1) * SECTOR;
  view.part(setupBytes, view.u32(Header.SYSSIZE) * PARAGRAPH, 'kernel');
  const start = setupBytes + view.u32(Header.PAYLOAD_OFFSET);
  const payload = view.part(start, view.u32(Header.PAYLOAD_LENGTH), 'compressed kernel');
  if (payload.length < 16) throw new FormatError('IMAGE_CORRUPT', 'its compressed kernel is empty');
  if (isElf(payload.bytes)) {
    return { compression: 'none', stream: payload.bytes, sizeBytes: payload.length };
  }
  const compression = detectCompression(payload.bytes);
  if (compression === undefined) {
    throw new FormatError('IMAGE_COMPRESSOR', 'its kernel is compressed in a way we do not know');
  }
  const sizeBytes = payload.u32(payload.length - 4);
  if (sizeBytes > MAX_IMAGE_BYTES) {
    throw new FormatError('IMAGE_CORRUPT', `its kernel claims to be ${sizeBytes} bytes large`);
  }
  // In gzip the size is part of the stream; every other compressor has it added behind.
  const streamBytes = compression === 'gzip' ? payload.length : payload.length - 4;
  return { compression, stream: payload.bytes.subarray(0, streamBytes), sizeBytes };
}

/** Unpacks the kernel of a bzImage into a buffer of its own; throws FormatError. */
export async function unpackBzImage(file: Uint8Array, decompressor: Decompressor): Promise<Uint8Array<ArrayBuffer>> {
  const payload = readBzImage(file);
  if (payload.compression === 'none') return new Uint8Array(payload.stream);
  return unpackExactly(payload.compression, payload.stream, payload.sizeBytes, decompressor);
}
