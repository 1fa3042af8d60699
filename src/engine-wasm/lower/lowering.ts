// The registry of lowerings: what each row of the instruction table means in IR. The block builder
// calls `LOWERINGS[row.id]`. SSE and MMX stand in `sse/` and `mmx/`, x87 in `x87/`, the general-purpose
// instructions in `integer/`. What a family file has to do stands at `LoweringTable` and `Lowering`.

import type { Instruction } from '../decode/instruction.ts';
import type { Row } from '../decode/row.ts';
import { ROWS } from '../decode/table.ts';
import type { IrBuilder } from '../ir/builder.ts';
import { INTEGER_LOWERINGS } from './integer/integer-lowerings.ts';
import { SSE_LOWERINGS } from './sse/sse-lowerings.ts';
import { SYSTEM_LOWERINGS } from './system.ts';
import { lowerUndefined } from './undefined.ts';
import { X87_LOWERINGS } from './x87/x87-lowerings.ts';

/**
 * Appends the records of one decoded instruction. A lowering
 * - appends records with `b.op`, `b.mem` (ModRM memory operand) and the control methods of `IrBuilder`; it looks numbers up
 *   with `opcodeOf` in the factory, never per instruction;
 * - writes no architectural slot before its last record that can fault: loads go to `temp(n)` or `xtemp(n)` first, and a
 *   destination in memory is read with `ldw..` and written with `stw..`;
 * - may use temp(0) to temp(14), and reads what it needs from the `Instruction`, which is reused afterwards;
 * - calls a runtime helper with `helper` of `operand.ts`, its number from `helperIndex` in the factory;
 * - appends at most `MAX_RECORDS` records.
 */
export type Lowering = (b: IrBuilder, i: Instruction) => void;

/** Makes the lowering of one row: is given each row of its mnemonic once, at start-up, and picks operation numbers and operand accessors for it. */
export type LoweringFactory = (row: Row) => Lowering;

/** Factories of a family by mnemonic. */
export type LoweringTable = Readonly<Record<string, LoweringFactory>>;

/** Most records of one instruction (enter with 31 nesting levels). */
export const MAX_RECORDS = 80;

/** Lowering of each row by `id`. */
export const LOWERINGS: readonly Lowering[] = ROWS.map((row) => {
  const factory = factoryOf(row);
  return factory === undefined ? lowerUndefined : factory(row);
});

/** The factory of a row; undefined when no family knows its mnemonic, which the tests refuse. */
export function factoryOf(row: Row): LoweringFactory | undefined {
  for (const table of [INTEGER_LOWERINGS, SYSTEM_LOWERINGS, SSE_LOWERINGS, X87_LOWERINGS]) {
    const factory = Object.hasOwn(table, row.mnemonic) ? table[row.mnemonic] : undefined;
    if (factory !== undefined) return factory;
  }
  return undefined;
}
