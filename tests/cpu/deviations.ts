// Where an outcome may differ from the recorded one: flags that the manual leaves undefined, and the few things that
// we do otherwise on purpose. Each deviation is as narrow as it can be and copies what it excuses from the recorded
// outcome; the replay fails when one is never needed.

import type { Instruction } from '../../src/engine-wasm/decode/instruction.ts';
import { Rflags } from '../../src/engine/index.ts';
import { CODE_BASE, Fx, Input, INT3_VECTOR, Outcome } from './machine-layout.ts';

/** A case after its replay. */
export interface Replayed {
  readonly instruction: Instruction;
  readonly input: Uint8Array;
  readonly expected: Uint8Array;
  /** Deviations write to it. */
  readonly actual: Uint8Array;
}

/** A permitted difference. */
export interface Deviation {
  readonly name: string;
  /** Copies what may differ from `expected` to `actual`, if the case is one of its kind. */
  readonly apply: (replayed: Replayed) => void;
}

const PAGE_FAULT = 14;
const GENERAL_PROTECTION = 13;
const STACK_FAULT = 12;
const FLOATING_POINT = 16;
/** Linux reports accesses from here on as if there were a page that is forbidden. */
const HOST_LIMIT = 0x7fff_ffff_f000n;
const CANONICAL_LIMIT = 0x8000_0000_0000n;
const ES = 0x80;
const C1 = 0x200;

/** All deviations. */
export const DEVIATIONS: readonly Deviation[] = [
  flags('the manual leaves ZF undefined', /^I?MUL$/, Rflags.ZF, () => true),
  flags('the manual leaves OF undefined for counts above 1', /^(RO|RC|SH|SA)[LR]$/, Rflags.OF, (count) => count > 1),
  flags(
    'the manual leaves OF and AF undefined for counts above 1',
    /^SH[LR]D$/,
    Rflags.OF | Rflags.AF,
    (count) => count > 1,
  ),
  flags(
    'the manual leaves all but ZF undefined',
    /^BS[FR]$/,
    Rflags.CF | Rflags.OF | Rflags.SF | Rflags.AF | Rflags.PF,
    () => true,
  ),
  {
    name: 'transcendental functions may differ in the last place, and in the direction of rounding',
    apply: ({ instruction, expected, actual }) => {
      if (!/^(FSIN|FCOS|FSINCOS|FPTAN|FPATAN|F2XM1|FYL2X|FYL2XP1)$/.test(instruction.row.mnemonic)) return;
      for (const i of [0, 1]) {
        const at = Outcome.FX + Fx.ST + 16 * i;
        const distance = magnitude(expected, at) - magnitude(actual, at);
        const sameSign = ((u16(expected, at + 8) ^ u16(actual, at + 8)) & 0x8000) === 0;
        if (!sameSign || distance < -1n || distance > 1n) return;
        actual.set(expected.subarray(at, at + 10), at);
      }
      const fsw = Outcome.FX + Fx.FSW;
      setU16(actual, fsw, (u16(actual, fsw) & ~C1) | (u16(expected, fsw) & C1));
    },
  },
  {
    name: 'a bit string that is not canonical in the stack segment is #GP',
    apply: ({ instruction, expected, actual }) => {
      if (!/^BT.?$/.test(instruction.row.mnemonic) || vector(expected) !== STACK_FAULT) return;
      if (vector(actual) === GENERAL_PROTECTION) actual.set(expected);
    },
  },
  {
    name: 'the host reports addresses at the end of the lower half as forbidden, not as absent',
    apply: ({ expected, actual }) => {
      if (vector(expected) === PAGE_FAULT && u64(expected, Outcome.ADDRESS) >= HOST_LIMIT) actual[Outcome.ERROR]! |= 1; // inside the outcome
    },
  },
  {
    name: 'an operand across the end of the lower half is first looked for in its first page',
    apply: ({ expected, actual }) => {
      const address = u64(actual, Outcome.ADDRESS);
      const isEdge = vector(actual) === PAGE_FAULT && address > CANONICAL_LIMIT - 512n && address < CANONICAL_LIMIT;
      if (isEdge && (vector(expected) === GENERAL_PROTECTION || vector(expected) === STACK_FAULT)) actual.set(expected);
    },
  },
  {
    name: 'a fault in a long operand is reported at its beginning',
    apply: ({ instruction, expected, actual }) => {
      if (!/^(MASKMOV|FLDENV|FRSTOR)/.test(instruction.row.mnemonic)) return;
      if (vector(expected) !== PAGE_FAULT || vector(actual) !== PAGE_FAULT) return;
      const distance = u64(expected, Outcome.ADDRESS) - u64(actual, Outcome.ADDRESS);
      if (distance > 0n && distance < 108n) actual.set(expected.subarray(Outcome.VECTOR, Outcome.FX), Outcome.VECTOR);
    },
  },
  {
    name: 'a store from an MMX register that faults has not entered MMX mode',
    apply: ({ instruction, expected, actual }) => {
      const { operands } = instruction.row;
      if (!operands.some(({ kind }) => kind === 'P') || vector(expected) === INT3_VECTOR) return;
      actual.set(expected.subarray(Outcome.FX, Outcome.FX + Fx.XMM), Outcome.FX);
    },
  },
  {
    name: 'a fault of the memory operand goes before an x87 exception of the same instruction',
    apply: ({ expected, actual }) => {
      const pending = (u16(expected, Outcome.FX + Fx.FSW) & ES) !== 0;
      const isMemoryFault = [PAGE_FAULT, GENERAL_PROTECTION, STACK_FAULT].includes(vector(actual));
      if (!isMemoryFault || !pending) return;
      if (vector(expected) === FLOATING_POINT || vector(expected) === INT3_VECTOR) actual.set(expected);
    },
  },
  {
    name: 'fbstp stores nothing when it faults',
    apply: ({ instruction, expected, actual }) => {
      if (instruction.row.mnemonic !== 'FBSTP' || vector(expected) !== PAGE_FAULT) return;
      actual.set(expected.subarray(Outcome.DATA), Outcome.DATA);
    },
  },
];

