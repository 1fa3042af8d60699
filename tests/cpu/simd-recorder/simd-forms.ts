// The SSE and MMX instruction forms under test, made from the rows of the decoder's table, so that every
// accepted encoding is there: registers, one register twice, aligned and unaligned memory, and several
// immediates. Register operands are number 0 and 1 (general ones rax), memory is (rsi).

import { parseRow, type RowFields } from '../../../src/engine-wasm/decode/row.ts';
import { SSE_ROWS } from '../../../src/engine-wasm/decode/table-sse.ts';
import { FLOAT_LOWERINGS } from '../../../src/engine-wasm/lower/sse/float-lowerings.ts';
import type { FloatForm } from '../float-recorder/float-case.ts';

/** What the operands of a form are made of. */
export type Element = 'single' | 'double' | 'int32' | 'int64' | 'bits';

/** A form under test. */
export interface SimdForm extends FloatForm {
  readonly mnemonic: string;
  /** Floating point instructions get all kinds of MXCSR. */
  readonly isFloat: boolean;
  readonly element: Element;
}

const PREFIX_BYTES: readonly (readonly number[])[] = [[], [0x66], [0xf3], [0xf2]];
const MAP_BYTES: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const MOV_RDI_RSI = [0x48, 0x89, 0xf7];
const MOV_EAX_ECX = [0x89, 0xc8];
// push %rdx; movswl %ax,%edx; sar $16,%eax: the two lengths of explicit string compares
const SPLIT_LENGTHS = [0x52, 0x0f, 0xbf, 0xd0, 0xc1, 0xf8, 0x10];
const POP_RDX = [0x5a];

/** Unaligned pcmpestri with all that is around it is too long; unaligned pcmpestrm is not. */
const RECORDER_CODE_BYTES = 16;

const IMMEDIATES = [0x00, 0x1b, 0xff, 0xe4, 0x05, 0x12];
const STRING_IMMEDIATES = Array.from({ length: 64 }, (_, n) => n * 2 + ((n >> 3) & 1)).concat([0x80, 0x7d, 0x0f]);
const SHIFT_IMMEDIATES = [0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 255];
const PREDICATES = [0, 1, 2, 3, 4, 5, 6, 7, 0x1a];
const ROUND_IMMEDIATES = [0, 1, 2, 3, 4, 8, 9, 10, 11, 12];

/** All forms. */
export const SIMD_FORMS: readonly SimdForm[] = SSE_ROWS.flatMap((line) => parseRow(line).flatMap(formsOf)).filter(
  (form) => form.code.length <= RECORDER_CODE_BYTES,
);

function formsOf(row: RowFields): SimdForm[] {
  const prefix = PREFIX_BYTES[Math.log2(row.prefixes & -row.prefixes)] ?? []; // the lowest class that the row takes
  const opcode = [...prefix, ...(row.w === 1 ? [0x48] : []), ...(MAP_BYTES[row.map] ?? []), row.opcode];
  const immediates = row.immediate === 0 ? [undefined] : immediatesOf(row);
  const wide = row.operands.some((operand) => operand.size === 'y');
  return immediates.flatMap((immediate) => {
    const tail = immediate === undefined ? [] : [immediate];
    const forms: SimdForm[] = [];
    const add = (variant: string, modrm: readonly number[], code = opcode): void => {
      forms.push(
        makeForm(row, immediate === undefined ? variant : `${variant} ${immediate}`, [...code, ...modrm, ...tail]),
      );
    };
    const extension = Math.max(row.extension, 0) << 3;
    if (!row.hasModrm) return [makeForm(row, '', [...opcode])];
    for (const rex of wide ? [false, true] : [false]) {
      const code = rex ? [...prefix, 0x48, ...(MAP_BYTES[row.map] ?? []), row.opcode] : opcode;
      const name = rex ? ' w' : '';
      if (row.mod !== 1) {
        const { reg, rm } = registerNumbers(row);
        add(`register${name}`, [0xc0 | extension | (reg << 3) | rm], code);
        if (reg !== rm) add(`same${name}`, [0xc0 | extension | (reg << 3) | reg], code);
      }
      if (row.mod !== 2) {
        add(`memory${name}`, [extension | 6], code);
        if (immediate === undefined || immediate === immediates[0])
          add(`unaligned${name}`, [0x40 | extension | 6, 1], code);
      }
    }
    return forms;
  });
}

/** Register 1 in the second operand, unless that is a general register. */
function registerNumbers(row: RowFields): { reg: number; rm: number } {
  const [first, second] = row.operands;
  if (row.extension >= 0) return { reg: 0, rm: 1 };
  const secondNumber = second !== undefined && 'VWUPQN'.includes(second.kind) && first !== undefined ? 1 : 0;
  const firstIsReg = 'VPG'.includes(first?.kind ?? '');
  return firstIsReg ? { reg: 0, rm: secondNumber } : { reg: secondNumber, rm: 0 };
}

function immediatesOf(row: RowFields): readonly number[] {
  if (row.mnemonic.startsWith('PCMP')) return STRING_IMMEDIATES;
  if (row.extension >= 0) return SHIFT_IMMEDIATES;
  if (row.mnemonic.startsWith('CMP')) return PREDICATES;
  if (row.mnemonic.startsWith('ROUND')) return ROUND_IMMEDIATES;
  return row.mnemonic === 'PALIGNR' ? SHIFT_IMMEDIATES : IMMEDIATES;
}

function makeForm(row: RowFields, variant: string, code: number[]): SimdForm {
  const operands = row.operands.map((operand) => operand.text).join();
  const isFloat = Object.hasOwn(FLOAT_LOWERINGS, row.mnemonic);
  return {
    helper: `${row.mnemonic} ${operands}`,
    variant,
    mnemonic: row.mnemonic,
    slots: 'sse',
    imm: 0,
    memoryBytes: 64,
    code: surround(row, code),
    tolerance: 0,
    isFloat,
    element: isFloat ? elementOf(row.mnemonic) : 'bits',
  };
}

/** Adds what an instruction needs around it. */
function surround(row: RowFields, code: number[]): number[] {
  if (row.mnemonic.startsWith('MASKMOV')) return [...MOV_RDI_RSI, ...code];
  if (row.mnemonic === 'PCMPISTRI') return [...code, ...MOV_EAX_ECX];
  if (row.mnemonic === 'PCMPESTRI') return [...SPLIT_LENGTHS, ...code, ...MOV_EAX_ECX, ...POP_RDX];
  if (row.mnemonic === 'PCMPESTRM') return [...SPLIT_LENGTHS, ...code, ...POP_RDX];
  return code;
}

/** What a floating point instruction reads. */
function elementOf(mnemonic: string): Element {
  const source = /^CVTT?(..)2/.exec(mnemonic)?.[1] ?? mnemonic.slice(-2);
  if (source === 'SI') return 'int64';
  if (source === 'DQ' || source === 'PI') return 'int32';
  return source.endsWith('S') ? 'single' : 'double';
}
