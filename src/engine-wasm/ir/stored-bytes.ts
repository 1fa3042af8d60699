// How much one instruction can store: for emulated stores to page tables, where most instructions store one entry and
// the hypervisor need not look for changes everywhere.

import { Rec, RECORD_SIZE } from './record.ts';
import { OPERATIONS } from './operations.ts';
import { JMP } from './operations/control.ts';

/** Most records of one instruction that are looked at. */
const MOST_RECORDS = 24;

/** The longest single store. */
const LONGEST = 16;

const UNKNOWN = new Set(['string', 'helper', 'call', 'callr', 'exit', 'head', 'compiled']);
const STORES: ReadonlySet<string> = new Set(['store', 'storeBack', 'push']);

/** By opcode: stores that a record makes; Infinity when that cannot be told. */
const NR_STORES: readonly number[] = OPERATIONS.map(({ name, memory }) => {
  if (UNKNOWN.has(name)) return Infinity;
  return memory !== undefined && STORES.has(memory.action) ? 1 : 0;
});

/** Most bytes that the instruction at a record, decoded alone, can store: 0 when it is not one store at most. */
export function storedBytes(u16: Uint16Array, record: number): number {
  let stores = 0;
  for (let n = 0; n < MOST_RECORDS; n++) {
    const opcode = u16[(record + n * RECORD_SIZE + Rec.OPCODE) >> 1];
    if (opcode === JMP) return stores <= 1 ? LONGEST : 0;
    stores += NR_STORES[opcode] ?? Infinity;
  }
  return 0;
}
