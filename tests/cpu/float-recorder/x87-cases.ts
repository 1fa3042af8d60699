// The x87 instruction forms and random machine states for them.

import { double, extended, single } from './float-operands.ts';
import type { Extended } from './float-operands.ts';
import type { FloatCase, FloatForm } from './float-case.ts';
import type { RandomSource } from './random-source.ts';

/** Memory operand of a form; what random contents it gets. */
type Memory =
  | 'none'
  | 'm32'
  | 'm64'
  | 'm80'
  | 'i16'
  | 'i32'
  | 'i64'
  | 'bcd'
  | 'cw'
  | 'env'
  | 'env16'
  | 'save'
  | 'save16';

const MEMORY_BYTES: Readonly<Record<Memory, number>> = {
  none: 0,
  m32: 4,
  m64: 8,
  m80: 10,
  i16: 2,
  i32: 4,
  i64: 8,
  bcd: 10,
  cw: 2,
  env: 28,
  env16: 14,
  save: 108,
  save16: 94,
};

/** A form whose random state depends on what it reads. */
export interface X87Form extends FloatForm {
  readonly memory: Memory;
}

/** Largest difference from the CPU that a transcendental result may show, in units of the last place. */
export const TRANSCENDENTAL_ULPS = 1;

/** All forms. */
export const X87_FORMS: readonly X87Form[] = [...arithmetic(), ...memoryForms(), ...registerForms(), ...plainForms()];

function form(helper: string, code: number[], memory: Memory, variant = '', tolerance = 0): X87Form {
  const opcode = code.findLast((byte) => byte >= 0xd8 && byte <= 0xdf && code.indexOf(byte) < code.length - 1) ?? 0;
  const modrm = code[code.length - 1]!; // codes are not empty
  const imm = ((opcode & 7) << 8) | modrm;
  return {
    helper: `x87.${helper}`,
    variant,
    slots: 'x87',
    imm,
    memoryBytes: MEMORY_BYTES[memory],
    code,
    tolerance,
    memory,
  };
}

/** Memory operand through RSI with an opcode extension. */
function mem(opcode: number, extension: number): number[] {
  return [opcode, (extension << 3) | 6];
}

function arithmetic(): X87Form[] {
  const forms: X87Form[] = [];
  const operations: [string, number, number][] = [
    ['add', 0, 0],
    ['mul', 1, 1],
    ['sub', 4, 5],
    ['subr', 5, 4],
    ['div', 6, 7],
    ['divr', 7, 6],
  ];
  for (const [name, forward, backward] of operations) {
    for (const i of [0, 1, 3]) {
      forms.push(form(`f${name}_st0_sti`, [0xd8, 0xc0 | (forward << 3) | i], 'none', `st${i}`));
      forms.push(form(`f${name}_sti_st0`, [0xdc, 0xc0 | (backward << 3) | i], 'none', `st${i}`));
      forms.push(form(`f${name}p_sti_st0`, [0xde, 0xc0 | (backward << 3) | i], 'none', `st${i}`));
    }
    forms.push(form(`f${name}_m32`, mem(0xd8, forward), 'm32'));
    forms.push(form(`f${name}_m64`, mem(0xdc, forward), 'm64'));
    forms.push(form(`fi${name}_m16`, mem(0xde, forward), 'i16'));
    forms.push(form(`fi${name}_m32`, mem(0xda, forward), 'i32'));
  }
  return forms;
}

