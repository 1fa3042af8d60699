// A small x86-64 assembler: one method an instruction, destination first. Code and data come out in the
// order of the calls; what is said inside `later` is put behind everything else, so that a macro can
// have strings and variables. Only 64-bit code, and only the forms that the guest tests need.
// Encodings: Intel SDM vol. 2.

import type { Imm, Mem, Reg, Size } from './operands.ts';

/** Conditions of jumps by their suffix, in encoding order. */
const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'] as const;

/** A condition, as in the names of the conditional jumps. */
export type Condition = (typeof CONDITIONS)[number];

/** Segment registers in encoding order. */
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

/** A segment register. */
export type Segment = (typeof SEGMENTS)[number];

/** A place to be filled in when all labels are known. */
interface Fixup {
  readonly offset: number;
  readonly label: string;
  readonly addend: number;
  /** 4: an offset from `end`; 8: an absolute address. */
  readonly size: 4 | 8;
  end: number;
}

/** What an instruction is made of, besides its memory or register operand. */
interface Encoding {
  readonly opcode: readonly number[];
  /** Register or opcode extension of the ModRM byte. */
  readonly reg: number;
  readonly size: Size;
  /** Bytes behind the operand. */
  readonly imm?: readonly number[];
  /** The operand size is 64 bits without REX.W. */
  readonly default64?: boolean;
  readonly prefix?: number;
}

