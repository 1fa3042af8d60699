// Names for the rows of the instruction table: the text that vectors, messages and exclusions call a row by, and
// the family whose file its vectors are in. A row's text does not change when other rows come or go.

import { CONDITION_NAMES, parseRow } from '../../src/engine-wasm/decode/row.ts';
import type { Row } from '../../src/engine-wasm/decode/row.ts';
import { INTEGER_ROWS } from '../../src/engine-wasm/decode/table-integer.ts';
import { MMX_ROWS } from '../../src/engine-wasm/decode/table-mmx.ts';
import { SSE_ROWS } from '../../src/engine-wasm/decode/table-sse.ts';
import { SSE4_ROWS } from '../../src/engine-wasm/decode/table-sse4.ts';
import { SYSTEM_ROWS } from '../../src/engine-wasm/decode/table-system.ts';
import { X87_ROWS } from '../../src/engine-wasm/decode/table-x87.ts';
import { ROWS } from '../../src/engine-wasm/decode/table.ts';

/** Names of the vector files. */
export const FAMILIES = ['integer', 'system', 'sse', 'sse4', 'mmx', 'x87'] as const;

/** A value of `FAMILIES`. */
export type Family = (typeof FAMILIES)[number];

/** A row with its name. */
export interface NamedRow {
  readonly row: Row;
  /** The line of the table with single spaces; a line for all conditions has the condition in it. */
  readonly text: string;
  readonly family: Family;
}

/** All rows that are valid in 64-bit mode. */
export const NAMED_ROWS: readonly NamedRow[] = nameRows();

function nameRows(): NamedRow[] {
  const lines = [...INTEGER_ROWS, ...SYSTEM_ROWS, ...SSE_ROWS, ...X87_ROWS]; // as in table.ts
  const named: NamedRow[] = [];
  let id = 1;
  for (const line of lines) {
    const family = familyOf(line);
    for (const { mnemonic } of parseRow(line)) {
      const row = ROWS[id++];
      if (row?.mnemonic !== mnemonic) throw new Error(`the lines are not in the order of ROWS: ${line}`);
      const text = line.trim().replaceAll(/ +/g, ' ');
      const condition = CONDITION_NAMES[row.condition];
      if (!row.in64) continue;
      named.push({
        row,
        text: condition === undefined ? text : text.replace('+cc', `+${row.condition}`).replace('cc', condition),
        family,
      });
    }
  }
  if (id !== ROWS.length) throw new Error('ROWS has more rows than the lines give');
  return named;
}

function familyOf(line: string): Family {
  if (INTEGER_ROWS.includes(line)) return 'integer';
  if (SYSTEM_ROWS.includes(line)) return 'system';
  if (SSE4_ROWS.includes(line)) return 'sse4';
  if (MMX_ROWS.includes(line)) return 'mmx';
  return SSE_ROWS.includes(line) ? 'sse' : 'x87';
}
