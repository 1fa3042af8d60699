// Emulated stores to page tables that are mapped read-only. Guests store into their live L1 tables with
// ordinary instructions; each such store faults. The instruction is carried out on a copy of the table,
// whatever it is, and every entry that it changed goes through the same validation as a hypercall's. All
// changes of one instruction are made or none: then the guest gets its fault.
// Called for page faults of guest kernels. Behaviour: Xen 4.17, pv_ro_page_fault.

import { mfn, type Vaddr, vaddr } from '../../base/index.ts';
import { CPU_STATE_SIZE, Exit } from '../../engine/index.ts';
import { addressOf, FRAME_SIZE, FrameFlag, FrameType } from '../../machine/index.ts';
import { frameOfPte, PageFaultError, Pte, PTES_PER_TABLE } from '../../x86/index.ts';
import type { Domain } from '../domain.ts';
import type { Vcpu } from '../vcpu.ts';
import { getL1Entry, putL1Entry } from './l1-table.ts';
import type { MemoryState } from './memory-state.ts';
import { writeEntry } from './modify-entry.ts';
import { findL1Entry } from './walk.ts';

/** u32 words of a page table. */
const WORDS = PTES_PER_TABLE * 2;

/** Storage for emulation, made once. */
export class PageTableWriter {
  /** Registers before the instruction. */
  readonly #registers: Uint8Array = new Uint8Array(CPU_STATE_SIZE);
  /** Words of the entries that the instruction changed. */
  readonly #changed: Uint16Array = new Uint16Array(PTES_PER_TABLE);
  readonly #mm: MemoryState;

  constructor(mm: MemoryState) {
    this.#mm = mm;
  }

  /**
   * Emulates the instruction at which a vCPU faulted, if it stores to one of its domain's L1 tables.
   * @param errorCode - P, W and I bits
   * @returns true when the vCPU can go on; false, with registers and memory as before, when the fault is the guest's
   */
  handle(vcpu: Vcpu, address: Vaddr, errorCode: number): boolean {
    const wanted = PageFaultError.PRESENT | PageFaultError.WRITE;
    if ((errorCode & (wanted | PageFaultError.FETCH)) !== wanted || !vcpu.kernelMode) return false;
    const table = this.#tableAt(vcpu, address);
    if (table < 0) return false;
    const mm = this.#mm;
    const from = addressOf(mfn(table));
    mm.memory.u8.copyWithin(addressOf(mm.scratch), from, from + FRAME_SIZE);
    mm.memory.u8.copyWithin(addressOf(mm.original), from, from + FRAME_SIZE);
    this.#registers.set(vcpu.context.state.bytes);
    const reason = mm.engine.stepWithWritable(vcpu.context, vaddr(address - (address % FRAME_SIZE)), mm.scratch);
    const count = this.#findChanges(address % FRAME_SIZE, reason === Exit.BUDGET ? mm.engine.exit.size : 0);
    // An instruction that faulted elsewhere has to be retried; without progress the guest gets the first fault.
    const progress = reason === Exit.BUDGET || count > 0;
    if (progress && this.#apply(vcpu.domain, table, count)) return true;
    vcpu.context.state.bytes.set(this.#registers);
    return false;
  }

  /** Frame of the L1 table that an address is a read-only mapping of, -1 when it is not. */
  #tableAt(vcpu: Vcpu, address: Vaddr): number {
    const { frames, memory } = this.#mm;
    const entry = findL1Entry(this.#mm, vcpu.kernelRoot, address);
    if (entry < 0) return -1;
    const lo = memory.u32[entry] ?? 0;
    if ((lo & (Pte.PRESENT | Pte.WRITABLE)) !== Pte.PRESENT) return -1;
    const frame = frameOfPte(lo, memory.u32[entry + 1] ?? 0);
    if (frames.owner[frame] !== vcpu.domain.domid || frames.type[frame] !== FrameType.L1) return -1;
    return frames.typeCount[frame] !== 0 && ((frames.flags[frame] ?? 0) & FrameFlag.VALIDATED) !== 0 ? frame : -1;
  }

  /**
   * Lists the entries that differ between the copy and the table before.
   * @param offset - a byte of the page that the instruction stores to
   * @param size - most bytes that it stores, all of them in one piece; 0 when that is not known
   * @returns how many
   */
  #findChanges(offset: number, size: number): number {
    const { u32 } = this.#mm.memory;
    const copy = addressOf(this.#mm.scratch) / 4;
    const original = addressOf(this.#mm.original) / 4;
    let count = 0;
    const first = size === 0 ? 0 : Math.max(0, (offset - size + 1) >> 3) * 2;
    const end = size === 0 ? WORDS : Math.min(WORDS, ((offset + size + 7) >> 3) * 2);
    for (let i = first; i < end; i += 2) {
      const changed = u32[copy + i] !== u32[original + i] || u32[copy + i + 1] !== u32[original + i + 1];
      if (changed) this.#changed[count++] = i;
    }
    return count;
  }

  /** Validates all changes, then makes them. False when one is refused: nothing has changed then. */
  #apply(domain: Domain, table: number, count: number): boolean {
    const mm = this.#mm;
    const { u32 } = mm.memory;
    const copy = addressOf(mm.scratch) / 4;
    const original = addressOf(mm.original) / 4;
    for (let n = 0; n < count; n++) {
      const i = this.#changed[n] ?? 0;
      const lo = u32[copy + i] ?? 0;
      if ((lo & Pte.PRESENT) === 0 || getL1Entry(mm, domain.domid, lo, u32[copy + i + 1] ?? 0) === 0) continue;
      this.#dropNew(copy, n);
      return false;
    }
    for (let n = 0; n < count; n++) {
      const i = this.#changed[n] ?? 0;
      writeEntry(mm, table * WORDS + i, u32[copy + i] ?? 0, u32[copy + i + 1] ?? 0);
      const oldLo = u32[original + i] ?? 0;
      if ((oldLo & Pte.PRESENT) !== 0) putL1Entry(mm, oldLo, u32[original + i + 1] ?? 0);
    }
    return true;
  }

  /** Gives back the references of the first new entries. */
  #dropNew(copy: number, count: number): void {
    const { u32 } = this.#mm.memory;
    for (let n = 0; n < count; n++) {
      const i = this.#changed[n] ?? 0;
      const lo = u32[copy + i] ?? 0;
      if ((lo & Pte.PRESENT) !== 0) putL1Entry(this.#mm, lo, u32[copy + i + 1] ?? 0);
    }
  }
}
