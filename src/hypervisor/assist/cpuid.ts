// CPUID as guests see it: a 64-bit processor with exactly the features that the engine implements, and
// the hypervisor's own leaves from 0x40000000 on. It presents itself as an in-order Intel core, which is
// what the engine is: it does not speculate, so kernels need none of the costly guards against that.
// Sources: Intel SDM vol. 2A, CPUID; Xen public/arch-x86/cpuid.h.

import { Gpr } from '../../engine/index.ts';
import type { Pcpu } from '../pcpu.ts';
import { TSC_KHZ, TSC_SHIFT, TSC_TO_SYSTEM_MUL } from '../time/clock-record.ts';
import type { Vcpu } from '../vcpu.ts';

/** Feature words, as leaves 1, 7 and 0x80000001 show them. The engine knows which bits are true. */
export interface CpuidPolicy {
  /** Leaf 1. */
  readonly leaf1Ecx: number;
  readonly leaf1Edx: number;
  /** Leaf 7, subleaf 0. */
  readonly leaf7Ebx: number;
  readonly leaf7Edx: number;
  /** Leaf 0x80000001. */
  readonly extendedEcx: number;
  readonly extendedEdx: number;
}

/** Leaf 1, ecx. */
const Leaf1Ecx = {
  SSE3: 1 << 0,
  SSSE3: 1 << 9,
  CX16: 1 << 13,
  SSE4_1: 1 << 19,
  SSE4_2: 1 << 20,
  POPCNT: 1 << 23,
  HYPERVISOR: 1 << 31,
} as const;

/** Leaf 1, edx. */
const Leaf1Edx = {
  FPU: 1 << 0,
  TSC: 1 << 4,
  MSR: 1 << 5,
  PAE: 1 << 6,
  CX8: 1 << 8,
  CMOV: 1 << 15,
  PAT: 1 << 16,
  CLFLUSH: 1 << 19,
  MMX: 1 << 23,
  FXSR: 1 << 24,
  SSE: 1 << 25,
  SSE2: 1 << 26,
} as const;

/** Leaf 7: fast string operations and the presence of the IA32_ARCH_CAPABILITIES register. */
const Leaf7 = { EBX_ERMS: 1 << 9, EDX_FSRM: 1 << 4, EDX_ARCH_CAPABILITIES: 1 << 29 } as const;

/** Leaf 0x80000001. */
const Extended = { ECX_LAHF_LM: 1 << 0, EDX_SYSCALL: 1 << 11, EDX_NX: 1 << 20, EDX_LM: 1 << 29 } as const;

/** Everything that an engine of this project has to implement. */
export const DEFAULT_CPUID: CpuidPolicy = {
  leaf1Ecx:
    Leaf1Ecx.SSE3 |
    Leaf1Ecx.SSSE3 |
    Leaf1Ecx.CX16 |
    Leaf1Ecx.SSE4_1 |
    Leaf1Ecx.SSE4_2 |
    Leaf1Ecx.POPCNT |
    Leaf1Ecx.HYPERVISOR,
  leaf1Edx:
    Leaf1Edx.FPU |
    Leaf1Edx.TSC |
    Leaf1Edx.MSR |
    Leaf1Edx.PAE |
    Leaf1Edx.CX8 |
    Leaf1Edx.CMOV |
    Leaf1Edx.PAT |
    Leaf1Edx.CLFLUSH |
    Leaf1Edx.MMX |
    Leaf1Edx.FXSR |
    Leaf1Edx.SSE |
    Leaf1Edx.SSE2,
  leaf7Ebx: Leaf7.EBX_ERMS,
  leaf7Edx: Leaf7.EDX_FSRM | Leaf7.EDX_ARCH_CAPABILITIES,
  extendedEcx: Extended.ECX_LAHF_LM,
  extendedEdx: Extended.EDX_SYSCALL | Extended.EDX_NX | Extended.EDX_LM,
};

/** Bits that only the hypervisor can answer for, whatever the engine says. */
const OWN_LEAF1_ECX = Leaf1Ecx.HYPERVISOR;

const MAX_LEAF = 7;
const MAX_EXTENDED_LEAF = 0x80000008;
const HYPERVISOR_BASE = 0x40000000;
const MAX_HYPERVISOR_LEAF = 0x40000005;

