// Hypercall numbers, page-table operations, virtual interrupts, domain identifiers and the shared
// information page. Source: Xen public/xen.h and public/arch-x86/xen.h (structures for x86-64).

/** Hypercall numbers: rax at `syscall`. Numbers from 64 on do not exist. */
export const Hypercall = {
  __HYPERVISOR_set_trap_table: 0,
  __HYPERVISOR_mmu_update: 1,
  __HYPERVISOR_set_gdt: 2,
  __HYPERVISOR_stack_switch: 3,
  __HYPERVISOR_set_callbacks: 4,
  __HYPERVISOR_fpu_taskswitch: 5,
  __HYPERVISOR_sched_op_compat: 6,
  __HYPERVISOR_platform_op: 7,
  __HYPERVISOR_set_debugreg: 8,
  __HYPERVISOR_get_debugreg: 9,
  __HYPERVISOR_update_descriptor: 10,
  __HYPERVISOR_memory_op: 12,
  __HYPERVISOR_multicall: 13,
  __HYPERVISOR_update_va_mapping: 14,
  __HYPERVISOR_set_timer_op: 15,
  __HYPERVISOR_event_channel_op_compat: 16,
  __HYPERVISOR_xen_version: 17,
  __HYPERVISOR_console_io: 18,
  __HYPERVISOR_physdev_op_compat: 19,
  __HYPERVISOR_grant_table_op: 20,
  __HYPERVISOR_vm_assist: 21,
  __HYPERVISOR_update_va_mapping_otherdomain: 22,
  __HYPERVISOR_iret: 23,
  __HYPERVISOR_vcpu_op: 24,
  __HYPERVISOR_set_segment_base: 25,
  __HYPERVISOR_mmuext_op: 26,
  __HYPERVISOR_xsm_op: 27,
  __HYPERVISOR_nmi_op: 28,
  __HYPERVISOR_sched_op: 29,
  __HYPERVISOR_callback_op: 30,
  __HYPERVISOR_xenoprof_op: 31,
  __HYPERVISOR_event_channel_op: 32,
  __HYPERVISOR_physdev_op: 33,
  __HYPERVISOR_hvm_op: 34,
  __HYPERVISOR_sysctl: 35,
  __HYPERVISOR_domctl: 36,
  __HYPERVISOR_kexec_op: 37,
  __HYPERVISOR_tmem_op: 38,
  __HYPERVISOR_argo_op: 39,
  __HYPERVISOR_xenpmu_op: 40,
  __HYPERVISOR_dm_op: 41,
  __HYPERVISOR_hypfs_op: 42,
  __HYPERVISOR_arch_0: 48,
  __HYPERVISOR_arch_1: 49,
} as const;

/** Number of entries of the hypercall table. Source: Xen public/arch-x86/xen.h (hypercall page slots in use). */
export const NR_HYPERCALLS = 64;

/** Virtual interrupts. TIMER, DEBUG, XENOPROF and XENPMU are per vCPU, the others per domain or global. */
export const Virq = {
  VIRQ_TIMER: 0,
  VIRQ_DEBUG: 1,
  VIRQ_CONSOLE: 2,
  VIRQ_DOM_EXC: 3,
  VIRQ_TBUF: 4,
  VIRQ_DEBUGGER: 6,
  VIRQ_XENOPROF: 7,
  VIRQ_CON_RING: 8,
  VIRQ_PCPU_STATE: 9,
  VIRQ_MEM_EVENT: 10,
  VIRQ_ARGO: 11,
  VIRQ_ENOMEM: 12,
  VIRQ_XENPMU: 13,
} as const;

/** Number of virtual interrupts. */
export const NR_VIRQS = 24;

/** Commands in the low 2 bits of `mmu_update.ptr`. */
export const MmuUpdate = {
  MMU_NORMAL_PT_UPDATE: 0,
  MMU_MACHPHYS_UPDATE: 1,
  MMU_PT_UPDATE_PRESERVE_AD: 2,
  MMU_PT_UPDATE_NO_TRANSLATE: 3,
} as const;

/** Bit of the count argument of mmu_update and mmuext_op: this call continues a preempted one. */
export const MMU_UPDATE_PREEMPTED = 0x80000000;

/** Byte offsets of `struct mmu_update`. */
export const MMU_UPDATE = {
  ptr: 0, // u64
  val: 8, // u64
} as const;

/** Bytes of `struct mmu_update`. */
export const MMU_UPDATE_SIZE = 16;

/** Commands of mmuext_op. */
export const MmuExt = {
  MMUEXT_PIN_L1_TABLE: 0,
  MMUEXT_PIN_L2_TABLE: 1,
  MMUEXT_PIN_L3_TABLE: 2,
  MMUEXT_PIN_L4_TABLE: 3,
  MMUEXT_UNPIN_TABLE: 4,
  MMUEXT_NEW_BASEPTR: 5,
  MMUEXT_TLB_FLUSH_LOCAL: 6,
  MMUEXT_INVLPG_LOCAL: 7,
  MMUEXT_TLB_FLUSH_MULTI: 8,
  MMUEXT_INVLPG_MULTI: 9,
  MMUEXT_TLB_FLUSH_ALL: 10,
  MMUEXT_INVLPG_ALL: 11,
  MMUEXT_FLUSH_CACHE: 12,
  MMUEXT_SET_LDT: 13,
  MMUEXT_NEW_USER_BASEPTR: 15,
  MMUEXT_CLEAR_PAGE: 16,
  MMUEXT_COPY_PAGE: 17,
  MMUEXT_FLUSH_CACHE_GLOBAL: 18,
  MMUEXT_MARK_SUPER: 19,
  MMUEXT_UNMARK_SUPER: 20,
} as const;

