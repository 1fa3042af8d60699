// The SSE instruction forms and random operands for them: xmm0 op xmm1, xmm0 op memory, and the forms with
// general and MMX registers.

import { double, single } from './float-operands.ts';
import type { FloatCase, FloatForm, SlotKind } from './float-case.ts';
import type { RandomSource } from './random-source.ts';

/** What the second operand is made of. */
type Element = 'single' | 'double' | 'int32' | 'int64';

/** An SSE form. */
export interface SseForm extends FloatForm {
  readonly element: Element;
}

const REGISTER = 0xc1; // xmm0, xmm1 or their likes
const MEMORY = 0x06; // [rsi]

/** Suffix, mandatory prefix and element of the four shapes. */
const SHAPES: readonly (readonly [suffix: string, prefix: number[], element: Element])[] = [
  ['ps', [], 'single'],
  ['pd', [0x66], 'double'],
  ['ss', [0xf3], 'single'],
  ['sd', [0xf2], 'double'],
];

const PREDICATES = [0, 1, 2, 3, 4, 5, 6, 7];
const ROUND_MODES = [0, 1, 2, 3, 4, 8, 9, 12];

/** All forms. */
export const SSE_FORMS: readonly SseForm[] = [
  ...SHAPES.flatMap(([suffix, prefix, element], i) => [
    ...both(`sqrt${suffix}`, prefix, [0x51], element),
    ...both(`add${suffix}`, prefix, [0x58], element),
    ...both(`mul${suffix}`, prefix, [0x59], element),
    ...both(`sub${suffix}`, prefix, [0x5c], element),
    ...both(`min${suffix}`, prefix, [0x5d], element),
    ...both(`div${suffix}`, prefix, [0x5e], element),
    ...both(`max${suffix}`, prefix, [0x5f], element),
    ...PREDICATES.flatMap((predicate) => withImmediate(`cmp${suffix}`, prefix, [0xc2], element, predicate)),
    ...ROUND_MODES.flatMap((mode) => withImmediate(`round${suffix}`, [0x66], [0x3a, 0x08 + i], element, mode)),
  ]),
  ...both('rsqrtps', [], [0x52], 'single'),
  ...both('rsqrtss', [0xf3], [0x52], 'single'),
  ...both('rcpps', [], [0x53], 'single'),
  ...both('rcpss', [0xf3], [0x53], 'single'),
  ...[0xff, 0x71, 0x3f, 0xa5, 0xf1].flatMap((imm) => withImmediate('dpps', [0x66], [0x3a, 0x40], 'single', imm)),
  ...[0x33, 0x31, 0x12, 0x20, 0xff].flatMap((imm) => withImmediate('dppd', [0x66], [0x3a, 0x41], 'double', imm)),
  ...both('ucomiss', [], [0x2e], 'single'),
  ...both('ucomisd', [0x66], [0x2e], 'double'),
  ...both('comiss', [], [0x2f], 'single'),
  ...both('comisd', [0x66], [0x2f], 'double'),
  ...both('addsubps', [0xf2], [0xd0], 'single'),
  ...both('addsubpd', [0x66], [0xd0], 'double'),
  ...both('haddps', [0xf2], [0x7c], 'single'),
  ...both('haddpd', [0x66], [0x7c], 'double'),
  ...both('hsubps', [0xf2], [0x7d], 'single'),
  ...both('hsubpd', [0x66], [0x7d], 'double'),
  ...conversions(),
];

function form(
  name: string,
  variant: string,
  code: number[],
  element: Element,
  memory: boolean,
  slots: SlotKind,
  imm: number,
): SseForm {
  return { helper: `sse.${name}`, variant, slots, imm, memoryBytes: memory ? 16 : 0, code, tolerance: 0, element };
}

/** The register and the memory form. @param opcode - bytes after 0f */
function both(
  name: string,
  prefix: number[],
  opcode: number[],
  element: Element,
  slots: SlotKind = 'sse',
  rex: number[] = [],
): SseForm[] {
  const code = [...prefix, ...rex, 0x0f, ...opcode];
  return [
    form(name, 'register', [...code, slots === 'fromGpr' ? 0xc0 : REGISTER], element, false, slots, 0),
    form(name, 'memory', [...code, MEMORY], element, true, slots, 0),
  ];
}

function withImmediate(name: string, prefix: number[], opcode: number[], element: Element, imm: number): SseForm[] {
  return both(name, prefix, opcode, element).map((one) => ({
    ...one,
    variant: `${one.variant} ${imm}`,
    code: [...one.code, imm],
    imm,
  }));
}

