// The guest's copy of a vCPU's run state: where its time went. Written when the vCPU starts to run, which
// is the only time that the guest can look. Source: Xen public/vcpu.h, struct vcpu_runstate_info.

import { VCPU_RUNSTATE_INFO, VCPU_RUNSTATE_INFO_SIZE, VmAssist } from '../../abi/index.ts';
import { type Vaddr, vaddr } from '../../base/index.ts';
import type { GuestBuffer } from '../guest-access.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';

/** Bit 63 of state_entry_time, in its high half: the record is being written. */
const UPDATE_HI = 0x80000000;

/** Fills a record with the run state as of `nowNs`. */
export function fillRunstate(record: GuestBuffer, vcpu: Vcpu, nowNs: number): void {
  record.u32[VCPU_RUNSTATE_INFO.state / 4] = vcpu.runstate;
  record.u32[VCPU_RUNSTATE_INFO.state / 4 + 1] = 0;
  record.setNumber(VCPU_RUNSTATE_INFO.state_entry_time, vcpu.runstateEntryNs);
  for (let i = 0; i < 4; i++) {
    const running = i === vcpu.runstate ? Math.max(0, nowNs - vcpu.runstateEntryNs) : 0;
    record.setNumber(VCPU_RUNSTATE_INFO.time + 8 * i, Math.floor((vcpu.runstateNs[i] ?? 0) + running));
  }
}

/** Writes the registered area of a vCPU whose tables are in force, if it has one. */
export function writeRunstateArea(pcpu: Pcpu, vcpu: Vcpu, record: GuestBuffer): void {
  if (vcpu.runstateArea < 0) return;
  fillRunstate(record, vcpu, vcpu.runstateEntryNs);
  const flagged = (vcpu.domain.vmAssist & (1 << VmAssist.VMASST_TYPE_runstate_update_flag)) !== 0;
  const flagAt = VCPU_RUNSTATE_INFO.state_entry_time + 4;
  if (flagged) record.u32[flagAt / 4] = (record.u32[flagAt / 4] ?? 0) | UPDATE_HI;
  if (!pcpu.access.copyOut(vcpu, vcpu.runstateArea, record, VCPU_RUNSTATE_INFO_SIZE) || !flagged) return;
  const entryHi = Math.floor(vcpu.runstateEntryNs / 0x100000000);
  const at: Vaddr = vaddr(vcpu.runstateArea + flagAt);
  pcpu.access.writeU32(vcpu, at, entryHi);
}
