// Decoded code, keyed by the machine address of its first byte: records in memory 0, the block table
// that generated code looks entry points up in, and what is needed to drop the code of a frame when it
// is written. Space is handed out in one direction; when it runs out, everything is dropped.

import type { EngineCounters } from '../../engine/index.ts';
import { opcodeOf } from '../ir/operations.ts';
import { hasLink, JMP } from '../ir/operations/control.ts';
import { Rec, RECORD_SIZE } from '../ir/record.ts';
import { blockTableSlot } from '../interpret/linkage.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import { BLOCK_TABLE, BLOCK_TABLE_BITS, CODE_MAP, MAX_FRAMES, MEMORY0_SIZE, RECORDS, Word } from '../runtime/layout.ts';

const FRAME_SHIFT = 12;
const ENTRY_SIZE = 8;
const PAGE_SIZE = 4096;
const HEAD = opcodeOf('head');

/** Most blocks: bounds what a guest with nothing but short ones makes us remember. */
const MAX_BLOCKS = 1 << 19;

interface FrameCode {
  /** Machine addresses of the entry points that lie in the frame, and their records. */
  readonly blocks: Map<number, number>;
  /** Those of them whose only instruction runs over the frame's end, and the frame that it runs over into. */
  readonly spills: Map<number, number>;
  /** Frames with an instruction that runs over into this frame. */
  readonly spillsFrom: Set<number>;
}

/** Who counts the entries of blocks. */
export interface CodeWatcher {
  /** Entries of a block until it is hot. */
  readonly threshold: number;
  frameDropped(frame: number): void;
  allDropped(): void;
}

/** Store of decoded blocks. */
export class CodeCache {
  readonly #memory: EngineMemory;
  readonly #counters: EngineCounters;
  readonly #frames = new Map<number, FrameCode>();
  /** Starts of the blocks in memory 0, ascending, and the frame of each. */
  readonly #starts: number[] = [];
  readonly #startFrames: number[] = [];
  #free = RECORDS;
  #watcher: CodeWatcher | undefined;

  constructor(memory: EngineMemory, counters: EngineCounters) {
    this.#memory = memory;
    this.#counters = counters;
  }

  /** Gives every block that is stored from now on a head record. */
  watch(watcher: CodeWatcher): void {
    this.#watcher = watcher;
  }

  /** Frame of the block that a record is in, or -1. */
  frameOf(record: number): number {
    return this.#startFrames[this.#blockOf(record)] ?? -1;
  }

  /** Record of the block that starts at a machine address, or 0; puts it (back) into the block table. */
  lookup(address: number): number {
    const { u32 } = this.#memory;
    const slot = (BLOCK_TABLE + blockTableSlot(address)) >> 2;
    if (u32[slot] === address) return u32[slot + 1] ?? 0;
    const record = this.#frames.get(address >>> FRAME_SHIFT)?.blocks.get(address) ?? 0;
    if (record !== 0) this.#publish(address, record);
    return record;
  }

  /** Blocks that begin in a frame: machine addresses and records. */
  blocksOf(frame: number): Iterable<readonly [address: number, record: number]> {
    return this.#frames.get(frame)?.blocks ?? [];
  }

  /** Frame that the only instruction of the block at a machine address runs over into, or -1. */
  spillOf(address: number): number {
    return this.#frames.get(address >>> FRAME_SHIFT)?.spills.get(address) ?? -1;
  }

