// A small x86-64 assembler: one method an instruction, destination first, on top of an image with labels. Only
// 64-bit code, and only the forms that the guest tests need. Encodings: Intel SDM vol. 2.

import {
  emitArithmetic,
  emitBranch,
  emitConstant,
  emitInstruction,
  emitMove,
  immediate,
  isOperand,
} from './encoding.ts';
import { ImageBuilder } from './image-builder.ts';
import type { Imm, Mem, Reg } from './operands.ts';

/** Conditions of jumps by their suffix, in encoding order. */
const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'] as const;

/** A condition, as in the names of the conditional jumps. */
export type Condition = (typeof CONDITIONS)[number];

/** Segment registers in encoding order. */
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

/** A segment register. */
export type Segment = (typeof SEGMENTS)[number];

/** Assembles one image. */
export class Assembler extends ImageBuilder {
  // Moves.

  mov(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    if (isOperand(src)) emitMove(this, dst, src, 0x88);
    else if (dst.kind === 'reg') emitConstant(this, dst, src);
    else
      emitInstruction(
        this,
        { opcode: [dst.size === 1 ? 0xc6 : 0xc7], reg: 0, size: dst.size, imm: immediate(src, dst.size) },
        dst,
      );
  }

  /** Loads a byte or a word, zero-extended. */
  movzx(dst: Reg, src: Reg | Mem): void {
    emitInstruction(this, { opcode: [0x0f, src.size === 1 ? 0xb6 : 0xb7], reg: dst.code, size: dst.size }, src);
  }

  /** Loads a doubleword, sign-extended. */
  movsxd(dst: Reg, src: Reg | Mem): void {
    emitInstruction(this, { opcode: [0x63], reg: dst.code, size: 8 }, src);
  }

  lea(dst: Reg, src: Mem): void {
    emitInstruction(this, { opcode: [0x8d], reg: dst.code, size: 8 }, src);
  }

  xchg(dst: Reg | Mem, src: Reg): void {
    emitInstruction(this, { opcode: [src.size === 1 ? 0x86 : 0x87], reg: src.code, size: src.size }, dst);
  }

  push(src: Reg | Mem | Imm): void {
    if (!isOperand(src)) this.bytes(0x68, ...immediate(src, 8));
    else emitInstruction(this, { opcode: [0xff], reg: 6, size: 8, default64: true }, src);
  }

  pop(dst: Reg | Mem): void {
    emitInstruction(this, { opcode: [0x8f], reg: 0, size: 8, default64: true }, dst);
  }

  // Arithmetic.

  add(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    emitArithmetic(this, 0, dst, src);
  }

  or(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    emitArithmetic(this, 1, dst, src);
  }

  and(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    emitArithmetic(this, 4, dst, src);
  }

  sub(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    emitArithmetic(this, 5, dst, src);
  }

  xor(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    emitArithmetic(this, 6, dst, src);
  }

  cmp(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    emitArithmetic(this, 7, dst, src);
  }

  test(dst: Reg | Mem, src: Reg | Imm): void {
    const byte = dst.size === 1;
    if (isOperand(src)) emitInstruction(this, { opcode: [byte ? 0x84 : 0x85], reg: src.code, size: src.size }, dst);
    else
      emitInstruction(
        this,
        { opcode: [byte ? 0xf6 : 0xf7], reg: 0, size: dst.size, imm: immediate(src, dst.size) },
        dst,
      );
  }

  inc(dst: Reg | Mem): void {
    emitInstruction(this, { opcode: [dst.size === 1 ? 0xfe : 0xff], reg: 0, size: dst.size }, dst);
  }

  dec(dst: Reg | Mem): void {
    emitInstruction(this, { opcode: [dst.size === 1 ? 0xfe : 0xff], reg: 1, size: dst.size }, dst);
  }

  neg(dst: Reg | Mem): void {
    emitInstruction(this, { opcode: [dst.size === 1 ? 0xf6 : 0xf7], reg: 3, size: dst.size }, dst);
  }

  /** Divides rdx:rax. */
  div(src: Reg | Mem): void {
    emitInstruction(this, { opcode: [0xf7], reg: 6, size: src.size }, src);
  }

