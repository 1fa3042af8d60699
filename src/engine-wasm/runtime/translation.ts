// Address translation for the runtime: the same TLBs and the same walk that generated code uses, for
// accesses that TypeScript makes on behalf of the running vCPU.

import { Access, type AccessKind, Cpu } from '../../engine/index.ts';
import type { EngineMemory } from './engine-memory.ts';
import {
  MAX_FRAMES,
  NO_PAGE,
  NOT_CANONICAL,
  TABLE_MAP,
  Tlb,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_LOG,
  TLB_LOG_ENTRIES,
  USER_TLB,
  Word,
} from './layout.ts';

import { cutLinks, cutUserLinks } from './link-key.ts';

const PAGE_SIZE = 4096;
const FRAME_SHIFT = 12;
const TWO_32 = 2 ** 32;
const TWO_47 = 2 ** 47;
const TWO_48 = 2n ** 48n;
const ALL_TLBS = [
  Tlb.READ,
  Tlb.WRITE,
  Tlb.EXECUTE,
  Tlb.READ + USER_TLB,
  Tlb.WRITE + USER_TLB,
  Tlb.EXECUTE + USER_TLB,
] as const;
const TLB_OF: Readonly<Record<AccessKind, number>> = {
  [Access.READ]: Tlb.READ,
  [Access.WRITE]: Tlb.WRITE,
  [Access.EXECUTE]: Tlb.EXECUTE,
};
const WALK_FAULT = 1;
const LAST_EPOCH = 255;
/** Upper halves of addresses in the upper half of the address space, from here on. */
const UPPER_HALF = 0xffff8000;
const WALK_CODE_FRAME = 2;

/** TLBs and page walks of the active vCPU. */
export class Translation {
  readonly #memory: EngineMemory;
  /** Numbers partial flushes. */
  #partialFlushes = 0;
  /** The generated walk; see `interpret/page-walk.ts`. */
  #walk: (address: bigint, access: number) => number = () => WALK_FAULT;

  constructor(memory: EngineMemory) {
    this.#memory = memory;
    for (const tlb of ALL_TLBS) this.#empty(tlb);
    memory.u32[Word.TABLE_EPOCH >> 2] = 1;
  }

  /** Connects the generated walk. */
  connect(walk: (address: bigint, access: number) => number): void {
    this.#walk = walk;
  }

