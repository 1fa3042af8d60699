// Grants of one domain, version 1. The table itself is in frames of the hypervisor's that the guest
// maps and writes, so it is hostile data: an entry is read once, and what a grantee holds is recorded
// here. Source: Xen public/grant_table.h.

import { GRANT_ENTRY_V1_SIZE } from '../../abi/index.ts';
import type { Domid, Mfn } from '../../base/index.ts';
import { FRAME_SIZE } from '../../machine/index.ts';

/** Frames that a guest's table can have. */
export const MAX_GRANT_FRAMES = 32;

/** Entries in a frame of the table. */
export const ENTRIES_PER_FRAME = FRAME_SIZE / GRANT_ENTRY_V1_SIZE;

/** Mappings that one grantee can hold at a time. */
const MAX_MAPPINGS = 16384;

/** An entry that somebody uses: which frame it named when the use began, and how many uses there are. */
export interface ActiveGrant {
  readonly frame: Mfn;
  readonly grantee: Domid;
  readers: number;
  writers: number;
}

/** A mapping that this domain made of another's grant. */
export interface GrantMapping {
  readonly granter: Domid;
  readonly ref: number;
  readonly frame: Mfn;
  readonly writable: boolean;
  /** GNTMAP_* as given when it was made. */
  readonly flags: number;
}

/** Grants given and mappings taken by one domain. */
export class GrantTable {
  /** Frames of the table, in order. */
  readonly frames: Mfn[] = [];
  /** Entries in use, by reference. */
  readonly active: Map<number, ActiveGrant> = new Map();
  readonly #mappings: (GrantMapping | undefined)[] = [];
  readonly #freeHandles: number[] = [];

  /** Number of entries. */
  get nrEntries(): number {
    return this.frames.length * ENTRIES_PER_FRAME;
  }

  /** Word index in machine memory of an entry's flags and domid, or -1 when there is no such entry. */
  wordOf(ref: number): number {
    const frame = this.frames[Math.floor(ref / ENTRIES_PER_FRAME)];
    return frame === undefined ? -1 : (frame * FRAME_SIZE + (ref % ENTRIES_PER_FRAME) * GRANT_ENTRY_V1_SIZE) / 4;
  }

  /** Records a mapping. @returns its handle, or undefined when there are too many */
  addMapping(mapping: GrantMapping): number | undefined {
    const handle = this.#freeHandles.pop() ?? this.#mappings.length;
    if (handle >= MAX_MAPPINGS) return undefined;
    this.#mappings[handle] = mapping;
    return handle;
  }

  /** The mapping of a handle; undefined for any number that is none. */
  mapping(handle: number): GrantMapping | undefined {
    return this.#mappings[handle];
  }

  /** Forgets a mapping. */
  removeMapping(handle: number): void {
    this.#mappings[handle] = undefined;
    this.#freeHandles.push(handle);
  }

  /** All mappings, for the end of the domain. */
  *mappings(): Generator<[handle: number, mapping: GrantMapping]> {
    for (const [handle, mapping] of this.#mappings.entries()) if (mapping !== undefined) yield [handle, mapping];
  }
}
