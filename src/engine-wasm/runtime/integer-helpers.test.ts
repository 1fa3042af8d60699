// The integer helpers against arithmetic on BigInt and the manual's rules.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { CPU_STATE_SIZE, CpuState, Gpr, Rflags } from '../../engine/index.ts';
import { temp } from '../ir/slots.ts';
import { HELPERS, helperIndex } from './helper-table.ts';
import { StateView } from './state.ts';

const buffer = new ArrayBuffer(CPU_STATE_SIZE);
const view = new StateView(buffer);
const cpu = new CpuState(buffer, 0);

function call(name: string, a: number, b: number, argument: number): number {
  return HELPERS[helperIndex(name)]?.[1](view, a, b, argument) ?? -1;
}

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test('integer helpers: 128-bit division gives quotient and remainder, or #DE when the quotient does not fit', () => {
  fc.assert(
    fc.property(u64, u64, u64, fc.boolean(), (high, low, divisor, signed) => {
      const sign = (value: bigint): bigint => (signed ? BigInt.asIntN(64, value) : value);
      cpu.gpr[Gpr.RDX] = high;
      cpu.gpr[Gpr.RAX] = low;
      view.u64[temp(0) >> 3] = divisor;
      const outcome = call(signed ? 'idiv128' : 'div128', 0, temp(0), 0);
      const dividend = (sign(high) << 64n) | low;
      const quotient = divisor === 0n ? undefined : dividend / sign(divisor);
      if (quotient === undefined || sign(BigInt.asUintN(64, quotient)) !== quotient) {
        assert.equal(outcome, 1);
        assert.deepEqual([cpu.gpr[Gpr.RDX], cpu.gpr[Gpr.RAX]], [high, low]);
      } else {
        assert.equal(outcome, 0);
        const result = sign(cpu.gpr[Gpr.RAX] ?? 0n) * sign(divisor) + sign(cpu.gpr[Gpr.RDX] ?? 0n);
        assert.equal(result, dividend);
      }
    }),
  );
});

test('integer helpers: crc32 of "123456789" is the check value of CRC-32C', () => {
  view.u32[0] = 0xffffffff;
  const text = '123456789';
  for (let n = 0; n < text.length; n++) {
    view.u8[temp(0)] = text.charCodeAt(n);
    call('crc32', 0, temp(0), 1);
  }
  assert.equal(((view.u32[0] ?? 0) ^ 0xffffffff) >>> 0, 0xe3069283);
});

test('integer helpers: popf at CPL 3 changes neither IF nor IOPL', () => {
  cpu.rflags = Rflags.IF | Rflags.FIXED;
  view.u32[temp(0) >> 2] = Rflags.IOPL | Rflags.DF | Rflags.ZF | Rflags.AC;
  call('writeFlags', temp(0), 0, 64);
  assert.equal(cpu.rflags, Rflags.IF | Rflags.FIXED | Rflags.DF | Rflags.ZF | Rflags.AC);
  view.u32[temp(0) >> 2] = Rflags.TF;
  call('writeFlags', temp(0), 0, 16);
  assert.equal(cpu.rflags, Rflags.IF | Rflags.FIXED | Rflags.TF | Rflags.AC);
});

test('integer helpers: pushf shows what popf set, for every combination of arithmetic flags', () => {
  for (let n = 0; n < 64; n++) {
    const bits = [Rflags.CF, Rflags.PF, Rflags.AF, Rflags.ZF, Rflags.SF, Rflags.OF];
    const flags = bits.reduce(
      (sum, bit, place) => (((n >> place) & 1) === 0 ? sum : sum | bit),
      Rflags.FIXED | Rflags.IF,
    );
    cpu.rflags = Rflags.IF;
    view.u32[temp(0) >> 2] = flags;
    call('writeFlags', temp(0), 0, 64);
    call('readFlags', temp(1), 0, 0);
    assert.equal(view.u32[temp(1) >> 2], flags);
  }
});

test('integer helpers: lahf and sahf carry the low flags through ah', () => {
  cpu.rflags = Rflags.CF | Rflags.ZF | Rflags.OF | Rflags.FIXED;
  call('lahf', 0, 0, 0);
  assert.equal(view.u8[1], Rflags.CF | Rflags.ZF | Rflags.FIXED);
  view.u8[1] = Rflags.SF;
  call('sahf', 0, 0, 0);
  assert.equal(cpu.rflags, Rflags.SF | Rflags.OF | Rflags.FIXED);
});
