// What the code behind a loop or merge point wants of the arithmetic flags that come with the edges to it. Most loops
// overwrite them before anybody looks, unless the code is left before, which is rare: then it is enough to know how
// they are to be computed.

import { RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { FLAG_USES } from './flag-use.ts';
import { IS_FUSED } from './record-end.ts';
import type { RegionNode } from './region.ts';
import type { Structure } from './structure.ts';

/** `nothing`: nobody looks at them; `kind`: only code that leaves the region may; `values`: somebody does. */
export type FlagNeed = 'nothing' | 'kind' | 'values';

/** The needs of a region's nodes. */
export class FlagNeeds {
  readonly #nodes: readonly RegionNode[];
  readonly #structure: Structure;
  readonly #memory: EngineMemory;
  readonly #known: FlagNeed[] = [];

  constructor(nodes: readonly RegionNode[], structure: Structure, memory: EngineMemory) {
    this.#nodes = nodes;
    this.#structure = structure;
    this.#memory = memory;
  }

  /** The need of what begins with a node. */
  of(node: number): FlagNeed {
    return (this.#known[node] ??= this.#find(node));
  }

  #find(start: number): FlagNeed {
    const { u16 } = this.#memory;
    const { order } = this.#structure;
    let need: FlagNeed = 'nothing';
    for (let at = start; ;) {
      const { first, last, end, targets } = this.#nodes[at];
      for (let record = first; record < last; record += RECORD_SIZE) {
        const use = FLAG_USES[u16[record >> 1]];
        if (use.overwrites) return need;
        if (!use.isNeutral) return 'values';
        if (use.mayLeave) need = 'kind';
      }
      switch (end) {
        case 'branch':
          return IS_FUSED[u16[last >> 1]] ? need : 'values'; // a comparison overwrites them
        case 'exit':
        case 'jumpr':
          return 'kind';
        case 'fall':
        case 'jump':
          break;
        case 'enter':
        case 'return':
          need = 'kind';
          break;
        default:
          return 'values';
      }
      const next = targets[0] ?? -1;
      if (next < 0) return 'kind';
      if (order[next] <= order[at]) return 'values';
      at = next;
    }
  }
}