function memoryForms(): X87Form[] {
  return [
    form('fcom_m32', mem(0xd8, 2), 'm32'),
    form('fcomp_m32', mem(0xd8, 3), 'm32'),
    form('fcom_m64', mem(0xdc, 2), 'm64'),
    form('fcomp_m64', mem(0xdc, 3), 'm64'),
    form('ficom_m16', mem(0xde, 2), 'i16'),
    form('ficomp_m16', mem(0xde, 3), 'i16'),
    form('ficom_m32', mem(0xda, 2), 'i32'),
    form('ficomp_m32', mem(0xda, 3), 'i32'),
    form('fld_m32', mem(0xd9, 0), 'm32'),
    form('fst_m32', mem(0xd9, 2), 'm32'),
    form('fstp_m32', mem(0xd9, 3), 'm32'),
    form('fldenv', mem(0xd9, 4), 'env'),
    form('fldcw', mem(0xd9, 5), 'cw'),
    form('fnstenv', mem(0xd9, 6), 'env'),
    form('fnstcw', mem(0xd9, 7), 'cw'),
    form('fldenv_16', [0x66, ...mem(0xd9, 4)], 'env16'),
    form('fnstenv_16', [0x66, ...mem(0xd9, 6)], 'env16'),
    form('fild_m32', mem(0xdb, 0), 'i32'),
    form('fisttp_m32', mem(0xdb, 1), 'i32'),
    form('fist_m32', mem(0xdb, 2), 'i32'),
    form('fistp_m32', mem(0xdb, 3), 'i32'),
    form('fld_m80', mem(0xdb, 5), 'm80'),
    form('fstp_m80', mem(0xdb, 7), 'm80'),
    form('fld_m64', mem(0xdd, 0), 'm64'),
    form('fisttp_m64', mem(0xdd, 1), 'i64'),
    form('fst_m64', mem(0xdd, 2), 'm64'),
    form('fstp_m64', mem(0xdd, 3), 'm64'),
    form('frstor', mem(0xdd, 4), 'save'),
    form('fnsave', mem(0xdd, 6), 'save'),
    form('frstor_16', [0x66, ...mem(0xdd, 4)], 'save16'),
    form('fnsave_16', [0x66, ...mem(0xdd, 6)], 'save16'),
    form('fnstsw', mem(0xdd, 7), 'cw'),
    form('fild_m16', mem(0xdf, 0), 'i16'),
    form('fisttp_m16', mem(0xdf, 1), 'i16'),
    form('fist_m16', mem(0xdf, 2), 'i16'),
    form('fistp_m16', mem(0xdf, 3), 'i16'),
    form('fbld', mem(0xdf, 4), 'bcd'),
    form('fild_m64', mem(0xdf, 5), 'i64'),
    form('fbstp', mem(0xdf, 6), 'bcd'),
    form('fistp_m64', mem(0xdf, 7), 'i64'),
  ];
}

function registerForms(): X87Form[] {
  const list: [string, number, number][] = [
    ['fld_sti', 0xd9, 0xc0],
    ['fxch', 0xd9, 0xc8],
    ['fcom_sti', 0xd8, 0xd0],
    ['fcomp_sti', 0xd8, 0xd8],
    ['fucom_sti', 0xdd, 0xe0],
    ['fucomp_sti', 0xdd, 0xe8],
    ['fcomi', 0xdb, 0xf0],
    ['fcomip', 0xdf, 0xf0],
    ['fucomi', 0xdb, 0xe8],
    ['fucomip', 0xdf, 0xe8],
    ['fcmovb', 0xda, 0xc0],
    ['fcmove', 0xda, 0xc8],
    ['fcmovbe', 0xda, 0xd0],
    ['fcmovu', 0xda, 0xd8],
    ['fcmovnb', 0xdb, 0xc0],
    ['fcmovne', 0xdb, 0xc8],
    ['fcmovnbe', 0xdb, 0xd0],
    ['fcmovnu', 0xdb, 0xd8],
    ['ffree', 0xdd, 0xc0],
    ['ffreep', 0xdf, 0xc0],
    ['fst_sti', 0xdd, 0xd0],
    ['fstp_sti', 0xdd, 0xd8],
  ];
  return list.flatMap(([name, opcode, modrm]) =>
    [0, 1, 5].map((i) => form(name, [opcode, modrm | i], 'none', `st${i}`)),
  );
}

function plainForms(): X87Form[] {
  const d9: [string, number][] = [
    ['fnop', 0xd0],
    ['fchs', 0xe0],
    ['fabs', 0xe1],
    ['ftst', 0xe4],
    ['fxam', 0xe5],
    ['fld1', 0xe8],
    ['fldl2t', 0xe9],
    ['fldl2e', 0xea],
    ['fldpi', 0xeb],
    ['fldlg2', 0xec],
    ['fldln2', 0xed],
    ['fldz', 0xee],
    ['fxtract', 0xf4],
    ['fprem1', 0xf5],
    ['fdecstp', 0xf6],
    ['fincstp', 0xf7],
    ['fprem', 0xf8],
    ['fsqrt', 0xfa],
    ['frndint', 0xfc],
    ['fscale', 0xfd],
  ];
  const transcendental: [string, number][] = [
    ['f2xm1', 0xf0],
    ['fyl2x', 0xf1],
    ['fptan', 0xf2],
    ['fpatan', 0xf3],
    ['fyl2xp1', 0xf9],
    ['fsincos', 0xfb],
    ['fsin', 0xfe],
    ['fcos', 0xff],
  ];
  return [
    ...d9.map(([name, modrm]) => form(name, [0xd9, modrm], 'none')),
    ...transcendental.map(([name, modrm]) => form(name, [0xd9, modrm], 'none', '', TRANSCENDENTAL_ULPS)),
    form('fcompp', [0xde, 0xd9], 'none'),
    form('fucompp', [0xda, 0xe9], 'none'),
    form('fnclex', [0xdb, 0xe2], 'none'),
    form('fninit', [0xdb, 0xe3], 'none'),
    form('fwait', [0x9b], 'none'),
    form('emms', [0x0f, 0x77], 'none'),
    { ...form('mmx_enter', [0x0f, 0x6f, 0xc9], 'none', 'movq mm1, mm1'), imm: 8 | 1 },
  ];
}

