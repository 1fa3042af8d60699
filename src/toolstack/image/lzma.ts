// The LZMA decoder proper: range coder, probability model and match copier. `lzma2.ts` feeds it chunks.
// It decodes straight into the output of the whole block, which doubles as the dictionary, so a 60 MB
// kernel needs no memory but its result and 30 KB of probabilities.
// Source: LZMA specification (Igor Pavlov, LZMA SDK, "lzma-specification.txt").
import { FormatError } from './format-error.ts';

const NR_STATES = 12;
const NR_POSITION_STATES = 16;
const NR_LENGTH_STATES = 4;
const NR_ALIGN = 16;
const NR_SHORT_DISTANCES = 128;
const LITERAL_CODERS = 0x300;
const HALF = 1024;
const MODEL_BITS = 11;
const MOVE_BITS = 5;
const MIN_MATCH = 2;
const RANGE_TOP = 0x1000000;

// One array holds every probability; these are where each model starts in it.
const IS_MATCH = 0;
const IS_REP = IS_MATCH + NR_STATES * NR_POSITION_STATES;
const IS_REP0 = IS_REP + NR_STATES;
const IS_REP1 = IS_REP0 + NR_STATES;
const IS_REP2 = IS_REP1 + NR_STATES;
const IS_REP0_LONG = IS_REP2 + NR_STATES;
const DISTANCE_SLOT = IS_REP0_LONG + NR_STATES * NR_POSITION_STATES;
const DISTANCE_SPECIAL = DISTANCE_SLOT + NR_LENGTH_STATES * 64;
const DISTANCE_ALIGN = DISTANCE_SPECIAL + NR_SHORT_DISTANCES;
const MATCH_LENGTH = DISTANCE_ALIGN + NR_ALIGN;

// A length coder: two choices, then low and mid trees per position state, then the high tree.
const LENGTH_LOW = 2;
const LENGTH_MID = LENGTH_LOW + NR_POSITION_STATES * 8;
const LENGTH_HIGH = LENGTH_MID + NR_POSITION_STATES * 8;
const LENGTH_SIZE = LENGTH_HIGH + 256;

const REP_LENGTH = MATCH_LENGTH + LENGTH_SIZE;
const LITERAL = REP_LENGTH + LENGTH_SIZE;

/** LZMA2 allows at most lc + lp = 4. */
const NR_PROBABILITIES = LITERAL + (LITERAL_CODERS << 4);

/** Decoder of LZMA chunks that share one output. */
export class LzmaDecoder {
  readonly #output: Uint8Array;
  readonly #probs = new Uint16Array(NR_PROBABILITIES);
  readonly #input: Uint8Array;
  #at = 0;
  #inputEnd = 0;
  #range = 0;
  #code = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;

  /** @param output - where the block is unpacked to, and the window that matches refer to */
  constructor(input: Uint8Array, output: Uint8Array) {
    this.#input = input;
    this.#output = output;
  }

  /** Sets the parameters from the LZMA properties byte. */
  setProperties(byte: number): void {
    const lc = byte % 9;
    const rest = (byte - lc) / 9;
    const lp = rest % 5;
    const pb = (rest - lp) / 5;
    if (pb > 4 || lc + lp > 4) throw corrupt('has impossible LZMA properties');
    this.#literalContextBits = lc;
    this.#literalPositionMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
  }

  /** Forgets everything learned: probabilities, state and repeated distances. */
  resetState(): void {
    this.#probs.fill(HALF);
    this.#state = 0;
    this.#rep0 = 0;
    this.#rep1 = 0;
    this.#rep2 = 0;
    this.#rep3 = 0;
  }

