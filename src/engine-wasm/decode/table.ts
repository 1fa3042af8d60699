// The instruction table: every encoding that the engine accepts, one row a line, in the manual's shape.
// Families stand in their own files (`table-integer.ts`, `table-system.ts`, `table-sse.ts`,
// `table-x87.ts`), each an array of lines. The decoder, the disassembler and the lowering registry are
// derived from it; what no row describes is #UD.
//
// A line has two or three columns with at least two spaces between them:
//
//   '80 /0 ib          ADD Eb,Ib           lock'
//   '66 0F 58 /r       ADDPD Vx,Wx'
//   'F3 0F 7E /r       MOVQ Vq,Wq'
//   '66 W1 0F 6E /r    MOVQ Vq,Eq'
//   '0F 40+cc /r       CMOVcc Gv,Ev'
//   'D9 /0             FLD Md'
//   'D9 C0+i           FLD STi'
//
// First column, in this order:
//   NP 66 F3 F2     The row is for exactly these prefix classes; NP is none of the three. F2 and F3 go before 66, the last of
//                   them counts. Without a mark the row takes every class that no marked row of the opcode names, and 66 is
//                   then the operand size.
//   W0 W1           REX.W must be so.
//   0F, 0F 38, 0F 3A, then the opcode byte. `50+r`: 8 opcodes with a register in the low bits. `70+cc`: 16 rows, one a condition.
//   /r /0 .. /7     A ModRM byte follows; a digit is the required reg field.
//   C0+i, D0        A whole ModRM byte with mod 3: 8 of them, or exactly that one.
//   ib iw id iz iv cb cz mo    Immediate (`Immediate` in row.ts); c is a relative target, mo an absolute address.
// Second column: mnemonic (upper case, `cc` is replaced) and operands in the notation of Intel SDM vol. 2D, appendix A.2:
//   E r/m   G reg   M memory only   R r/m, register only   I immediate   J relative   O absolute address   S C D segment, control,
//   debug register   X Y string source, destination   V W U like G E R for SSE registers   P Q N the same for MMX registers
//   and Z for the register in the opcode, STi for an x87 register, or a register's or number's name.
//   An M operand requires mod != 3; R, N and U require mod 3.
//   Sizes: b 1, w 2, d 4, q 8, t 10, x 16 bytes; v operand size; z operand size but at most 4; y 4, or 8 with REX.W; none: no size.
// Third column, marks:
//   lock            The lock prefix is allowed when the ModRM operand is memory.
//   d64 f64         The operand size is 64 bits unless 66 is there; is 64 bits always.
//   only64 only32   Not valid in 32-bit mode; not valid in 64-bit mode.
//   mem reg         mod must be other than 3; must be 3.
//
// What each mnemonic does is registered in `lower/lowering.ts`.

import { bug } from '../../base/index.ts';
import { parseRow, type Row, type RowFields } from './row.ts';
import { INTEGER_ROWS } from './table-integer.ts';
import { SSE_ROWS } from './table-sse.ts';
import { SYSTEM_ROWS } from './table-system.ts';
import { X87_ROWS } from './table-x87.ts';

/** All rows; a row's place is its `id`. Row 0 is no instruction. */
export const ROWS: readonly Row[] = numberRows([...INTEGER_ROWS, ...SYSTEM_ROWS, ...SSE_ROWS, ...X87_ROWS]);

/**
 * First step of a look-up, at `dispatchIndex`: 0 for #UD; a row number; or a number of a group, with
 * `GROUP` set, when the row depends on the ModRM byte.
 */
export const DISPATCH = new Uint16Array(4 * 256 * 8);

/** Bit in `DISPATCH` that marks a group number. */
export const GROUP = 0x8000;

/** Entries of one group. */
export const GROUP_SIZE = 72;

/** Rows of the groups, `GROUP_SIZE` each: by reg field for memory operands, then by the low 6 bits of a ModRM byte with mod 3. */
export const GROUPS: Uint16Array = buildDispatch(DISPATCH);