function conversions(): SseForm[] {
  const w = [0x48];
  return [
    ...both('cvtps2pd', [], [0x5a], 'single'),
    ...both('cvtpd2ps', [0x66], [0x5a], 'double'),
    ...both('cvtss2sd', [0xf3], [0x5a], 'single'),
    ...both('cvtsd2ss', [0xf2], [0x5a], 'double'),
    ...both('cvtdq2ps', [], [0x5b], 'int32'),
    ...both('cvtps2dq', [0x66], [0x5b], 'single'),
    ...both('cvttps2dq', [0xf3], [0x5b], 'single'),
    ...both('cvtdq2pd', [0xf3], [0xe6], 'int32'),
    ...both('cvtpd2dq', [0xf2], [0xe6], 'double'),
    ...both('cvttpd2dq', [0x66], [0xe6], 'double'),
    ...both('cvtsi2ss_i32', [0xf3], [0x2a], 'int32', 'fromGpr'),
    ...both('cvtsi2sd_i32', [0xf2], [0x2a], 'int32', 'fromGpr'),
    ...both('cvtsi2ss_i64', [0xf3], [0x2a], 'int64', 'fromGpr', w),
    ...both('cvtsi2sd_i64', [0xf2], [0x2a], 'int64', 'fromGpr', w),
    ...both('cvtss2si_i32', [0xf3], [0x2d], 'single', 'toGpr'),
    ...both('cvtsd2si_i32', [0xf2], [0x2d], 'double', 'toGpr'),
    ...both('cvtss2si_i64', [0xf3], [0x2d], 'single', 'toGpr', w),
    ...both('cvtsd2si_i64', [0xf2], [0x2d], 'double', 'toGpr', w),
    ...both('cvttss2si_i32', [0xf3], [0x2c], 'single', 'toGpr'),
    ...both('cvttsd2si_i32', [0xf2], [0x2c], 'double', 'toGpr'),
    ...both('cvttss2si_i64', [0xf3], [0x2c], 'single', 'toGpr', w),
    ...both('cvttsd2si_i64', [0xf2], [0x2c], 'double', 'toGpr', w),
    ...both('cvtpi2ps', [], [0x2a], 'int32', 'fromMmx'),
    ...both('cvtpi2pd', [0x66], [0x2a], 'int32', 'fromMmx'),
    ...both('cvtps2pi', [], [0x2d], 'single', 'toMmx'),
    ...both('cvtpd2pi', [0x66], [0x2d], 'double', 'toMmx'),
    ...both('cvttps2pi', [], [0x2c], 'single', 'toMmx'),
    ...both('cvttpd2pi', [0x66], [0x2c], 'double', 'toMmx'),
  ];
}

/** A random case for a form. The x87 unit is in MMX use already, so that MMX forms change nothing but their destination. */
export function sseCase(random: RandomSource, form: SseForm): FloatCase {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint8(4, 0xff);
  const masks = random.oneIn(4) ? random.u32() & 0x3f : 0x3f;
  const flags = random.u32() & random.u32() & 0x3f & masks;
  const modes = (random.oneIn(6) ? 1 << 15 : 0) | (random.oneIn(6) ? 1 << 6 : 0) | (random.below(4) << 13);
  view.setUint32(24, flags | (masks << 7) | modes, true);
  for (let i = 0; i < 8; i++) {
    view.setBigUint64(32 + 16 * i, random.u64(), true);
    view.setUint16(40 + 16 * i, 0xffff, true);
  }
  const memory = new Uint8Array(512);
  fillElements(random, form.element, view, 160, undefined);
  fillElements(random, form.element, view, 176, 160);
  const source = new DataView(memory.buffer);
  for (let i = 0; i < 16; i += 4) source.setUint32(i, view.getUint32(176 + i, true), true);
  if (form.slots === 'fromMmx') view.setBigUint64(48, view.getBigUint64(176, true), true);
  const rax = form.slots === 'fromGpr' ? view.getBigUint64(176, true) : random.u64();
  return { form, rax, rflags: random.u32() & 0x8d5, memory, image };
}

function fillElements(
  random: RandomSource,
  element: Element,
  view: DataView,
  at: number,
  near: number | undefined,
): void {
  for (let i = 0; i < 16; i += 8) {
    if (element === 'single') {
      view.setUint32(at + i, single(random, near === undefined ? undefined : view.getUint32(near + i, true)), true);
      view.setUint32(
        at + i + 4,
        single(random, near === undefined ? undefined : view.getUint32(near + i + 4, true)),
        true,
      );
    } else if (element === 'double') {
      view.setBigUint64(
        at + i,
        double(random, near === undefined ? undefined : view.getBigUint64(near + i, true)),
        true,
      );
    } else if (element === 'int32') {
      view.setInt32(at + i, (random.u32() | 0) >> random.below(32), true);
      view.setInt32(at + i + 4, random.pick([0, -1, 0x7fffffff, -0x80000000, random.u32() | 0]), true);
    } else {
      view.setBigInt64(at + i, BigInt.asIntN(64, random.u64()) >> BigInt(random.below(64)), true);
    }
  }
}
