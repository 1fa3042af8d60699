// Names of registers in the order in which instructions number them. Intel SDM vol. 2A, tables 2-2 and 3-1.

/** The 16 general registers, whole. */
export const GENERAL_REGISTER_NAMES: readonly string[] = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];

/** The six segment registers. */
export const SEGMENT_REGISTER_NAMES: readonly string[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
