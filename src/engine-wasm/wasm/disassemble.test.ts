// Bodies read back: names, operands, and that no instruction of the tables has a name or a length of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readBody } from './disassemble.ts';
import { FunctionBuilder } from './function-builder.ts';
import { L, M, ValueType, W } from './instructions.ts';

function textOf(f: FunctionBuilder): string[] {
  return readBody(f.body()).instructions.map(({ name, operands }) => [name, ...operands].join(' '));
}

test('disassembler: names and operands are those of the text format', () => {
  const f = new FunctionBuilder(1);
  const local = f.local(ValueType.i64);
  const outer = f.block();
  f.loop(ValueType.i32);
  f.get(0).i32(-5).op(W.i32LtS).branchIf(outer);
  f.i64(-(2n ** 63n))
    .tee(local)
    .op(W.drop)
    .branchTable([outer, outer], outer)
    .end()
    .end();
  f.i32(0)
    .mem(M.i64Load16U, 300)
    .i32(1)
    .mem(M.v128Load8x8S, 8, 1)
    .lane(L.i16x8ExtractLaneU, 7)
    .op(W.f64x2ConvertLowI32x4U);
  f.call(200)
    .callIndirect(3)
    .v128([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
    .op(W.i64TruncSatF64S)
    .return();
  assert.deepEqual(textOf(f), [
    'block',
    'loop i32',
    'local.get 0',
    'i32.const -5',
    'i32.lt_s',
    'br_if 1',
    'i64.const -9223372036854775808',
    'local.tee 1',
    'drop',
    'br_table 1 1 1',
    'end',
    'end',
    'i32.const 0',
    'i64.load16_u 0 300',
    'i32.const 1',
    'v128.load8x8_s 1 8',
    'i16x8.extract_lane_u 7',
    'f64x2.convert_low_i32x4_u',
    'call 200',
    'call_indirect 3 0',
    'v128.const 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16',
    'i64.trunc_sat_f64_s',
    'return',
  ]);
});

test('disassembler: every instruction of the tables is read back as itself', () => {
  const f = new FunctionBuilder(0);
  const codes: number[] = [];
  for (const code of Object.values(W)) {
    if (code === W.end) continue;
    f.op(code);
    codes.push(code);
  }
  for (const code of Object.values(M)) {
    f.mem(code, 70_000, 1);
    codes.push(code);
  }
  for (const code of Object.values(L)) {
    f.lane(code, 3);
    codes.push(code);
  }
  const { instructions } = readBody(f.body());
  assert.deepEqual(
    instructions.map((instruction) => instruction.code),
    codes,
  );
  const names = new Set(instructions.map((instruction) => instruction.name));
  assert.equal(names.size, codes.length);
  for (const name of names) assert.match(name, /^([if](8|16|32|64)(x\d+)?\.|v128\.)?[a-z0-9_]+$/);
});

test('disassembler: an instruction that is in no table is named by its code', () => {
  assert.equal(readBody(Uint8Array.of(0, 0xd0, 0x0b)).instructions[0]?.name, 'unknown instruction 0xd0');
});

test('disassembler: local variables have their types', () => {
  const f = new FunctionBuilder(2);
  for (const type of [ValueType.i64, ValueType.i64, ValueType.v128]) f.local(type);
  assert.deepEqual(readBody(f.body()).locals, ['i64', 'i64', 'v128']);
});
