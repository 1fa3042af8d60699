// Lowerings of all rows: golden records, and the rule that faults are precise.
// The golden file is accepted with `node --test --test-update-snapshots src/engine-wasm/lower/lowering.test.ts`.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { Cpu } from '../../engine/index.ts';
import { createInstruction, decode, Decoded } from '../decode/decode.ts';
import { disassemble } from '../decode/disassemble.ts';
import type { Row } from '../decode/row.ts';
import { ROWS } from '../decode/table.ts';
import { IrBuilder } from '../ir/builder.ts';
import { operandUse } from '../ir/operand-use.ts';
import { OPERATIONS } from '../ir/operations.ts';
import { printRecords } from '../ir/print.ts';
import { type Field, FIELD_OFFSET, Rec, RECORD_SIZE } from '../ir/record.ts';
import { HELPERS } from '../runtime/helper-table.ts';
import { GOLDEN_CODE } from './golden-code.ts';
import { factoryOf, LOWERINGS, MAX_RECORDS } from './lowering.ts';

const instruction = createInstruction();

test('lowering: there is one for every row of the instruction table', () => {
  const missing = ROWS.slice(1).filter((row) => factoryOf(row) === undefined);
  assert.deepEqual(
    missing.map((row) => row.mnemonic),
    [],
  );
});

test('lowering: the records of a sample of instructions are as in the golden file', (t) => {
  const lines: string[] = [];
  for (const hex of GOLDEN_CODE) {
    const bytes = Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
    assert.equal(decode(bytes, 0, bytes.length, 0, instruction), Decoded.OK, hex);
    const b = new IrBuilder(MAX_RECORDS);
    b.beginInstruction(instruction);
    LOWERINGS[instruction.row.id]?.(b, instruction);
    lines.push(`${disassemble(instruction)}    ; ${hex}`);
    if (b.nrRecords > 0) lines.push(printRecords(b.bytes, b.nrRecords).replaceAll(/^/gm, '  '));
  }
  const file = join(import.meta.dirname, 'lowering.golden.txt');
  t.assert.fileSnapshot(`${lines.join('\n')}\n`, file, { serializers: [String] });
});

/** Encodings of a row: with registers, memory operands of several kinds, prefixes. */
function encodings(row: Row): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (const rexOrNone of [0, 0x40, 0x48, 0x4d]) {
    for (const extra of [[], [0x66], [0x65], [0x67], [0xf2], [0x65, 0x67]]) {
      for (const modrm of [0xc0, 0xd9, 0x04, 0x45, 0x84, 0x05]) {
        const bytes = [...extra];
        const prefixClass = row.namesPrefix ? [0, 1, 2, 3].find((n) => ((row.prefixes >> n) & 1) !== 0) : 0;
        if (prefixClass !== undefined && prefixClass !== 0) bytes.push([0, 0x66, 0xf3, 0xf2][prefixClass] ?? 0);
        if (rexOrNone !== 0) bytes.push(rexOrNone);
        bytes.push(...([[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][row.map] ?? []), row.opcode);
        if (row.modrm >= 0) bytes.push(row.modrm);
        else if (row.hasModrm) bytes.push(row.extension < 0 ? modrm : (modrm & 0xc7) | (row.extension << 3));
        bytes.push(0x24, 0x88, 0x42, 0x11, 0x7f, 0x33, 0x91, 0x05, 0x06);
        list.push(Uint8Array.from(bytes));
      }
    }
  }
  return list;
}

/** Helpers that change nothing but the temporaries they are given, so that a fault may still come after them. */
const PURE_HELPERS = ['readFlags'];

const USES = OPERATIONS.map(operandUse);

/** True for slots that the guest can see. */
function isArchitectural(slot: number): boolean {
  return slot < Cpu.ZERO || (slot >= Cpu.X87 && slot < Cpu.XTEMP);
}

/** The first record that can fault after one that changed what the guest sees; -1 when there is none. */
function imprecise(bytes: Uint8Array, nrRecords: number): number {
  const view = new DataView(bytes.buffer);
  const field = (n: number, name: Field): number => view.getUint16(n * RECORD_SIZE + FIELD_OFFSET[name], true);
  let changed = false;
  let probed = false; // long operands are probed for writing at both ends before their stores
  for (let n = 0; n < nrRecords; n++) {
    const number = view.getUint16(n * RECORD_SIZE + Rec.OPCODE, true);
    const operation = OPERATIONS[number];
    const use = USES[number];
    if (operation === undefined || use === undefined) return n;
    const { memory } = operation;
    const isHelper = operation.name === 'helper';
    const helperName = isHelper ? (HELPERS[view.getInt32(n * RECORD_SIZE + Rec.IMM, true)]?.[0] ?? '') : '';
    const faults =
      use.canRaise ||
      (memory !== undefined &&
        !['storeBack', 'address'].includes(memory.action) &&
        !(probed && memory.action === 'store')) ||
      ['call', 'callr', 'ret', 'string'].includes(operation.name);
    if (faults && changed) return n;
    probed ||= memory?.action === 'loadForWrite';
    if (memory !== undefined) {
      const writesSlot = ['load', 'loadForWrite', 'pop', 'address'].includes(memory.action);
      changed ||=
        memory.action === 'push' || memory.action === 'store' || (writesSlot && isArchitectural(field(n, 'a')));
      // a store is no register, but a fault after it would leave half an instruction
    } else {
      const slots = [...use.writes].some((name) => isArchitectural(field(n, name)));
      changed ||=
        slots || use.setsFlags || use.stateWrites.size > 0 || (isHelper && !PURE_HELPERS.includes(helperName));
    }
  }
  return -1;
}

test('lowering: nothing that the guest sees changes before the last record of an instruction that can fault', () => {
  const problems: string[] = [];
  for (const row of ROWS.slice(1)) {
    if (row.mnemonic === 'ENTER') continue; // stores one frame pointer after the other, as hardware does
    for (const bytes of encodings(row)) {
      if (decode(bytes, 0, bytes.length, 0, instruction) !== Decoded.OK || instruction.row !== row) continue;
      const b = new IrBuilder(MAX_RECORDS);
      b.beginInstruction(instruction);
      LOWERINGS[row.id]?.(b, instruction);
      const at = imprecise(b.bytes, b.nrRecords);
      if (at >= 0) problems.push(`${disassemble(instruction)}, record ${at}:\n${printRecords(b.bytes, b.nrRecords)}`);
    }
  }
  assert.deepEqual(problems.slice(0, 5), [], `${problems.length} encodings`);
});