/** Index in `DISPATCH`. @param prefixClass - a value of `PrefixClass` */
export function dispatchIndex(map: number, opcode: number, prefixClass: number, w: number): number {
  return (map << 11) | (opcode << 3) | (prefixClass << 1) | w;
}

function numberRows(lines: readonly string[]): Row[] {
  const none = parseRow('0F 0B  UD')[0] ?? bug('the row parser gives no row');
  const fields: RowFields[] = [none];
  for (const line of lines) fields.push(...parseRow(line));
  return fields.map((row, id) => ({ id, ...row }));
}

/** Fills the dispatch array and returns the groups. Look-ups of one opcode that the same rows are valid for share a group. */
function buildDispatch(dispatch: Uint16Array): Uint16Array {
  const byOpcode = new Map<number, Row[]>();
  for (const row of ROWS) {
    if (row.id === 0 || !row.in64) continue;
    for (let n = 0; n < row.nrOpcodes; n++) {
      const key = dispatchIndex(row.map, row.opcode + n, 0, 0);
      const others = byOpcode.get(key);
      if (others === undefined) byOpcode.set(key, [row]);
      else others.push(row);
    }
  }
  const groups: Uint16Array[] = [];
  for (const [key, rows] of byOpcode) {
    const known: { rows: readonly Row[]; entry: number }[] = [];
    for (let low = 0; low < 8; low++) {
      const valid = rows.filter(
        (row) => ((row.prefixes >> (low >> 1)) & 1) !== 0 && (row.w < 0 || row.w === (low & 1)),
      );
      let same = known.find(
        (other) => other.rows.length === valid.length && other.rows.every((row, n) => row === valid[n]),
      );
      if (same === undefined) {
        same = { rows: valid, entry: dispatchEntry(valid, groups) };
        known.push(same);
      }
      dispatch[key | low] = same.entry;
    }
  }
  const all = new Uint16Array(groups.length * GROUP_SIZE);
  groups.forEach((group, n) => all.set(group, n * GROUP_SIZE));
  return all;
}

/** Value in `DISPATCH` for the rows of one look-up. A row that names its prefix goes before one that does not. */
function dispatchEntry(rows: readonly Row[], groups: Uint16Array[]): number {
  if (rows.length === 0) return 0;
  const withModrm = rows.filter((row) => row.hasModrm);
  if (withModrm.length === 0) return preferred(rows).id;
  if (withModrm.length !== rows.length) conflict(preferred(rows));
  const group = new Uint16Array(GROUP_SIZE);
  for (let cell = 0; cell < GROUP_SIZE; cell++) {
    const taking = rows.filter((row) => takesCell(row, cell));
    if (taking.length > 0) group[cell] = taking.length === 1 ? taking[0].id : preferred(taking).id;
  }
  return GROUP | (groups.push(group) - 1);
}

/** The one row among several for the same encoding that names its prefix, or the only row. */
function preferred(rows: readonly Row[]): Row {
  const named = rows.length === 1 ? rows : rows.filter((row) => row.namesPrefix);
  if (named.length !== 1) conflict(rows[0]);
  return named[0];
}

/** True when a row is valid for a cell of a group. */
function takesCell(row: Row, cell: number): boolean {
  const isMemory = cell < 8;
  const modrm = isMemory ? cell << 3 : 0xc0 | (cell - 8);
  if (row.mod !== 0 && (row.mod === 1) !== isMemory) return false;
  if (row.extension >= 0 && ((modrm >> 3) & 7) !== row.extension) return false;
  return row.modrm < 0 || (modrm >= row.modrm && modrm < row.modrm + row.nrModrms);
}

function conflict(row: Row): never {
  bug(
    `two instruction table rows have the same encoding, one of them is ${row.mnemonic} ${row.operands.map((o) => o.text).join()}`,
  );
}
