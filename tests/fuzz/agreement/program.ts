// A random program as data: functions of items, each an instruction or a label, so that one can be left out and the
// rest assembled again. Made by the generator, taken apart by the shrinker.

import { addressOfPage, aliasOf, NR_CODE, PAGE, Page, Table } from './layout.ts';
import type { Round } from './round.ts';

/** What a fixup points at: a label of the program, or an address. */
export interface Target {
  readonly label?: number;
  readonly address?: number;
  readonly addend?: number;
  /** The code's address in its other mapping. */
  readonly alias?: boolean;
}

/** A place in an instruction that is filled in when addresses are known. */
interface Fixup {
  readonly at: number;
  /** 1 and 4: 'relative' to the instruction's end, or absolute; 8: absolute. */
  readonly size: 1 | 4 | 8;
  readonly relative: boolean;
  readonly target: Target;
}

/** One instruction, or a label. */
export interface Item {
  readonly bytes: readonly number[];
  readonly fixups: readonly Fixup[];
  /** A label stands here. */
  readonly label?: number;
  /** The same with a 4-byte displacement, for when the target is out of reach of the 1-byte one. */
  readonly long?: Item;
}

/** A routine: its place in the code pages, and what is in it. */
export interface Routine {
  readonly offset: number;
  readonly items: readonly Item[];
}

/** A program, with all that happens while it runs. */
export interface Program {
  readonly seed: number;
  readonly routines: readonly Routine[];
  /** Labels of the routines' beginnings: where control is put when it is lost. */
  readonly entries: readonly number[];
  /** What the jump tables hold. */
  readonly targets: readonly Target[];
  readonly rounds: readonly Round[];
  /** Chance, in percent, that a fault is mended by giving the instruction what it wants. */
  readonly mending: number;
  /** Instructions that it runs for. */
  readonly length: number;
  /** Most rounds that loops and recursion in memory begin with. */
  readonly deepest: number;
}

/** An assembled program. */
export interface Image {
  readonly code: Uint8Array;
  /** Jump tables. */
  readonly tables: Uint8Array;
  /** Virtual addresses of the entries. */
  readonly entries: readonly number[];
  /** Offsets in the code where an item begins. */
  readonly starts: readonly number[];
}

const INT3 = 0xcc;
const CODE_START = addressOfPage(Page.CODE);
const CODE_SIZE = NR_CODE * PAGE;

/** An item without fixups. */
export function plain(...bytes: number[]): Item {
  return { bytes, fixups: [] };
}

/** Assembles a program. Routines that would run into the next one or out of the pages are cut short. */
export function assemble(program: Program): Image {
  const long = new Set<Item>();
  for (;;) {
    const before = long.size;
    const image = attempt(program, long);
    if (long.size === before) return image;
  }
}

function attempt({ routines, entries, targets }: Program, long: Set<Item>): Image {
  const code = new Uint8Array(CODE_SIZE).fill(INT3);
  const labels = new Map<number, number>();
  const placed: { item: Item; original: Item; offset: number }[] = [];
  const starts: number[] = [];
  routines.forEach(({ offset, items }, n) => {
    const end = routines[n + 1]?.offset ?? CODE_SIZE;
    let at = offset;
    for (const original of items) {
      const item = long.has(original) ? (original.long ?? original) : original;
      if (at + item.bytes.length > end) break;
      if (item.label !== undefined) labels.set(item.label, at);
      if (item.bytes.length === 0) continue;
      starts.push(at);
      placed.push({ item, original, offset: at });
      code.set(item.bytes, at);
      at += item.bytes.length;
    }
  });
  const addressOf = (target: Target): number => {
    const known = target.address ?? CODE_START + (labels.get(target.label ?? -1) ?? routines[0]?.offset ?? 0);
    const address = known + (target.addend ?? 0);
    return target.alias === true && target.address === undefined ? aliasOf(address) : address;
  };
  const view = new DataView(code.buffer);
  for (const { item, original, offset } of placed) {
    const end = CODE_START + offset + item.bytes.length;
    for (const { at, size, relative, target } of item.fixups) {
      const value = addressOf(target) - (relative ? end : 0);
      if (size === 8) view.setBigUint64(offset + at, BigInt(value), true);
      else if (size === 4) view.setInt32(offset + at, value | 0, true);
      else if (value >= -128 && value < 128) view.setInt8(offset + at, value);
      else if (original.long === undefined) view.setInt8(offset + at, 0);
      else long.add(original);
    }
  }
  const tables = new Uint8Array(8 * Table.NR_TARGETS);
  const tableView = new DataView(tables.buffer);
  for (let n = 0; n < Table.NR_TARGETS; n++) {
    const target = targets[n];
    tableView.setBigUint64(8 * n, BigInt(target === undefined ? CODE_START : addressOf(target)), true);
  }
  return { code, tables, entries: entries.map((label) => addressOf({ label })), starts };
}
