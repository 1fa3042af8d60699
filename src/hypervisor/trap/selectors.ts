// Checks of segment selectors against descriptors, as hardware makes them at CPL 3. The tables are the
// guest's; memory management keeps them free of privileged descriptors, and this does not rely on it.
// Source: Intel SDM vol. 3A, section 3.4.5 and 5.8; vol. 2A, MOV, LAR, LSL, VERR.

import { FlatSelector } from '../../abi/index.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';

/** Bits of the high half of a descriptor. Intel SDM vol. 3A, figure 3-8. */
export const DescriptorHi = {
  ACCESSED: 1 << 8,
  /** Writable for data, readable for code. */
  READ_WRITE: 1 << 9,
  /** Expand-down for data, conforming for code. */
  CONFORMING: 1 << 10,
  CODE: 1 << 11,
  TYPE: 0xf << 8,
  /** Set for code and data, clear for system descriptors. */
  NOT_SYSTEM: 1 << 12,
  DPL: 3 << 13,
  PRESENT: 1 << 15,
  LIMIT_HI: 0xf << 16,
  LONG: 1 << 21,
  GRANULAR: 1 << 23,
} as const;

/** What a code selector can be used for. */
export const CodeSelector = {
  OK: 0,
  /** Names no code segment that CPL 3 may run. */
  BAD: 1,
  /** Names a 32-bit segment, which the engine does not run. */
  NOT_64_BIT: 2,
} as const;

/** Judges a selector that is to go into CS. @hot */
export function checkCodeSelector(
  pcpu: Pcpu,
  vcpu: Vcpu,
  selector: number,
): (typeof CodeSelector)[keyof typeof CodeSelector] {
  if (selector === FlatSelector.FLAT_RING3_CS64) return CodeSelector.OK;
  if (selector === FlatSelector.FLAT_RING3_CS32) return CodeSelector.NOT_64_BIT;
  const descriptor = pcpu.mm.readDescriptor(vcpu, selector);
  if (descriptor === undefined || (selector & 3) !== 3) return CodeSelector.BAD;
  const wanted = DescriptorHi.NOT_SYSTEM | DescriptorHi.CODE | DescriptorHi.PRESENT;
  if ((descriptor.hi & wanted) !== wanted) return CodeSelector.BAD;
  if ((descriptor.hi & DescriptorHi.CONFORMING) === 0 && dplOf(descriptor.hi) !== 3) return CodeSelector.BAD;
  return (descriptor.hi & DescriptorHi.LONG) !== 0 ? CodeSelector.OK : CodeSelector.NOT_64_BIT;
}

/** True when a selector may go into SS. @hot */
export function isStackSelector(pcpu: Pcpu, vcpu: Vcpu, selector: number): boolean {
  if (selector === FlatSelector.FLAT_RING3_SS64) return true;
  const descriptor = pcpu.mm.readDescriptor(vcpu, selector);
  if (descriptor === undefined || (selector & 3) !== 3) return false;
  const { hi } = descriptor;
  const wanted = DescriptorHi.NOT_SYSTEM | DescriptorHi.READ_WRITE | DescriptorHi.PRESENT;
  return (hi & wanted) === wanted && (hi & DescriptorHi.CODE) === 0 && dplOf(hi) === 3;
}

/** True when a descriptor may go into DS, ES, FS or GS, its P bit left aside. */
export function isDataDescriptor(hi: number): boolean {
  if ((hi & DescriptorHi.NOT_SYSTEM) === 0) return false;
  if ((hi & DescriptorHi.CODE) === 0) return dplOf(hi) === 3;
  if ((hi & DescriptorHi.READ_WRITE) === 0) return false;
  return (hi & DescriptorHi.CONFORMING) !== 0 || dplOf(hi) === 3;
}

/** Descriptor privilege level. */
export function dplOf(hi: number): number {
  return (hi >>> 13) & 3;
}

/** 32-bit base of a code or data descriptor. */
export function baseOf(lo: number, hi: number): number {
  return ((hi & 0xff000000) | ((hi & 0xff) << 16) | (lo >>> 16)) >>> 0;
}

/** Limit of a descriptor in bytes. */
export function limitOf(lo: number, hi: number): number {
  const raw = (hi & DescriptorHi.LIMIT_HI) | (lo & 0xffff);
  return (hi & DescriptorHi.GRANULAR) !== 0 ? ((raw << 12) | 0xfff) >>> 0 : raw;
}