  imul(dst: Reg, src: Reg | Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0xaf], reg: dst.code, size: dst.size }, src);
  }

  shl(dst: Reg | Mem, count: number): void {
    emitInstruction(this, { opcode: [dst.size === 1 ? 0xc0 : 0xc1], reg: 4, size: dst.size, imm: [count] }, dst);
  }

  shr(dst: Reg | Mem, count: number): void {
    emitInstruction(this, { opcode: [dst.size === 1 ? 0xc0 : 0xc1], reg: 5, size: dst.size, imm: [count] }, dst);
  }

  rol(dst: Reg | Mem, count: number): void {
    emitInstruction(this, { opcode: [dst.size === 1 ? 0xc0 : 0xc1], reg: 0, size: dst.size, imm: [count] }, dst);
  }

  bts(dst: Reg | Mem, bit: number): void {
    emitInstruction(this, { opcode: [0x0f, 0xba], reg: 5, size: dst.size, imm: [bit] }, dst);
  }

  btr(dst: Reg | Mem, bit: number): void {
    emitInstruction(this, { opcode: [0x0f, 0xba], reg: 6, size: dst.size, imm: [bit] }, dst);
  }

  cmpxchg(dst: Mem, src: Reg): void {
    emitInstruction(this, { opcode: [0x0f, src.size === 1 ? 0xb0 : 0xb1], reg: src.code, size: src.size }, dst);
  }

  /** 16 bytes at once: rdx:rax with rcx:rbx. */
  cmpxchg16b(dst: Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0xc7], reg: 1, size: 8 }, dst);
  }

  xadd(dst: Mem, src: Reg): void {
    emitInstruction(this, { opcode: [0x0f, src.size === 1 ? 0xc0 : 0xc1], reg: src.code, size: src.size }, dst);
  }

  // Control.

  jmp(to: string | Reg | Mem): void {
    if (typeof to === 'string') emitBranch(this, [0xe9], to);
    else emitInstruction(this, { opcode: [0xff], reg: 4, size: 8, default64: true }, to);
  }

  /** Conditional jump: `j('ne', label)`. */
  j(condition: Condition, to: string): void {
    emitBranch(this, [0x0f, 0x80 + CONDITIONS.indexOf(condition)], to);
  }

  call(to: string | Reg | Mem): void {
    if (typeof to === 'string') emitBranch(this, [0xe8], to);
    else emitInstruction(this, { opcode: [0xff], reg: 2, size: 8, default64: true }, to);
  }

  ret(): void {
    this.bytes(0xc3);
  }

  nop(): void {
    this.bytes(0x90);
  }

  syscall(): void {
    this.bytes(0x0f, 0x05);
  }

  sysenter(): void {
    this.bytes(0x0f, 0x34);
  }

  int(vector: number): void {
    this.bytes(0xcd, vector);
  }

  int3(): void {
    this.bytes(0xcc);
  }

  ud2(): void {
    this.bytes(0x0f, 0x0b);
  }

  pause(): void {
    this.bytes(0xf3, 0x90);
  }

  iretq(): void {
    this.bytes(0x48, 0xcf);
  }

  // Strings. `rep` and `lock` go in front of the instruction that follows.

  rep(): void {
    this.bytes(0xf3);
  }

  lock(): void {
    this.bytes(0xf0);
  }

  movsb(): void {
    this.bytes(0xa4);
  }

  movsq(): void {
    this.bytes(0x48, 0xa5);
  }

  stosb(): void {
    this.bytes(0xaa);
  }

  stosq(): void {
    this.bytes(0x48, 0xab);
  }

  // Flags.

  pushf(): void {
    this.bytes(0x9c);
  }

  popf(): void {
    this.bytes(0x9d);
  }

  cld(): void {
    this.bytes(0xfc);
  }

  std(): void {
    this.bytes(0xfd);
  }

  // System.

  cli(): void {
    this.bytes(0xfa);
  }

  sti(): void {
    this.bytes(0xfb);
  }

  hlt(): void {
    this.bytes(0xf4);
  }

  cpuid(): void {
    this.bytes(0x0f, 0xa2);
  }

  rdtsc(): void {
    this.bytes(0x0f, 0x31);
  }

  rdmsr(): void {
    this.bytes(0x0f, 0x32);
  }

  wrmsr(): void {
    this.bytes(0x0f, 0x30);
  }

  /** in al, dx. */
  inb(): void {
    this.bytes(0xec);
  }

  /** out dx, al. */
  outb(): void {
    this.bytes(0xee);
  }

  movFromControl(dst: Reg, control: number): void {
    emitInstruction(this, { opcode: [0x0f, 0x20], reg: control, size: 4, default64: true }, dst);
  }

  movToControl(control: number, src: Reg): void {
    emitInstruction(this, { opcode: [0x0f, 0x22], reg: control, size: 4, default64: true }, src);
  }

  movToSegment(segment: Segment, src: Reg): void {
    emitInstruction(this, { opcode: [0x8e], reg: SEGMENTS.indexOf(segment), size: 4 }, src);
  }

  movFromSegment(dst: Reg, segment: Segment): void {
    emitInstruction(this, { opcode: [0x8c], reg: SEGMENTS.indexOf(segment), size: 4 }, dst);
  }

  swapgs(): void {
    this.bytes(0x0f, 0x01, 0xf8);
  }

  sysretq(): void {
    this.bytes(0x48, 0x0f, 0x07);
  }

  wbinvd(): void {
    this.bytes(0x0f, 0x09);
  }

  invlpg(address: Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0x01], reg: 7, size: 4 }, address);
  }

  lgdt(source: Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0x01], reg: 2, size: 4 }, source);
  }

  lidt(source: Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0x01], reg: 3, size: 4 }, source);
  }

  // Floating point.

  fninit(): void {
    this.bytes(0xdb, 0xe3);
  }

  fld1(): void {
    this.bytes(0xd9, 0xe8);
  }

  fldpi(): void {
    this.bytes(0xd9, 0xeb);
  }

  /** Stores st(0) as an integer and pops. */
  fistp(dst: Mem): void {
    emitInstruction(this, { opcode: [0xdf], reg: 7, size: 4 }, dst);
  }

  fild(src: Mem): void {
    emitInstruction(this, { opcode: [0xdf], reg: 5, size: 4 }, src);
  }

  /** Between an SSE register's low half and a general register or memory. */
  movqToXmm(xmm: number, src: Reg | Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0x6e], reg: xmm, size: 8, prefix: 0x66 }, src);
  }

  movqFromXmm(dst: Reg | Mem, xmm: number): void {
    emitInstruction(this, { opcode: [0x0f, 0x7e], reg: xmm, size: 8, prefix: 0x66 }, dst);
  }

  /** 16 bytes, aligned or not. */
  movdquFromXmm(dst: Mem, xmm: number): void {
    emitInstruction(this, { opcode: [0x0f, 0x7f], reg: xmm, size: 4, prefix: 0xf3 }, dst);
  }

  ldmxcsr(src: Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0xae], reg: 2, size: 4 }, src);
  }

  stmxcsr(dst: Mem): void {
    emitInstruction(this, { opcode: [0x0f, 0xae], reg: 3, size: 4 }, dst);
  }
}
