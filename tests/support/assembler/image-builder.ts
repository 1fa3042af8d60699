// The image that an assembler makes: bytes in the order of the calls, labels, and places that are filled in when all
// labels are known. What is said inside `later` is put behind everything else, so that a macro can have strings
// and variables.

import type { Imm } from './operands.ts';

/** A place to be filled in when all labels are known. */
export interface Fixup {
  readonly offset: number;
  readonly label: string;
  readonly addend: number;
  /** 4: an offset from `end`; 8: an absolute address. */
  readonly size: 4 | 8;
  end: number;
}

/** Bytes and labels of one image. */
export abstract class ImageBuilder {
  /** Address of the first byte. */
  readonly base: bigint;
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];
  readonly #later: (() => void)[] = [];
  #unique = 0;

  constructor(base: bigint) {
    this.base = base;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#bytes.length;
  }

  /** Finishes the image. @returns its bytes */
  link(): Uint8Array<ArrayBuffer> {
    this.align(4096);
    for (let next = this.#later.shift(); next !== undefined; next = this.#later.shift()) next();
    this.align(4096);
    const image = new Uint8Array(this.#bytes);
    const view = new DataView(image.buffer);
    for (const { offset, label, addend, size, end } of this.#fixups) {
      const target = this.#offsetOf(label) + addend;
      if (size === 8) view.setBigUint64(offset, BigInt.asUintN(64, this.base + BigInt(target)), true);
      else view.setInt32(offset, target - end, true);
    }
    return image;
  }

  /** Address of a label that has been placed. */
  addressOf(label: string): bigint {
    return BigInt.asUintN(64, this.base + BigInt(this.#offsetOf(label)));
  }

  #offsetOf(label: string): number {
    const offset = this.#labels.get(label);
    if (offset === undefined) throw new Error(`there is no label ${label}`);
    return offset;
  }

  /** Places a label here. */
  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label ${name} is placed twice`);
    this.#labels.set(name, this.#bytes.length);
  }

  /** Makes a name for a label that nothing else uses. */
  fresh(stem: string): string {
    return `${stem}.${this.#unique++}`;
  }

  /** Assembles what `emit` says behind all the rest. */
  later(emit: () => void): void {
    this.#later.push(emit);
  }

  align(bytes: number): void {
    while (this.#bytes.length % bytes !== 0) this.#bytes.push(0);
  }

  bytes(...values: number[]): void {
    for (const value of values) this.#bytes.push(value & 0xff);
  }

  u16(...values: number[]): void {
    for (const value of values) this.bytes(...little(value, 2));
  }

  u32(...values: number[]): void {
    for (const value of values) this.bytes(...little(value, 4));
  }

  /** Integers, or the addresses of labels. */
  u64(...values: (Imm | string)[]): void {
    for (const value of values) {
      if (typeof value === 'string') this.reference(value, 0, 8);
      this.bytes(...little(typeof value === 'string' ? 0 : value, 8));
    }
  }

  zeros(count: number): void {
    for (let i = 0; i < count; i++) this.#bytes.push(0);
  }

  text(text: string): void {
    this.bytes(...new TextEncoder().encode(text));
  }

  /** Makes the next `size` bytes stand for a label; an offset counts from behind them unless `end` is changed. */
  reference(label: string, addend: number, size: 4 | 8): Fixup {
    const offset = this.#bytes.length;
    const fixup = { offset, label, addend, size, end: offset + size };
    this.#fixups.push(fixup);
    return fixup;
  }
}

/** The lowest bytes of an integer, lowest first. */
export function little(value: Imm, count: number): number[] {
  const wide = BigInt(value);
  return Array.from({ length: count }, (_, i) => Number((wide >> BigInt(8 * i)) & 0xffn));
}
