// A region: what is compiled as one function. Blocks that control reaches from a hot one, on one page or several,
// with the small functions that they call in their callers' places, cut into nodes that control enters only at
// their beginning. Records stay where the interpreter has them: a node names them by their addresses. Places in
// guest code are distances in bytes from the beginning of the entry's page: a region runs wherever its pages lie
// in the same order.

import { Cpu } from '../../engine/index.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { USER_TLB } from '../runtime/layout.ts';
import { type BlockFinder, type Collected, collectBlocks, type Instance, type RegionPage } from './collect.ts';
import { END_OF, IS_FUSED, type RecordEnd } from './record-end.ts';

/**
 * How a node ends: as its last record does, or by falling into another block. `enter`: a call whose target is in the
 * region; `dispatch`: an indirect jump that goes on in the region's one `switch`, a node without records.
 */
export type NodeEnd = RecordEnd | 'fall' | 'enter' | 'dispatch' | 'switch';

/** A stretch of records without control flow, and what follows it. */
export interface RegionNode {
  /** First record. */
  readonly first: number;
  /** The control record that ends the node, or the record behind it when the node just falls into the next (`fall`). */
  readonly last: number;
  readonly end: NodeEnd;
  /** Distance of the page that the records are on. */
  readonly page: number;
  /** Instructions to charge when control falls into another block; 0 within a block. */
  readonly charge: number;
  /**
   * Nodes that follow, -1 outside the region: of a branch the target and the next; of a call the one behind it; of a
   * return the one behind the call that it returns from, when that is in the region; of a switch every known target.
   */
  readonly targets: number[];
  /** Distances of the targets that begin blocks. */
  readonly places: number[];
}

/** A region; node 0 is its only entry. */
export interface Region {
  /** Distance of the entry: its offset in its page. */
  readonly entry: number;
  /** The pages with code of the region; the first is the entry's. */
  readonly pages: readonly RegionPage[];
  /** Displacement of the TLBs of the mode that the region is for. */
  readonly tlbDisplacement: number;
  readonly nodes: readonly RegionNode[];
}

const MAX_NODES = 480;

/** Forms the region of the block at an offset of the page that the finder's distances begin at. */
export function formRegion(memory: EngineMemory, finder: BlockFinder, entry: number): Region {
  const collected = collectBlocks(memory, finder, entry);
  const nodes: MutableNode[] = [];
  const firstNodes = new Map<Instance, number>();
  for (const instance of collected.instances) {
    if (nodes.length >= MAX_NODES) break;
    firstNodes.set(instance, nodes.length);
    new BlockCutter(memory, collected, instance, nodes).cut();
  }
  for (const node of nodes) {
    for (const instance of node.followers)
      node.targets.push(instance === undefined ? -1 : (firstNodes.get(instance) ?? -1));
    if (node.next >= 0) node.targets.push(node.next);
  }
  addSwitch(nodes, collected, firstNodes);
  const tlbDisplacement = memory.u32[Cpu.KERNEL_MODE >> 2] === 0 ? USER_TLB : 0;
  return { entry, pages: collected.pages, tlbDisplacement, nodes };
}

/** Adds the node that indirect jumps go on in. */
function addSwitch(nodes: MutableNode[], collected: Collected, firstNodes: ReadonlyMap<Instance, number>): void {
  const places = collected.switchTargets;
  if (places.length === 0) return;
  for (const node of nodes) if (node.end === 'dispatch') node.targets.push(nodes.length);
  const { blocks } = collected.own;
  const targets = places.map((place) => {
    const instance = blocks.get(place);
    return instance === undefined ? -1 : (firstNodes.get(instance) ?? -1);
  });
  const shape = { end: 'switch', page: 0, charge: 0, followers: [], next: -1 } as const;
  nodes.push({ ...shape, first: RECORD_SIZE, last: 0, targets, places: [...places] });
}

interface MutableNode extends RegionNode {
  /** Blocks that follow, as `places`. */
  readonly followers: readonly (Instance | undefined)[];
  /** The node of the not-taken path, or -1. */
  readonly next: number;
}

/** Cuts one block into nodes: behind conditional jumps, and where another block of the same call begins. */
class BlockCutter {
  readonly #memory: EngineMemory;
  readonly #collected: Collected;
  readonly #instance: Instance;
  readonly #nodes: MutableNode[];
  #first: number;

  constructor(memory: EngineMemory, collected: Collected, instance: Instance, nodes: MutableNode[]) {
    this.#memory = memory;
    this.#collected = collected;
    this.#instance = instance;
    this.#nodes = nodes;
    this.#first = instance.record;
  }

  cut(): void {
    const { u16 } = this.#memory;
    const { page, call, record: start, place } = this.#instance;
    let record = start;
    let rip = place - page;
    let instructions = 1;
    for (;;) {
      const offset = u16[(record + Rec.RIP) >> 1];
      if (offset !== rip) {
        rip = offset;
        if (call.blocks.has(page + rip)) {
          this.#add(record, 'fall', [page + rip], -1, instructions);
          return;
        }
        instructions++;
      }
      let last = record;
      if (IS_FUSED[u16[record >> 1]]) last += RECORD_SIZE;
      const end = END_OF[u16[last >> 1]];
      if (end === undefined) {
        record += RECORD_SIZE;
        continue;
      }
      this.#end(record, last, end);
      if (end !== 'branch') return;
      record = last + RECORD_SIZE;
      this.#first = record;
    }
  }

  /** @param record - the first record of the pair that ends the node; @param last - the jump of the pair */
  #end(record: number, last: number, end: RecordEnd): void {
    const { u16, i32 } = this.#memory;
    const { page, call, callee } = this.#instance;
    const target = page + i32[(last + Rec.IMM) >> 2];
    switch (end) {
      case 'jump':
        return this.#add(record, end, [target]);
      case 'branch':
        return this.#add(record, end, [target], this.#nodes.length + 1);
      case 'call':
        if (callee?.blocks.has(target) === true)
          return this.#addTo(record, 'enter', [target], [callee.blocks.get(target)]);
        return this.#add(record, end, [page + u16[(last + Rec.A) >> 1]]);
      case 'callr':
        return this.#add(record, end, [page + u16[(last + Rec.A) >> 1]]);
      case 'return':
        if (call.caller === undefined) return this.#add(record, end, []);
        return this.#addTo(record, end, [call.back], [call.caller.blocks.get(call.back)]);
      case 'jumpr': {
        const isKnown = call.caller === undefined && this.#collected.switchTargets.length > 0;
        return this.#add(record, isKnown ? 'dispatch' : end, []);
      }
      case 'exit':
        return this.#add(record, end, []);
    }
  }

  #add(record: number, end: NodeEnd, places: readonly number[], next = -1, charge = 0): void {
    const { blocks } = this.#instance.call;
    this.#addTo(
      record,
      end,
      places,
      places.map((place) => blocks.get(place)),
      next,
      charge,
    );
  }

  #addTo(
    record: number,
    end: NodeEnd,
    places: readonly number[],
    followers: readonly (Instance | undefined)[],
    next = -1,
    charge = 0,
  ): void {
    const { page } = this.#instance;
    this.#nodes.push({
      first: this.#first,
      last: record,
      end,
      page,
      charge,
      targets: [],
      places: [...places],
      followers,
      next,
    });
  }
}
