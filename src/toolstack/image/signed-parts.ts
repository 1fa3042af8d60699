// What a signature for UEFI says about a Linux kernel: the digest that its maker put in, and the parts of the file that it is
// over. Most formats of kernels have no checksum of their own, and vendors sign theirs, so this is how damage is noticed. It is
// no proof of who made the file: the signature itself is not checked. Used by the host, which has SHA-256.
// Source: Microsoft, "Windows Authenticode Portable Executable Signature Format" and "PE Format".
import { isBzImage } from './bzimage.ts';
import { ByteView } from './byte-view.ts';

/** A signed file, as far as its digest goes. */
export interface SignedParts {
  /** What is hashed, in order; views of the file. */
  readonly parts: readonly Uint8Array[];
  /** SHA-256 digests that signatures of the file hold; at least one. */
  readonly digests: readonly Uint8Array[];
}

const MZ = 0x5a4d;
const PE = 0x00004550;
const PE32_PLUS = 0x20b;

/** Offsets in the MZ header, and from the PE header on. */
const Header = {
  PE_OFFSET: 0x3c, // u32, in the MZ header
  OPTIONAL_MAGIC: 24, // u16
  CHECKSUM: 24 + 64, // u32, not hashed
  NR_DIRECTORIES: 24 + 108, // u32
  SIGNATURES: 24 + 112 + 4 * 8, // {u32 file offset, u32 size}, not hashed
} as const;

const SIGNATURE_DIRECTORY = 4;

/** DER of what precedes a SHA-256 digest: SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.1, NULL }, OCTET STRING of 32 }. */
const DIGEST_PREFIX: readonly number[] = [
  0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];
const DIGEST_BYTES = 32;

/** Reads a kernel's signatures; undefined when it has none with SHA-256. Throws FormatError when the file ends within them. */
export function readSignedParts(file: Uint8Array): SignedParts | undefined {
  const view = new ByteView(file, 'kernel image');
  if (!isBzImage(file) || view.u16(0) !== MZ) return undefined;
  const pe = view.u32(Header.PE_OFFSET);
  if (pe + Header.SIGNATURES + 8 > file.length || view.u32(pe) !== PE) return undefined;
  if (view.u16(pe + Header.OPTIONAL_MAGIC) !== PE32_PLUS) return undefined;
  if (view.u32(pe + Header.NR_DIRECTORIES) <= SIGNATURE_DIRECTORY) return undefined;
  const start = view.u32(pe + Header.SIGNATURES);
  const size = view.u32(pe + Header.SIGNATURES + 4);
  if (start === 0 || size === 0) return undefined;
  const digests = findDigests(view.part(start, size, 'its signature').bytes);
  if (digests.length === 0) return undefined;
  const checksum = pe + Header.CHECKSUM;
  const directory = pe + Header.SIGNATURES;
  return {
    parts: [file.subarray(0, checksum), file.subarray(checksum + 4, directory), file.subarray(directory + 8, start)],
    digests,
  };
}

function findDigests(signatures: Uint8Array): Uint8Array[] {
  const digests: Uint8Array[] = [];
  const end = signatures.length - DIGEST_PREFIX.length - DIGEST_BYTES;
  for (let at = 0; at <= end; at++) {
    if (!DIGEST_PREFIX.every((byte, i) => signatures[at + i] === byte)) continue;
    const digest = at + DIGEST_PREFIX.length;
    digests.push(signatures.subarray(digest, digest + DIGEST_BYTES));
  }
  return digests;
}
