// One test case in the terms of both sides: the request for the recorder and, for the replay, the run through
// our helper. An outcome is a flat array of bytes, the same whichever side it comes from; recorded outcomes
// are kept as differences from the outcome that an instruction without effect would have.

import {
  ARITHMETIC_FLAGS,
  arithmeticFlags,
  auxOfFlags,
  Cpu,
  CPU_STATE_SIZE,
  resultOfFlags,
} from '../../../src/engine/index.ts';
import { StateView } from '../../../src/engine-wasm/runtime/state.ts';
import type { Helper } from '../../../src/engine-wasm/runtime/state.ts';
import { fxrstorImage, fxsaveImage } from '../../../src/engine-wasm/runtime/x87/fxsave-image.ts';
import type { CpuCase, CpuResult } from './recorder-client.ts';

/** Which slots a form's helper gets. */
export type SlotKind = 'x87' | 'sse' | 'toGpr' | 'fromGpr' | 'fromMmx' | 'toMmx';

/** An instruction form under test. */
export interface FloatForm {
  /** Name in `FLOAT_HELPERS`. */
  readonly helper: string;
  /** What tells forms with the same helper apart. */
  readonly variant: string;
  readonly slots: SlotKind;
  readonly imm: number;
  /** Bytes of the memory operand, 0 without one. */
  readonly memoryBytes: number;
  readonly code: readonly number[];
  /** Units in the last place by which x87 results may differ. */
  readonly tolerance: number;
}

/** A form with its inputs. */
export interface FloatCase {
  readonly form: FloatForm;
  readonly rax: bigint;
  readonly rflags: number;
  readonly memory: Uint8Array;
  readonly image: Uint8Array;
}

/** Offsets in an outcome. The image's x87 registers stand in physical order there, so that a push moves none. */
export const Outcome = { TRAP: 0, RFLAGS: 1, RAX: 3, MEMORY: 11, IMAGE: 123, SIZE: 123 + 288 } as const;

const MEMORY_BYTES = Outcome.IMAGE - Outcome.MEMORY;
const IMAGE_BYTES = Outcome.SIZE - Outcome.IMAGE;
const FIP = 8;
const FDP = 16;
const MXCSR_MASK = 28;
const REGISTERS = 32;
const FSW_HIGH = 3;
const CODE_ADDRESS = 0x7f0012345000n;
const MEMORY_ADDRESS = 0x7f00abcdef10n;

/** The request for the real CPU. */
export function cpuCase({ form, rax, rflags, memory, image }: FloatCase): CpuCase {
  return { code: form.code, rax, rflags: BigInt(rflags | 0x202), memory, image };
}

/** Outcome of an instruction that does nothing. */
export function unchanged(one: FloatCase): Uint8Array {
  return outcome(0, one.rflags, one.rax, one.memory, one.image);
}

/** Outcome on the real CPU, with its addresses replaced by fixed ones. */
export function cpuOutcome(result: CpuResult): Uint8Array {
  const image = new Uint8Array(result.image); // a copy: the answers share one buffer
  const view = new DataView(image.buffer);
  if (view.getBigUint64(FIP, true) === result.codeAddress) view.setBigUint64(FIP, CODE_ADDRESS, true);
  if (view.getBigUint64(FDP, true) === result.memoryAddress) view.setBigUint64(FDP, MEMORY_ADDRESS, true);
  return outcome(result.trap, Number(result.rflags) & ARITHMETIC_FLAGS, result.rax, result.memory, image);
}

/** Outcome of our helper. */
export function ourOutcome(one: FloatCase, helper: Helper): Uint8Array {
  const s = new StateView(new ArrayBuffer(CPU_STATE_SIZE));
  const { form } = one;
  fxrstorImage(s, new DataView(one.image.buffer, one.image.byteOffset), 0, true);
  s.u64[Cpu.CODE_PAGE / 8] = CODE_ADDRESS - 0x123n;
  s.u64[Cpu.GPR / 8] = one.rax;
  s.u32[Cpu.FLAG_RESULT / 4] = resultOfFlags(one.rflags);
  s.u32[Cpu.FLAG_AUX / 4] = auxOfFlags(one.rflags);
  s.u8.set(one.memory.subarray(0, form.memoryBytes), Cpu.XTEMP);
  s.u64[Cpu.TEMP / 8] = MEMORY_ADDRESS;
  const trap = invoke(s, form, helper);
  const image = new Uint8Array(512);
  fxsaveImage(s, new DataView(image.buffer), 0, true);
  const memory = one.memory.slice();
  memory.set(s.u8.subarray(Cpu.XTEMP, Cpu.XTEMP + form.memoryBytes));
  const result = Cpu.FLAG_RESULT / 4;
  const rflags = arithmeticFlags(s.u32[result]!, s.u32[result + 1]!, s.u32[Cpu.FLAG_AUX / 4]!); // inside the state block
  return outcome(trap, rflags, s.u64[Cpu.GPR / 8]!, memory, image); // inside the state block
}

function invoke(s: StateView, form: FloatForm, helper: Helper): number {
  const memory = form.memoryBytes > 0;
  switch (form.slots) {
    case 'x87':
      return helper(s, Cpu.XTEMP, memory ? Cpu.TEMP : 0, form.imm | (0x123 << 16));
    case 'sse':
      return helper(s, Cpu.XMM, memory ? Cpu.XTEMP : Cpu.XMM + 16, form.imm);
    case 'toGpr':
      return helper(s, Cpu.GPR, memory ? Cpu.XTEMP : Cpu.XMM + 16, form.imm);
    case 'fromGpr':
      return helper(s, Cpu.XMM, memory ? Cpu.XTEMP : Cpu.GPR, form.imm);
    case 'fromMmx':
      return helper(s, Cpu.XMM, memory ? Cpu.XTEMP : Cpu.X87 + 16, form.imm);
    case 'toMmx':
      return helper(s, Cpu.X87, memory ? Cpu.XTEMP : Cpu.XMM + 16, form.imm);
  }
}

function outcome(trap: number, rflags: number, rax: bigint, memory: Uint8Array, image: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Outcome.SIZE);
  const view = new DataView(bytes.buffer);
  bytes[Outcome.TRAP] = trap;
  view.setUint16(Outcome.RFLAGS, rflags & ARITHMETIC_FLAGS, true);
  view.setBigUint64(Outcome.RAX, rax, true);
  bytes.set(memory.subarray(0, MEMORY_BYTES), Outcome.MEMORY);
  bytes.set(image.subarray(0, IMAGE_BYTES), Outcome.IMAGE);
  const top = (image[FSW_HIGH]! >> 3) & 7; // an image is 512 bytes
  for (let i = 0; i < 8; i++) {
    const from = REGISTERS + 16 * i;
    bytes.set(image.subarray(from, from + 16), Outcome.IMAGE + REGISTERS + 16 * ((top + i) & 7));
  }
  bytes.fill(0, Outcome.IMAGE + MXCSR_MASK, Outcome.IMAGE + MXCSR_MASK + 4);
  return bytes;
}
