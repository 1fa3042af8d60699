// Why guest code stopped running, and the details: one record an engine reuses for every exit.

/** Reasons for an exit. */
export const Exit = {
  /** The instruction budget is used up; `rip` is the next instruction. */
  BUDGET: 1,
  /** `syscall`: rip is behind it, rcx and r11 have been written as hardware does. */
  SYSCALL: 2,
  /** `sysenter`: rip is at the instruction. */
  SYSENTER: 3,
  /** A fault or trap: `vector`, `errorCode`, for #PF `faultAddress`. rip is at the instruction for faults, behind it for traps (#DB single step, #BP). */
  EXCEPTION: 4,
  /** `int n`: `vector` = n; rip is at the instruction and `nextRip` behind it. */
  SOFTWARE_INTERRUPT: 5,
  /** An instruction that the hypervisor carries out or refuses: `assist` and its operands; rip is at the instruction, `nextRip` behind it. */
  ASSIST: 6,
} as const;

/** A value of `Exit`. */
export type ExitReason = (typeof Exit)[keyof typeof Exit];

/**
 * Instructions that the engine leaves to the hypervisor because they are privileged or touch
 * descriptor tables. The hypervisor writes results into the vCPU state and sets rip to `nextRip`,
 * or injects a fault and leaves rip.
 */
export const Assist = {
  CPUID: 1,
  /** ecx names the register; the value goes to edx:eax. */
  RDMSR: 2,
  WRMSR: 3,
  /** `reg`: general register; `index`: control register. */
  MOV_FROM_CR: 4,
  MOV_TO_CR: 5,
  /** `reg`: general register; `index`: debug register. */
  MOV_FROM_DR: 6,
  MOV_TO_DR: 7,
  /** `value`: port; `size`: bytes (1, 2, 4); the datum is in or goes to al, ax, eax. */
  IN: 8,
  OUT: 9,
  /** String I/O; always refused. */
  INS: 10,
  OUTS: 11,
  CLI: 12,
  STI: 13,
  HLT: 14,
  WBINVD: 15,
  INVD: 16,
  CLTS: 17,
  /** `value`: source. */
  LMSW: 18,
  INVLPG: 19,
  /** lgdt, lidt, lldt, ltr, swapgs, sysret, sysexit, rsm, vm* and whatever else is privileged and never emulated. */
  OTHER_PRIVILEGED: 20,
  RDPMC: 21,
  XGETBV: 22,
  /** `index`: segment register (`Sreg`); `value`: selector. mov to sreg and pop to sreg (the stack pointer is already moved in `nextRsp` terms by the engine: see `stackDelta`). */
  LOAD_SREG: 23,
  /** `reg`: destination; `size`: operand bytes (2, 4, 8); `value`: selector. */
  LAR: 24,
  LSL: 25,
  /** `value`: selector. */
  VERR: 26,
  VERW: 27,
  /** `size`: operand bytes of iret (2, 4, 8). */
  IRET: 28,
  /** `size`: operand bytes; `value`: extra bytes to release. */
  RETF: 29,
  /** Far call or jump through memory: `size` operand bytes; `value` selector; `index` 0 jump, 1 call; offset in TEMP slot 0. */
  FAR_TRANSFER: 30,
  /** sgdt, sidt, sldt, str, smsw: `index` 0 to 4. */
  STORE_SYSTEM: 31,
} as const;

/** A value of `Assist`. */
export type AssistKind = (typeof Assist)[keyof typeof Assist];

/** Details of the last exit. One object per engine, overwritten by every exit. */
export interface ExitRecord {
  reason: ExitReason;
  /** Exception vector, or the number of a software interrupt. */
  vector: number;
  /** Error code of the exception; 0 when it has none. For #PF the P, W and I bits; U is left to the hypervisor. */
  errorCode: number;
  /** Faulting address of a #PF. u64 */
  faultAddress: bigint;
  assist: AssistKind | 0;
  /** rip behind the instruction. u64 */
  nextRip: bigint;
  reg: number;
  index: number;
  size: number;
  value: number;
  /** Bytes that LOAD_SREG adds to rsp when it succeeds (pop to a segment register), else 0. */
  stackDelta: number;
}

/** A record with nothing in it yet. */
export function createExitRecord(): ExitRecord {
  return {
    reason: Exit.BUDGET,
    vector: 0,
    errorCode: 0,
    faultAddress: 0n,
    assist: 0,
    nextRip: 0n,
    reg: 0,
    index: 0,
    size: 0,
    value: 0,
    stackDelta: 0,
  };
}
