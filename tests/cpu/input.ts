// The input of one case under construction: registers, code, memory, in the bytes that the recorder takes.

import { CODE_BASE, CODE_BYTES, DATA_BASE, Fx, Input, WINDOWS } from './machine-layout.ts';

const MASK64 = (1n << 64n) - 1n;

/** Writes the fields of an input; starts from the given bytes, which should be 0. */
export class InputWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, Input.SIZE);
  }

  /** General register `n`. */
  gpr(n: number): bigint {
    return this.#view.getBigUint64(Input.GPR + 8 * n, true);
  }

  /** Sets general register `n`; the value is taken modulo 2^64. */
  setGpr(n: number, value: bigint): void {
    this.#view.setBigUint64(Input.GPR + 8 * n, value & MASK64, true);
  }

  /** RFLAGS; interrupts are always on. */
  get rflags(): number {
    return Number(this.#view.getBigUint64(Input.RFLAGS, true));
  }

  set rflags(value: number) {
    this.#view.setBigUint64(Input.RFLAGS, BigInt(value | 0x202), true);
  }

  /** Places the code. */
  setCode(offset: number, code: readonly number[]): void {
    if (code.length > CODE_BYTES) throw new Error('too much code for one case');
    this.#view.setUint32(Input.CODE_OFFSET, offset, true);
    this.#view.setUint32(Input.CODE_LENGTH, code.length, true);
    this.bytes.set(code, Input.CODE);
  }

  /** Virtual address of the first byte of code. */
  get rip(): number {
    return CODE_BASE + this.#view.getUint32(Input.CODE_OFFSET, true);
  }

  /** The code. */
  get code(): Uint8Array {
    return this.bytes.subarray(Input.CODE, Input.CODE + this.#view.getUint32(Input.CODE_LENGTH, true));
  }

  /** Writes bytes to the data pages as far as the windows reach; the address may be anything. */
  poke(address: bigint, bytes: Uint8Array): void {
    const offset = address - BigInt(DATA_BASE);
    if (offset < -512n || offset > 0x10000n) return;
    const start = Number(offset);
    for (const window of WINDOWS) {
      for (let i = 0; i < bytes.length; i++) {
        const at = start + i - window.offset;
        if (at >= 0 && at < window.size) this.bytes[Input.DATA + window.at + at] = bytes[i] ?? 0;
      }
    }
  }

  /** Fills all windows. */
  setData(bytes: Uint8Array): void {
    this.bytes.set(bytes, Input.DATA);
  }

  /** Sets the whole FPU and SSE image. */
  setFx(image: Uint8Array): void {
    this.bytes.set(image, Input.FX);
  }

  /** Sets SSE register `n`. */
  setXmm(n: number, bytes: Uint8Array): void {
    this.bytes.set(bytes.subarray(0, 16), Input.FX + Fx.XMM + 16 * n);
  }

  /** Sets x87 register ST(i): 10 bytes. */
  setSt(i: number, significand: bigint, signExponent: number): void {
    this.#view.setBigUint64(Input.FX + Fx.ST + 16 * i, significand, true);
    this.#view.setUint16(Input.FX + Fx.ST + 16 * i + 8, signExponent, true);
  }

  /** Sets the x87 control, status and abridged tag word. The summary bits of the status word are computed. */
  setX87(fcw: number, fsw: number, tags: number): void {
    const pending = (fsw & ~fcw & 0x3f) === 0 ? 0 : 0x8080;
    this.#view.setUint16(Input.FX + Fx.FCW, fcw, true);
    this.#view.setUint16(Input.FX + Fx.FSW, (fsw & ~0x8080) | pending, true);
    this.#view.setUint8(Input.FX + Fx.FTW, tags);
  }

  /** Sets MXCSR. */
  set mxcsr(value: number) {
    this.#view.setUint32(Input.FX + Fx.MXCSR, value, true);
  }
}
