// Indirect jumps to known targets in a region: a table in memory 0, found by a hash of the target's distance from the
// code page, tells the number of the label to branch to. Tables are made so that no two targets share a slot.

import { bug } from '../../base/index.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import type { Label } from '../wasm/function-builder.ts';
import { M, W } from '../wasm/instructions.ts';
import type { CompilerEmitter } from './emitter.ts';
import { type Links, MAX_BITS } from './links.ts';

/** A target that is known. */
export interface SwitchTarget {
  /** Distance from the beginning of the entry's page. */
  readonly place: number;
  readonly label: Label;
}

/** Byte offsets in an entry of a table; the place of an empty entry is one that no jump can have. */
const Entry = { PLACE: 0, NUMBER: 8 } as const;
const ENTRY_SHIFT = 4;
const NO_PLACE = 2n ** 63n;
const MAX_TRIES = 2048;
const FACTOR_STEP = 0x9e3779b1;

/**
 * Emits the branch; control falls out of the code for a target that is not known.
 * @param goesBack - some targets are behind: then it falls out when the budget is used up, too
 */
export function emitSwitch(
  e: CompilerEmitter,
  memory: EngineMemory,
  links: Links,
  targets: readonly SwitchTarget[],
  goesBack: boolean,
): void {
  const { f } = e;
  const { rip, codePage, entry, offset, budget } = e.locals;
  const { bits, factor } = findHash(targets.map(({ place }) => place));
  const table = links.table(2 ** bits);
  fillTable(memory, table, bits, factor, targets);
  f.get(rip).get(codePage).op(W.i64Sub).tee(offset).op(W.i32WrapI64).i32(factor).op(W.i32Mul);
  f.i32(32 - bits)
    .op(W.i32ShrU)
    .i32(ENTRY_SHIFT)
    .op(W.i32Shl)
    .tee(entry);
  f.mem(M.i64Load, table + Entry.PLACE)
    .get(offset)
    .op(W.i64Eq);
  if (goesBack) f.get(budget).i32(0).op(W.i32GtS).op(W.i32And);
  f.if();
  const unknown = f.block();
  f.get(entry).mem(M.i32Load, table + Entry.NUMBER);
  f.branchTable(
    targets.map(({ label }) => label),
    unknown,
  );
  f.end().end();
}

/** A factor and a number of bits under which no two places share a slot. */
function findHash(places: readonly number[]): { bits: number; factor: number } {
  const smallest = Math.max(1, Math.ceil(Math.log2(places.length * 2)));
  for (let bits = smallest; bits <= MAX_BITS; bits++) {
    const takenBy = new Uint16Array(2 ** bits);
    for (let n = 1; n < MAX_TRIES; n++) {
      const factor = Math.imul(FACTOR_STEP, 2 * n + 1);
      const isTaken = places.some((place) => {
        const slot = slotOf(place, bits, factor);
        if (takenBy[slot] === n) return true;
        takenBy[slot] = n;
        return false;
      });
      if (!isTaken) return { bits, factor };
    }
  }
  return bug('no hash keeps the targets of a switch apart');
}

function slotOf(place: number, bits: number, factor: number): number {
  return Math.imul(place, factor) >>> (32 - bits);
}

function fillTable(
  memory: EngineMemory,
  table: number,
  bits: number,
  factor: number,
  targets: readonly SwitchTarget[],
): void {
  const { u32, u64 } = memory;
  for (let slot = 0; slot < 2 ** bits; slot++) u64[(table >> 3) + 2 * slot] = NO_PLACE;
  targets.forEach(({ place }, number) => {
    const at = table + (slotOf(place, bits, factor) << ENTRY_SHIFT);
    u64[(at + Entry.PLACE) >> 3] = BigInt.asUintN(64, BigInt(place));
    u32[(at + Entry.NUMBER) >> 2] = number;
  });
}
