// What must be equal in the two machines, and words for what is not: registers, the exit, memory.

import { Assist, Cpu, Exit, type ExitReason, type ExitRecord } from '../../../src/engine/index.ts';
import { Vector } from '../../../src/x86/index.ts';
import { Frame, PAGE } from './layout.ts';
import type { Machine } from './machine.ts';

const NAMES = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const MOST_LINES = 24;

interface Field {
  readonly name: string;
  readonly at: number;
  readonly size: number;
}

/** Registers, by their places in the state block; the flags are apart. */
const FIELDS: readonly Field[] = [
  ...Array.from({ length: 16 }, (_, r) => ({ name: NAMES[r] ?? `r${r}`, at: Cpu.GPR + 8 * r, size: 8 })),
  { name: 'zero', at: Cpu.ZERO, size: 8 },
  { name: 'fs base', at: Cpu.FS_BASE, size: 8 },
  { name: 'gs base', at: Cpu.GS_BASE, size: 8 },
  { name: 'rip', at: Cpu.RIP, size: 8 },
  { name: 'selectors', at: Cpu.SELECTOR, size: 12 },
  { name: 'mode', at: Cpu.KERNEL_MODE, size: 4 },
  { name: 'fcw', at: Cpu.FCW, size: 2 },
  { name: 'fsw', at: Cpu.FSW, size: 2 },
  { name: 'ftw', at: Cpu.FTW, size: 1 },
  { name: 'fop', at: Cpu.FOP, size: 2 },
  { name: 'fip', at: Cpu.FIP, size: 8 },
  { name: 'fdp', at: Cpu.FDP, size: 8 },
  { name: 'mxcsr', at: Cpu.MXCSR, size: 4 },
  ...Array.from({ length: 8 }, (_, r) => ({ name: `x87 register ${r}`, at: Cpu.X87 + 16 * r, size: 10 })),
  ...Array.from({ length: 16 }, (_, r) => ({ name: `xmm${r}`, at: Cpu.XMM + 16 * r, size: 16 })),
];

/** The 32-bit words of a state block that are compared as they are, and their bits. */
const WORDS: readonly { readonly index: number; readonly mask: number }[] = wordsOf(FIELDS);

/** Assists that use `value`: a selector or port of 16 bits. */
const WITH_VALUE: readonly number[] = [
  Assist.IN,
  Assist.OUT,
  Assist.LMSW,
  Assist.LOAD_SREG,
  Assist.LAR,
  Assist.LSL,
  Assist.VERR,
  Assist.VERW,
  Assist.RETF,
  Assist.FAR_TRANSFER,
];
const VALUE_MASK = 0xffff;

/** True when all registers are equal. */
export function sameRegisters(a: Machine, b: Machine): boolean {
  const left = a.state;
  const right = b.state;
  for (const { index, mask } of WORDS)
    if (((left.readU32(index << 2) ^ right.readU32(index << 2)) & mask) !== 0) return false;
  return left.rflags === right.rflags;
}

/** True when all memory is equal. */
export function sameMemory(a: Machine, b: Machine): boolean {
  return Buffer.compare(a.compared, b.compared) === 0;
}

/** An exit as text, with what it says to the hypervisor. */
export function describeExit(reason: ExitReason, exit: ExitRecord): string {
  switch (reason) {
    case Exit.BUDGET:
      return 'budget';
    case Exit.SYSCALL:
      return `syscall, next ${hex(exit.nextRip)}`;
    case Exit.SYSENTER:
      return 'sysenter';
    case Exit.EXCEPTION:
      return exit.vector === Vector.PF
        ? `page fault ${hex(exit.errorCode)} at ${hex(exit.faultAddress)}`
        : `exception ${exit.vector} (${hex(exit.errorCode)})`;
    case Exit.SOFTWARE_INTERRUPT:
      return `int ${hex(exit.vector)}, next ${hex(exit.nextRip)}`;
    case Exit.ASSIST: {
      const { assist, reg, index, size, stackDelta, nextRip } = exit;
      const value = WITH_VALUE.includes(assist) ? hex(exit.value & VALUE_MASK) : '-';
      return `assist ${assist}: ${reg} ${index} ${size} ${value} ${stackDelta}, next ${hex(nextRip)}`;
    }
  }
}

/** What differs. */
export function differencesOf(expected: Machine, actual: Machine): string[] {
  const left = expected.state;
  const right = actual.state;
  const lines = FIELDS.filter((field) => text(field, left.bytes) !== text(field, right.bytes)).map(
    (field) => `${field.name}: expected ${text(field, left.bytes)}, got ${text(field, right.bytes)}`,
  );
  if (left.rflags !== right.rflags)
    lines.push(`rflags: expected ${left.rflags.toString(16)}, got ${right.rflags.toString(16)}`);
  const { u8 } = expected.memory;
  const other = actual.memory.u8;
  for (let at = Frame.TABLES * PAGE; at < u8.length && lines.length < MOST_LINES; at += 8) {
    if (Buffer.compare(u8.subarray(at, at + 8), other.subarray(at, at + 8)) === 0) continue;
    const value = (bytes: Uint8Array): string => text({ name: '', at, size: 8 }, bytes);
    lines.push(`memory ${(at / PAGE) | 0}+${(at % PAGE).toString(16)}: expected ${value(u8)}, got ${value(other)}`);
  }
  return lines;
}

function text({ at, size }: Field, bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(at, at + size).toReversed()).toString('hex');
}

function wordsOf(fields: readonly Field[]): { index: number; mask: number }[] {
  const masks = new Map<number, number>();
  for (const { at, size } of fields)
    for (let byte = at; byte < at + size; byte++)
      masks.set(byte >> 2, (masks.get(byte >> 2) ?? 0) | (0xff << (8 * (byte & 3))));
  return [...masks].map(([index, mask]) => ({ index, mask }));
}

function hex(value: bigint | number): string {
  return value.toString(16);
}
