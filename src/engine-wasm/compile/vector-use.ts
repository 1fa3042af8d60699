// Which SSE registers and 16-byte temporaries a region names, found before it is compiled: so that its function
// loads and writes back no others. A set of them is a number with a bit for each: registers first, then temporaries.

import { Cpu } from '../../engine/index.ts';
import { operandUse } from '../ir/operand-use.ts';
import { opcodeOf, OPERATIONS } from '../ir/operations.ts';
import { type Field, FIELD_OFFSET, Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { HELPERS } from '../runtime/helper-table.ts';

/** Number of SSE registers. */
export const NR_XMM = 16;

/** Number of 16-byte temporaries; they follow the registers in the state block. */
export const NR_XTEMPS = 8;

/** The set of all SSE registers. */
export const ALL_XMM = 2 ** NR_XMM - 1;

/** The set of all 16-byte temporaries. */
export const ALL_XTEMPS = (2 ** NR_XTEMPS - 1) << NR_XMM;

/** What is used: sets of vector registers. */
export interface VectorUse {
  readonly read: number;
  readonly written: number;
  /** Sum of the widths of lanes that have operations with a quick path, see `QuickFloats`. */
  readonly quickLanes: number;
}

const SLOT_BYTES = 16;
const FIELDS: readonly Field[] = ['a', 'b', 'c', 'd'];
const HELPER = opcodeOf('helper');
const LOADS: ReadonlySet<string> = new Set(['load', 'loadForWrite']);

/** SSE registers that helpers look at or change beside their operands. */
const IMPLICIT: Readonly<Record<string, number>> = {
  'simd.fxsave': ALL_XMM,
  'simd.fxrstor': ALL_XMM,
  'simd.pcmpestrm': 1,
  'simd.pcmpistrm': 1,
};

/** By opcode: fields whose slots are read and written, and lanes of quick paths. */
const SLOTS: readonly (readonly [reads: readonly Field[], writes: readonly Field[], lanes: number])[] = OPERATIONS.map(
  (operation) => {
    if (operation.name === 'helper') return [['a', 'b'], ['a'], 0];
    if (operation.kind === 'control') return [[], [], 0];
    const { memory } = operation;
    if (memory !== undefined) return LOADS.has(memory.action) ? [[], ['a'], 0] : [['a'], [], 0];
    const { reads, writes, quickLanes } = operandUse(operation);
    let lanes = 0;
    for (const bits of quickLanes) lanes |= bits;
    return [FIELDS.filter((field) => reads.has(field)), FIELDS.filter((field) => writes.has(field)), lanes];
  },
);

/** The set with the vector register that a slot lies in; empty for other slots. */
export function vectorOf(slot: number): number {
  const n = Math.floor((slot - Cpu.XMM) / SLOT_BYTES);
  return n >= 0 && n < NR_XMM + NR_XTEMPS ? 1 << n : 0;
}

/** SSE registers that a helper looks at or changes beside its operands. */
export function implicitVectors(helper: number): number {
  return IMPLICIT[HELPERS[helper]?.[0] ?? ''] ?? 0;
}

/** What the records from `first` up to `last`, inclusive, use. */
export function vectorUse(memory: EngineMemory, first: number, last: number): VectorUse {
  const { u16, i32 } = memory;
  let read = 0;
  let written = 0;
  let quickLanes = 0;
  for (let record = first; record <= last; record += RECORD_SIZE) {
    const opcode = u16[record >> 1];
    const [reads, writes, lanes] = SLOTS[opcode];
    quickLanes |= lanes;
    for (const field of reads) read |= vectorOf(u16[(record + FIELD_OFFSET[field]) >> 1]);
    for (const field of writes) written |= vectorOf(u16[(record + FIELD_OFFSET[field]) >> 1]);
    if (opcode !== HELPER) continue;
    const implicit = implicitVectors(i32[(record + Rec.IMM) >> 2]);
    read |= implicit;
    written |= implicit;
  }
  return { read, written, quickLanes };
}
