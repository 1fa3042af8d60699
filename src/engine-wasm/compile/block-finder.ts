// Finds the blocks of a region in the code cache, by their distances from the page that the running code begins on.
// What it knows of other pages is what the execute TLB has: nothing is walked for.

import { Cpu } from '../../engine/index.ts';
import type { CodeCache } from '../cache/code-cache.ts';
import type { CodeSource } from '../cache/code-source.ts';
import { opcodeOf } from '../ir/operations.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import type { Translation } from '../runtime/translation.ts';
import type { BlockFinder as Finder } from './collect.ts';

const HEAD = opcodeOf('head');
const COMPILED = opcodeOf('compiled');
const NEXT_PAGE = opcodeOf('nextpage');
const NEVER = 0x7fffffff;
const PAGE_SIZE = 4096;
const TWO_32 = 2 ** 32;
const TWO_48 = 2 ** 48;

/** A block belongs to a region when it has run at least this fraction of the threshold. */
const WARM_FRACTION = 8;

/** What blocks count as worth compiling. */
export interface FinderPolicy {
  /** Entries of a block until it is hot. */
  readonly threshold: number;
  /** Decode what has not run. */
  readonly eager: boolean;
}

/** Finds blocks around the running code. */
export class BlockFinder implements Finder {
  readonly #memory: EngineMemory;
  readonly #cache: CodeCache;
  readonly #source: CodeSource;
  readonly #translation: Translation;
  readonly #policy: FinderPolicy;
  /** Low 48 bits of the address of the page that distances begin at. */
  #page = 0;
  readonly #frames = new Map<number, number>();

  constructor(
    memory: EngineMemory,
    cache: CodeCache,
    source: CodeSource,
    translation: Translation,
    policy: FinderPolicy,
  ) {
    this.#memory = memory;
    this.#cache = cache;
    this.#source = source;
    this.#translation = translation;
    this.#policy = policy;
  }

  /** Begins a region on the code page, which is in `frame`. */
  begin(frame: number): void {
    const { u32 } = this.#memory;
    this.#page = (u32[(Cpu.CODE_PAGE >> 2) + 1] & 0xffff) * TWO_32 + u32[Cpu.CODE_PAGE >> 2];
    this.#frames.clear();
    this.#frames.set(0, frame);
  }

  frame(distance: number): number {
    const known = this.#frames.get(distance);
    if (known !== undefined) return known;
    const address = (((this.#page + distance) % TWO_48) + TWO_48) % TWO_48;
    const frame = this.#translation.peekExecute(address);
    this.#frames.set(distance, frame);
    return frame;
  }

  block(place: number): number {
    const { u16, i32 } = this.#memory;
    const offset = ((place % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE;
    const frame = this.frame(place - offset);
    if (frame < 0) return 0;
    const address = frame * PAGE_SIZE + offset;
    const { threshold, eager } = this.#policy;
    const head = eager ? this.#source.ensure(address) : this.#cache.lookup(address);
    if (head === 0) return 0;
    const opcode = u16[(head + Rec.OPCODE) >> 1];
    if (opcode === NEXT_PAGE) return head;
    if (opcode !== HEAD && opcode !== COMPILED) return 0;
    const left = i32[(head + Rec.IMM) >> 2];
    const warm = eager || opcode === COMPILED || left === NEVER || (threshold - left) * WARM_FRACTION >= threshold;
    return warm ? head + RECORD_SIZE : 0;
  }

  spill(record: number): number {
    const { u16, i32 } = this.#memory;
    return u16[(record + Rec.OPCODE) >> 1] === NEXT_PAGE ? i32[(record + Rec.IMM) >> 2] : -1;
  }

  jumpTargets(distance: number): readonly number[] {
    const { u16 } = this.#memory;
    const frame = this.frame(distance);
    const targets: number[] = [];
    for (const [address, record] of this.#cache.blocksOf(frame)) {
      const opcode = u16[(record + Rec.OPCODE) >> 1];
      if (opcode !== HEAD && opcode !== COMPILED) continue;
      const place = distance + (address % PAGE_SIZE);
      if (u16[(record + Rec.A) >> 1] !== 0 && this.block(place) !== 0) targets.push(place);
    }
    return targets;
  }
}
