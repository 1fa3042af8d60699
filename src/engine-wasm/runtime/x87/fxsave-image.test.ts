// The image of fxsave and fxrstor: what it holds, what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Cpu, CPU_STATE_SIZE } from '../../../engine/index.ts';
import { FLOAT_HELPERS } from '../float-helpers.ts';
import { StateView } from '../state.ts';
import { Fxsave, fxrstorImage, fxsaveImage } from './fxsave-image.ts';

function freshState(): StateView {
  const s = new StateView(new ArrayBuffer(CPU_STATE_SIZE));
  FLOAT_HELPERS['x87.fninit']!(s, 0, 0, 0); // the table has it
  s.u32[Cpu.MXCSR / 4] = 0x1f80;
  return s;
}

function image(): DataView {
  return new DataView(new ArrayBuffer(Fxsave.SIZE));
}

test('fxsave: a saved state comes back whole', () => {
  const s = freshState();
  FLOAT_HELPERS['x87.fldpi']!(s, 0, 0, 0x1eb); // the table has it
  for (let i = 0; i < 32; i++) s.u64[Cpu.XMM / 8 + i] = BigInt(i) << 40n;
  s.u64[Cpu.FDP / 8] = 0x7fff12345678n;
  const saved = image();
  fxsaveImage(s, saved, 0, true);
  const other = freshState();
  assert.equal(fxrstorImage(other, saved, 0, true), 0);
  assert.deepEqual(other.u8.subarray(Cpu.FCW, Cpu.TEMP), s.u8.subarray(Cpu.FCW, Cpu.TEMP));
  assert.deepEqual(other.u8.subarray(Cpu.X87, Cpu.XTEMP), s.u8.subarray(Cpu.X87, Cpu.XTEMP));
});

test('fxsave: ST(0) is the first register of the image wherever TOP is', () => {
  const s = freshState();
  FLOAT_HELPERS['x87.fld1']!(s, 0, 0, 0x1e8); // the table has it
  const saved = image();
  fxsaveImage(s, saved, 0, true);
  assert.equal(saved.getBigUint64(Fxsave.REGISTERS, true), 1n << 63n);
  assert.equal(saved.getUint8(Fxsave.FTW), 0x80);
});

test('fxsave: the image ends at byte 416', () => {
  const saved = image();
  new Uint8Array(saved.buffer).fill(0xaa);
  fxsaveImage(freshState(), saved, 0, true);
  assert.equal(saved.getUint8(415), 0);
  assert.equal(saved.getUint8(416), 0xaa);
});

test('fxrstor: a reserved bit of MXCSR is #GP and changes nothing', () => {
  const s = freshState();
  const before = s.u8.slice();
  const bad = image();
  bad.setUint32(Fxsave.MXCSR, 0x10000, true);
  assert.equal(fxrstorImage(s, bad, 0, true), 14);
  assert.deepEqual(s.u8, before);
});

test('fxrstor: the error summary is computed, not taken from the image', () => {
  const s = freshState();
  const saved = image();
  saved.setUint16(Fxsave.FCW, 0x340, true);
  saved.setUint16(Fxsave.FSW, 0x0001, true);
  fxrstorImage(s, saved, 0, true);
  assert.equal(s.u16[Cpu.FSW / 2], 0x8081);
  assert.equal(FLOAT_HELPERS['x87.fwait']!(s, 0, 0, 0), 17); // the table has it
});
