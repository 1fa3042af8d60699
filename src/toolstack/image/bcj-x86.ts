// The x86 branch filter of xz, decoding side: turns the absolute targets of call and jmp back into relative
// ones, in place, over a whole block. Linux packs its kernels with it.
// Source: the LZMA SDK's description of BCJ x86; checked against kernels that xz itself unpacked.

const CALL = 0xe8; // E8 and E9: call and jmp with a 32-bit displacement

/** Whether a mask of recently seen branch bytes (3 bits) may be followed by a converted branch. */
const MASK_ALLOWED = [true, true, true, false, true, false, false, false] as const;
/** Which byte of the displacement overlaps an earlier branch byte, for each mask. */
const MASK_TO_BYTE = [0, 1, 2, 2, 3, 3, 3, 3] as const;

/**
 * Undoes the filter.
 * @param data - one whole block; its first byte has stream position 0
 * @hot
 */
export function decodeBcjX86(data: Uint8Array): void {
  if (data.length < 5) return;
  const last = data.length - 5;
  let previous = -1; // position of the last branch byte seen, converted or not
  let mask = 0;
  for (let at = 0; at <= last; at++) {
    if (((data[at] ?? 0) & 0xfe) !== CALL) continue;
    const gap = at - previous;
    previous = at;
    mask = gap > 3 ? 0 : (mask << (gap - 1)) & 7;
    if (mask !== 0) {
      const overlapped = data[at + 4 - (MASK_TO_BYTE[mask] ?? 0)] ?? 0;
      if (!(MASK_ALLOWED[mask] ?? false) || isSignByte(overlapped)) {
        mask = (mask << 1) | 1;
        continue;
      }
    }
    if (!isSignByte(data[at + 4] ?? 0)) {
      mask = (mask << 1) | 1;
      continue;
    }
    writeTarget(data, at + 1, relativeTarget(readTarget(data, at + 1), at + 5, mask));
    at += 4;
    previous = at;
    mask = 0;
  }
}

/** A displacement is converted only when its top byte is a sign extension. */
function isSignByte(byte: number): boolean {
  return byte === 0x00 || byte === 0xff;
}

function relativeTarget(absolute: number, next: number, mask: number): number {
  let value = absolute;
  for (;;) {
    const relative = (value - next) | 0;
    if (mask === 0) return relative;
    const shift = (MASK_TO_BYTE[mask] ?? 0) * 8;
    if (!isSignByte((relative >>> (24 - shift)) & 0xff)) return relative;
    value = relative ^ (2 ** (32 - shift) - 1);
  }
}

function readTarget(data: Uint8Array, at: number): number {
  return (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16) | ((data[at + 3] ?? 0) << 24);
}

/** Writes 25 bits with the top byte as sign extension, which is what the encoder saw. */
function writeTarget(data: Uint8Array, at: number, value: number): void {
  data[at] = value;
  data[at + 1] = value >>> 8;
  data[at + 2] = value >>> 16;
  data[at + 3] = -((value >>> 24) & 1);
}
