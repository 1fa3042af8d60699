// Public names of the sub-operations of hypercalls, by the hypercall's name: for the table in docs and for profiles.

import {
  CallbackOp,
  ConsoleIo,
  EvtchnOp,
  GnttabOp,
  MmuExt,
  PhysdevOp,
  SchedOp,
  VcpuOp,
  VmAssist,
  XenMem,
  XenNmi,
  XenVer,
} from '../../abi/index.ts';

/** Numbers of the sub-operations by their public names. */
export const SUB_OPERATION_NAMES = {
  memory_op: XenMem,
  xen_version: XenVer,
  console_io: ConsoleIo,
  grant_table_op: GnttabOp,
  vm_assist: VmAssist,
  vcpu_op: VcpuOp,
  mmuext_op: MmuExt,
  nmi_op: XenNmi,
  sched_op: SchedOp,
  callback_op: CallbackOp,
  event_channel_op: EvtchnOp,
  physdev_op: PhysdevOp,
} as const satisfies Readonly<Record<string, Readonly<Record<string, number>>>>;