/** Byte offsets of `struct mmuext_op`. */
export const MMUEXT_OP = {
  cmd: 0, // u32
  arg1: 8, // u64: mfn or linear_addr
  arg2: 16, // u64: nr_ents, vcpumask or src_mfn
} as const;

/** Bytes of `struct mmuext_op`. */
export const MMUEXT_OP_SIZE = 24;

/** Flags of update_va_mapping. With bits 2 and up other than UVMF_ALL: address of a vCPU bitmap. */
export const Uvmf = {
  UVMF_NONE: 0,
  UVMF_TLB_FLUSH: 1,
  UVMF_INVLPG: 2,
  UVMF_FLUSHTYPE_MASK: 3,
  UVMF_ALL: 4,
} as const;

/** Commands of vm_assist. */
export const VmAssistCmd = { VMASST_CMD_enable: 0, VMASST_CMD_disable: 1 } as const;

/** Kinds of assistance that vm_assist turns on and off; bit numbers of `Domain.vmAssist`. */
export const VmAssist = {
  VMASST_TYPE_4gb_segments: 0,
  VMASST_TYPE_4gb_segments_notify: 1,
  VMASST_TYPE_writable_pagetables: 2,
  VMASST_TYPE_pae_extended_cr3: 3,
  VMASST_TYPE_architectural_iopl: 4,
  VMASST_TYPE_runstate_update_flag: 5,
  VMASST_TYPE_m2p_strict: 32,
} as const;

/** Commands of console_io. */
export const ConsoleIo = { CONSOLEIO_write: 0, CONSOLEIO_read: 1 } as const;

/** Reserved domain identifiers. */
export const DomidReserved = {
  DOMID_FIRST_RESERVED: 0x7ff0,
  DOMID_SELF: 0x7ff0,
  DOMID_IO: 0x7ff1,
  DOMID_XEN: 0x7ff2,
  DOMID_COW: 0x7ff3,
  DOMID_INVALID: 0x7ff4,
  DOMID_IDLE: 0x7fff,
} as const;

/** vCPUs whose `vcpu_info` has a place in the shared information page. */
export const XEN_LEGACY_MAX_VCPUS = 32;

/** Ports of the 2-level event channel interface. Source: Xen public/event_channel.h, EVTCHN_2L_NR_CHANNELS. */
export const EVTCHN_2L_NR_CHANNELS = 4096;

/** Byte offsets of `struct shared_info`. */
export const SHARED_INFO = {
  vcpu_info: 0, // struct vcpu_info[32]
  evtchn_pending: 2048, // u64[64]
  evtchn_mask: 2560, // u64[64]
  wc_version: 3072, // u32
  wc_sec: 3076, // u32
  wc_nsec: 3080, // u32
  wc_sec_hi: 3084, // u32
  arch_max_pfn: 3088, // u64, written by the guest
  arch_pfn_to_mfn_frame_list_list: 3096, // u64, written by the guest
  arch_nmi_reason: 3104, // u64
  arch_p2m_cr3: 3112, // u64, written by the guest
  arch_p2m_vaddr: 3120, // u64, written by the guest
  arch_p2m_generation: 3128, // u64, written by the guest
} as const;

/** Byte offsets of `struct vcpu_info`. */
export const VCPU_INFO = {
  evtchn_upcall_pending: 0, // u8
  evtchn_upcall_mask: 1, // u8
  evtchn_pending_sel: 8, // u64
  arch_cr2: 16, // u64
  time: 32, // struct vcpu_time_info
} as const;

/** Bytes of `struct vcpu_info`. */
export const VCPU_INFO_SIZE = 64;

/** Byte offsets of `struct vcpu_time_info`. ns = system_time + (((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32). */
export const VCPU_TIME_INFO = {
  version: 0, // u32, odd while the rest is being written
  tsc_timestamp: 8, // u64
  system_time: 16, // u64, ns
  tsc_to_system_mul: 24, // u32
  tsc_shift: 28, // s8
  flags: 29, // u8
} as const;

/** Bytes of `struct vcpu_time_info`. */
export const VCPU_TIME_INFO_SIZE = 32;

/** Bits of `vcpu_time_info.flags`. */
export const XenPvclock = { XEN_PVCLOCK_TSC_STABLE_BIT: 1, XEN_PVCLOCK_GUEST_STOPPED: 2 } as const;

/** Byte offsets of `struct multicall_entry`. */
export const MULTICALL_ENTRY = {
  op: 0, // u64
  result: 8, // s64
  args: 16, // u64[6]
} as const;

/** Bytes of `struct multicall_entry`. */
export const MULTICALL_ENTRY_SIZE = 64;

/** First and last-plus-one address that belongs to the hypervisor, as the low 48 bits. */
export const HypervisorVirt = { START: 0x800000000000, END: 0x880000000000 } as const;
