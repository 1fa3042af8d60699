// Loops of random SSE instructions: compiled and interpreted they leave the same registers, flags, MXCSR and memory.
// Numbers are mostly ordinary, so that the quick paths of floating point run, with some of every other kind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BareMachine, CODE, DATA } from '../../../tests/support/bare-machine.ts';
import { SeededRandom } from '../../../tests/support/fuzz/random.ts';
import { Cpu } from '../../engine/index.ts';

const SEED = 20261122;
const PROGRAMS = 1000;
const MOST_INSTRUCTIONS = 9;
const DATA_BYTES = 128;

/** Prefixes that choose the form: ps, pd, ss, sd. */
const PREFIXES = ['', '66', 'f3', 'f2'];
/** Opcodes behind 0f: add, mul, sub, div, sqrt, min, max. */
const ARITHMETIC = ['58', '59', '5c', '5e', '51', '5d', '5f'];
/** Whole instructions but for ModRM: comparisons, moves, lanes, conversions, integer operations. */
const OTHERS = (
  '0f2e 660f2f 0f28 660f28 660f14 660f15 0f14 0f57 660f54 660f6c f30f7e f20f10 f30f10 660f10 0f12 0f16 660f70:4e ' +
  '0fc6:1b f20f2a f3480f2a f20f5a f30f5a 660f5a 0f5a 0f5b f30fe6 f20f2c f2480f2d f30f2c 660f6e 66480f6e 660f7e 66480f7e ' +
  'f20fc2:1 660fc2:6 660fef 660ffe 660f74 660fd7! 660f60 660f73/2:9 660f71/6:3 660f73/3:5 660f3a0f:7 660f3822 660f3a16:3 ' +
  '660f3a22:2 660fc4:5 f20f7c 660fd0 0f11 660f11 f20f11 660fd6 0f13 660f17 660f3a17:1'
).split(' ');
const REGISTERS = [0, 2, 3];
const MXCSR = [0x1fa0, 0x1fa0, 0x1fa0, 0x1f80, 0x9fe0, 0x3fa0, 0x1da0, 0x0fa0];
const DENORMALS = [2 ** -1070, 2 ** -1023, 2 ** -1030, 2 ** -140, 2 ** -130];
const NUMBERS = [...DENORMALS, ...DENORMALS, 0, -0, Infinity, NaN, 2 ** -1022, 1e308, 2 ** -126, 3e38];

/** Numbers of one precision come and go, and are computed with: so that much is known of the registers. @param prefix - of the precision */
function arithmetic(random: SeededRandom, prefix: string): string {
  const load = prefix === '' || prefix === '66' ? '0f10' : `${prefix}0f10`;
  const scalarLoads = prefix === 'f2' ? ['0f12', '0f16', 'f30f7e'] : ['0f12'];
  return random.pick([
    ...['58', '59', '5c'].map((code) => `${prefix}0f${code}`),
    ...['58', '59', '5c', random.pick(ARITHMETIC)].map((code) => `${prefix}0f${code}`),
    '0f28',
    '0f28',
    load,
    load,
    `${prefix}0f2a`,
    '660f6c',
    random.pick(scalarLoads),
  ]);
}

