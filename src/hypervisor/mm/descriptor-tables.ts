// GDT and LDT of vCPUs. The GDT is a list of frames that the guest gives; the LDT is a range of its
// kernel's addresses, whose pages are looked up and checked when a selector first needs them, as on real
// Xen. All pages of both are descriptor pages while they are in use.

import { Errno, FIRST_RESERVED_GDT_ENTRY, FlatSelector } from '../../abi/index.ts';
import { type Vaddr, vaddr } from '../../base/index.ts';
import { FRAME_SIZE } from '../../machine/index.ts';
import { frameOfPte, Pte } from '../../x86/index.ts';
import type { Descriptor } from '../memory-management.ts';
import { forgetSelectors } from '../trap/transitions.ts';
import type { Vcpu } from '../vcpu.ts';
import { getDescriptorFrame, putDescriptorFrame } from './descriptor-check.ts';
import type { MemoryState } from './memory-state.ts';
import { findL1Entry } from './walk.ts';

/** Descriptors of a page. */
const PER_FRAME = FRAME_SIZE / 8;

/** Most entries of an LDT. Source: Xen public/xen.h, MMUEXT_SET_LDT; Intel SDM vol. 3A, section 3.5.1. */
const MAX_LDT_ENTRIES = 8192;

/** High halves of the flat descriptors, by entry; the low half of all is 0xffff. */
const FLAT_LO = 0x0000ffff;
const FLAT_CS32_HI = 0x00cffb00;
const FLAT_DATA_HI = 0x00cff300;
const FLAT_CS64_HI = 0x00affb00;

/**
 * Sets a vCPU's GDT.
 * @param frames - guest-controlled machine frame numbers, `entries / 512` of them rounded up
 * @returns 0, or -EINVAL (too many entries, a frame that cannot be a descriptor page); then the old one stays
 */
export function loadGdt(mm: MemoryState, vcpu: Vcpu, frames: ArrayLike<number>, entries: number): number {
  if (entries > FIRST_RESERVED_GDT_ENTRY) return -Errno.EINVAL;
  const count = Math.ceil(entries / PER_FRAME);
  for (let i = 0; i < count; i++) {
    if (getDescriptorFrame(mm, vcpu.domain.domid, frames[i] ?? Infinity) === 0) continue;
    for (let taken = i - 1; taken >= 0; taken--) putDescriptorFrame(mm, frames[taken] ?? Infinity);
    return -Errno.EINVAL;
  }
  releaseGdt(mm, vcpu);
  for (let i = 0; i < count; i++) vcpu.gdtFrames[i] = frames[i] ?? 0;
  vcpu.gdtEntries = entries;
  return 0;
}

/** Takes the GDT from a vCPU. */
export function releaseGdt(mm: MemoryState, vcpu: Vcpu): void {
  const count = Math.ceil(vcpu.gdtEntries / PER_FRAME);
  forgetSelectors(vcpu.domain);
  for (let i = 0; i < count; i++) putDescriptorFrame(mm, vcpu.gdtFrames[i] ?? 0);
  vcpu.gdtEntries = 0;
}

/**
 * Sets a vCPU's LDT.
 * @param base - page-aligned kernel address; -1 is an address that cannot be
 * @returns 0, or -EINVAL
 */
export function loadLdt(mm: MemoryState, vcpu: Vcpu, base: Vaddr | 0 | -1, entries: number): number {
  if (entries > MAX_LDT_ENTRIES || (entries !== 0 && (base < 0 || base % FRAME_SIZE !== 0))) return -Errno.EINVAL;
  if (vcpu.ldtEntries === entries && (entries === 0 || vcpu.ldtBase === base)) return 0;
  releaseLdt(mm, vcpu);
  vcpu.ldtBase = entries === 0 || base === -1 ? 0 : base;
  vcpu.ldtEntries = entries;
  return 0;
}

/** Forgets which frames the LDT of a vCPU is in. The next use of a selector looks them up again. */
export function releaseLdt(mm: MemoryState, vcpu: Vcpu): void {
  if (vcpu.ldtEntries === 0) return;
  for (let page = 0; page < vcpu.ldtFrames.length; page++) {
    const frame = vcpu.ldtFrames[page] ?? 0;
    if (frame !== 0) putDescriptorFrame(mm, frame);
    vcpu.ldtFrames[page] = 0;
  }
}

/**
 * The descriptor that a selector names on a vCPU.
 * @returns a reused record, or undefined when the selector is null or out of bounds
 */
export function readDescriptor(mm: MemoryState, vcpu: Vcpu, selector: number): Descriptor | undefined {
  const index = selector >>> 3;
  let frame: number;
  if ((selector & 4) !== 0) {
    if (index >= vcpu.ldtEntries) return undefined;
    frame = ldtFrame(mm, vcpu, Math.floor(index / PER_FRAME));
    if (frame === 0) return undefined;
  } else {
    const flatHi = flatDescriptorHi(index);
    if (flatHi !== 0) return fill(mm.descriptor, FLAT_LO, flatHi);
    if (index === 0 || index >= vcpu.gdtEntries) return undefined;
    frame = vcpu.gdtFrames[Math.floor(index / PER_FRAME)] ?? 0;
  }
  const at = frame * (FRAME_SIZE / 4) + 2 * (index % PER_FRAME);
  return fill(mm.descriptor, mm.memory.u32[at] ?? 0, mm.memory.u32[at + 1] ?? 0);
}

function fill(descriptor: Descriptor, lo: number, hi: number): Descriptor {
  descriptor.lo = lo;
  descriptor.hi = hi;
  return descriptor;
}

function flatDescriptorHi(index: number): number {
  switch (index) {
    case FlatSelector.FLAT_RING3_CS32 >>> 3:
      return FLAT_CS32_HI;
    case FlatSelector.FLAT_RING3_SS32 >>> 3:
      return FLAT_DATA_HI;
    case FlatSelector.FLAT_RING3_CS64 >>> 3:
      return FLAT_CS64_HI;
    default:
      return 0;
  }
}

/** Frame of a page of the LDT, made a descriptor page at first use; 0 when it cannot be one. */
function ldtFrame(mm: MemoryState, vcpu: Vcpu, page: number): number {
  const known = vcpu.ldtFrames[page] ?? 0;
  if (known !== 0) return known;
  const entry = findL1Entry(mm, vcpu.kernelRoot, vaddr(vcpu.ldtBase + page * FRAME_SIZE));
  if (entry < 0) return 0;
  const lo = mm.memory.u32[entry] ?? 0;
  if ((lo & Pte.PRESENT) === 0) return 0;
  const frame = frameOfPte(lo, mm.memory.u32[entry + 1] ?? 0);
  if (getDescriptorFrame(mm, vcpu.domain.domid, frame) !== 0) return 0;
  vcpu.ldtFrames[page] = frame;
  return frame;
}
