// The time that guests see. The time stamp counter counts nanoseconds of the pCPU's clock and never
// stops, so a guest computes system time from it without us: ns = tsc. Written are the time record in
// each vcpu_info, the second copy a guest may register, and the wall clock in shared_info.
// Source: Xen public/xen.h, struct vcpu_time_info and the comment on its protocol.

import { SHARED_INFO, VCPU_INFO, VCPU_TIME_INFO, VCPU_TIME_INFO_SIZE, XenPvclock } from '../../abi/index.ts';
import type { Domain } from '../domain.ts';
import { GuestBuffer } from '../guest-access.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';

/** Frequency of the time stamp counter. */
export const TSC_KHZ = 1_000_000;

/** Multiplier of the time record: ((delta << 1) * 2^31) >> 32 = delta. */
export const TSC_TO_SYSTEM_MUL = 0x80000000;

/** Shift that goes with it. */
export const TSC_SHIFT = 1;

const NS_PER_MS = 1_000_000;
const NS_PER_S = 1_000_000_000;

/** Writes the time record of a vCPU into its vcpu_info. */
export function writeTimeRecord(pcpu: Pcpu, vcpu: Vcpu): void {
  const base = vcpu.infoAddress + VCPU_INFO.time;
  fillTimeRecord(pcpu.memory.view, base, pcpu.memory.view.getUint32(base, true));
}

/** Writes the second copy of the time record, if one is registered. The vCPU's tables are in force. */
export function writeTimeArea(pcpu: Pcpu, vcpu: Vcpu): void {
  vcpu.timeAreaStale = false;
  if (vcpu.timeArea < 0) return;
  const record = new GuestBuffer(VCPU_TIME_INFO_SIZE);
  if (!pcpu.access.copyIn(vcpu, vcpu.timeArea, record, 4)) return;
  fillTimeRecord(record.view, 0, record.lo(0));
  pcpu.access.copyOut(vcpu, vcpu.timeArea, record, VCPU_TIME_INFO_SIZE);
}

function fillTimeRecord(view: DataView, base: number, version: number): void {
  view.setUint32(base + VCPU_TIME_INFO.version, (version | 1) >>> 0, true);
  view.setBigUint64(base + VCPU_TIME_INFO.tsc_timestamp, 0n, true);
  view.setBigUint64(base + VCPU_TIME_INFO.system_time, 0n, true);
  view.setUint32(base + VCPU_TIME_INFO.tsc_to_system_mul, TSC_TO_SYSTEM_MUL, true);
  view.setInt8(base + VCPU_TIME_INFO.tsc_shift, TSC_SHIFT);
  view.setUint8(base + VCPU_TIME_INFO.flags, XenPvclock.XEN_PVCLOCK_TSC_STABLE_BIT);
  view.setUint32(base + VCPU_TIME_INFO.version, ((version | 1) + 1) >>> 0, true);
}

/** Writes the wall clock: the time of day at system time 0. */
export function writeWallClock(pcpu: Pcpu, domain: Domain): void {
  const view = pcpu.memory.view;
  const base = domain.sharedInfo * 4096;
  const originMs = pcpu.clock.wallClockMs() - pcpu.clock.nowNs() / NS_PER_MS;
  const seconds = Math.floor(originMs / 1000);
  const version = view.getUint32(base + SHARED_INFO.wc_version, true) | 1;
  view.setUint32(base + SHARED_INFO.wc_version, version, true);
  view.setUint32(base + SHARED_INFO.wc_sec, seconds % 0x100000000, true);
  view.setUint32(base + SHARED_INFO.wc_sec_hi, Math.floor(seconds / 0x100000000), true);
  view.setUint32(base + SHARED_INFO.wc_nsec, Math.floor((originMs / 1000 - seconds) * NS_PER_S) % NS_PER_S, true);
  view.setUint32(base + SHARED_INFO.wc_version, (version + 1) >>> 0, true);
}