  /** Copies records into memory 0 without making them reachable; the next `store` or `place` may overwrite them. */
  place(records: Uint8Array): number {
    if (this.#free + records.length > MEMORY0_SIZE || this.#starts.length >= MAX_BLOCKS) this.dropAll();
    this.#memory.u8.set(records, this.#free);
    return this.#free;
  }

  /**
   * Keeps a block.
   * @param address - machine address of its first byte
   * @param spill - frame that its only instruction runs over into, or -1
   * @returns the record to run. A frame that had no code before must leave the write TLB: ask `hasCode` first
   */
  store(address: number, records: Uint8Array, spill: number): number {
    const watched = spill < 0 ? this.#watcher : undefined;
    const record = this.place(watched === undefined ? records : withHead(records, address, watched.threshold));
    this.#free += records.length + (watched === undefined ? 0 : RECORD_SIZE);
    const frame = address >>> FRAME_SHIFT;
    this.#starts.push(record);
    this.#startFrames.push(frame);
    const code = this.#codeOf(frame);
    code.blocks.set(address, record);
    if (spill < 0) {
      code.spills.delete(address);
    } else {
      code.spills.set(address, spill);
      this.#codeOf(spill).spillsFrom.add(frame);
    }
    this.#publish(address, record);
    return record;
  }

  /** True when decoded code depends on a frame. */
  hasCode(frame: number): boolean {
    return this.#memory.u8[CODE_MAP + frame] !== 0;
  }

  /**
   * Drops the code of a frame, and of the frames with instructions that run over into it. When the running
   * record is part of it, the rest of its block is cut off behind the running instruction.
   * @param running - the running record, or 0
   */
  drop(frame: number, running: number): void {
    const runningIn = running === 0 ? -1 : this.#blockOf(running);
    this.#memory.u32[Word.DROPPED >> 2] = 1;
    // A list instead of recursion: a guest chooses how long a chain of such frames is.
    const frames = [frame];
    for (let next = frames.pop(); next !== undefined; next = frames.pop()) {
      const code = this.#frames.get(next);
      if (code === undefined) continue;
      this.#forget(next, code);
      if (runningIn >= 0 && this.#startFrames[runningIn] === next) this.#cutOff(running, runningIn);
      for (const other of code.spillsFrom) frames.push(other);
    }
  }

  /** Drops everything. */
  dropAll(): void {
    this.#counters.evictions++;
    this.#watcher?.allDropped();
    this.#memory.u32[Word.DROPPED >> 2] = 1;
    this.#frames.clear();
    this.#starts.length = 0;
    this.#startFrames.length = 0;
    this.#free = RECORDS;
    this.#memory.u8.fill(0, CODE_MAP, CODE_MAP + MAX_FRAMES);
    this.#memory.u8.fill(0, BLOCK_TABLE, BLOCK_TABLE + ENTRY_SIZE * 2 ** BLOCK_TABLE_BITS);
  }

  /** Lets generated code find a block. */
  #publish(address: number, record: number): void {
    const slot = (BLOCK_TABLE + blockTableSlot(address)) >> 2;
    this.#memory.u32[slot] = address;
    this.#memory.u32[slot + 1] = record;
  }

  #codeOf(frame: number): FrameCode {
    let code = this.#frames.get(frame);
    if (code === undefined) {
      code = { blocks: new Map(), spills: new Map(), spillsFrom: new Set() };
      this.#frames.set(frame, code);
      this.#memory.u8[CODE_MAP + frame] = 1;
    }
    return code;
  }

  #forget(frame: number, code: FrameCode): void {
    this.#watcher?.frameDropped(frame);
    this.#frames.delete(frame);
    this.#memory.u8[CODE_MAP + frame] = 0;
    const { u32 } = this.#memory;
    for (const address of code.blocks.keys()) {
      const slot = (BLOCK_TABLE + blockTableSlot(address)) >> 2;
      if (u32[slot] === address) u32[slot] = 0;
    }
  }

  /** Number of the block that a record is in, or -1. */
  #blockOf(record: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= record) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Unlinks the rest of the running instruction and puts a jump to the next one of its block, if any, behind it. */
  #cutOff(running: number, block: number): void {
    const { u16, u32, i32 } = this.#memory;
    const rip = u16[(running + Rec.RIP) >> 1];
    const end = this.#starts[block + 1] ?? this.#free;
    for (let record = running; record < end; record += RECORD_SIZE) {
      const next = u16[(record + Rec.RIP) >> 1] ?? 0;
      if (next === rip && hasLink(u16[(record + Rec.OPCODE) >> 1] ?? 0)) u32[(record + Rec.LINK) >> 2] = 0;
      if (next === rip) continue;
      u16[(record + Rec.OPCODE) >> 1] = JMP;
      u16[(record + Rec.B) >> 1] = 0;
      i32[(record + Rec.IMM) >> 2] = next;
      u32[(record + Rec.LINK) >> 2] = 0;
      return;
    }
  }
}

/** The records of a block behind a head record. */
function withHead(records: Uint8Array, address: number, threshold: number): Uint8Array {
  const bytes = new Uint8Array(RECORD_SIZE + records.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(Rec.OPCODE, HEAD, true);
  view.setUint16(Rec.RIP, address % PAGE_SIZE, true);
  view.setInt32(Rec.IMM, threshold, true);
  bytes.set(records, RECORD_SIZE);
  return bytes;
}