/** Family 6, model 0x1c, stepping 10: an in-order core. */
const SIGNATURE = 0x000106ca;
/** 64-byte cache lines for CLFLUSH, in units of 8 bytes. */
const CLFLUSH_UNITS = 8;
const PHYSICAL_BITS = 40;
const LINEAR_BITS = 48;
/** Width of a machine address; 44 or less keeps guests on version 1 grant tables. */
const MACHINE_BITS = 32;
/** Version of Xen whose interface this is. */
const XEN_VERSION = (4 << 16) | 17;
/** Register that a guest may write the address of a hypercall page to. */
const HYPERCALL_PAGE_MSR = 0x40000000;

const VENDOR = 'GenuineIntel';
const BRAND = 'Zendo virtual CPU';
const XEN_SIGNATURE = 'XenVMMXenVMM';

/** The u32 made of four characters of a text from `at` on; NUL behind its end. */
function word(text: string, at: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = value * 256 + (at + i < text.length ? text.charCodeAt(at + i) : 0);
  return value;
}

/** Executes CPUID for the leaf in eax and ecx. rip is left alone. */
export function emulateCpuid(pcpu: Pcpu, vcpu: Vcpu): void {
  const { gpr32 } = vcpu.context.state;
  const leaf = gpr32[2 * Gpr.RAX] ?? 0;
  const result = cpuid(pcpu.cpuid, leaf, gpr32[2 * Gpr.RCX] ?? 0);
  if (pcpu.tracer.trap) pcpu.tracer.line('trap', `d${vcpu.domain.domid}v${vcpu.id} cpuid 0x${leaf.toString(16)}`);
  const registers = [Gpr.RAX, Gpr.RBX, Gpr.RCX, Gpr.RDX];
  for (const [index, register] of registers.entries()) {
    gpr32[2 * register] = result[index] ?? 0;
    gpr32[2 * register + 1] = 0;
  }
}

/** eax, ebx, ecx and edx of a leaf. */
export function cpuid(policy: CpuidPolicy, leaf: number, subleaf: number): readonly [number, number, number, number] {
  if (leaf >= HYPERVISOR_BASE && leaf < HYPERVISOR_BASE + 0x100) return hypervisorLeaf(leaf, subleaf);
  switch (leaf) {
    case 0:
      return [MAX_LEAF, word(VENDOR, 0), word(VENDOR, 8), word(VENDOR, 4)];
    case 1:
      // The APIC identifier in ebx is 0 on every vCPU, as under Xen: there is no APIC.
      return [SIGNATURE, (1 << 16) | (CLFLUSH_UNITS << 8), policy.leaf1Ecx | OWN_LEAF1_ECX, policy.leaf1Edx];
    case 2:
      return [1, 0, 0, 0]; // one query is enough, and there is nothing to tell
    case 7:
      return subleaf === 0 ? [0, policy.leaf7Ebx, 0, policy.leaf7Edx] : [0, 0, 0, 0];
    case 0x80000000:
      return [MAX_EXTENDED_LEAF, 0, 0, 0];
    case 0x80000001:
      return [0, 0, policy.extendedEcx, policy.extendedEdx];
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const at = (leaf - 0x80000002) * 16;
      return [word(BRAND, at), word(BRAND, at + 4), word(BRAND, at + 8), word(BRAND, at + 12)];
    }
    case 0x80000008:
      return [(LINEAR_BITS << 8) | PHYSICAL_BITS, 0, 0, 0];
    default:
      return [0, 0, 0, 0];
  }
}

function hypervisorLeaf(leaf: number, subleaf: number): readonly [number, number, number, number] {
  switch (leaf - HYPERVISOR_BASE) {
    case 0:
      return [MAX_HYPERVISOR_LEAF, word(XEN_SIGNATURE, 0), word(XEN_SIGNATURE, 4), word(XEN_SIGNATURE, 8)];
    case 1:
      return [XEN_VERSION, 0, 0, 0];
    case 2:
      return [1, HYPERCALL_PAGE_MSR, 1, 0]; // one page; ecx: mmu_update preserves A and D
    case 3:
      if (subleaf === 0) return [2, 0, TSC_KHZ, 0]; // 2: the counter can be relied on
      if (subleaf === 1) return [0, 0, TSC_TO_SYSTEM_MUL, TSC_SHIFT];
      return subleaf === 2 ? [TSC_KHZ, 0, 0, 0] : [0, 0, 0, 0];
    case 5:
      return [0, MACHINE_BITS, 0, 0];
    default:
      return [0, 0, 0, 0];
  }
}
