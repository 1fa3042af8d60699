// Memory sizes as users write them: 128, 128M, 128MiB, 1G. A bare number counts MiB, as in xl.cfg.
// Used for --memory; the builder says whether a size is enough for a kernel.

const KIB = 1024;
const FRAME = 4 * KIB;
const unitBytes: Readonly<Record<string, number>> = { '': KIB ** 2, k: KIB, m: KIB ** 2, g: KIB ** 3 };

/** @returns bytes, a positive multiple of 4 KiB; undefined when `text` is no such size */
export function parseMemorySize(text: string): number | undefined {
  const match = /^(\d{1,12})(?:([kmg])(?:i?b)?)?$/i.exec(text.trim());
  if (match === null) {
    return undefined;
  }
  const bytes = Number(match[1]) * (unitBytes[(match[2] ?? '').toLowerCase()] ?? 0);
  return bytes > 0 && bytes % FRAME === 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
