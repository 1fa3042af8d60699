// Which vector registers are known to hold no denormal numbers, so that the quick path of arithmetic need not look at
// them: what else is not ordinary shows in the result. Results of arithmetic are not denormal in compiled code, which is
// left where they are. Found for the beginning of each node from all ways to it, then followed record by record.

import { opcodeOf, OPERATIONS } from '../ir/operations.ts';
import type { LaneBits } from '../ir/operations/ordinary.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import type { RegionNode } from './region.ts';
import { vectorOf, vectorUse } from './vector-use.ts';

/**
 * Sets of vector registers, see `vector-use.ts`: those whose lowest lane, or all of whose lanes, are known; as two
 * double-precision numbers, as four single-precision ones.
 */
export interface KnownNumbers {
  lowestDouble: number;
  doubles: number;
  lowestSingle: number;
  singles: number;
}

type SetName = keyof KnownNumbers;

/** What an operation makes known about its first operand: names of sets, or how it follows from others. */
type Effect = readonly SetName[] | 'copy' | 'lowest' | 'extended' | 'zero' | 'pair' | undefined;

const ALL_SETS: readonly SetName[] = ['lowestDouble', 'doubles', 'lowestSingle', 'singles'];
const UPPER = 8;
const SLOT_BYTES = 16;

const RESULTS: readonly (readonly [RegExp, readonly SetName[]])[] = [
  [/^(add|sub|mul|div|sqrt)sd$|^cvtsi2sd_/, ['lowestDouble']],
  [/^(add|sub|mul|div|sqrt|hadd|hsub|addsub)pd$|^cvtdq2pd$/, ['lowestDouble', 'doubles']],
  [/^(add|sub|mul|div|sqrt)ss$|^cvtsi2ss_|^cvtsd2ss$/, ['lowestSingle']],
  [/^(add|sub|mul|div|sqrt|hadd|hsub|addsub)ps$|^cvtdq2ps$/, ['lowestSingle', 'singles']],
];

const MOVES: Readonly<Record<string, Effect>> = {
  mov128: 'copy',
  mov64: 'lowest',
  movq: 'extended',
  pxor: 'zero',
  punpcklqdq: 'pair',
};

const EFFECTS: readonly Effect[] = OPERATIONS.map(
  ({ name }) => MOVES[name] ?? RESULTS.find(([pattern]) => pattern.test(name))?.[1],
);
const VZERO = opcodeOf('vzero');

/** In which lanes a result of an operation is not denormal: where `fallBack` has to see to it. */
export function promisedLanes(opcode: number): { readonly bits: LaneBits; readonly scalar: boolean } | undefined {
  const effect = EFFECTS[opcode];
  if (typeof effect !== 'object') return undefined;
  const bits = effect.includes('lowestDouble') ? 64 : 32;
  return { bits, scalar: effect.length === 1 };
}

/** What is known at the place that has been come to. */
export class OrdinaryNumbers {
  readonly #memory: EngineMemory;
  /** At the beginning of each node; none where it was not reached. */
  readonly #atNodes: readonly (KnownNumbers | undefined)[];
  #now = nothing();

  constructor(nodes: readonly RegionNode[], memory: EngineMemory) {
    this.#memory = memory;
    this.#atNodes = this.#analyse(nodes);
  }

  /** Goes to the beginning of a node. */
  enter(node: number): void {
    this.#now = { ...(this.#atNodes[node] ?? nothing()) };
  }

  /** Goes behind a record. */
  pass(record: number): void {
    this.#follow(this.#now, record);
  }

  /** Whether a slot is known to hold numbers of a precision. @param scalar - only in the lowest lane */
  isKnown(slot: number, bits: LaneBits, scalar: boolean): boolean {
    const set = bits === 64 ? (scalar ? 'lowestDouble' : 'doubles') : scalar ? 'lowestSingle' : 'singles';
    return slot % SLOT_BYTES === 0 && (this.#now[set] & vectorOf(slot)) !== 0;
  }

  #analyse(nodes: readonly RegionNode[]): readonly (KnownNumbers | undefined)[] {
    const atNodes: (KnownNumbers | undefined)[] = [nothing()];
    const queue = [0];
    for (let number = queue.pop(); number !== undefined; number = queue.pop()) {
      const node = nodes[number];
      const known = { ...(atNodes[number] ?? nothing()) };
      for (let record = node.first; record < node.last; record += RECORD_SIZE) this.#follow(known, record);
      // Behind a call that leaves the region anything may be in the registers.
      const after = node.end === 'call' || node.end === 'callr' ? nothing() : known;
      for (const target of node.targets) {
        if (target < 0) continue;
        const before = atNodes[target];
        const met = before === undefined ? { ...after } : intersection(before, after);
        if (before !== undefined && ALL_SETS.every((set) => before[set] === met[set])) continue;
        atNodes[target] = met;
        queue.push(target);
      }
    }
    return atNodes;
  }

  #follow(known: KnownNumbers, record: number): void {
    const { written } = vectorUse(this.#memory, record, record);
    if (written === 0) return;
    const { u16 } = this.#memory;
    const opcode = u16[record >> 1];
    const a = u16[(record + Rec.A) >> 1];
    const b = u16[(record + Rec.B) >> 1];
    const c = u16[(record + Rec.C) >> 1];
    const from = vectorOf(b);
    const effect = opcode === VZERO || (EFFECTS[opcode] === 'zero' && b === c) ? ALL_SETS : EFFECTS[opcode];
    const before = { ...known };
    const upper = a % SLOT_BYTES >= UPPER;
    const has = (set: SetName, register: number): boolean => register !== 0 && (before[set] & register) !== 0;
    const put = (set: SetName, isKnown: boolean): void => {
      known[set] = isKnown ? known[set] | written : known[set] & ~written;
    };
    for (const set of ALL_SETS) if (!upper || set === 'doubles' || set === 'singles') put(set, false);
    if (upper || effect === undefined || effect === 'zero') return;
    const isLowest = b % SLOT_BYTES === 0;
    if (effect === 'copy') for (const set of ALL_SETS) put(set, has(set, from));
    else if (effect === 'lowest') {
      put('lowestDouble', isLowest && has('lowestDouble', from));
      put('lowestSingle', isLowest && has('lowestSingle', from));
    } else if (effect === 'extended') {
      put('lowestDouble', isLowest && has('lowestDouble', from));
      put('doubles', isLowest && has('lowestDouble', from));
      put('lowestSingle', isLowest && has('lowestSingle', from));
    } else if (effect === 'pair') {
      put('lowestDouble', has('lowestDouble', from));
      put('doubles', has('lowestDouble', from) && has('lowestDouble', vectorOf(c)));
    } else for (const set of effect) put(set, true);
  }
}

function nothing(): KnownNumbers {
  return { lowestDouble: 0, doubles: 0, lowestSingle: 0, singles: 0 };
}

function intersection(x: KnownNumbers, y: KnownNumbers): KnownNumbers {
  return {
    lowestDouble: x.lowestDouble & y.lowestDouble,
    doubles: x.doubles & y.doubles,
    lowestSingle: x.lowestSingle & y.lowestSingle,
    singles: x.singles & y.singles,
  };
}
