// x86-64 parts of the interface: register frames, descriptor selectors, trap tables and the vCPU context.
// Source: Xen public/arch-x86/xen.h and public/arch-x86/xen-x86_64.h.

/** Flat descriptors that the hypervisor provides in GDT page 14, whatever GDT a guest has set. */
export const FlatSelector = {
  FLAT_RING3_CS32: 0xe023,
  FLAT_RING3_SS32: 0xe02b,
  FLAT_RING3_CS64: 0xe033,
  FLAT_RING3_SS64: 0xe02b,
} as const;

/** First GDT page that belongs to the hypervisor; a guest may use the entries before it. */
export const FIRST_RESERVED_GDT_PAGE = 14;

/** First GDT entry that belongs to the hypervisor. */
export const FIRST_RESERVED_GDT_ENTRY = 14 * 512;

/** Values of `which` of set_segment_base. */
export const SegBase = {
  SEGBASE_FS: 0,
  SEGBASE_GS_USER: 1,
  SEGBASE_GS_KERNEL: 2,
  SEGBASE_GS_USER_SEL: 3,
} as const;

/** Byte offsets of `struct trap_info`. */
export const TRAP_INFO = {
  vector: 0, // u8
  flags: 1, // u8: bits 0 and 1 DPL, bit 2 masks events
  cs: 2, // u16
  address: 8, // u64
} as const;

/** Bytes of `struct trap_info`. */
export const TRAP_INFO_SIZE = 16;

/** Bits of `trap_info.flags`. */
export const TrapInfoFlag = { DPL: 3, MASK_EVENTS: 4 } as const;

/** Byte offsets of `struct iret_context`, which is at rsp when a guest issues the iret hypercall. */
export const IRET_CONTEXT = {
  rax: 0,
  r11: 8,
  rcx: 16,
  flags: 24, // VGCF_in_syscall
  rip: 32,
  cs: 40,
  rflags: 48,
  rsp: 56,
  ss: 64,
} as const;

/** Bytes of `struct iret_context`. */
export const IRET_CONTEXT_SIZE = 72;

/** Bits of `iret_context.flags` and `vcpu_guest_context.flags`. */
export const Vgcf = {
  VGCF_i387_valid: 1 << 0,
  VGCF_in_kernel: 1 << 2,
  VGCF_failsafe_disables_events: 1 << 3,
  VGCF_syscall_disables_events: 1 << 4,
  VGCF_online: 1 << 5,
  VGCF_in_syscall: 1 << 8,
} as const;

/** Byte offsets of `struct cpu_user_regs`. */
export const CPU_USER_REGS = {
  r15: 0,
  r14: 8,
  r13: 16,
  r12: 24,
  rbp: 32,
  rbx: 40,
  r11: 48,
  r10: 56,
  r9: 64,
  r8: 72,
  rax: 80,
  rcx: 88,
  rdx: 96,
  rsi: 104,
  rdi: 112,
  error_code: 120, // u32
  entry_vector: 124, // u32
  rip: 128,
  cs: 136, // u16
  saved_upcall_mask: 140, // u8
  rflags: 144,
  rsp: 152,
  ss: 160, // u16
  es: 168, // u16
  ds: 176, // u16
  fs: 184, // u16
  gs: 192, // u16
} as const;

/** Byte offsets of `struct vcpu_guest_context`. */
export const VCPU_GUEST_CONTEXT = {
  fpu_ctxt: 0, // FXSAVE image, 512 bytes
  flags: 512, // u64, VGCF_*
  user_regs: 520, // struct cpu_user_regs
  trap_ctxt: 720, // struct trap_info[256]
  ldt_base: 4816, // u64, virtual address
  ldt_ents: 4824, // u64
  gdt_frames: 4832, // u64[16], mfns
  gdt_ents: 4960, // u64
  kernel_ss: 4968, // u64
  kernel_sp: 4976, // u64
  ctrlreg: 4984, // u64[8]; [1] user base pointer, [3] kernel base pointer, both mfn << 12
  debugreg: 5048, // u64[8]
  event_callback_eip: 5112, // u64
  failsafe_callback_eip: 5120, // u64
  syscall_callback_eip: 5128, // u64
  vm_assist: 5136, // u64
  fs_base: 5144, // u64
  gs_base_kernel: 5152, // u64
  gs_base_user: 5160, // u64
} as const;

/** Bytes of `struct vcpu_guest_context`. */
export const VCPU_GUEST_CONTEXT_SIZE = 5168;
