// Crashing a domain: what the hypervisor does when a guest cannot go on or one of our own invariants
// broke. The domain stops at once; its state is kept as plain data for the report that the toolstack prints.

import { Shutdown } from '../abi/index.ts';
import { vaddr, type Vaddr } from '../base/index.ts';
import { Access, Cpu, type CpuState, Gpr } from '../engine/index.ts';
import { canonicalVaddr } from '../x86/index.ts';
import type { Domain } from './domain.ts';
import type { Pcpu } from './pcpu.ts';
import { refreshDomain } from './schedule/blocking.ts';
import type { Vcpu } from './vcpu.ts';

/** Stack words and code bytes that a report holds at most. */
const STACK_WORDS = 32;
const CODE_BYTES_BEFORE = 16;
const CODE_BYTES = 48;

/** Registers of one vCPU at the crash. */
export interface VcpuReport {
  id: number;
  /** Brought up and not taken down. */
  online: boolean;
  kernelMode: boolean;
  rip: bigint;
  rflags: number;
  /** In `Gpr` order. */
  gpr: bigint[];
  /** In `Sreg` order. */
  selectors: number[];
  fsBase: bigint;
  gsBase: bigint;
  inactiveGsBase: bigint;
  kernelRoot: number;
  userRoot: number;
  /** Address of the last page fault, from vcpu_info. */
  cr2: bigint;
  upcallPending: boolean;
  upcallMask: boolean;
  /** Words from rsp up, as far as they can be read. */
  stack: bigint[];
  /** Code around rip, as far as it can be read; the byte at rip is number `codeOffset`. */
  code: number[];
  codeOffset: number;
}

/** Why a domain crashed and what its vCPUs looked like. Plain data. */
export interface CrashReport {
  domid: number;
  name: string;
  reason: string;
  /** vCPU that was running; undefined when none was. */
  vcpu: number | undefined;
  timeNs: number;
  vcpus: VcpuReport[];
}

/** Stops a domain for good, with a report. The first crash counts. @param reason - one line */
export function crashDomain(pcpu: Pcpu, domain: Domain, reason: string): void {
  if (domain.shutdownReason !== undefined) return;
  domain.shutdownReason = Shutdown.SHUTDOWN_crash;
  const current = pcpu.current?.domain === domain ? pcpu.current.id : undefined;
  domain.crashReport = {
    domid: domain.domid,
    name: domain.name,
    reason,
    vcpu: current,
    timeNs: pcpu.clock.nowNs(),
    vcpus: reportVcpus(pcpu, domain),
  };
  refreshDomain(pcpu, domain);
  pcpu.logger.warn(`domain ${domain.domid} (${domain.name}) crashed: ${reason}`);
  pcpu.notifications.domainChanged(domain.domid);
}

/** A bug that crashed the domain may stand in the way of its report too: then the report goes without its vCPUs. */
function reportVcpus(pcpu: Pcpu, domain: Domain): VcpuReport[] {
  try {
    return domain.vcpus.filter((vcpu) => vcpu.initialised).map((vcpu) => reportVcpu(pcpu, vcpu));
  } catch (error) {
    pcpu.logger.warn(`the vCPUs of domain ${domain.domid} cannot be reported: ${String(error)}`);
    return [];
  }
}

/** What one vCPU looks like now. */
export function reportVcpu(pcpu: Pcpu, vcpu: Vcpu): VcpuReport {
  const { state } = vcpu.context;
  const info = vcpu.infoAddress;
  const code = readCode(pcpu, vcpu, state);
  return {
    id: vcpu.id,
    online: !vcpu.down,
    kernelMode: vcpu.kernelMode,
    rip: state.rip,
    rflags: state.rflags,
    gpr: [...state.gpr],
    selectors: [...state.selector],
    fsBase: state.readU64(Cpu.FS_BASE),
    gsBase: state.readU64(Cpu.GS_BASE),
    inactiveGsBase: (BigInt(vcpu.inactiveGsHi) << 32n) | BigInt(vcpu.inactiveGsLo),
    kernelRoot: vcpu.kernelRoot,
    userRoot: vcpu.userRoot,
    cr2: pcpu.memory.u64[(info + 16) / 8] ?? 0n,
    upcallPending: pcpu.memory.u8[info] !== 0,
    upcallMask: pcpu.memory.u8[info + 1] !== 0,
    stack: readStack(pcpu, vcpu, state),
    code: code.bytes,
    codeOffset: code.offset,
  };
}

function readStack(pcpu: Pcpu, vcpu: Vcpu, state: CpuState): bigint[] {
  const words: bigint[] = [];
  const rsp = state.gpr[Gpr.RSP] ?? 0n;
  for (let i = 0; i < STACK_WORDS; i++) {
    let word = 0n;
    for (let byte = 0; byte < 8; byte++) {
      const value = readByte(pcpu, vcpu, rsp + BigInt(8 * i + byte), Access.READ);
      if (value < 0) return words;
      word |= BigInt(value) << BigInt(8 * byte);
    }
    words.push(word);
  }
  return words;
}

function readCode(pcpu: Pcpu, vcpu: Vcpu, state: CpuState): { bytes: number[]; offset: number } {
  const bytes: number[] = [];
  let offset = 0;
  for (let i = -CODE_BYTES_BEFORE; i < CODE_BYTES - CODE_BYTES_BEFORE; i++) {
    const value = readByte(pcpu, vcpu, state.rip + BigInt(i), Access.EXECUTE);
    if (value >= 0) bytes.push(value);
    else if (i < 0) bytes.length = 0;
    else break;
    if (i < 0) offset = bytes.length;
  }
  return { bytes, offset };
}

/** A byte as the vCPU sees it in its present mode, -1 when it cannot. */
function readByte(pcpu: Pcpu, vcpu: Vcpu, address: bigint, access: 0 | 2): number {
  const lo = Number(address & 0xffffffffn);
  const hi = Number((address >> 32n) & 0xffffffffn);
  const low48 = canonicalVaddr(lo, hi);
  if (low48 < 0 || vcpu.kernelRoot === 0) return -1;
  const at: Vaddr = vaddr(low48);
  const where = pcpu.engine.translate(vcpu.context, at, access, vcpu.kernelMode);
  return where < 0 ? -1 : (pcpu.memory.u8[where] ?? -1);
}
