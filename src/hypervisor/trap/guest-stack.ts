// Memory accesses on behalf of an instruction of the guest: with the rights of the mode it runs in,
// and with the page fault that the instruction would have got.

import { type Vaddr, vaddr } from '../../base/index.ts';
import { Access } from '../../engine/index.ts';
import { canonicalVaddr, PageFaultError } from '../../x86/index.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import { injectException, injectPageFault } from './inject.ts';

const SS_FAULT = 12;
const SIGN_EXTENDED = 0xffff0000;

/**
 * Reads `count` operands of `size` bytes (2, 4, 8) at a stack address into u32 pairs, zero-extended.
 * @returns false when a fault was injected
 */
export function readStack(pcpu: Pcpu, vcpu: Vcpu, lo: number, hi: number, size: number, into: Uint32Array): boolean {
  const count = into.length / 2;
  const bytes = new Uint8Array(count * size);
  const base = canonicalVaddr(lo, hi);
  for (let i = 0; i < bytes.length; i++) {
    const address = base + i;
    if (base < 0 || address >= 2 ** 48 || (base < 2 ** 47 && address >= 2 ** 47)) {
      injectException(pcpu, vcpu, SS_FAULT, 0);
      return false;
    }
    const at = vaddr(address);
    const from = pcpu.engine.translate(vcpu.context, at, Access.READ, vcpu.kernelMode);
    if (from < 0) {
      injectReadFault(pcpu, vcpu, at);
      return false;
    }
    bytes[i] = pcpu.memory.u8[from] ?? 0;
  }
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    into[2 * i] = size === 2 ? view.getUint16(2 * i, true) : view.getUint32(size * i, true);
    into[2 * i + 1] = size === 8 ? view.getUint32(8 * i + 4, true) : 0;
  }
  return true;
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