/** Assembles one image. */
export class Assembler {
  /** Address of the first byte. */
  readonly base: bigint;
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];
  readonly #later: (() => void)[] = [];
  #unique = 0;

  constructor(base: bigint) {
    this.base = base;
  }

  /** Finishes the image. @returns its bytes */
  link(): Uint8Array<ArrayBuffer> {
    this.align(4096);
    for (let next = this.#later.shift(); next !== undefined; next = this.#later.shift()) next();
    this.align(4096);
    const image = new Uint8Array(this.#bytes);
    const view = new DataView(image.buffer);
    for (const { offset, label, addend, size, end } of this.#fixups) {
      const target = this.#offsetOf(label) + addend;
      if (size === 8) view.setBigUint64(offset, BigInt.asUintN(64, this.base + BigInt(target)), true);
      else view.setInt32(offset, target - end, true);
    }
    return image;
  }

  /** Address of a label that has been placed. */
  addressOf(label: string): bigint {
    return BigInt.asUintN(64, this.base + BigInt(this.#offsetOf(label)));
  }

  #offsetOf(label: string): number {
    const offset = this.#labels.get(label);
    if (offset === undefined) throw new Error(`there is no label ${label}`);
    return offset;
  }

  /** Places a label here. */
  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label ${name} is placed twice`);
    this.#labels.set(name, this.#bytes.length);
  }

  /** Makes a name for a label that nothing else uses. */
  fresh(stem: string): string {
    return `${stem}.${this.#unique++}`;
  }

  /** Assembles what `emit` says behind all the rest. */
  later(emit: () => void): void {
    this.#later.push(emit);
  }

  align(bytes: number): void {
    while (this.#bytes.length % bytes !== 0) this.#bytes.push(0);
  }

  bytes(...values: number[]): void {
    for (const value of values) this.#bytes.push(value & 0xff);
  }

  u16(...values: number[]): void {
    for (const value of values) this.bytes(...little(value, 2));
  }

  u32(...values: number[]): void {
    for (const value of values) this.bytes(...little(value, 4));
  }

  /** Integers, or the addresses of labels. */
  u64(...values: (Imm | string)[]): void {
    for (const value of values) {
      if (typeof value === 'string') this.#fixup(value, 0, 8);
      this.bytes(...little(typeof value === 'string' ? 0 : value, 8));
    }
  }

  zeros(count: number): void {
    for (let i = 0; i < count; i++) this.#bytes.push(0);
  }

  text(text: string): void {
    this.bytes(...new TextEncoder().encode(text));
  }

  // Moves.

  mov(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    if (isOperand(src)) this.#either(dst, src, 0x88);
    else if (dst.kind === 'reg') this.#loadConstant(dst, src);
    else
      this.#emit(
        { opcode: [dst.size === 1 ? 0xc6 : 0xc7], reg: 0, size: dst.size, imm: immediate(src, dst.size) },
        dst,
      );
  }

  /** Loads a byte or a word, zero-extended. */
  movzx(dst: Reg, src: Reg | Mem): void {
    this.#emit({ opcode: [0x0f, src.size === 1 ? 0xb6 : 0xb7], reg: dst.code, size: dst.size }, src);
  }

  /** Loads a doubleword, sign-extended. */
  movsxd(dst: Reg, src: Reg | Mem): void {
    this.#emit({ opcode: [0x63], reg: dst.code, size: 8 }, src);
  }

  lea(dst: Reg, src: Mem): void {
    this.#emit({ opcode: [0x8d], reg: dst.code, size: 8 }, src);
  }

  xchg(dst: Reg | Mem, src: Reg): void {
    this.#emit({ opcode: [src.size === 1 ? 0x86 : 0x87], reg: src.code, size: src.size }, dst);
  }

  push(src: Reg | Mem | Imm): void {
    if (!isOperand(src)) this.bytes(0x68, ...immediate(src, 8));
    else this.#emit({ opcode: [0xff], reg: 6, size: 8, default64: true }, src);
  }

  pop(dst: Reg | Mem): void {
    this.#emit({ opcode: [0x8f], reg: 0, size: 8, default64: true }, dst);
  }

  // Arithmetic.

  add(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    this.#alu(0, dst, src);
  }

  or(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    this.#alu(1, dst, src);
  }

  and(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    this.#alu(4, dst, src);
  }

  sub(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    this.#alu(5, dst, src);
  }

  xor(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    this.#alu(6, dst, src);
  }

  cmp(dst: Reg | Mem, src: Reg | Mem | Imm): void {
    this.#alu(7, dst, src);
  }

  test(dst: Reg | Mem, src: Reg | Imm): void {
    const byte = dst.size === 1;
    if (isOperand(src)) this.#emit({ opcode: [byte ? 0x84 : 0x85], reg: src.code, size: src.size }, dst);
    else this.#emit({ opcode: [byte ? 0xf6 : 0xf7], reg: 0, size: dst.size, imm: immediate(src, dst.size) }, dst);
  }

  inc(dst: Reg | Mem): void {
    this.#emit({ opcode: [dst.size === 1 ? 0xfe : 0xff], reg: 0, size: dst.size }, dst);
  }

  dec(dst: Reg | Mem): void {
    this.#emit({ opcode: [dst.size === 1 ? 0xfe : 0xff], reg: 1, size: dst.size }, dst);
  }

  neg(dst: Reg | Mem): void {
    this.#emit({ opcode: [dst.size === 1 ? 0xf6 : 0xf7], reg: 3, size: dst.size }, dst);
  }

  /** Divides rdx:rax. */
  div(src: Reg | Mem): void {
    this.#emit({ opcode: [0xf7], reg: 6, size: src.size }, src);
  }

  imul(dst: Reg, src: Reg | Mem): void {
    this.#emit({ opcode: [0x0f, 0xaf], reg: dst.code, size: dst.size }, src);
  }

  shl(dst: Reg | Mem, count: number): void {
    this.#emit({ opcode: [dst.size === 1 ? 0xc0 : 0xc1], reg: 4, size: dst.size, imm: [count] }, dst);
  }

  shr(dst: Reg | Mem, count: number): void {
    this.#emit({ opcode: [dst.size === 1 ? 0xc0 : 0xc1], reg: 5, size: dst.size, imm: [count] }, dst);
  }

  rol(dst: Reg | Mem, count: number): void {
    this.#emit({ opcode: [dst.size === 1 ? 0xc0 : 0xc1], reg: 0, size: dst.size, imm: [count] }, dst);
  }

  bts(dst: Reg | Mem, bit: number): void {
    this.#emit({ opcode: [0x0f, 0xba], reg: 5, size: dst.size, imm: [bit] }, dst);
  }

  btr(dst: Reg | Mem, bit: number): void {
    this.#emit({ opcode: [0x0f, 0xba], reg: 6, size: dst.size, imm: [bit] }, dst);
  }

  cmpxchg(dst: Mem, src: Reg): void {
    this.#emit({ opcode: [0x0f, src.size === 1 ? 0xb0 : 0xb1], reg: src.code, size: src.size }, dst);
  }

  /** 16 bytes at once: rdx:rax with rcx:rbx. */
  cmpxchg16b(dst: Mem): void {
    this.#emit({ opcode: [0x0f, 0xc7], reg: 1, size: 8 }, dst);
  }

  xadd(dst: Mem, src: Reg): void {
    this.#emit({ opcode: [0x0f, src.size === 1 ? 0xc0 : 0xc1], reg: src.code, size: src.size }, dst);
  }

  // Control.

  jmp(to: string | Reg | Mem): void {
    if (typeof to === 'string') this.#branch([0xe9], to);
    else this.#emit({ opcode: [0xff], reg: 4, size: 8, default64: true }, to);
  }

  /** Conditional jump: `j('ne', label)`. */
  j(condition: Condition, to: string): void {
    this.#branch([0x0f, 0x80 + CONDITIONS.indexOf(condition)], to);
  }

  call(to: string | Reg | Mem): void {
    if (typeof to === 'string') this.#branch([0xe8], to);
    else this.#emit({ opcode: [0xff], reg: 2, size: 8, default64: true }, to);
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
    this.#emit({ opcode: [0x0f, 0x20], reg: control, size: 4, default64: true }, dst);
  }

  movToControl(control: number, src: Reg): void {
    this.#emit({ opcode: [0x0f, 0x22], reg: control, size: 4, default64: true }, src);
  }

  movToSegment(segment: Segment, src: Reg): void {
    this.#emit({ opcode: [0x8e], reg: SEGMENTS.indexOf(segment), size: 4 }, src);
  }

  movFromSegment(dst: Reg, segment: Segment): void {
    this.#emit({ opcode: [0x8c], reg: SEGMENTS.indexOf(segment), size: 4 }, dst);
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
    this.#emit({ opcode: [0x0f, 0x01], reg: 7, size: 4 }, address);
  }

  lgdt(source: Mem): void {
    this.#emit({ opcode: [0x0f, 0x01], reg: 2, size: 4 }, source);
  }

  lidt(source: Mem): void {
    this.#emit({ opcode: [0x0f, 0x01], reg: 3, size: 4 }, source);
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
    this.#emit({ opcode: [0xdf], reg: 7, size: 4 }, dst);
  }

  fild(src: Mem): void {
    this.#emit({ opcode: [0xdf], reg: 5, size: 4 }, src);
  }

  /** Between an SSE register's low half and a general register or memory. */
  movqToXmm(xmm: number, src: Reg | Mem): void {
    this.#emit({ opcode: [0x0f, 0x6e], reg: xmm, size: 8, prefix: 0x66 }, src);
  }

  movqFromXmm(dst: Reg | Mem, xmm: number): void {
    this.#emit({ opcode: [0x0f, 0x7e], reg: xmm, size: 8, prefix: 0x66 }, dst);
  }

  /** 16 bytes, aligned or not. */
  movdquFromXmm(dst: Mem, xmm: number): void {
    this.#emit({ opcode: [0x0f, 0x7f], reg: xmm, size: 4, prefix: 0xf3 }, dst);
  }

  ldmxcsr(src: Mem): void {
    this.#emit({ opcode: [0x0f, 0xae], reg: 2, size: 4 }, src);
  }

  stmxcsr(dst: Mem): void {
    this.#emit({ opcode: [0x0f, 0xae], reg: 3, size: 4 }, dst);
  }

  #alu(row: number, dst: Reg | Mem, src: Reg | Mem | Imm): void {
    if (isOperand(src)) {
      this.#either(dst, src, row * 8);
      return;
    }
    const short = src >= -128 && src <= 127;
    const opcode = dst.size === 1 ? 0x80 : short ? 0x83 : 0x81;
    const imm = short ? little(src, 1) : immediate(src, dst.size);
    this.#emit({ opcode: [opcode], reg: row, size: dst.size, imm }, dst);
  }

  /** Instructions with a direction bit: r/m from register at `opcode`, register from r/m two further. */
  #either(dst: Reg | Mem, src: Reg | Mem, opcode: number): void {
    if (src.kind === 'reg')
      this.#emit({ opcode: [opcode + (src.size === 1 ? 0 : 1)], reg: src.code, size: src.size }, dst);
    else if (dst.kind === 'reg')
      this.#emit({ opcode: [opcode + (dst.size === 1 ? 2 : 3)], reg: dst.code, size: dst.size }, src);
    else throw new Error('memory to memory');
  }

  #loadConstant(dst: Reg, value: Imm): void {
    const wide = BigInt.asUintN(dst.size * 8, BigInt(value));
    if (dst.size === 1) this.#emit({ opcode: [0xc6], reg: 0, size: 1, imm: little(wide, 1) }, dst);
    else if (dst.size < 8) this.#emit({ opcode: [0xc7], reg: 0, size: dst.size, imm: little(wide, dst.size) }, dst);
    else if (BigInt.asIntN(32, wide) === BigInt.asIntN(64, wide))
      this.#emit({ opcode: [0xc7], reg: 0, size: 8, imm: little(wide, 4) }, dst);
    else if (wide < 1n << 32n) this.#emit({ opcode: [0xc7], reg: 0, size: 4, imm: little(wide, 4) }, dst);
    else this.bytes(0x48 | (dst.code >> 3), 0xb8 | (dst.code & 7), ...little(wide, 8));
  }

  #branch(opcode: readonly number[], to: string): void {
    this.bytes(...opcode);
    this.#fixup(to, 0, 4);
    this.u32(0);
  }

  #fixup(label: string, addend: number, size: 4 | 8): Fixup {
    const offset = this.#bytes.length;
    const fixup = { offset, label, addend, size, end: offset + size };
    this.#fixups.push(fixup);
    return fixup;
  }

  /** Emits an instruction with a ModRM byte. */
  #emit(encoding: Encoding, rm: Reg | Mem): void {
    const { opcode, reg, size, imm = [], default64 = false, prefix } = encoding;
    if (rm.kind === 'mem' && rm.segment !== undefined) this.bytes(rm.segment === 'fs' ? 0x64 : 0x65);
    if (size === 2) this.bytes(0x66);
    if (prefix !== undefined) this.bytes(prefix);
    const index = rm.kind === 'mem' ? (rm.index?.code ?? 0) : 0;
    const base = rm.kind === 'mem' ? (rm.base?.code ?? 0) : rm.code;
    const wide = size === 8 && !default64 ? 8 : 0;
    const rex = wide | ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3);
    if (rex !== 0) this.bytes(0x40 | rex);
    this.bytes(...opcode);
    const fixup = rm.kind === 'reg' ? this.#registerOperand(reg, rm) : this.#memoryOperand(reg, rm);
    this.bytes(...imm);
    if (fixup !== undefined) fixup.end = this.#bytes.length;
  }

  #registerOperand(reg: number, rm: Reg): undefined {
    this.bytes(0xc0 | ((reg & 7) << 3) | (rm.code & 7));
  }

  #memoryOperand(reg: number, mem: Mem): Fixup | undefined {
    const middle = (reg & 7) << 3;
    const { base, index, scale, disp, label } = mem;
    if (label !== undefined) {
      if (base !== undefined || index !== undefined) throw new Error('a label has neither base nor index');
      this.bytes(middle | 5);
      const fixup = this.#fixup(label, disp, 4);
      this.u32(0);
      return fixup;
    }
    const sib = (Math.log2(scale) << 6) | (((index?.code ?? 4) & 7) << 3);
    if (base === undefined) {
      this.bytes(middle | 4, sib | 5, ...little(disp, 4));
      return undefined;
    }
    const short = disp >= -128 && disp <= 127;
    const mode = short ? 0x40 : 0x80;
    if (index === undefined && (base.code & 7) !== 4) this.bytes(mode | middle | (base.code & 7));
    else this.bytes(mode | middle | 4, sib | (base.code & 7));
    this.bytes(...little(disp, short ? 1 : 4));
    return undefined;
  }
}

function isOperand<Operand extends Reg | Mem>(value: Operand | Imm): value is Operand {
  return typeof value === 'object';
}

/** An immediate of an instruction: at most 4 bytes, sign-extended to the operand's size. */
function immediate(value: Imm, size: Size): number[] {
  const wide = BigInt.asIntN(size * 8, BigInt(value));
  if (size === 8 && wide !== BigInt.asIntN(32, wide)) throw new Error(`${value} does not fit an immediate`);
  return little(wide, size === 8 ? 4 : size);
}

function little(value: Imm, count: number): number[] {
  const wide = BigInt(value);
  return Array.from({ length: count }, (_, i) => Number((wide >> BigInt(8 * i)) & 0xffn));
}
