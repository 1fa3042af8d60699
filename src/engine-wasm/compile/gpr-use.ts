// Which general registers a region names, found before it is compiled: so that its function loads and writes back
// no others. A set of them is a number with a bit for each. Helpers and string instructions do not count: they work
// on the state block.

import { Cpu, Gpr } from '../../engine/index.ts';
import { operandUse } from '../ir/operand-use.ts';
import { opcodeOf, OPERATIONS } from '../ir/operations.ts';
import { COMPARE_AND_JUMPS } from '../ir/operations/compare-and-jump.ts';
import { type Field, FIELD_OFFSET, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';

/** Number of general registers. */
export const NR_GPR = 16;

/** Sets of general registers. */
export interface GprUse {
  /** Read or written. */
  readonly used: number;
  readonly written: number;
}

/** What records of one operation do: fields whose slots they read and write, and sets of registers beside them. */
interface Use {
  readonly reads: readonly Field[];
  readonly writes: readonly Field[];
  readonly used: number;
  readonly written: number;
}

const FIELDS: readonly Field[] = ['a', 'b', 'c', 'd'];
const RSP_BIT = 1 << Gpr.RSP;
const NOTHING: Use = { reads: [], writes: [], used: 0, written: 0 };
const STACK: Use = { reads: [], writes: [], used: RSP_BIT, written: RSP_BIT };

const USES: readonly Use[] = OPERATIONS.map(({ name }, opcode) => {
  const pair = COMPARE_AND_JUMPS.find((fused) => fused.name === name);
  return useOf(pair === undefined ? opcode : opcodeOf(pair.compare));
});

/** What the records from `first` up to `last`, inclusive, use. */
export function gprUse(memory: EngineMemory, first: number, last: number): GprUse {
  const { u16 } = memory;
  let used = 0;
  let written = 0;
  for (let record = first; record <= last; record += RECORD_SIZE) {
    const use = USES[u16[record >> 1]];
    used |= use.used;
    written |= use.written;
    for (const field of use.reads) used |= gprOf(u16[(record + FIELD_OFFSET[field]) >> 1]);
    for (const field of use.writes) written |= gprOf(u16[(record + FIELD_OFFSET[field]) >> 1]);
  }
  return { used: used | written, written };
}

function useOf(opcode: number): Use {
  const operation = OPERATIONS[opcode];
  const { name, kind, memory } = operation;
  if (kind === 'control') {
    if (name === 'call' || name === 'ret') return STACK;
    if (name === 'callr') return { ...STACK, reads: ['c'] };
    if (name === 'jmpr') return { ...NOTHING, reads: ['c'] };
    return name.startsWith('jz') || name.startsWith('jnz') ? { ...NOTHING, reads: ['a'] } : NOTHING;
  }
  if (memory !== undefined) {
    const address: Field[] = memory.indexed ? ['b', 'c'] : ['b'];
    switch (memory.action) {
      case 'push':
        return { ...STACK, reads: ['a'] };
      case 'pop':
        return { ...STACK, writes: ['a'] };
      case 'store':
      case 'storeBack':
        return { ...NOTHING, reads: ['a', ...address] };
      default:
        return { ...NOTHING, reads: address, writes: ['a'] };
    }
  }
  const use = operandUse(operation);
  return {
    reads: FIELDS.filter((field) => use.reads.has(field)),
    writes: FIELDS.filter((field) => use.writes.has(field)),
    used: gprsOf(use.stateReads),
    written: gprsOf(use.stateWrites),
  };
}

function gprsOf(offsets: ReadonlySet<number>): number {
  let set = 0;
  for (const offset of offsets) set |= gprOf(offset);
  return set;
}

function gprOf(slot: number): number {
  const n = (slot - Cpu.GPR) >> 3;
  return n >= 0 && n < NR_GPR ? 1 << n : 0;
}
