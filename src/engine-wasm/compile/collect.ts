// Chooses the blocks of a region, beginning at its entry: what direct jumps reach, what comes behind calls, what
// indirect jumps have been seen to reach, and small functions in the places of their calls. A block can be in a
// region several times, once for each call that it is part of.

import { Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { END_OF, IS_FUSED, type RecordEnd } from './record-end.ts';

/** A page with code of a region. */
export interface RegionPage {
  /** Distance in bytes from the entry's page. */
  readonly distance: number;
  readonly frame: number;
}

/** Where region formation finds blocks, by their distances from the beginning of the entry's page. */
export interface BlockFinder {
  /** First record behind the head of the block, or 0 when there is none worth compiling. */
  block(place: number): number;
  /** Frame of the page at a distance, or -1 when it is not known. */
  frame(distance: number): number;
  /** Frame that the block's only instruction runs over into, or -1. */
  spill(record: number): number;
  /** Blocks of a page that indirect jumps have reached. */
  jumpTargets(distance: number): readonly number[];
}

/** The code of one function in a region: the entry's own, or that of a call in whose place it stands. */
export interface CallFrame {
  /** The frame that it returns to; undefined for the entry's own. */
  readonly caller: CallFrame | undefined;
  /** Where it returns to. */
  readonly back: number;
  readonly depth: number;
  /** The blocks, by place. */
  readonly blocks: Map<number, Instance>;
}

/** A block in a region. */
export interface Instance {
  readonly call: CallFrame;
  readonly place: number;
  /** Distance of its page. */
  readonly page: number;
  readonly record: number;
  /** The function that stands in the place of the call at the block's end. */
  callee: CallFrame | undefined;
}

/** The blocks of a region. */
export interface Collected {
  /** In the order of their distance from the entry in jumps. */
  readonly instances: readonly Instance[];
  readonly pages: readonly RegionPage[];
  /** The entry's function. */
  readonly own: CallFrame;
  /** Places that the indirect jumps of the entry's function may go to. */
  readonly switchTargets: readonly number[];
}

const PAGE_SIZE = 4096;

/** The time that the host takes to optimise a function grows faster than its length, so regions are small. */
const MAX_BLOCKS = 32;
const MAX_PAGES = 6;

/** A function with more, such as the loop of an interpreter, is more than one region. */
const MAX_SWITCH_TARGETS = 24;

/** Pages before and behind the entry's that targets of indirect jumps are looked for on. */
const SWITCH_PAGES = [0, PAGE_SIZE, -PAGE_SIZE];

/** How deep functions are put into the places of their calls, and how long they may be. */
const MAX_DEPTH = 2;
const SMALL_BLOCKS = 6;
const SMALL_RECORDS = 90;

/** Chooses the blocks of the region whose entry is at `entry`. */
export function collectBlocks(memory: EngineMemory, finder: BlockFinder, entry: number): Collected {
  return new Collector(memory, finder).collect(entry);
}

class Collector {
  readonly #memory: EngineMemory;
  readonly #finder: BlockFinder;
  readonly #instances: Instance[] = [];
  readonly #queue: { readonly call: CallFrame; readonly place: number }[] = [];
  readonly #pages: RegionPage[] = [];
  readonly #small = new Map<number, boolean>();
  #hasSwitch = false;

  constructor(memory: EngineMemory, finder: BlockFinder) {
    this.#memory = memory;
    this.#finder = finder;
  }

  collect(entry: number): Collected {
    const own: CallFrame = { caller: undefined, back: 0, depth: 0, blocks: new Map() };
    this.#queue.push({ call: own, place: entry });
    this.#drain();
    let switchTargets: number[] = [];
    if (this.#hasSwitch) {
      switchTargets = this.#findSwitchTargets();
      for (const place of switchTargets) this.#queue.push({ call: own, place });
      this.#drain();
      switchTargets = switchTargets.filter((place) => own.blocks.has(place));
    }
    return { instances: this.#instances, pages: this.#pages, own, switchTargets };
  }

  #findSwitchTargets(): number[] {
    const targets: number[] = [];
    for (const distance of SWITCH_PAGES)
      if (this.#finder.frame(distance) >= 0) targets.push(...this.#finder.jumpTargets(distance));
    return targets.length > MAX_SWITCH_TARGETS ? [] : targets;
  }

  #drain(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { call, place } = next;
      if (this.#instances.length >= MAX_BLOCKS) return;
      if (!call.blocks.has(place)) this.#take(call, place);
    }
  }

  #take(call: CallFrame, place: number): void {
    const page = Math.floor(place / PAGE_SIZE) * PAGE_SIZE;
    const record = this.#finder.block(place);
    if (record === 0 || !this.#hasPage(page)) return;
    const spill = this.#finder.spill(record);
    if (spill >= 0 && !(this.#hasPage(page + PAGE_SIZE) && this.#finder.frame(page + PAGE_SIZE) === spill)) return;
    const instance: Instance = { call, place, page, record, callee: undefined };
    call.blocks.set(place, instance);
    this.#instances.push(instance);
    this.#eachEnd(record, (end, last) => {
      const { u16, i32 } = this.#memory;
      const target = page + i32[(last + Rec.IMM) >> 2];
      const back = page + u16[(last + Rec.A) >> 1];
      if (end === 'jump' || end === 'branch') this.#queue.push({ call, place: target });
      if (end === 'call' || end === 'callr') this.#queue.push({ call, place: back });
      if (end === 'call' && call.depth < MAX_DEPTH && this.#isSmall(target)) {
        instance.callee = { caller: call, back, depth: call.depth + 1, blocks: new Map() };
        this.#queue.push({ call: instance.callee, place: target });
      }
      if (end === 'jumpr' && call.depth === 0) this.#hasSwitch = true;
    });
  }

  /** Notes a page of the region; false when it has too many. */
  #hasPage(distance: number): boolean {
    if (this.#pages.some((page) => page.distance === distance)) return true;
    const frame = this.#finder.frame(distance);
    if (frame < 0 || this.#pages.length >= MAX_PAGES) return false;
    this.#pages.push({ distance, frame });
    return true;
  }

  /** Tells of the records that control leaves a block from. */
  #eachEnd(start: number, visit: (end: RecordEnd, last: number) => void): void {
    const { u16 } = this.#memory;
    let end: RecordEnd | undefined;
    for (let record = start; end === undefined || end === 'branch'; record += RECORD_SIZE) {
      if (IS_FUSED[u16[record >> 1]]) record += RECORD_SIZE;
      end = END_OF[u16[record >> 1]];
      if (end !== undefined) visit(end, record);
    }
  }

  /** True for a function that returns, and is short enough to stand in the place of a call. */
  #isSmall(entry: number): boolean {
    const known = this.#small.get(entry);
    if (known !== undefined) return known;
    const result = this.#measure(entry);
    this.#small.set(entry, result);
    return result;
  }

  #measure(entry: number): boolean {
    const { u16, i32 } = this.#memory;
    const queue = [entry];
    let records = 0;
    let returns = false;
    let plain = true;
    for (let n = 0; n < queue.length; n++) {
      const place = queue[n] ?? 0;
      const first = this.#finder.block(place);
      if (first === 0) {
        if (n === 0) return false;
        continue;
      }
      const page = Math.floor(place / PAGE_SIZE) * PAGE_SIZE;
      const add = (next: number): void => {
        if (!queue.includes(next)) queue.push(next);
      };
      this.#eachEnd(first, (end, last) => {
        records += end === 'branch' ? 0 : (last - first) / RECORD_SIZE;
        if (end === 'jump' || end === 'branch') add(page + i32[(last + Rec.IMM) >> 2]);
        if (end === 'call' || end === 'callr') add(page + u16[(last + Rec.A) >> 1]);
        if (end === 'return') returns = true;
        if (end === 'jumpr' || end === 'exit') plain = false;
      });
      if (!plain || n >= SMALL_BLOCKS || records > SMALL_RECORDS) return false;
    }
    return returns;
  }
}
