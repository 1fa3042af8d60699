// LZMA2: the chunk layer between the xz container and the LZMA decoder. Each chunk says whether it resets
// the dictionary, the properties and the state. Called by `xz.ts` for one block at a time.
// Source: "The .xz File Format" 1.2.1, section 5.3.1, and the LZMA SDK's chunk layout.
import { ByteView } from './byte-view.ts';
import { FormatError } from './format-error.ts';
import { LzmaDecoder } from './lzma.ts';

const END = 0x00;
const COPY_WITH_DICTIONARY_RESET = 0x01;
const COPY = 0x02;
const LZMA = 0x80;

/** What an LZMA chunk's control byte resets: bits 5 and 6. */
const Reset = { NOTHING: 0, STATE: 1, PROPERTIES: 2, DICTIONARY: 3 } as const;

/**
 * Unpacks the LZMA2 data of one block.
 * @param input - from the first control byte on
 * @param output - filled exactly
 * @returns the number of input bytes taken
 */
export function decodeLzma2(input: Uint8Array, output: Uint8Array): number {
  const view = new ByteView(input, 'xz stream');
  const lzma = new LzmaDecoder(input, output);
  let window = 0;
  let needs: number = Reset.DICTIONARY; // the least reset that the next LZMA chunk must bring
  let from = 0;
  let to = 0;
  for (;;) {
    const control = view.u8(from);
    if (control === END) break;
    if (control < LZMA) {
      if (control > COPY) throw corrupt('has an unknown chunk');
      if (control === COPY_WITH_DICTIONARY_RESET) window = to;
      else if (needs === Reset.DICTIONARY) throw corrupt('starts without a dictionary');
      const size = bigEndian16(view, from + 1) + 1;
      checkRoom(output, to, size);
      output.set(view.part(from + 3, size, 'xz chunk').bytes, to);
      // The first LZMA chunk after the start must still set properties.
      if (needs === Reset.DICTIONARY) needs = Reset.PROPERTIES;
      from += 3 + size;
      to += size;
      continue;
    }
    const reset = (control >>> 5) & 3;
    if (reset < needs) throw corrupt('starts without a reset');
    const unpacked = ((control & 0x1f) << 16) + bigEndian16(view, from + 1) + 1;
    const packed = bigEndian16(view, from + 3) + 1;
    const hasProperties = reset >= Reset.PROPERTIES;
    const start = from + (hasProperties ? 6 : 5);
    checkRoom(output, to, unpacked);
    view.part(start, packed, 'xz chunk');
    if (reset === Reset.DICTIONARY) window = to;
    if (hasProperties) lzma.setProperties(view.u8(from + 5));
    if (reset >= Reset.STATE) lzma.resetState();
    needs = Reset.NOTHING;
    lzma.decodeChunk(start, start + packed, to, to + unpacked, window);
    from = start + packed;
    to += unpacked;
  }
  if (to !== output.length) throw corrupt('gives less data than it announces');
  return from + 1;
}

function bigEndian16(view: ByteView, offset: number): number {
  return view.u8(offset) * 256 + view.u8(offset + 1);
}

function checkRoom(output: Uint8Array, to: number, size: number): void {
  if (size > output.length - to) throw corrupt('gives more data than it announces');
}

function corrupt(how: string): FormatError {
  return new FormatError('IMAGE_CORRUPT', `the xz stream ${how}`);
}
