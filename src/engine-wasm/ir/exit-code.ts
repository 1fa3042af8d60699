// Exit codes of generated code: how a run of the interpreter ended, before the engine turns it into an
// exit of the engine port. Also the `a` field of `exit` records.

/** Exit codes. */
export const ExitCode = {
  /** RIP is set; look the block up, decode it if need be, and go on. */
  DISPATCH: 1,
  /** The budget is used up; RIP is set. */
  BUDGET: 2,
  /** A page fault that the runtime has recorded, at the current record's instruction. */
  PAGE_FAULT: 3,
  /** An exception: the vector is in the exit detail; at the current record's instruction. */
  EXCEPTION: 4,
  /** `syscall`. */
  SYSCALL: 5,
  SYSENTER: 6,
  /** `int n` and `int3`: imm = vector. */
  SOFTWARE_INTERRUPT: 7,
  /** imm = `AssistKind` | reg << 8 | index << 16 | size << 24; its value operand, if any, is in TEMP slot 0. */
  ASSIST: 8,
  /** `int3` and `int1`: a trap, rip behind the instruction; imm = vector. */
  TRAP: 9,
  /** Go on behind the instruction after a look at TF: it may have changed (popf). */
  RESUME: 10,
  /** The target of the current record, in RIP, cannot be walked to. */
  NO_TARGET: 11,
  /** The head record has counted to its end: RIP is at its block. */
  HOT: 12,
} as const;

/** What compiled code returns beside exit codes, to the interpreter or the compiled code that has called it. */
export const CompiledExit = {
  /** RIP is set; look the block up and go on. */
  LOOK_UP: 0,
  /** Go on with the record that `Word.RESUME` names. */
  RESUME_RECORD: 0x100,
  /** Nothing has been done, RIP is at the entry: the code is for the other mode, or for other frames. */
  REFUSED: 0x101,
  /** Like LOOK_UP, but only the interpreter can go on. */
  UNWIND: 0x102,
} as const;
