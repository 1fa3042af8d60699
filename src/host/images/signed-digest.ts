// Compares a kernel with the digest that its maker signed: damage that unpacking would not notice, since LZ4 as Linux uses it
// has no checksum. A kernel that nobody signed is taken as it is.
import { createHash } from 'node:crypto';
import { FormatError, nameFormatError, readSignedParts } from '../../toolstack/index.ts';

/**
 * Checks a kernel file.
 * @param name - for messages
 * @throws VmmError IMAGE_CORRUPT or IMAGE_TRUNCATED
 */
export function checkSignedDigest(name: string, file: Uint8Array): void {
  try {
    const signed = readSignedParts(file);
    if (signed === undefined) return;
    const hash = createHash('sha256');
    for (const part of signed.parts) hash.update(part);
    const digest = hash.digest();
    if (signed.digests.some((wanted) => digest.equals(wanted))) return;
    throw new FormatError('IMAGE_CORRUPT', 'it is not what its maker signed');
  } catch (error) {
    throw nameFormatError(name, error);
  }
}
