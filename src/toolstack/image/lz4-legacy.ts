// The LZ4 legacy frame, the form `lz4 -l` writes and Linux uses for its kernels: a magic number, then
// blocks of {u32 compressed size, LZ4 block}, each of at most 8 MiB when unpacked. Blocks do not refer to
// each other. Called by `decompress.ts`, which knows the size of the result.
// Source: lz4_Frame_format.md ("Legacy frame") and lz4_Block_format.md of the LZ4 project.
import { ByteView } from './byte-view.ts';
import { FormatError } from './format-error.ts';

/** Magic number of a legacy frame, little-endian. */
export const LZ4_LEGACY_MAGIC = 0x184c2102;

const MAX_BLOCK_BYTES = 8 << 20;
const MIN_MATCH = 4;

/**
 * Unpacks a legacy frame.
 * @param input - from the magic number on
 * @param output - filled exactly; a frame that gives more or less is a FormatError
 */
export function decodeLz4Legacy(input: Uint8Array, output: Uint8Array): void {
  const view = new ByteView(input, 'LZ4 stream');
  if (view.u32(0) !== LZ4_LEGACY_MAGIC) throw corrupt('has no LZ4 legacy magic number');
  let from = 4;
  let to = 0;
  while (to < output.length) {
    const size = view.u32(from);
    from += 4;
    if (size === LZ4_LEGACY_MAGIC) continue; // another frame is joined on
    const block = view.part(from, size, 'LZ4 block').bytes;
    to = decodeLz4Block(block, output, to);
    from += size;
  }
  if (from !== input.length) throw corrupt('gives more data than it announces');
}

/**
 * Unpacks one block into `output` from `start` on.
 * @returns where the block's data ends
 * @hot
 */
function decodeLz4Block(input: Uint8Array, output: Uint8Array, start: number): number {
  const inEnd = input.length;
  const outEnd = Math.min(output.length, start + MAX_BLOCK_BYTES);
  let from = 0;
  let to = start;
  while (from < inEnd) {
    const token = input[from++] ?? 0;
    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (from >= inEnd) throw truncated();
        more = input[from++] ?? 0;
        literals += more;
      }
    }
    if (literals > inEnd - from) throw truncated();
    if (literals > outEnd - to) throw corrupt('gives more data than it announces');
    copyLiterals(input, from, output, to, literals);
    from += literals;
    to += literals;
    if (from === inEnd) return to; // the last sequence has no match
    if (from + 2 > inEnd) throw truncated();
    const distance = (input[from] ?? 0) | ((input[from + 1] ?? 0) << 8);
    from += 2;
    if (distance === 0 || distance > to - start) throw corrupt('refers to data before its start');
    let length = (token & 15) + MIN_MATCH;
    if (length === 15 + MIN_MATCH) {
      let more = 255;
      while (more === 255) {
        if (from >= inEnd) throw truncated();
        more = input[from++] ?? 0;
        length += more;
      }
    }
    if (length > outEnd - to) throw corrupt('gives more data than it announces');
    copyMatch(output, to, distance, length);
    to += length;
  }
  return to;
}

/** A call to copy a short run costs more than the run: below this, byte by byte is faster. */
const SHORT_RUN = 48;

function copyLiterals(input: Uint8Array, from: number, output: Uint8Array, to: number, length: number): void {
  if (length > SHORT_RUN) {
    output.set(input.subarray(from, from + length), to);
    return;
  }
  for (let i = 0; i < length; i++) output[to + i] = input[from + i] ?? 0;
}

/** Copies from `distance` bytes back; a match may overlap itself, which repeats it. */
function copyMatch(output: Uint8Array, to: number, distance: number, length: number): void {
  const from = to - distance;
  if (length > SHORT_RUN && distance >= length) {
    output.copyWithin(to, from, from + length);
    return;
  }
  for (let i = 0; i < length; i++) output[to + i] = output[from + i] ?? 0;
}

function corrupt(how: string): FormatError {
  return new FormatError('IMAGE_CORRUPT', `the LZ4 stream ${how}`);
}

function truncated(): FormatError {
  return new FormatError('IMAGE_TRUNCATED', 'the LZ4 stream ends in the middle of a block');
}