  /**
   * Decodes one chunk.
   * @param from - of the chunk in the input; it ends at `inputEnd`
   * @param to - of its data in the output; it ends at `outputEnd`
   * @param window - start of the dictionary in the output: matches reach back to here
   * @hot
   */
  decodeChunk(from: number, inputEnd: number, to: number, outputEnd: number, window: number): void {
    this.#startRange(from, inputEnd);
    const output = this.#output;
    const positionMask = this.#positionMask;
    let at = to;
    while (at < outputEnd) {
      const positionState = (at - window) & positionMask;
      if (this.#bit(IS_MATCH + this.#state * NR_POSITION_STATES + positionState) === 0) {
        output[at] = this.#literal(at, window);
        at++;
        continue;
      }
      let length: number;
      if (this.#bit(IS_REP + this.#state) === 0) {
        this.#rep3 = this.#rep2;
        this.#rep2 = this.#rep1;
        this.#rep1 = this.#rep0;
        length = this.#length(MATCH_LENGTH, positionState);
        this.#state = this.#state < 7 ? 7 : 10;
        this.#rep0 = this.#distance(length);
      } else {
        if (this.#bit(IS_REP0 + this.#state) === 0) {
          if (this.#bit(IS_REP0_LONG + this.#state * NR_POSITION_STATES + positionState) === 0) {
            this.#state = this.#state < 7 ? 9 : 11;
            if (this.#rep0 >= at - window) throw corrupt('refers to data before its start');
            output[at] = output[at - this.#rep0 - 1] ?? 0;
            at++;
            continue;
          }
        } else {
          this.#takeRepeated();
        }
        length = this.#length(REP_LENGTH, positionState);
        this.#state = this.#state < 7 ? 8 : 11;
      }
      const distance = this.#rep0 + 1;
      if (distance > at - window) throw corrupt('refers to data before its start');
      if (length > outputEnd - at) throw corrupt('has a match that leaves its chunk');
      const end = at + length;
      if (distance >= length && length > 32) {
        output.copyWithin(at, at - distance, at - distance + length);
        at = end;
      } else {
        for (; at < end; at++) output[at] = output[at - distance] ?? 0;
      }
    }
    this.#normalize();
    if (this.#at !== this.#inputEnd || this.#code !== 0) throw corrupt('has a chunk that does not end where it should');
  }

  #startRange(from: number, inputEnd: number): void {
    if (inputEnd - from < 5) throw corrupt('has a chunk that is too short');
    const input = this.#input;
    if (input[from] !== 0) throw corrupt('has a chunk that does not start with 0');
    this.#code = new DataView(input.buffer, input.byteOffset + from + 1, 4).getInt32(0);
    this.#range = -1;
    this.#at = from + 5;
    this.#inputEnd = inputEnd;
  }

  /** Refills the range by a byte when it is short. A chunk that runs dry reads zeros and fails its end check. */
  #normalize(): void {
    if (this.#range >>> 0 < RANGE_TOP) {
      this.#range <<= 8;
      this.#code = (this.#code << 8) | (this.#input[this.#at++] ?? 0);
    }
  }

  /** Decodes a bit by the probability at `index` and adapts it. @hot */
  #bit(index: number): number {
    const probs = this.#probs;
    const prob = probs[index] ?? 0;
    let range = this.#range;
    let code = this.#code;
    if (range >>> 0 < RANGE_TOP) {
      range <<= 8;
      code = (code << 8) | (this.#input[this.#at++] ?? 0);
    }
    const bound = Math.imul(range >>> MODEL_BITS, prob);
    if (code >>> 0 < bound >>> 0) {
      this.#range = bound;
      this.#code = code;
      probs[index] = prob + ((2048 - prob) >>> MOVE_BITS);
      return 0;
    }
    this.#range = (range - bound) | 0;
    this.#code = (code - bound) | 0;
    probs[index] = prob - (prob >>> MOVE_BITS);
    return 1;
  }

  /** Decodes one byte that is not part of a match. @hot */
  #literal(at: number, window: number): number {
    const output = this.#output;
    const before = at > window ? (output[at - 1] ?? 0) : 0;
    const lc = this.#literalContextBits;
    const context = (((at - window) & this.#literalPositionMask) << lc) + (before >>> (8 - lc));
    const base = LITERAL + context * LITERAL_CODERS;
    const state = this.#state;
    let symbol = 1;
    if (state >= 7) {
      // After a match, the byte that the match would have gone on with guides the model.
      if (this.#rep0 >= at - window) throw corrupt('refers to data before its start');
      let guide = output[at - this.#rep0 - 1] ?? 0;
      while (symbol < 0x100) {
        const guideBit = (guide >>> 7) & 1;
        guide <<= 1;
        const bit = this.#bit(base + ((1 + guideBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (guideBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(base + symbol);
    this.#state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
    return symbol & 0xff;
  }

  /** Makes one of the three older distances the newest. */
  #takeRepeated(): void {
    let distance: number;
    if (this.#bit(IS_REP1 + this.#state) === 0) {
      distance = this.#rep1;
    } else {
      if (this.#bit(IS_REP2 + this.#state) === 0) {
        distance = this.#rep2;
      } else {
        distance = this.#rep3;
        this.#rep3 = this.#rep2;
      }
      this.#rep2 = this.#rep1;
    }
    this.#rep1 = this.#rep0;
    this.#rep0 = distance;
  }

  #length(coder: number, positionState: number): number {
    if (this.#bit(coder) === 0) return MIN_MATCH + this.#tree(coder + LENGTH_LOW + positionState * 8, 3);
    if (this.#bit(coder + 1) === 0) return MIN_MATCH + 8 + this.#tree(coder + LENGTH_MID + positionState * 8, 3);
    return MIN_MATCH + 16 + this.#tree(coder + LENGTH_HIGH, 8);
  }

  /** Decodes `bits` bits, highest first, with a model for each prefix. */
  #tree(base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(base + symbol);
    return symbol - (1 << bits);
  }

  /** Decodes `bits` bits, lowest first, with a model for each suffix. */
  #reverseTree(base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  /** Decodes bits that are as likely 0 as 1. */
  #directBits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      this.#normalize();
      this.#range = this.#range >>> 1;
      if (this.#code >>> 0 >= this.#range) {
        this.#code = (this.#code - this.#range) | 0;
        value = (value << 1) | 1;
      } else {
        value <<= 1;
      }
    }
    return value;
  }

  /** Decodes a distance, less one. LZMA2 has no end marker, so 2^32 - 1 is simply out of the window. */
  #distance(length: number): number {
    const lengthState = Math.min(length - MIN_MATCH, NR_LENGTH_STATES - 1);
    const slot = this.#tree(DISTANCE_SLOT + lengthState * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >>> 1) - 1;
    const high = 2 | (slot & 1);
    if (slot < 14) {
      const base = high << bits;
      return base + this.#reverseTree(DISTANCE_SPECIAL + base - slot, bits);
    }
    const middle = this.#directBits(bits - 4);
    return ((high << bits) >>> 0) + middle * 16 + this.#reverseTree(DISTANCE_ALIGN, 4);
  }
}

function corrupt(how: string): FormatError {
  return new FormatError('IMAGE_CORRUPT', `the xz stream ${how}`);
}
