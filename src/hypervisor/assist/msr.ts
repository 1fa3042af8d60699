// Model-specific registers of a guest's kernel. Those a kernel needs have values; writes that change
// nothing or do not matter here are accepted; everything else gets #GP, for which kernels are prepared.
// Source: reference of the interface, section 3.9; Intel SDM vol. 4.

import { Cpu, Gpr } from '../../engine/index.ts';
import { canonicalVaddr } from '../../x86/index.ts';
import { fillHypercallPage } from '../hypercall/hypercall-page.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';

/** Register numbers. */
const Msr = {
  TSC: 0x10,
  APIC_BASE: 0x1b,
  FEATURE_CONTROL: 0x3a,
  BIOS_SIGN_ID: 0x8b,
  PLATFORM_INFO: 0xce,
  ARCH_CAPABILITIES: 0x10a,
  MISC_FEATURES_ENABLES: 0x140,
  MISC_ENABLE: 0x1a0,
  PAT: 0x277,
  XEN_HYPERCALL_PAGE: 0x40000000,
  EFER: 0xc0000080,
  FS_BASE: 0xc0000100,
  GS_BASE: 0xc0000101,
  KERNEL_GS_BASE: 0xc0000102,
} as const;

/** SCE, LME, LMA and NXE. */
const EFER = 0xd01;
const APIC_BASE = 0xfee00900;
/** Locked. */
const FEATURE_CONTROL = 1;
/** FAST_STRING, PERFMON-less: BTS and PEBS unavailable, no Mwait. */
const MISC_ENABLE = 0x1801;
/** WB WT UC- UC WC WP UC UC, from entry 0 up. */
const PAT_LO = 0x00070406;
const PAT_HI = 0x00000501;
/** RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, FBSDP_NO and kin, RFDS_NO. */
const ARCH_CAPABILITIES_LO =
  (1 << 0) | (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 8) | (7 << 13) | (1 << 20) | (1 << 27);
/** ITS_NO is bit 62. */
const ARCH_CAPABILITIES_HI = 1 << 30;

/** Reads register ecx into edx:eax. @returns false for #GP */
export function readMsr(pcpu: Pcpu, vcpu: Vcpu): boolean {
  const { state } = vcpu.context;
  const number = state.gpr32[2 * Gpr.RCX] ?? 0;
  switch (number) {
    case Msr.TSC: {
      const now = Math.floor(pcpu.clock.nowNs());
      return give(vcpu, now % 0x100000000, Math.floor(now / 0x100000000));
    }
    case Msr.APIC_BASE:
      return give(vcpu, APIC_BASE, 0);
    case Msr.FEATURE_CONTROL:
      return give(vcpu, FEATURE_CONTROL, 0);
    case Msr.BIOS_SIGN_ID:
    case Msr.PLATFORM_INFO:
    case Msr.MISC_FEATURES_ENABLES:
      return give(vcpu, 0, 0);
    case Msr.ARCH_CAPABILITIES:
      return give(vcpu, ARCH_CAPABILITIES_LO, ARCH_CAPABILITIES_HI);
    case Msr.MISC_ENABLE:
      return give(vcpu, MISC_ENABLE, 0);
    case Msr.PAT:
      return give(vcpu, PAT_LO, PAT_HI);
    case Msr.EFER:
      return give(vcpu, EFER, 0);
    case Msr.FS_BASE:
      return give(vcpu, state.readU32(Cpu.FS_BASE), state.readU32(Cpu.FS_BASE + 4));
    case Msr.GS_BASE:
      return give(vcpu, state.readU32(Cpu.GS_BASE), state.readU32(Cpu.GS_BASE + 4));
    case Msr.KERNEL_GS_BASE:
      return give(vcpu, vcpu.inactiveGsLo, vcpu.inactiveGsHi);
    default:
      return false;
  }
}

function give(vcpu: Vcpu, lo: number, hi: number): true {
  const { gpr32 } = vcpu.context.state;
  gpr32[2 * Gpr.RAX] = lo;
  gpr32[2 * Gpr.RAX + 1] = 0;
  gpr32[2 * Gpr.RDX] = hi;
  gpr32[2 * Gpr.RDX + 1] = 0;
  return true;
}

/** Writes edx:eax to register ecx. @returns false for #GP */
export function writeMsr(pcpu: Pcpu, vcpu: Vcpu): boolean {
  const { state } = vcpu.context;
  const lo = state.gpr32[2 * Gpr.RAX] ?? 0;
  const hi = state.gpr32[2 * Gpr.RDX] ?? 0;
  switch (state.gpr32[2 * Gpr.RCX] ?? 0) {
    case Msr.FS_BASE:
      if (canonicalVaddr(lo, hi) < 0) return false;
      state.writeU32(Cpu.FS_BASE, lo);
      state.writeU32(Cpu.FS_BASE + 4, hi);
      return true;
    case Msr.GS_BASE:
      if (canonicalVaddr(lo, hi) < 0) return false;
      state.writeU32(Cpu.GS_BASE, lo);
      state.writeU32(Cpu.GS_BASE + 4, hi);
      return true;
    case Msr.KERNEL_GS_BASE:
      if (canonicalVaddr(lo, hi) < 0) return false;
      vcpu.setInactiveGs(lo, hi);
      return true;
    case Msr.EFER:
      return lo === EFER && hi === 0;
    case Msr.APIC_BASE:
      return lo >>> 0 === APIC_BASE && hi === 0;
    case Msr.PAT:
      return lo === PAT_LO && hi === PAT_HI;
    case Msr.BIOS_SIGN_ID:
    case Msr.MISC_ENABLE:
      return true; // what is written makes no difference
    case Msr.MISC_FEATURES_ENABLES:
      return lo === 0 && hi === 0;
    case Msr.XEN_HYPERCALL_PAGE:
      return fillHypercallPage(pcpu, vcpu.domain, lo, hi);
    default:
      return false;
  }
}
