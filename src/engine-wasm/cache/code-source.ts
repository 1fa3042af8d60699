// Finds the decoded block at rip: in the code cache, or by decoding it. The driver's only way to code.

import { Access, Cpu } from '../../engine/index.ts';
import type { MachineMemory } from '../../machine/index.ts';
import { Vector } from '../../x86/index.ts';
import { IrBuilder } from '../ir/builder.ts';
import { RECORD_SIZE } from '../ir/record.ts';
import { BlockEnd, buildBlock, MAX_BLOCK_RECORDS } from '../lower/block.ts';
import type { EngineMemory } from '../runtime/engine-memory.ts';
import type { Translation } from '../runtime/translation.ts';
import type { CodeCache } from './code-cache.ts';
import type { DecodeObserver } from './decode-observer.ts';

const PAGE_SIZE = 4096;
const TWO_32 = 2 ** 32;
const MAX_INSTRUCTION_LENGTH = 15;
const FRAME_SHIFT = 12;

/** A fault that the walk has recorded. */
const RECORDED_FAULT = -1;

/** Decodes blocks for the active vCPU. Records are addresses in memory 0; a negative one is a fault, see `find`. */
export class CodeSource {
  readonly #memory: EngineMemory;
  readonly #machine: MachineMemory;
  readonly #translation: Translation;
  readonly #cache: CodeCache;
  readonly #builder = new IrBuilder(MAX_BLOCK_RECORDS);
  /** The end of one page and the beginning of the next, for an instruction that lies on both. */
  readonly #seam = new Uint8Array(PAGE_SIZE + MAX_INSTRUCTION_LENGTH);
  #observer: DecodeObserver | undefined;
  decodedBlocks = 0;

  constructor(memory: EngineMemory, machine: MachineMemory, translation: Translation, cache: CodeCache) {
    this.#memory = memory;
    this.#machine = machine;
    this.#translation = translation;
    this.#cache = cache;
  }

  /** Tells `observer` of every block that is decoded from now on. */
  observe(observer: DecodeObserver): void {
    this.#observer = observer;
  }

  /** Record of the block at rip; CODE_PAGE is set. @returns -1 for a recorded page fault, -2 - vector for another exception */
  find(): number {
    const address = this.#locate();
    if (address < 0) return address;
    const known = this.#cache.lookup(address);
    if (known !== 0 && this.#stillStraddles(address)) return known;
    const spill = this.#build(address, Infinity);
    if (spill < RECORDED_FAULT) return RECORDED_FAULT;
    const frame = address >>> FRAME_SHIFT;
    if (!this.#cache.hasCode(frame) || (spill >= 0 && !this.#cache.hasCode(spill))) this.#translation.flushWrites();
    this.decodedBlocks++;
    this.#observer?.decoded({ page: this.#memory.cpu.readU64(Cpu.CODE_PAGE), address, spill });
    return this.#cache.store(address, this.#records(), spill);
  }

  /** Record of the block at a machine address, decoded if need be; 0 when it runs over the page's end. */
  ensure(address: number): number {
    const known = this.#cache.lookup(address);
    if (known !== 0) return known;
    const offset = address % PAGE_SIZE;
    const page = this.#machine.u8.subarray(address - offset, address - offset + PAGE_SIZE);
    this.#builder.reset();
    if (buildBlock(page, offset, PAGE_SIZE, this.#builder, Infinity, -1) === BlockEnd.NEEDS_NEXT_PAGE) return 0;
    if (!this.#cache.hasCode(address >>> FRAME_SHIFT)) this.#translation.flushWrites();
    this.decodedBlocks++;
    this.#observer?.decoded({ page: this.#memory.cpu.readU64(Cpu.CODE_PAGE), address, spill: -1 });
    return this.#cache.store(address, this.#records(), -1);
  }

  /** Record of a block with only the instruction at rip, not kept. Faults as in `find`. */
  single(): number {
    const address = this.#locate();
    if (address < 0) return address;
    if (this.#build(address, 1) < RECORDED_FAULT) return RECORDED_FAULT;
    return this.#cache.place(this.#records());
  }

  /** Frame that the page behind the code page is mapped to for execution, or -1 after recording a fault. */
  followingFrame(): number {
    const { u32 } = this.#memory;
    const page = (u32[(Cpu.CODE_PAGE >> 2) + 1] & 0xffff) * TWO_32 + u32[Cpu.CODE_PAGE >> 2];
    const address = this.#translation.translateNext(page, Access.EXECUTE);
    return address < 0 ? -1 : address >>> FRAME_SHIFT;
  }

  /** Translates rip and sets CODE_PAGE. */
  #locate(): number {
    const { u32 } = this.#memory;
    const lo = u32[Cpu.RIP >> 2];
    const hi = u32[(Cpu.RIP >> 2) + 1];
    const top = hi >>> 15;
    if (top !== 0 && top !== 0x1ffff) return -2 - Vector.GP;
    u32[Cpu.CODE_PAGE >> 2] = (lo & ~(PAGE_SIZE - 1)) >>> 0;
    u32[(Cpu.CODE_PAGE >> 2) + 1] = hi;
    return this.#translation.translate((hi & 0xffff) * TWO_32 + lo, Access.EXECUTE);
  }

  #stillStraddles(address: number): boolean {
    const frame = this.#cache.spillOf(address);
    return frame < 0 || frame === this.followingFrame();
  }

  #records(): Uint8Array {
    return this.#builder.bytes.subarray(0, this.#builder.nrRecords * RECORD_SIZE);
  }

  /** Builds the block at a machine address. @returns -1, or the frame that its only instruction runs over into, or less than -1 for a recorded fault */
  #build(address: number, maxInstructions: number): number {
    const offset = address % PAGE_SIZE;
    const start = address - offset;
    const page = this.#machine.u8.subarray(start, start + PAGE_SIZE);
    this.#builder.reset();
    if (buildBlock(page, offset, PAGE_SIZE, this.#builder, maxInstructions, -1) !== BlockEnd.NEEDS_NEXT_PAGE) return -1;

    const next = this.followingFrame();
    if (next < 0) {
      // the fault is that of the fetch: its address is the first byte of the next page
      return -2;
    }
    this.#seam.set(page.subarray(offset), offset);
    const nextStart = next * PAGE_SIZE;
    this.#seam.set(this.#machine.u8.subarray(nextStart, nextStart + MAX_INSTRUCTION_LENGTH), PAGE_SIZE);
    this.#builder.reset();
    buildBlock(this.#seam, offset, PAGE_SIZE + MAX_INSTRUCTION_LENGTH, this.#builder, 1, next);
    return next;
  }
}
