// Memory for the links and tables of switch targets of compiled code. It is handed out in one direction, and taken back
// when all code is dropped.

import type { EngineMemory } from '../runtime/engine-memory.ts';
import { LINK_SIZE, LINKS, LINKS_SIZE, SWITCHES, SWITCHES_SIZE } from '../runtime/layout.ts';

/** Most bits of the number of entries of a table. */
export const MAX_BITS = 12;

const ENTRY_SIZE = 16;

/** Links that one region can need at most, about; and its tables. */
const RESERVE = 1024 * LINK_SIZE;
const TABLE_RESERVE = ENTRY_SIZE * 2 ** MAX_BITS;

/** Gives out links and tables. */
export class Links {
  readonly #memory: EngineMemory;
  #nextLink = LINKS;
  #nextTable = SWITCHES;

  constructor(memory: EngineMemory) {
    this.#memory = memory;
    this.reset();
  }

  /** True when there may be too little for another region. */
  get isFull(): boolean {
    return this.#nextLink + RESERVE > LINKS + LINKS_SIZE || this.#nextTable + TABLE_RESERVE > SWITCHES + SWITCHES_SIZE;
  }

  /** Address of a new link, which holds nothing. */
  link(): number {
    const link = this.#nextLink;
    this.#nextLink += LINK_SIZE;
    return link;
  }

  /** Address of a new table of switch targets. */
  table(entries: number): number {
    const table = this.#nextTable;
    this.#nextTable += entries * ENTRY_SIZE;
    return table;
  }

  /** Takes everything back. */
  reset(): void {
    this.#nextLink = LINKS;
    this.#nextTable = SWITCHES;
    this.#memory.u8.fill(0, LINKS, LINKS + LINKS_SIZE);
  }
}
