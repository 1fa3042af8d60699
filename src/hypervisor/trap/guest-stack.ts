// Memory accesses on behalf of an instruction of the guest: with the rights of the mode it runs in,
// and with the page fault that the instruction would have got.

import { type Vaddr, vaddr } from '../../base/index.ts';
import { Access } from '../../engine/index.ts';
import { FRAME_SIZE } from '../../machine/index.ts';
import { canonicalVaddr, PageFaultError } from '../../x86/index.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { injectException, injectPageFault } from './inject.ts';

const SS_FAULT = 12;
const SIGN_EXTENDED = 0xffff0000;
const LOWER_END = 2 ** 47;
const UPPER_END = 2 ** 48;

/**
 * Reads operands of `size` bytes (2, 4, 8) from a stack address up, as many as `into` has u32 pairs, zero-extended.
 * @returns false when a fault was injected
 */
export function readStack(pcpu: Pcpu, vcpu: Vcpu, lo: number, hi: number, size: number, into: Uint32Array): boolean {
  const bytes = (into.length / 2) * size;
  const base = canonicalVaddr(lo, hi);
  if (base < 0 || base + bytes > (base < LOWER_END ? LOWER_END : UPPER_END)) {
    injectException(pcpu, vcpu, SS_FAULT, 0);
    return false;
  }
  // Operands rarely cross a page; only an operand that crosses one is put together from bytes.
  const { view } = pcpu.memory;
  for (let i = 0; i < into.length / 2; i++) {
    const address = base + i * size;
    const from = locate(pcpu, vcpu, address);
    const crosses = (address % FRAME_SIZE) + size > FRAME_SIZE;
    const rest = crosses ? locate(pcpu, vcpu, address + size - 1) : 0;
    if (from < 0 || rest < 0) return false;
    if (crosses) readCrossing(pcpu, vcpu, address, size, into, i);
    else {
      into[2 * i] = size === 2 ? view.getUint16(from, true) : view.getUint32(from, true);
      into[2 * i + 1] = size === 8 ? view.getUint32(from + 4, true) : 0;
    }
  }
  return true;
}

/** Where a byte is, or -1 after the page fault for it was injected. */
function locate(pcpu: Pcpu, vcpu: Vcpu, address: number): number {
  const at = vaddr(address);
  const from = pcpu.engine.translate(vcpu.context, at, Access.READ, vcpu.kernelMode);
  if (from < 0) injectReadFault(pcpu, vcpu, at);
  return from;
}

/** Reads one operand that lies in two pages, both of which can be read. */
function readCrossing(pcpu: Pcpu, vcpu: Vcpu, address: number, size: number, into: Uint32Array, index: number): void {
  const word = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < size; i++) {
    const from = pcpu.engine.translate(vcpu.context, vaddr(address + i), Access.READ, vcpu.kernelMode);
    word.setUint8(i, pcpu.memory.u8[from] ?? 0);
  }
  into[2 * index] = word.getUint32(0, true);
  into[2 * index + 1] = word.getUint32(4, true);
}

/** The page fault of a read that failed: P when the page is there but not for this mode. */
function injectReadFault(pcpu: Pcpu, vcpu: Vcpu, at: Vaddr): void {
  const present = pcpu.engine.translate(vcpu.context, at, Access.READ, true) >= 0 && !vcpu.kernelMode;
  const hi = Math.floor(at / 0x100000000);
  injectPageFault(
    pcpu,
    vcpu,
    at % 0x100000000,
    hi >= 0x8000 ? (hi | SIGN_EXTENDED) >>> 0 : hi,
    present ? PageFaultError.PRESENT : 0,
  );
}