/** One random instruction on a few registers and 16 bytes at (rsi). @param prefix - precision, or none for any kind of instruction */
function instruction(random: SeededRandom, prefix: string | undefined): string {
  const form =
    prefix !== undefined
      ? arithmetic(random, prefix)
      : random.once(2)
        ? `${random.pick(PREFIXES)}0f${random.pick(ARITHMETIC)}`
        : random.pick(OTHERS);
  const [, opcode = '', registerOnly, group, imm] =
    /^([0-9a-f]+)(!?)(?:\/(\d))?(?::(\d|[0-9a-f]{2}))?$/.exec(form) ?? [];
  const inMemory = (random.once(3) && registerOnly === '' && group === undefined) || /0f1[026]$/.test(form);
  const register = random.pick(REGISTERS);
  const rm = random.pick(REGISTERS);
  const reg = group === undefined ? register : Number(group);
  const modrm = inMemory
    ? `${hex(0x46 | (reg << 3))}${hex(random.below(DATA_BYTES / 16) * 16)}`
    : hex(0xc0 | (reg << 3) | rm);
  return opcode + modrm + (imm === undefined ? '' : imm.padStart(2, '0'));
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** Fills bytes with numbers of both precisions, some of them not ordinary. */
function fill(view: DataView, random: SeededRandom, exotic: number): void {
  for (let at = 0; at < view.byteLength; at += 8) {
    const number = (): number => (random.once(exotic) ? random.pick(NUMBERS) : (random.below(2000) - 1000) / 7);
    if (at % 32 < 16) view.setFloat64(at, number(), true);
    else {
      view.setFloat32(at, number(), true);
      view.setFloat32(at + 4, number(), true);
    }
  }
}

test(`compiler: loops of random SSE instructions leave what they leave interpreted (seed ${SEED})`, () => {
  const random = new SeededRandom(SEED);
  const machines = (['interpreter', 'compiler'] as const).map((tier) => new BareMachine(64 + 2 * PROGRAMS, tier));
  const frames = machines.map((m) => m.map(DATA) * 4096);
  for (let program = 0; program < PROGRAMS; program++) {
    const prefix = random.pick([...PREFIXES, undefined, undefined]);
    const body = Array.from({ length: 2 + random.below(MOST_INSTRUCTIONS - 1) }, () => instruction(random, prefix));
    // mov $4, %ecx; 1: body; dec %ecx; jnz 1b; int3
    const length = body.join('').length / 2;
    const back = (-(length + 2 + 6) >>> 0).toString(16).padStart(8, '0');
    const code = `b904000000 ${body.join(' ')} ffc9 0f85 ${[6, 4, 2, 0].map((at) => back.slice(at, at + 2)).join('')} cc`;
    const data = new DataView(new ArrayBuffer(DATA_BYTES + 256));
    fill(data, random, random.pick([1000, 16, 5]));
    const mxcsr = random.pick(MXCSR);
    const [interpreted, compiled] = machines.map((m, n) => {
      const { state } = m.vcpu;
      m.code(code, CODE + program * 4096);
      state.bytes.set(new Uint8Array(data.buffer, 0, 256), Cpu.XMM);
      m.memory.u8.set(new Uint8Array(data.buffer, 256), frames[n]);
      for (let register = 0; register < 16; register++) state.gpr[register] = BigInt(register * 1234567);
      m.set({ RSI: BigInt(DATA), RSP: BigInt(DATA + 4096) });
      state.rflags = 0x202;
      state.writeU32(Cpu.MXCSR, mxcsr);
      const exit = [m.run(), m.engine.exit.vector];
      const frame = frames[n] ?? 0;
      const { state: after } = m.vcpu; // the engine has taken the registers over
      return {
        exit,
        rip: after.rip - BigInt(CODE),
        rflags: after.rflags,
        mxcsr: after.readU32(Cpu.MXCSR),
        gpr: after.gpr.slice(0, 16),
        xmm: Buffer.from(after.bytes.slice(Cpu.XMM, Cpu.XMM + 256)).toString('hex'),
        memory: Buffer.from(m.memory.u8.slice(frame, frame + DATA_BYTES)).toString('hex'),
      };
    });
    assert.deepEqual(compiled, interpreted, `program ${program}, MXCSR ${mxcsr.toString(16)}: ${code}`);
  }
});

/** Ways for denormal numbers, at (rsi), into xmm0, of which something is known: it must not be known any more. DE tells. */
const WAYS: readonly (readonly [name: string, code: string])[] = [
  ['movsd from memory', 'f2 0f 10 06'],
  ['movss from memory', 'f3 0f 10 06'],
  ['movups from memory', '0f 10 06'],
  ['movlpd from memory', '66 0f 12 06'],
  ['movhpd from memory', '66 0f 16 06'],
  ['movq from memory', 'f3 0f 7e 06'],
  ['movaps', '0f 28 c3'],
  ['movsd', 'f2 0f 10 c3'],
  ['movss', 'f3 0f 10 c3'],
  ['movq', 'f3 0f 7e c3'],
  ['movlhps', '0f 16 c3'],
  ['unpcklpd from the right', '66 0f 14 c3'],
  ['unpcklpd from the left', '0f 28 d3 66 0f 14 d1 0f 28 c2'],
  ['movhlps', '0f 12 c3'],
  ['shufpd', '66 0f c6 c3 01'],
  ['minpd', '66 0f 5d c3'],
  ['minps', '0f 5d c3'],
  ['minsd', 'f2 0f 5d c3'],
  ['andpd', '66 0f 54 c3'],
  ['movq from a general register', '66 48 0f 6e c0'],
  ['movd from a general register', '66 0f 6e c0'],
  ['pinsrq', '66 48 0f 3a 22 c0 01'],
  ['one of two ways', 'a8 01 74 03 0f 28 c3'],
  ['a jump around its replacement', '0f 28 c3 a8 01 75 04 f2 0f 58 c1'],
];
/** addsd, addpd, addss and addps of ordinary numbers to xmm0. */
const SUMS = ['f2 0f 58 c1', '66 0f 58 c1', 'f3 0f 58 c1', '0f 58 c1'];

test('compiler: an addition sees denormal numbers whichever way they have come into a register', () => {
  const [interpreted, compiled] = (['interpreter', 'compiler'] as const).map((tier) => {
    const m = new BareMachine(512, tier);
    const frame = m.map(DATA);
    const data = m.memory.view;
    for (const at of [0, 4, 8, 12]) data.setUint32(frame * 4096 + at, 0x000fffff, true); // as single and as double
    const programs = WAYS.flatMap(([name, code]) => SUMS.map((sum) => [name, sum, code] as const));
    return programs.map(([name, sum, code], program) => {
      const { state } = m.vcpu;
      for (let at = 0; at < 48; at += 4) state.writeU32(Cpu.XMM + at, 0x40123456);
      // movups (%rsi), %xmm3; mov (%rsi), %rax
      m.code(`0f 10 1e 48 8b 06 ${sum} ${code} ${sum} cc`, CODE + program * 4096);
      m.set({ RSI: BigInt(DATA) });
      state.writeU32(Cpu.MXCSR, 0x1fa0);
      m.run();
      const { state: after } = m.vcpu; // the engine has taken the registers over
      return [name, sum, after.readU32(Cpu.MXCSR), after.bytes.slice(Cpu.XMM, Cpu.XMM + 16)];
    });
  });
  assert.deepEqual(compiled, interpreted);
});
