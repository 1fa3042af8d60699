// The instruction table's rows against the decoder, and the row parser's complaints.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createInstruction, decode, Decoded } from './decode.ts';
import { parseRow, type Row } from './row.ts';
import { ROWS } from './table.ts';

/** Bytes of a row, with a plain register or memory operand and zero immediates. */
function encode(row: Row): Uint8Array {
  const bytes: number[] = [];
  const prefixClass = row.namesPrefix ? [0, 1, 2, 3].find((n) => ((row.prefixes >> n) & 1) !== 0) : 0;
  if (prefixClass !== 0) bytes.push([0, 0x66, 0xf3, 0xf2][prefixClass ?? 0] ?? 0);
  if (row.w === 1) bytes.push(0x48);
  bytes.push(...([[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][row.map] ?? []), row.opcode);
  if (row.modrm >= 0) bytes.push(row.modrm);
  else if (row.hasModrm) bytes.push((row.mod === 1 ? 0 : 0xc0) | (Math.max(row.extension, 0) << 3));
  bytes.push(0, 0, 0, 0, 0, 0, 0, 0);
  return Uint8Array.from(bytes);
}

test('instruction table: every row is what its own encoding decodes to', () => {
  const instruction = createInstruction();
  for (const row of ROWS.slice(1)) {
    if (!row.in64) continue;
    const bytes = encode(row);
    const name = `${row.mnemonic} ${row.operands.map((operand) => operand.text).join()}`;
    assert.equal(decode(bytes, 0, bytes.length, 0, instruction), Decoded.OK, name);
    assert.equal(instruction.row, row, name);
  }
});

test('instruction table: a row with a condition gives 16 rows', () => {
  const rows = parseRow('0F 80+cc cz  Jcc Jz  f64');
  assert.equal(rows.length, 16);
  assert.deepEqual([rows[4]?.mnemonic, rows[4]?.opcode, rows[4]?.condition], ['JE', 0x84, 4]);
});

test('instruction table: a malformed row is reported with its text', () => {
  for (const line of ['0F /r', '0F 10 /9  MOV Eb,Gb', 'XY  MOV', '00 /r  ADD Eb,Gb  lok', 'D9 40  FLD']) {
    assert.throws(() => parseRow(line), { name: 'HypervisorBug' }, line);
  }
});
