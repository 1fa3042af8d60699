// Operands of the assembler: registers, memory, and the addresses of labels. Used by the kernels of
// tests/guest; only what they need exists.

/** Operand size in bytes. */
export type Size = 1 | 2 | 4 | 8;

/** A general register. */
export interface Reg {
  readonly kind: 'reg';
  /** Number as instructions encode it. */
  readonly code: number;
  readonly size: Size;
}

/** A memory operand. Without a base and an index it is the address of `label` plus `disp`, or `disp` alone. */
export interface Mem {
  readonly kind: 'mem';
  readonly base?: Reg;
  readonly index?: Reg;
  readonly scale: 1 | 2 | 4 | 8;
  readonly disp: number;
  readonly label?: string;
  /** Size of the access where no register says it. */
  readonly size: Size;
  readonly segment?: 'fs' | 'gs';
}

/** A constant: an integer, or the address of a label. */
export type Imm = number | bigint;

const reg = (code: number, size: Size): Reg => ({ kind: 'reg', code, size });

/** Registers by name. */
export const registers = {
  rax: reg(0, 8),
  rcx: reg(1, 8),
  rdx: reg(2, 8),
  rbx: reg(3, 8),
  rsp: reg(4, 8),
  rbp: reg(5, 8),
  rsi: reg(6, 8),
  rdi: reg(7, 8),
  r8: reg(8, 8),
  r9: reg(9, 8),
  r10: reg(10, 8),
  r11: reg(11, 8),
  r12: reg(12, 8),
  r13: reg(13, 8),
  r14: reg(14, 8),
  r15: reg(15, 8),
  eax: reg(0, 4),
  ecx: reg(1, 4),
  edx: reg(2, 4),
  ebx: reg(3, 4),
  esi: reg(6, 4),
  edi: reg(7, 4),
  ax: reg(0, 2),
  cx: reg(1, 2),
  al: reg(0, 1),
  cl: reg(1, 1),
  dl: reg(2, 1),
  bl: reg(3, 1),
} as const satisfies Record<string, Reg>;

/** Memory at a register, a label or an absolute address that fits 32 bits sign-extended; 8 bytes unless said otherwise. */
export function at(
  place: Reg | string | number,
  disp = 0,
  more: Partial<Pick<Mem, 'index' | 'scale' | 'segment'>> = {},
): Mem {
  const common = { kind: 'mem', scale: 1, size: 8, ...more } as const;
  if (typeof place === 'string') return { ...common, label: place, disp };
  if (typeof place === 'number') return { ...common, disp: place + disp };
  return { ...common, base: place, disp };
}

/** The same place as an operand of 1 byte. */
export function byteOf(mem: Mem): Mem {
  return { ...mem, size: 1 };
}

/** The same place as an operand of 2 bytes. */
export function wordOf(mem: Mem): Mem {
  return { ...mem, size: 2 };
}

/** The same place as an operand of 4 bytes. */
export function dwordOf(mem: Mem): Mem {
  return { ...mem, size: 4 };
}
