// Precise faults of vector and x87 instructions whose operand crosses into a page that is not there or
// not writable: nothing may have changed when the fault is reported.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, DATA } from '../../../../tests/support/bare-machine.ts';
import { Cpu, Exit } from '../../../engine/index.ts';
import { FRAME_SIZE } from '../../../machine/index.ts';
import { Pte, Vector } from '../../../x86/index.ts';

const NEXT = DATA + FRAME_SIZE;

/** A machine with one data page filled with 0x5a, and a read-only or absent page behind it. */
function machineWithEdge(readOnlyBehind: boolean): { m: BareMachine; frame: number } {
  const m = new BareMachine();
  const frame = m.map(DATA);
  m.memory.u8.fill(0x5a, frame * FRAME_SIZE, (frame + 1) * FRAME_SIZE);
  if (readOnlyBehind) m.map(NEXT, Pte.PRESENT | Pte.USER);
  const { state } = m.vcpu;
  for (let at = Cpu.X87; at < Cpu.XTEMP; at++) state.bytes[at] = at & 0xff;
  state.bytes[Cpu.FTW] = 0xff;
  state.writeU32(Cpu.FCW, 0x37f);
  return { m, frame };
}

/** The architectural vector state: x87, MXCSR and XMM registers. */
function vectorState(m: BareMachine): Uint8Array {
  const { bytes } = m.vcpu.state;
  return Buffer.concat([bytes.slice(Cpu.FCW, Cpu.TEMP), bytes.slice(Cpu.X87, Cpu.XTEMP)]);
}

/** Instructions on (rsi), with the distance of rsi from the end of the page. */
const STORES: readonly (readonly [name: string, code: string, distance: number])[] = [
  ['movups', '0f 11 06', 8],
  ['movsd', 'f2 0f 11 06', 4],
  ['movq', '66 0f d6 06', 4],
  ['movq mmx', '0f 7f 06', 4],
  ['pextrw', '66 0f 3a 15 06 00', 1],
  ['fxsave64', '48 0f ae 06', 256],
  ['fnsave', 'dd 36', 64],
  ['fnstenv', 'd9 36', 20],
  ['fstp m80', 'db 3e', 8],
  ['fstp m64', 'dd 1e', 4],
  ['fistp m32', 'db 1e', 2],
  ['fnstcw', 'd9 3e', 1],
  ['stmxcsr', '0f ae 1e', 3],
  ['maskmovdqu', '48 89 f7 66 0f f7 c0', 8],
];

for (const readOnly of [false, true]) {
  for (const [name, code, distance] of STORES) {
    test(`${name}: a store into ${readOnly ? 'a read-only' : 'an absent'} page changes nothing`, () => {
      const { m, frame } = machineWithEdge(readOnly);
      m.code(`${code} cc`);
      m.set({ RSI: BigInt(NEXT - distance) });
      const before = vectorState(m);
      assert.equal(m.run(), Exit.EXCEPTION);
      assert.equal(m.engine.exit.vector, Vector.PF);
      assert.equal(m.engine.exit.errorCode, readOnly ? 3 : 2);
      assert.deepEqual(vectorState(m), before);
      const page = m.memory.u8.subarray(frame * FRAME_SIZE, (frame + 1) * FRAME_SIZE);
      assert.ok(
        page.every((byte) => byte === 0x5a),
        'the first page is unchanged',
      );
    });
  }
}

const LOADS: readonly (readonly [name: string, code: string, distance: number])[] = [
  ['movups', '0f 10 06', 8],
  ['movss', 'f3 0f 10 06', 2],
  ['addsd', 'f2 0f 58 06', 4],
  ['paddb mmx', '0f fc 06', 4],
  ['fxrstor64', '48 0f ae 0e', 256],
  ['frstor', 'dd 26', 64],
  ['fldenv', 'd9 26', 20],
  ['fld m80', 'db 2e', 8],
  ['fldcw', 'd9 2e', 1],
  ['ldmxcsr', '0f ae 16', 2],
];

for (const [name, code, distance] of LOADS) {
  test(`${name}: a load from an absent page changes nothing`, () => {
    const { m } = machineWithEdge(false);
    m.code(`${code} cc`);
    m.set({ RSI: BigInt(NEXT - distance) });
    const before = vectorState(m);
    assert.equal(m.run(), Exit.EXCEPTION);
    assert.equal(m.engine.exit.vector, Vector.PF);
    assert.equal(m.engine.exit.errorCode, 0);
    assert.deepEqual(vectorState(m), before);
  });
}

test('fxsave64: an address that is not a multiple of 16 raises #GP', () => {
  const { m } = machineWithEdge(false);
  m.code('48 0f ae 06 cc');
  m.set({ RSI: BigInt(DATA + 8) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.GP);
});

test('fxsave64 and fxrstor64: a round trip across a page boundary gives the same state', () => {
  const { m } = machineWithEdge(false);
  m.map(NEXT);
  m.code('48 0f ae 06 48 0f ae 0e cc');
  m.set({ RSI: BigInt(NEXT - 208) });
  m.vcpu.state.writeU32(Cpu.MXCSR, 0x1fa0);
  for (let n = 0; n < 8; n++) m.vcpu.state.bytes.fill(0, Cpu.X87 + n * 16 + 10, Cpu.X87 + n * 16 + 16);
  const before = vectorState(m);
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
  assert.deepEqual(vectorState(m), before);
});
