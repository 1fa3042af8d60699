// The machine-to-phys table: for every frame the pfn that its owner uses for it, all ones when no domain
// owns the frame. It lies in the hypervisor's own frames, and every guest kernel sees it read-only at the
// start of the hypervisor's part of the address space (L4 slot 256). Layout of the slots: Xen
// asm-x86/config.h; contents: Xen public/arch-x86/xen.h, MACH2PHYS.

import { HypervisorVirt } from '../../abi/index.ts';
import type { Mfn } from '../../base/index.ts';
import { addressOf, FRAME_SIZE, type MachineMemory } from '../../machine/index.ts';
import { Pte, PTES_PER_TABLE, tableIndex } from '../../x86/index.ts';

/** Where guests see the table: first and last-plus-one address, as the low 48 bits. */
export const MachToPhysVirt = { START: HypervisorVirt.START, END: HypervisorVirt.START + 256 * 2 ** 30 } as const;

/** Both halves of the entry of a frame that has no pfn. Source: Xen public/arch-x86/xen.h, INVALID_P2M_ENTRY. */
const INVALID_HALF = 0xffffffff;

/** The table and the page tables that show it to guests. */
export class MachineToPhys {
  /** L4 table with the hypervisor's slots. */
  readonly root: Mfn;
  /** First frame of the table; the others follow. */
  readonly firstFrame: Mfn;
  readonly nrTableFrames: number;
  readonly #memory: MachineMemory;
  /** Index of the first entry in `memory.u32`. */
  readonly #base: number;

  /** @param take - takes adjacent zeroed frames for the hypervisor */
  constructor(memory: MachineMemory, nrFrames: number, take: (count: number) => Mfn) {
    this.#memory = memory;
    this.nrTableFrames = Math.ceil((nrFrames * 8) / FRAME_SIZE);
    this.firstFrame = take(this.nrTableFrames);
    this.#base = addressOf(this.firstFrame) / 4;
    memory.u32.fill(INVALID_HALF, this.#base, this.#base + (this.nrTableFrames * FRAME_SIZE) / 4);
    this.root = this.#buildTables(take);
  }

  /** Sets the pfn of a frame, which a guest may have chosen freely. @hot */
  set(frame: number, pfnLo: number, pfnHi: number): void {
    this.#memory.u32[this.#base + 2 * frame] = pfnLo;
    this.#memory.u32[this.#base + 2 * frame + 1] = pfnHi;
  }

  /** Marks a frame as having no pfn. */
  clear(frame: number): void {
    this.set(frame, INVALID_HALF, INVALID_HALF);
  }

  /** True when a frame has no pfn. */
  isClear(frame: number): boolean {
    const lo = this.#memory.u32[this.#base + 2 * frame];
    return lo === INVALID_HALF && this.#memory.u32[this.#base + 2 * frame + 1] === INVALID_HALF;
  }

  #buildTables(take: (count: number) => Mfn): Mfn {
    const [l4, l3, l2] = [take(1), take(1), take(1)];
    const nrL1 = Math.ceil(this.nrTableFrames / PTES_PER_TABLE);
    const firstL1 = take(nrL1);
    this.#link(l4, tableIndex(MachToPhysVirt.START, 4), l3);
    this.#link(l3, 0, l2);
    for (let i = 0; i < nrL1; i++) this.#link(l2, i, firstL1 + i);
    // The L1 tables are adjacent, so one index runs through all of them.
    for (let i = 0; i < this.nrTableFrames; i++) this.#link(firstL1, i, this.firstFrame + i);
    return l4;
  }

  /** Writes a read-only supervisor entry. */
  #link(table: number, index: number, frame: number): void {
    const at = table * (FRAME_SIZE / 4) + 2 * index;
    this.#memory.u32[at] = frame * FRAME_SIZE + Pte.PRESENT;
    this.#memory.u32[at + 1] = Math.floor(frame / 0x100000);
  }
}
