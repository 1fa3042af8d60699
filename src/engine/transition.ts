// Transitions between the modes of a guest that an engine may make without an exit: the system call from user
// mode to the guest's kernel, the page fault that goes to its handler, and the kernel's return by the iret
// hypercall. The hypervisor allows each one in TRANSITIONS of the vCPU state and keeps the fields there that it
// needs; an engine that makes none of them is as right.
//
// What the engine does must be what the hypervisor would have done on the exit, bit for bit. It has to exit
// instead wherever anything is out of the ordinary: a stack that cannot be written or crosses a page, selectors
// that have not been checked, an address that is not canonical, the trap flag, an event that becomes deliverable.
// Formats of the frames: Xen public/arch-x86/xen-x86_64.h.

/** Bits of TRANSITIONS. */
export const Transition = {
  /** `syscall` in user mode enters SYSCALL_HANDLER. */
  SYSCALL: 1 << 0,
  /** That masks events. */
  SYSCALL_MASKS: 1 << 1,
  /** A page fault enters PAGE_FAULT_HANDLER, but for a kernel's write to a page that is present: it may be a page table. */
  PAGE_FAULT: 1 << 2,
  /** That masks events. */
  PAGE_FAULT_MASKS: 1 << 3,
  /** `syscall` in kernel mode with the number of the iret hypercall in rax returns. */
  RETURN: 1 << 4,
} as const;
