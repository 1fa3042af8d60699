// Drives `float-recorder`: packs cases into its fixed-size requests, runs it once, unpacks its answers.
// Used only to record vectors and to explore; the tests replay what was recorded.

import { spawnSync } from 'node:child_process';

const RECORD_SIZE = 1088;
const MEMORY_AT = 64;
const IMAGE_AT = 576;

/** One instruction to run. */
export interface CpuCase {
  /** Instruction bytes; memory operands are addressed by RSI. */
  readonly code: readonly number[];
  readonly rax: bigint;
  readonly rflags: bigint;
  /** At most 512 bytes. */
  readonly memory: Uint8Array;
  /** FXRSTOR64 image, 512 bytes. */
  readonly image: Uint8Array;
}

/** What it left behind. */
export interface CpuResult {
  /** 0, or 1 + vector. */
  readonly trap: number;
  readonly rax: bigint;
  readonly rflags: bigint;
  readonly codeAddress: bigint;
  readonly memoryAddress: bigint;
  readonly memory: Uint8Array;
  /** FXSAVE64 image, 512 bytes. */
  readonly image: Uint8Array;
}

/** Runs all cases on this machine's CPU. @param recorder - path of the built program */
export function runOnCpu(recorder: string, cases: readonly CpuCase[]): CpuResult[] {
  const input = new Uint8Array(cases.length * RECORD_SIZE);
  const view = new DataView(input.buffer);
  cases.forEach((one, i) => {
    const at = i * RECORD_SIZE;
    input.set(one.code, at);
    view.setBigUint64(at + 16, BigInt(one.code.length), true);
    view.setBigUint64(at + 24, one.rax, true);
    view.setBigUint64(at + 32, one.rflags, true);
    input.set(one.memory, at + MEMORY_AT);
    input.set(one.image, at + IMAGE_AT);
  });
  const { status, stdout } = spawnSync(recorder, { input, maxBuffer: input.length + 4096 });
  if (status !== 0 || stdout.length !== input.length) throw new Error(`float-recorder failed: status ${status}`);
  const answers = new DataView(stdout.buffer, stdout.byteOffset, stdout.length);
  return cases.map((_, i) => {
    const at = i * RECORD_SIZE;
    return {
      trap: Number(answers.getBigUint64(at, true)),
      rax: answers.getBigUint64(at + 8, true),
      rflags: answers.getBigUint64(at + 16, true),
      codeAddress: answers.getBigUint64(at + 24, true),
      memoryAddress: answers.getBigUint64(at + 32, true),
      memory: stdout.subarray(at + MEMORY_AT, at + MEMORY_AT + 512),
      image: stdout.subarray(at + IMAGE_AT, at + IMAGE_AT + 512),
    };
  });
}
