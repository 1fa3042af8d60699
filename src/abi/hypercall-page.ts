// The hypercall page: a stub for each hypercall, for guests that call into a page instead of executing
// `syscall` themselves. The domain builder fills one for a guest whose image asks for it, the hypervisor
// another when a guest names a frame by a write to the hypervisor's MSR.
// Source: Xen public/arch-x86/xen-x86_64.h, "Hypercall interface".

const STUB_BYTES = 32;
const NR_STUBS = 128;
/** Number of the iret hypercall, which does not return: its stub is jumped to, with the flags word pushed. */
const IRET = 23;
const INT3 = 0xcc;

const PUSH_RCX = [0x51];
const PUSH_R11 = [0x41, 0x53];
const PUSH_RAX = [0x50];
const POP_R11 = [0x41, 0x5b];
const POP_RCX = [0x59];
const SYSCALL = [0x0f, 0x05];
const RET = [0xc3];

/** Contents of the page, 4096 bytes: stub n is at 32 * n; what is left traps. */
export function hypercallPage(): Uint8Array {
  const page = new Uint8Array(STUB_BYTES * NR_STUBS).fill(INT3);
  for (let nr = 0; nr < NR_STUBS; nr++) {
    const movEax = [0xb8, nr, 0, 0, 0];
    const stub =
      nr === IRET
        ? [PUSH_RCX, PUSH_R11, PUSH_RAX, movEax, SYSCALL]
        : [PUSH_RCX, PUSH_R11, movEax, SYSCALL, POP_R11, POP_RCX, RET];
    page.set(stub.flat(), nr * STUB_BYTES);
  }
  return page;
}