/** A random case for a form. */
export function x87Case(random: RandomSource, form: X87Form): FloatCase {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  const fcw = randomControl(random);
  const pending = random.oneIn(40) ? 0xff : 0;
  const top = random.below(8);
  const fsw =
    (top << 11) | (random.u32() & 0x4700) | (random.u32() & 0x3f & (fcw | pending)) | (random.oneIn(4) ? 0x40 : 0);
  view.setUint16(0, fcw, true);
  view.setUint16(2, fsw, true);
  view.setUint8(4, randomTags(random, top));
  view.setUint16(6, random.u32() & 0x7ff, true);
  view.setBigUint64(8, 0x1122334455n, true);
  view.setBigUint64(16, 0x5544332211n, true);
  view.setUint32(24, 0x1f80, true);
  let near = domainOperand(random, form.helper) ?? extended(random);
  for (let i = 0; i < 8; i++) {
    const value = i === 0 ? near : extended(random, near);
    if (i === 0) near = value;
    view.setBigUint64(32 + 16 * i, value[0], true);
    view.setUint16(40 + 16 * i, value[1], true);
  }
  const memory = new Uint8Array(512);
  fillMemory(random, form.memory, memory);
  return { form, rax: random.u64(), rflags: random.u32() & 0x8d5, memory, image };
}

/** Mostly everything masked, so that results are seen. */
function randomControl(random: RandomSource): number {
  const masks = random.oneIn(4) ? random.u32() & 0x3f : 0x3f;
  return masks | 0x40 | (random.pick([3, 3, 3, 2, 0, 1]) << 8) | (random.below(4) << 10);
}

/** Mostly a proper stack with two to seven registers in use. */
function randomTags(random: RandomSource, top: number): number {
  if (random.oneIn(8)) return random.u32() & 0xff;
  const used = 2 + random.below(6);
  let tags = 0;
  for (let i = 0; i < used; i++) tags |= 1 << ((top + i) & 7);
  return tags;
}

/** ST(0) inside the domain of a function that promises nothing outside it. */
function domainOperand(random: RandomSource, helper: string): Extended | undefined {
  const sign = random.below(2) * 0x8000;
  const significand = random.u64() | (1n << 63n);
  if (random.oneIn(5)) return undefined;
  if (helper === 'x87.f2xm1')
    return [significand, sign | (0x3ffe - (random.oneIn(4) ? random.below(200) : random.below(8)))];
  if (helper === 'x87.fyl2xp1')
    return [significand, sign | (0x3ffc - (random.oneIn(4) ? random.below(200) : random.below(8)))];
  if (helper === 'x87.fyl2x')
    return random.oneIn(3) ? [significand, 0x3ffe + random.below(2)] : [significand, 0x3fff - 60 + random.below(120)];
  return undefined;
}

function fillMemory(random: RandomSource, kind: Memory, memory: Uint8Array): void {
  const view = new DataView(memory.buffer);
  for (let i = 0; i < 128; i += 4) view.setUint32(i, random.u32(), true);
  const integers = [
    0n,
    1n,
    -1n,
    7n,
    -100n,
    0x7fffn,
    -0x8000n,
    0x7fffffffn,
    -0x80000000n,
    (1n << 63n) - 1n,
    -(1n << 63n),
    1n << 53n,
  ];
  const integer = random.oneIn(2) ? random.pick(integers) : BigInt.asIntN(64, random.u64()) >> BigInt(random.below(64));
  if (kind === 'm32') view.setUint32(0, single(random), true);
  if (kind === 'm64') view.setBigUint64(0, double(random), true);
  if (kind === 'm80') {
    const [significand, signExponent] = extended(random);
    view.setBigUint64(0, significand, true);
    view.setUint16(8, signExponent, true);
  }
  if (kind === 'i16' || kind === 'i32' || kind === 'i64') view.setBigInt64(0, integer, true);
  if (kind === 'bcd' && !random.oneIn(6)) {
    const digits = random.below(19);
    for (let i = 0; i < 9; i++) {
      const low = 2 * i < digits ? random.below(10) : 0;
      const high = 2 * i + 1 < digits ? random.below(10) : 0;
      memory[i] = (high << 4) | low;
    }
    memory[9] = random.pick([0, 0x80]);
  }
  if (kind === 'env' || kind === 'save' || kind === 'env16' || kind === 'save16') {
    const step = kind === 'env' || kind === 'save' ? 4 : 2;
    view.setUint16(0, randomControl(random), true);
    view.setUint16(2 * step, random.pick([0xffff, 0, random.u32() & 0xffff]), true);
  }
}
