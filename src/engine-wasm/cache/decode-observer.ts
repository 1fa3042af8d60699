// What the code source tells about the blocks that it has decoded, for dumps. It calls it once a block, when there
// is somebody to call.

/** A block that has just been decoded and stored. */
export interface DecodedBlock {
  /** Virtual address of its page. u64 */
  readonly page: bigint;
  /** Machine address of its first byte. */
  readonly address: number;
  /** Frame that its only instruction runs over into, or -1. */
  readonly spill: number;
}

/** Is told of decoded blocks. */
export interface DecodeObserver {
  decoded(block: DecodedBlock): void;
}
