// The files of recorded vectors: for each row of a family the number of its cases, a hash of their inputs and what
// the real CPU made of them. Inputs are not stored, the generator makes them again; an outcome is stored as its
// difference from that of an instruction without effect. Gzip does the rest.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CODE_BASE, Fx, Input, INT3_VECTOR, Outcome } from './machine-layout.ts';

/** Recorded outcomes of the cases of one row. */
export interface RowVectors {
  readonly text: string;
  readonly count: number;
  /** Of the inputs that the outcomes belong to. */
  readonly hash: string;
  /** Encoded outcomes. */
  readonly outcomes: Uint8Array;
}

/** Contents of a file. */
export interface VectorFile {
  /** The CPU that the outcomes are from. */
  readonly cpu: string;
  readonly rows: readonly RowVectors[];
}

interface Header {
  readonly cpu: string;
  readonly rows: readonly {
    readonly text: string;
    readonly count: number;
    readonly hash: string;
    readonly size: number;
  }[];
}

const folder = join(import.meta.dirname, 'vectors');

/** Path of a family's file. */
export function vectorPath(family: string): string {
  return join(folder, `${family}.bin.gz`);
}

/** Hash of a row's inputs. */
export function hashOf(inputs: Uint8Array): string {
  return createHash('sha256').update(inputs).digest('hex').slice(0, 16);
}

/** Reads a file. */
export function readVectors(path: string): VectorFile {
  const bytes = gunzipSync(readFileSync(path));
  const length = bytes.readUInt32LE(0);
  const header = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as Header; // written below
  let at = 4 + length;
  const rows = header.rows.map(({ text, count, hash, size }) => {
    const outcomes = bytes.subarray(at, at + size);
    at += size;
    return { text, count, hash, outcomes };
  });
  return { cpu: header.cpu, rows };
}

/** Writes a file. */
export function writeVectors(path: string, { cpu, rows }: VectorFile): void {
  const header: Header = {
    cpu,
    rows: rows.map(({ text, count, hash, outcomes }) => ({ text, count, hash, size: outcomes.length })),
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  writeFileSync(path, gzipSync(Buffer.concat([length, text, ...rows.map((row) => row.outcomes)]), { level: 9 }));
}

/** Writes the outcome of an instruction that does nothing; the case's int3 follows it. */
export function quietOutcome(input: Uint8Array, outcome: Uint8Array): void {
  const view = new DataView(input.buffer, input.byteOffset, Input.SIZE);
  const out = new DataView(outcome.buffer, outcome.byteOffset, Outcome.SIZE);
  outcome.set(input.subarray(Input.GPR, Input.GPR + 128), Outcome.GPR);
  outcome.set(input.subarray(Input.RFLAGS, Input.RFLAGS + 8), Outcome.RFLAGS);
  const end = view.getUint32(Input.CODE_OFFSET, true) + view.getUint32(Input.CODE_LENGTH, true);
  out.setBigUint64(Outcome.RIP, BigInt(CODE_BASE + end + 1), true);
  out.setUint32(Outcome.VECTOR, INT3_VECTOR, true);
  out.setUint32(Outcome.ERROR, 0, true);
  out.setBigUint64(Outcome.ADDRESS, 0n, true);
  outcome.set(input.subarray(Input.FX, Input.SIZE), Outcome.FX);
  normalize(outcome);
}

/** Removes what says nothing about the instruction: RF, the mask of MXCSR bits, unused bytes of x87 registers. */
export function normalize(outcome: Uint8Array): void {
  outcome[Outcome.RFLAGS + 2]! &= ~1; // inside the outcome
  outcome.fill(0, Outcome.FX + Fx.MXCSR_MASK, Outcome.FX + Fx.MXCSR_MASK + 4);
  for (let i = 0; i < 8; i++) {
    const at = Outcome.FX + Fx.ST + 16 * i;
    outcome.fill(0, at + 10, at + 16);
  }
}

/** Encodes outcomes as differences from the quiet ones: runs of {bytes skipped, bytes changed, the bytes}, ended by an empty run. */
export function encodeOutcomes(inputs: Uint8Array, outcomes: Uint8Array): Uint8Array {
  const quiet = new Uint8Array(Outcome.SIZE);
  const encoded: number[] = [];
  for (let n = 0; n * Input.SIZE < inputs.length; n++) {
    quietOutcome(inputs.subarray(n * Input.SIZE, (n + 1) * Input.SIZE), quiet);
    const outcome = outcomes.subarray(n * Outcome.SIZE, (n + 1) * Outcome.SIZE);
    let at = 0;
    for (let i = 0; i < Outcome.SIZE; i++) {
      if (outcome[i] === quiet[i]) continue;
      let end = i + 1;
      while (
        end < Outcome.SIZE &&
        end - i < 255 &&
        (outcome[end] !== quiet[end] || outcome[end + 1] !== quiet[end + 1])
      )
        end++;
      encoded.push((i - at) & 0xff, (i - at) >> 8, end - i, ...outcome.subarray(i, end));
      at = end;
      i = end - 1;
    }
    encoded.push(0, 0, 0);
  }
  return Uint8Array.from(encoded);
}

/** Applies the next encoded difference to a quiet outcome; returns the index behind it. */
export function applyDifference(encoded: Uint8Array, start: number, outcome: Uint8Array): number {
  let from = start;
  let at = 0;
  for (;;) {
    const skip = (encoded[from] ?? 0) | ((encoded[from + 1] ?? 0) << 8);
    const length = encoded[from + 2] ?? 0;
    from += 3;
    if (length === 0) return from;
    at += skip;
    outcome.set(encoded.subarray(from, from + length), at);
    at += length;
    from += length;
  }
}
