// Access to the memory of the running guest by its own virtual addresses, with its kernel's rights:
// what every hypercall argument that is a pointer goes through. Copies page by page; a fault makes the
// call return false, never throw. Data is copied in once and then only the copy is used.

import { maddr, type Mfn, type Vaddr, vaddr } from '../base/index.ts';
import { Access, type AccessKind, type Engine } from '../engine/index.ts';
import { FRAME_SIZE, frameOf, type MachineMemory } from '../machine/index.ts';
import { guestAddress } from './hypercall/arguments.ts';
import type { Vcpu } from './vcpu.ts';

/** First address after the lower and the upper half of the 48-bit space. */
const LOWER_END = 2 ** 47;
const UPPER_END = 2 ** 48;

/** A buffer of our own that guest data is copied to and from, with typed views. */
export class GuestBuffer {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly view: DataView;

  /** @param size - bytes, a multiple of 8 */
  constructor(size: number) {
    this.u8 = new Uint8Array(size);
    this.u32 = new Uint32Array(this.u8.buffer);
    this.view = new DataView(this.u8.buffer);
  }

  /** Low half of the u64 at a byte offset that is a multiple of 4. */
  lo(offset: number): number {
    return this.u32[offset >> 2] ?? 0;
  }

  /** High half of the u64 at a byte offset that is a multiple of 4. */
  hi(offset: number): number {
    return this.u32[(offset >> 2) + 1] ?? 0;
  }

  /** The u64 at a byte offset that is a multiple of 4, exact below 2^53. */
  number(offset: number): number {
    return this.hi(offset) * 0x100000000 + this.lo(offset);
  }

  /** The u64 at a byte offset that is a multiple of 4 as an address of the guest, -1 when it is none. */
  address(offset: number): Vaddr | -1 {
    return guestAddress(this.lo(offset), this.hi(offset));
  }

  /** The u16 at a byte offset. */
  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  /** Sets the u64 at a byte offset that is a multiple of 4, from a number below 2^53. */
  setNumber(offset: number, value: number): void {
    this.u32[offset >> 2] = value;
    this.u32[(offset >> 2) + 1] = Math.floor(value / 0x100000000);
  }
}

/** Guest memory of the vCPUs of one pCPU. */
export class GuestAccess {
  readonly #memory: MachineMemory;
  readonly #engine: Engine;
  readonly #word: GuestBuffer = new GuestBuffer(8);

  constructor(memory: MachineMemory, engine: Engine) {
    this.#memory = memory;
    this.#engine = engine;
  }

  /**
   * Copies `length` bytes of the guest to the start of `buffer`. @hot
   * @param address - -1 is an address that cannot be accessed
   * @returns false when a page cannot be read; the buffer is then undefined
   */
  copyIn(vcpu: Vcpu, address: Vaddr | -1, buffer: GuestBuffer, length: number): boolean {
    if (!fits(address, length)) return false;
    for (let done = 0; done < length;) {
      const from = this.#engine.translate(vcpu.context, vaddr(address + done), Access.READ, true);
      if (from < 0) return false;
      const count = Math.min(length - done, FRAME_SIZE - (from % FRAME_SIZE));
      if (((from | done | count) & 3) === 0) copyWords(this.#memory.u32, from / 4, buffer.u32, done / 4, count / 4);
      else copyBytes(this.#memory.u8, from, buffer.u8, done, count);
      done += count;
    }
    return true;
  }

  /**
   * Copies the first `length` bytes of `buffer` to the guest. @hot
   * @returns false when a page cannot be written; earlier pages have been written then
   */
  copyOut(vcpu: Vcpu, address: Vaddr | -1, buffer: GuestBuffer, length: number): boolean {
    if (!fits(address, length)) return false;
    for (let done = 0; done < length;) {
      const to = this.#engine.translate(vcpu.context, vaddr(address + done), Access.WRITE, true);
      if (to < 0) return false;
      const count = Math.min(length - done, FRAME_SIZE - (to % FRAME_SIZE));
      if (((to | done | count) & 3) === 0) copyWords(buffer.u32, done / 4, this.#memory.u32, to / 4, count / 4);
      else copyBytes(buffer.u8, done, this.#memory.u8, to, count);
      this.noteWrite(frameOf(maddr(to)));
      done += count;
    }
    return true;
  }

  /** True when every page of the range can be accessed so by the guest's kernel. */
  accessible(vcpu: Vcpu, address: Vaddr | -1, length: number, access: AccessKind): boolean {
    if (!fits(address, length)) return false;
    const end = address + length;
    for (let page = address - (address % FRAME_SIZE); page < end; page += FRAME_SIZE) {
      if (this.#engine.translate(vcpu.context, vaddr(Math.max(page, address)), access, true) < 0) return false;
    }
    return true;
  }

  /** Reads a u32; -1 when it cannot be read. */
  readU32(vcpu: Vcpu, address: Vaddr | -1): number {
    return this.copyIn(vcpu, address, this.#word, 4) ? this.#word.lo(0) : -1;
  }

  /** Writes a u32; false when it cannot be written. */
  writeU32(vcpu: Vcpu, address: Vaddr | -1, value: number): boolean {
    this.#word.u32[0] = value;
    return this.copyOut(vcpu, address, this.#word, 4);
  }

  /** Writes a u64 given as halves; false when it cannot be written. */
  writeU64(vcpu: Vcpu, address: Vaddr | -1, lo: number, hi: number): boolean {
    this.#word.u32[0] = lo;
    this.#word.u32[1] = hi;
    return this.copyOut(vcpu, address, this.#word, 8);
  }

  /** Tells the engine that a frame was written behind its back. @hot */
  noteWrite(frame: Mfn): void {
    if (this.#engine.hasCode(frame)) this.#engine.invalidateCode(frame);
  }
}

/** Short copies between arrays: a call of `set` costs more than the loop. @hot */
function copyWords(from: Uint32Array, source: number, to: Uint32Array, target: number, count: number): void {
  for (let i = 0; i < count; i++) to[target + i] = from[source + i] ?? 0;
}

/** The same for what is not aligned. @hot */
function copyBytes(from: Uint8Array, source: number, to: Uint8Array, target: number, count: number): void {
  for (let i = 0; i < count; i++) to[target + i] = from[source + i] ?? 0;
}

/** True when a range lies in one half of the address space. @hot */
function fits(address: Vaddr | -1, length: number): address is Vaddr {
  if (address < 0) return false;
  return address + length <= (address < LOWER_END ? LOWER_END : UPPER_END);
}
