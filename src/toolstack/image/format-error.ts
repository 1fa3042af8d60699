// How the decoders of this folder say that a file is not what it should be. They know bytes and not files:
// whoever knows the file's name (`guest-image.ts`, the host's sources) turns this into a VmmError that
// names it and says what to do. A file is input of an operator, so throwing is right here.
import { VmmError } from '../../base/index.ts';

/** What can be wrong with an image or archive; the codes an operator and the API see. */
export type FormatCode =
  | 'IMAGE_TRUNCATED'
  | 'IMAGE_CORRUPT'
  | 'IMAGE_COMPRESSOR'
  | 'IMAGE_FORMAT'
  | 'IMAGE_ARCH'
  | 'IMAGE_NOT_PV'
  | 'IMAGE_PVH'
  | 'IMAGE_TOO_LARGE';

/** The bytes break the rules of their format. `message` says which rule, without naming the file. */
export class FormatError extends Error {
  /** Kind of the defect. */
  readonly code: FormatCode;

  constructor(code: FormatCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'FormatError';
    this.code = code;
  }
}

/** What to do about each kind of defect; the second half of the line an operator reads. */
const ADVICE: Readonly<Record<FormatCode, string>> = {
  IMAGE_TRUNCATED: 'the file is incomplete: fetch or build it again',
  IMAGE_CORRUPT: 'the file is damaged: fetch or build it again',
  IMAGE_COMPRESSOR: 'rebuild or recompress it with gzip, xz, LZ4 or zstd',
  IMAGE_FORMAT: 'give a Linux bzImage or a 64-bit ELF kernel',
  IMAGE_ARCH: 'give a kernel for x86-64',
  IMAGE_NOT_PV: 'give a kernel built as a Xen PV guest (Linux: CONFIG_XEN_PV)',
  IMAGE_PVH: 'give a kernel that can also start as a PV guest (Linux: CONFIG_XEN_PV)',
  IMAGE_TOO_LARGE: 'give a smaller image',
};

/**
 * Names the file in an error of a decoder.
 * @param name - the file, as the operator gave it
 * @param error - whatever was caught; anything but a FormatError is handed back as it is
 */
export function nameFormatError(name: string, error: unknown): unknown {
  if (!(error instanceof FormatError)) return error;
  return new VmmError(error.code, `${name}: ${error.message}; ${ADVICE[error.code]}`, { cause: error });
}