/** Flags that may differ. @param applies - to a masked shift count */
function flags(name: string, mnemonics: RegExp, mask: number, applies: (count: number) => boolean): Deviation {
  return {
    name: `${name}: ${mnemonics.source}`,
    apply: ({ instruction, input, expected, actual }) => {
      if (!mnemonics.test(instruction.row.mnemonic) || !applies(countOf(instruction, input))) return;
      if (u64(expected, Outcome.RIP) === startOf(input)) return;
      const merged = (u64(actual, Outcome.RFLAGS) & ~BigInt(mask)) | (u64(expected, Outcome.RFLAGS) & BigInt(mask));
      new DataView(actual.buffer, actual.byteOffset).setBigUint64(Outcome.RFLAGS, merged, true);
    },
  };
}

/** Shift count, masked as the CPU does. */
function countOf({ row, imm, operandSize }: Instruction, input: Uint8Array): number {
  const last = row.operands.at(-1)?.text;
  const count = last === 'CL' ? (input[Input.GPR + 8] ?? 0) : last === '1' ? 1 : imm;
  return count & (operandSize === 64 && row.operands[0]?.size !== 'b' ? 63 : 31);
}

/** A number that grows by 1 from one x87 value to the next, sign aside. */
function magnitude(outcome: Uint8Array, at: number): bigint {
  return (BigInt(u16(outcome, at + 8) & 0x7fff) << 63n) | BigInt.asUintN(63, u64(outcome, at));
}

/** Virtual address of a case's first instruction. */
function startOf(input: Uint8Array): bigint {
  return BigInt(CODE_BASE + new DataView(input.buffer, input.byteOffset).getUint32(Input.CODE_OFFSET, true));
}

function vector(outcome: Uint8Array): number {
  return new DataView(outcome.buffer, outcome.byteOffset).getUint32(Outcome.VECTOR, true);
}

function u64(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
}

function u16(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint16(at, true);
}

function setU16(bytes: Uint8Array, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(at, value, true);
}
