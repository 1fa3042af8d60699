// Accesses that the runtime makes for a guest instruction: those that cross a page end, those into
// frames with decoded code. Each returns what generated code expects (see `RuntimeImports`).

import type { MachineMemory } from '../../machine/index.ts';
import { Access } from '../../engine/index.ts';
import type { CodeCache } from '../cache/code-cache.ts';
import { ExitCode } from '../ir/exit-code.ts';
import type { EngineMemory } from './engine-memory.ts';
import { NOT_CANONICAL, Word } from './layout.ts';
import type { Translation } from './translation.ts';

const PAGE_SIZE = 4096;
const TWO_32 = 2 ** 32;

/** Crossing accesses of the active vCPU. */
export class GuestData {
  readonly #memory: EngineMemory;
  readonly #machine: MachineMemory;
  readonly #translation: Translation;
  readonly #cache: CodeCache;
  /** Machine address of a frame of ours in which crossing loads are gathered. */
  readonly #gather: number;

  constructor(
    memory: EngineMemory,
    machine: MachineMemory,
    translation: Translation,
    cache: CodeCache,
    gather: number,
  ) {
    this.#memory = memory;
    this.#machine = machine;
    this.#translation = translation;
    this.#cache = cache;
    this.#gather = gather;
  }

  /** Gathers a load at SLOW_ADDRESS; -1 after recording a fault. */
  crossingLoad(bytes: number): number {
    return this.#gatherAs(bytes, Access.READ);
  }

  /** Like `crossingLoad` with the right to write; the store that follows comes to `crossingStore`. */
  crossingLoadForWrite(bytes: number): number {
    const gathered = this.#gatherAs(bytes, Access.WRITE);
    // After the translations: those of a page with code leave the address of one part here, and a store of all
    // the bytes to that would go on in the frame behind it, whoever that belongs to.
    this.#memory.i32[Word.WRITE_BACK >> 2] = -1;
    return gathered;
  }

  /** Stores SLOW_VALUE at SLOW_ADDRESS. */
  crossingStore(bytes: number): number {
    const start = this.#slowAddress();
    if (start < 0) return ExitCode.PAGE_FAULT;
    const firstBytes = PAGE_SIZE - (start % PAGE_SIZE);
    const first = this.#translation.translate(start, Access.WRITE);
    if (first < 0) return ExitCode.PAGE_FAULT;
    const second = this.#translation.translateNext(start, Access.WRITE);
    if (second < 0) return ExitCode.PAGE_FAULT;
    const value = this.#memory.u8.subarray(Word.SLOW_VALUE, Word.SLOW_VALUE + bytes);
    this.#machine.u8.set(value.subarray(0, firstBytes), first);
    this.#machine.u8.set(value.subarray(firstBytes), second);
    this.codeWritten(first);
    this.codeWritten(second);
    return 0;
  }

  /** Drops the decoded code of the frame that has been written at a machine address, if it has any. */
  codeWritten(machine: number): void {
    const frame = machine >>> 12;
    if (this.#cache.hasCode(frame)) this.#cache.drop(frame, this.#memory.u32[Word.RECORD >> 2] ?? 0);
  }

  #gatherAs(bytes: number, access: 0 | 1): number {
    const start = this.#slowAddress();
    if (start < 0) return -1;
    const firstBytes = PAGE_SIZE - (start % PAGE_SIZE);
    const first = this.#translation.translate(start, access);
    if (first < 0) return -1;
    const second = this.#translation.translateNext(start, access);
    if (second < 0) return -1;
    const { u8 } = this.#machine;
    u8.copyWithin(this.#gather, first, first + firstBytes);
    u8.copyWithin(this.#gather + firstBytes, second, second + bytes - firstBytes);
    return this.#gather;
  }

  /** Low 48 bits of SLOW_ADDRESS, or -1 after recording that it is not canonical. */
  #slowAddress(): number {
    const { u32 } = this.#memory;
    const lo = u32[Word.SLOW_ADDRESS >> 2] ?? 0;
    const hi = u32[(Word.SLOW_ADDRESS >> 2) + 1] ?? 0;
    const top = hi >>> 15;
    if (top === 0 || top === 0x1ffff) return (hi & 0xffff) * TWO_32 + lo;
    u32[Word.FAULT_CODE >> 2] = NOT_CANONICAL;
    return -1;
  }
}
