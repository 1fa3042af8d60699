export { XENCONS_IN_SIZE, XENCONS_INTERFACE, XENCONS_OUT_SIZE } from './console.ts';
export type { XenstoreError, XsdError, XsType } from './xs-wire.ts';
export {
  XENSTORE_ABS_PATH_MAX,
  XENSTORE_CONNECTION,
  XENSTORE_DOMAIN_INTERFACE,
  XENSTORE_ERROR,
  XENSTORE_PAYLOAD_MAX,
  XENSTORE_REL_PATH_MAX,
  XENSTORE_RING_SIZE,
  XENSTORE_SERVER_FEATURE,
  XS_TYPE,
  XSD_ERRORS,
  XSD_SOCKMSG,
  XSD_SOCKMSG_SIZE,
} from './xs-wire.ts';
export { XEN_ELFNOTE, XENFEAT } from './elfnote.ts';
export { MAX_GUEST_CMDLINE, SIF, START_INFO, START_INFO_MAGIC, START_INFO_SIZE } from './start-info.ts';
export type { ErrnoValue } from './errno.ts';
export { Errno } from './errno.ts';
export {
  ConsoleIo,
  DomidReserved,
  EVTCHN_2L_NR_CHANNELS,
  Hypercall,
  HypervisorVirt,
  MMUEXT_OP,
  MMUEXT_OP_SIZE,
  MMU_UPDATE,
  MMU_UPDATE_PREEMPTED,
  MMU_UPDATE_SIZE,
  MULTICALL_ENTRY,
  MULTICALL_ENTRY_SIZE,
  MmuExt,
  MmuUpdate,
  NR_HYPERCALLS,
  NR_VIRQS,
  SHARED_INFO,
  Uvmf,
  VCPU_INFO,
  VCPU_INFO_SIZE,
  VCPU_TIME_INFO,
  VCPU_TIME_INFO_SIZE,
  Virq,
  VmAssist,
  VmAssistCmd,
  XEN_LEGACY_MAX_VCPUS,
  XenPvclock,
} from './xen.ts';
export {
  CPU_USER_REGS,
  FIRST_RESERVED_GDT_ENTRY,
  FIRST_RESERVED_GDT_PAGE,
  FlatSelector,
  IRET_CONTEXT,
  IRET_CONTEXT_SIZE,
  SegBase,
  TRAP_INFO,
  TRAP_INFO_SIZE,
  TrapInfoFlag,
  VCPU_GUEST_CONTEXT,
  VCPU_GUEST_CONTEXT_SIZE,
  Vgcf,
} from './arch-x86.ts';
export { SCHED_POLL, SCHED_POLL_SIZE, SCHED_SHUTDOWN, SCHED_WATCHDOG, SchedOp, Shutdown } from './sched.ts';
export type { RunstateValue } from './vcpu.ts';
export {
  Runstate,
  VCPU_REGISTER_VCPU_INFO,
  VCPU_REGISTER_VCPU_INFO_SIZE,
  VCPU_RUNSTATE_INFO,
  VCPU_RUNSTATE_INFO_SIZE,
  VCPU_SET_SINGLESHOT_TIMER,
  VCPU_SET_SINGLESHOT_TIMER_SIZE,
  VCPU_SSHOTTMR_future,
  VcpuOp,
} from './vcpu.ts';
export {
  CALLBACKF_mask_events,
  CALLBACK_REGISTER,
  CALLBACK_REGISTER_SIZE,
  CallbackOp,
  CallbackType,
  XENNMI_CALLBACK,
  XenNmi,
} from './callback.ts';
export {
  EVTCHN_ALLOC_UNBOUND,
  EVTCHN_BIND_INTERDOMAIN,
  EVTCHN_BIND_IPI,
  EVTCHN_BIND_VCPU,
  EVTCHN_BIND_VIRQ,
  EVTCHN_PORT,
  EVTCHN_STATUS,
  EVTCHN_STATUS_SIZE,
  EvtchnOp,
  EvtchnStat,
} from './event-channel.ts';
export { PHYSDEV_SET_IOBITMAP, PHYSDEV_SET_IOBITMAP_SIZE, PHYSDEV_SET_IOPL, PhysdevOp } from './physdev.ts';
export {
  XEN_CAPABILITIES_INFO_LEN,
  XEN_CHANGESET_INFO_LEN,
  XEN_COMPILE_INFO,
  XEN_COMPILE_INFO_SIZE,
  XEN_EXTRAVERSION_LEN,
  XEN_FEATURE_INFO,
  XenVer,
} from './version.ts';
export { XenFeat } from './features.ts';
export {
  E820_ENTRY,
  E820_ENTRY_SIZE,
  E820_RAM,
  MEMOP_CMD_MASK,
  MEMOP_EXTENT_SHIFT,
  XEN_MACHPHYS_MAPPING,
  XEN_MACHPHYS_MFN_LIST,
  XEN_MEMORY_EXCHANGE,
  XEN_MEMORY_EXCHANGE_SIZE,
  XEN_MEMORY_MAP,
  XEN_MEMORY_RESERVATION,
  XEN_MEMORY_RESERVATION_SIZE,
  XenMem,
} from './memory.ts';
export {
  GNTTAB_CACHE_FLUSH,
  GNTTAB_CACHE_FLUSH_SIZE,
  GNTTAB_COPY,
  GNTTAB_COPY_SIZE,
  GNTTAB_GET_VERSION,
  GNTTAB_MAP_GRANT_REF,
  GNTTAB_MAP_GRANT_REF_SIZE,
  GNTTAB_QUERY_SIZE,
  GNTTAB_QUERY_SIZE_SIZE,
  GNTTAB_SETUP_TABLE,
  GNTTAB_SETUP_TABLE_SIZE,
  GNTTAB_SET_VERSION,
  GNTTAB_SWAP_GRANT_REF,
  GNTTAB_SWAP_GRANT_REF_SIZE,
  GNTTAB_TRANSFER,
  GNTTAB_TRANSFER_SIZE,
  GNTTAB_UNMAP_AND_REPLACE,
  GNTTAB_UNMAP_AND_REPLACE_SIZE,
  GNTTAB_UNMAP_GRANT_REF,
  GNTTAB_UNMAP_GRANT_REF_SIZE,
  GRANT_ENTRY_V1,
  GRANT_ENTRY_V1_SIZE,
  GntCopy,
  GntMap,
  GntStatus,
  GnttabOp,
  GnttabReserved,
  Gtf,
} from './grant-table.ts';
export type { XenbusStateValue } from './xenbus.ts';
export { XenbusState } from './xenbus.ts';
export { hypercallPage } from './hypercall-page.ts';