  /**
   * Machine address of the low 48 bits `address` of a canonical address, in the current mode, or -1
   * after recording the fault. @hot
   */
  translate(address: number, access: AccessKind): number {
    const { u32 } = this.#memory;
    const offset = address % PAGE_SIZE;
    const entry = (TLB_OF[access] + this.#modeOffset() + entryOffset(address)) >> 2;
    if (u32[entry] === (address - offset) >>> 0 && u32[entry + 1] === highHalf(address)) {
      return (u32[entry + 2] ?? 0) + offset;
    }
    const result = this.#walk(signed(address), access);
    if (result === WALK_FAULT) return -1;
    if (result === WALK_CODE_FRAME) return u32[Word.WRITE_BACK >> 2] ?? 0;
    return (u32[entry + 2] ?? 0) + offset;
  }

  /**
   * `translate` for the first byte of the page behind the one that holds `address`. The highest page is followed by
   * the lowest; behind the lower half there is nothing, and the upper half is not what comes next.
   */
  translateNext(address: number, access: AccessKind): number {
    const next = (address - (address % PAGE_SIZE) + PAGE_SIZE) % 2 ** 48;
    if (next !== TWO_47) return this.translate(next, access);
    this.#memory.u32[Word.FAULT_CODE >> 2] = NOT_CANONICAL;
    return -1;
  }

  /** Frame that the execute TLB of the current mode has for the low 48 bits `address` of a canonical address, or -1. */
  peekExecute(address: number): number {
    const { u32 } = this.#memory;
    const entry = (Tlb.EXECUTE + this.#modeOffset() + entryOffset(address)) >> 2;
    const isHit = u32[entry] === (address - (address % PAGE_SIZE)) >>> 0 && u32[entry + 1] === highHalf(address);
    return isHit ? u32[entry + 2] >>> FRAME_SHIFT : -1;
  }

  /** Empties every TLB: the entries in the log, or all when more have been filled than it holds. */
  flush(): void {
    const { u32 } = this.#memory;
    const count = u32[Word.TLB_LOG_COUNT >> 2];
    if (count > TLB_LOG_ENTRIES) {
      for (const tlb of ALL_TLBS) this.#empty(tlb);
    } else {
      for (let i = 0; i < count; i++) this.#clear(u32[(TLB_LOG >> 2) + i]);
    }
    u32[Word.TLB_LOG_COUNT >> 2] = 0;
    u32[Word.KERNEL_LOW_CODE >> 2] = 0;
    this.#nextEpoch();
    cutLinks(this.#memory);
  }

  /** Empties every TLB but for what kernel mode has of the upper half. */
  flushLowerHalf(): void {
    const { u32 } = this.#memory;
    const count = u32[Word.TLB_LOG_COUNT >> 2];
    if (count > TLB_LOG_ENTRIES) {
      this.flush();
      return;
    }
    const serial = (this.#partialFlushes = (this.#partialFlushes + 1) >>> 0);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const entry = u32[(TLB_LOG >> 2) + i];
      const at = entry >> 2;
      if (entry < Tlb.READ + USER_TLB && u32[at + 1] >= UPPER_HALF) {
        if (u32[at + 3] === serial) continue; // an entry that was filled twice is in the log twice
        u32[at + 3] = serial;
        u32[(TLB_LOG >> 2) + kept++] = entry;
      } else this.#clear(entry);
    }
    u32[Word.TLB_LOG_COUNT >> 2] = kept;
    if (u32[Word.KERNEL_LOW_CODE >> 2] === 0) cutUserLinks(this.#memory);
    else cutLinks(this.#memory);
    u32[Word.KERNEL_LOW_CODE >> 2] = 0;
  }

  /** True when what kernel mode has of the upper half may have come through a page table in a frame. @hot */
  reachesUpperHalf(frame: number): boolean {
    return this.#memory.u8[TABLE_MAP + frame] === this.#memory.u32[Word.TABLE_EPOCH >> 2];
  }

  #nextEpoch(): void {
    const { u8, u32 } = this.#memory;
    const next = u32[Word.TABLE_EPOCH >> 2] + 1;
    u32[Word.TABLE_EPOCH >> 2] = next > LAST_EPOCH ? 1 : next;
    if (next > LAST_EPOCH) u8.fill(0, TABLE_MAP, TABLE_MAP + MAX_FRAMES);
  }

  /** Empties the write TLBs of both modes: a frame has got decoded code. */
  flushWrites(): void {
    for (const tlb of [Tlb.WRITE, Tlb.WRITE + USER_TLB]) this.#empty(tlb);
  }

  /** Forgets every translation that lets a frame be written. */
  flushWritesTo(frameAddress: number): void {
    const { u32 } = this.#memory;
    const count = u32[Word.TLB_LOG_COUNT >> 2];
    if (count > TLB_LOG_ENTRIES) {
      for (const tlb of [Tlb.WRITE, Tlb.WRITE + USER_TLB]) {
        for (let entry = tlb; entry < tlb + TLB_ENTRIES * TLB_ENTRY_SIZE; entry += TLB_ENTRY_SIZE)
          if (u32[(entry >> 2) + 2] === frameAddress) this.#clear(entry);
      }
      return;
    }
    for (let i = 0; i < count; i++) {
      const entry = u32[(TLB_LOG >> 2) + i];
      // A translation for reading alone may go too: another walk brings it back.
      if (u32[(entry >> 2) + 2] === frameAddress) this.#clear(entry);
    }
  }

  /** Takes back `override`: no fetch has gone through it, so links between compiled code stay. */
  endOverride(page: number): void {
    for (const tlb of [Tlb.READ, Tlb.WRITE]) this.#clear(tlb + this.#modeOffset() + entryOffset(page));
  }

  /** Forgets one page in every TLB. */
  flushPage(address: number): void {
    for (const tlb of ALL_TLBS) this.#clear(tlb + entryOffset(address));
    cutLinks(this.#memory);
  }

  /** Maps a page readable and writable to a frame in the current mode until it is flushed. */
  override(page: number, frameAddress: number): void {
    const { u32 } = this.#memory;
    for (const tlb of [Tlb.READ, Tlb.WRITE]) {
      const entry = (tlb + this.#modeOffset() + entryOffset(page)) >> 2;
      u32[entry] = page >>> 0;
      u32[entry + 1] = highHalf(page);
      u32[entry + 2] = frameAddress;
    }
  }

  #empty(tlb: number): void {
    this.#memory.u64.fill(NO_PAGE, tlb >> 3, (tlb + TLB_ENTRIES * TLB_ENTRY_SIZE) >> 3);
    this.#clear(tlb);
  }

  #modeOffset(): number {
    return this.#memory.u32[Cpu.KERNEL_MODE >> 2] === 0 ? USER_TLB : 0;
  }

  /**
   * Empties one entry. An empty entry's tag is an address whose page belongs in another entry, so
   * that no address at all, canonical or not, can hit it.
   */
  #clear(entry: number): void {
    const isFirst = (entry & (TLB_ENTRIES * TLB_ENTRY_SIZE - 1)) === 0;
    this.#memory.u64[entry >> 3] = isFirst ? NO_PAGE + BigInt(PAGE_SIZE) : NO_PAGE;
  }
}

function entryOffset(address: number): number {
  return (Math.floor(address / PAGE_SIZE) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
}

/** High half of the sign-extended 64-bit address. */
function highHalf(address: number): number {
  const high = Math.floor(address / TWO_32);
  return (address >= TWO_47 ? high | 0xffff0000 : high) >>> 0;
}

function signed(address: number): bigint {
  return address >= TWO_47 ? BigInt(address) - TWO_48 : BigInt(address);
}
