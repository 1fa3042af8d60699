// Layout of the vCPU state that an engine executes on: one block of bytes with every register that an
// instruction can name. TypeScript and generated WebAssembly both take their offsets from here and
// from nowhere else. In the WebAssembly engine the active block starts at address 0 of memory 0, so a
// register's offset is its address.

/** Byte offsets of the fields of a vCPU state block. All fields are little-endian. */
export const Cpu = {
  /** 16 general registers of 8 bytes, in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
  GPR: 0x000,
  /** Always 0: the base or index of an address that has none. u64 */
  ZERO: 0x080,
  /** Virtual address of the page that the running code is on; rip-relative operands add to it. u64 */
  CODE_PAGE: 0x088,
  /** Base of the FS segment. u64 */
  FS_BASE: 0x090,
  /** Base of the GS segment that is in force. u64 */
  GS_BASE: 0x098,
  /** Instruction pointer; up to date only while the engine is not running. u64 */
  RIP: 0x0a0,
  /** Sign-extended result that ZF, SF and PF derive from. i64; see `flags.ts`. */
  FLAG_RESULT: 0x0a8,
  /** CF, AF and OF in their RFLAGS places, and corrections to SF and PF. u32; see `flags.ts`. */
  FLAG_AUX: 0x0b0,
  /** The bits of RFLAGS other than CF, PF, AF, ZF, SF and OF, in their places. u32 */
  FLAG_SYSTEM: 0x0b4,
  /** Segment selectors, u16 each, in encoding order: es cs ss ds fs gs. */
  SELECTOR: 0x0b8,
  /** 1 in guest-kernel mode, 0 in guest-user mode. Chooses the TLB and the base pointer. u32 */
  KERNEL_MODE: 0x0c8,
  /** Machine address of the L4 table that kernel mode runs on. u32 */
  KERNEL_ROOT: 0x0cc,
  /** Machine address of the L4 table that user mode runs on; 0 when there is none. u32 */
  USER_ROOT: 0x0d0,
  /** x87 control word. u16 */
  FCW: 0x0d8,
  /** x87 status word; TOP is bits 11 to 13. u16 */
  FSW: 0x0da,
  /** x87 tag word, abridged as in FXSAVE: bit n set when physical register n is not empty. u8 */
  FTW: 0x0dc,
  /** x87 last opcode, 11 bits. u16 */
  FOP: 0x0de,
  /** x87 last instruction pointer. u64 */
  FIP: 0x0e0,
  /** x87 last data pointer. u64 */
  FDP: 0x0e8,
  /** SSE control and status. u32 */
  MXCSR: 0x0f0,
  /** 16 temporaries of 8 bytes that live no longer than one instruction. */
  TEMP: 0x100,
  /** 8 physical x87 registers of 16 bytes: significand u64, then sign and exponent u16. MMX register n is the significand of physical register n. */
  X87: 0x180,
  /** 16 SSE registers of 16 bytes. */
  XMM: 0x200,
  /** 8 temporaries of 16 bytes that live no longer than one instruction. */
  XTEMP: 0x300,
  /** `Transition` bits: what the engine may do by itself. u32; with the fields below see `transition.ts`. */
  TRANSITIONS: 0x380,
  /** Machine address of the `vcpu_info` in use. u32 */
  VCPU_INFO: 0x384,
  /** Stack that a handler entered from user mode starts on. u64 */
  KERNEL_STACK: 0x388,
  /** Base of the GS segment that the other mode uses. u64 */
  OTHER_GS_BASE: 0x390,
  /** Address of the system call handler. u64 */
  SYSCALL_HANDLER: 0x398,
  /** Address of the page fault handler. u64 */
  PAGE_FAULT_HANDLER: 0x3a0,
  /** Selectors that the last return named and that were found good: code, and stack 16 bits further; 0 when there is none. u32 */
  CHECKED_SELECTORS: 0x3a8,
} as const;

/** Bytes of a vCPU state block. */
export const CPU_STATE_SIZE = 0x3c0;

/** Numbers of the general registers as instructions encode them. Intel SDM vol. 2A, table 2-2. */
export const Gpr = {
  RAX: 0,
  RCX: 1,
  RDX: 2,
  RBX: 3,
  RSP: 4,
  RBP: 5,
  RSI: 6,
  RDI: 7,
  R8: 8,
  R9: 9,
  R10: 10,
  R11: 11,
  R12: 12,
  R13: 13,
  R14: 14,
  R15: 15,
} as const;

/** Numbers of the segment registers as instructions encode them. Intel SDM vol. 2A, section 3.1. */
export const Sreg = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;
