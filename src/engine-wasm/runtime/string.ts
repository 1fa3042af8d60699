// String instructions, run page by page with bulk memory operations where the direction flag is clear
// and the operands do not overlap, else element by element. A fault or the end of the allotted work
// leaves rcx, rsi and rdi as after the last complete element, so that the instruction goes on when it
// is entered again. Intel SDM vol. 2, REP and the string instructions; vol. 1, section 7.3.9.3.

import { Access, type AccessKind, arithmeticFlags, Cpu, Gpr, Rflags } from '../../engine/index.ts';
import type { MachineMemory } from '../../machine/index.ts';
import type { CodeCache } from '../cache/code-cache.ts';
import { ExitCode } from '../ir/exit-code.ts';
import { Rec } from '../ir/record.ts';
import { StringOp } from '../ir/string-op.ts';
import type { EngineMemory } from './engine-memory.ts';
import { NOT_CANONICAL, Word } from './layout.ts';
import type { Translation } from './translation.ts';

const PAGE_SIZE = 4096;
const REPNE = 0xf2;
/** Bytes after which a repeated instruction lets the hypervisor look at the clock. */
export const WORK_LIMIT = 65536;
/** Bytes that are moved in bulk for an instruction of the budget, as a power of two. */
export const BULK_SHIFT = 4;
/** Instructions of the budget that an element by itself uses up: a guest cannot stretch its time with slow ones. */
const ELEMENT_COST = 64;
const MASK_32 = 0xffffffffn;

/** Runs string instructions for the active vCPU. */
export class StringUnit {
  readonly #memory: EngineMemory;
  readonly #machine: MachineMemory;
  readonly #translation: Translation;
  readonly #cache: CodeCache;
  // operands of the running instruction
  #bytes = 1;
  #step = 1n;
  #narrow = false;
  #sourceBase = 0n;
  #flagResult = 0n;
  #flagAux = 0;

  constructor(memory: EngineMemory, machine: MachineMemory, translation: Translation, cache: CodeCache) {
    this.#memory = memory;
    this.#machine = machine;
    this.#translation = translation;
    this.#cache = cache;
  }

  /** Runs the string instruction of a record; what it does is charged to `Word.BUDGET`. @returns 0 when it is done, else an `ExitCode` */
  run(record: number): number {
    const { u16, u32, i32, cpu } = this.#memory;
    const kind = u16[(record + Rec.A) >> 1] ?? 0;
    const repeat = u16[(record + Rec.D) >> 1] ?? 0;
    const detail = i32[(record + Rec.IMM) >> 2] ?? 0;
    this.#bytes = u16[(record + Rec.C) >> 1] ?? 1;
    this.#step = (cpu.readU32(Cpu.FLAG_SYSTEM) & Rflags.DF) === 0 ? BigInt(this.#bytes) : -BigInt(this.#bytes);
    this.#narrow = (detail & 1) !== 0;
    const segment = detail >> 8;
    this.#sourceBase = segment === 4 ? cpu.readU64(Cpu.FS_BASE) : segment === 5 ? cpu.readU64(Cpu.GS_BASE) : 0n;
    if (repeat === 0) return this.#element(kind) ? 0 : ExitCode.PAGE_FAULT;
    if (this.#narrow) this.#narrowRegisters(kind);
    const singleStep = (cpu.readU32(Cpu.FLAG_SYSTEM) & Rflags.TF) !== 0;
    this.#flagResult = cpu.readU64(Cpu.FLAG_RESULT);
    this.#flagAux = cpu.readU32(Cpu.FLAG_AUX);

    let work = 0;
    for (;;) {
      const count = this.#narrow ? (cpu.gpr[Gpr.RCX] ?? 0n) & MASK_32 : (cpu.gpr[Gpr.RCX] ?? 0n);
      if (count === 0n) return 0;
      if (work >= WORK_LIMIT || (singleStep && work > 0)) {
        cpu.rip = cpu.readU64(Cpu.CODE_PAGE) + BigInt(u16[(record + Rec.RIP) >> 1] ?? 0);
        this.#restoreFlags();
        return ExitCode.BUDGET;
      }
      const done = singleStep ? 0 : this.#chunk(kind, count);
      if (done > 0) {
        this.#setCount(count - BigInt(done));
        work += done * this.#bytes;
        i32[Word.BUDGET >> 2] -= (done * this.#bytes) >> BULK_SHIFT;
        continue;
      }
      if (!this.#element(kind)) {
        this.#restoreFlags();
        return ExitCode.PAGE_FAULT;
      }
      this.#setCount(count - 1n);
      work += 16 * this.#bytes; // an element costs about as much as 16 in bulk
      if (kind === StringOp.SCAS || kind === StringOp.CMPS) {
        const flags = arithmeticFlags(
          u32[Cpu.FLAG_RESULT >> 2] ?? 0,
          u32[(Cpu.FLAG_RESULT >> 2) + 1] ?? 0,
          u32[Cpu.FLAG_AUX >> 2] ?? 0,
        );
        if (((flags & Rflags.ZF) !== 0) === (repeat === REPNE)) return 0;
      }
    }
  }

  /** Comparisons do not show in the flags until the instruction has ended. */
  #restoreFlags(): void {
    const { cpu } = this.#memory;
    cpu.writeU64(Cpu.FLAG_RESULT, this.#flagResult);
    cpu.writeU32(Cpu.FLAG_AUX, this.#flagAux);
  }

  /** Repeated with 32-bit addresses, processors clear the high half of rcx, and those of the pointers of movs and stos, even if there is nothing to do. */
  #narrowRegisters(kind: number): void {
    const { gpr32 } = this.#memory.cpu;
    gpr32[2 * Gpr.RCX + 1] = 0;
    if (kind === StringOp.MOVS) gpr32[2 * Gpr.RSI + 1] = 0;
    if (kind === StringOp.MOVS || kind === StringOp.STOS) gpr32[2 * Gpr.RDI + 1] = 0;
  }

  /** Does as many elements of movs or stos as lie on the current pages in bulk. @returns their number; 0 when it takes a single element */
  #chunk(kind: number, count: bigint): number {
    if (this.#step < 0n || this.#narrow || (kind !== StringOp.MOVS && kind !== StringOp.STOS)) return 0;
    const { cpu } = this.#memory;
    const target = canonical(cpu.gpr[Gpr.RDI] ?? 0n);
    if (target < 0) return 0;
    let bytes = Math.min(PAGE_SIZE - (target % PAGE_SIZE), Number(count < 4096n ? count : 4096n) * this.#bytes);
    let source = 0;
    if (kind === StringOp.MOVS) {
      source = canonical(BigInt.asUintN(64, (cpu.gpr[Gpr.RSI] ?? 0n) + this.#sourceBase));
      if (source < 0) return 0;
      bytes = Math.min(bytes, PAGE_SIZE - (source % PAGE_SIZE));
    }
    bytes -= bytes % this.#bytes;
    if (bytes === 0) return 0;
    const from = kind === StringOp.MOVS ? this.#translation.translate(source, Access.READ) : 0;
    if (from < 0) return 0;
    const to = this.#translation.translate(target, Access.WRITE);
    if (to < 0) return 0;
    if (kind === StringOp.STOS) {
      this.#fill(to, bytes);
    } else {
      if (to > from && to < from + bytes) return 0; // each element must see the one before it
      this.#machine.u8.copyWithin(to, from, from + bytes);
      cpu.gpr[Gpr.RSI] = (cpu.gpr[Gpr.RSI] ?? 0n) + BigInt(bytes);
    }
    cpu.gpr[Gpr.RDI] = (cpu.gpr[Gpr.RDI] ?? 0n) + BigInt(bytes);
    this.#written(to);
    return bytes / this.#bytes;
  }

  #fill(to: number, bytes: number): void {
    const { u8 } = this.#machine;
    const { u8: state } = this.#memory;
    const first = state[Cpu.GPR] ?? 0;
    let uniform = true;
    for (let i = 1; i < this.#bytes; i++) uniform &&= state[Cpu.GPR + i] === first;
    if (uniform) {
      u8.fill(first, to, to + bytes);
      return;
    }
    for (let i = 0; i < this.#bytes; i++) u8[to + i] = state[Cpu.GPR + i] ?? 0;
    for (let filled = this.#bytes; filled < bytes; filled *= 2) {
      u8.copyWithin(to + filled, to, to + Math.min(filled, bytes - filled));
    }
  }

  /** Does one element with all its checks and moves the pointers. @returns false after recording a fault */
  #element(kind: number): boolean {
    const { cpu, i32 } = this.#memory;
    i32[Word.BUDGET >> 2] -= ELEMENT_COST;
    const source = kind === StringOp.MOVS || kind === StringOp.LODS || kind === StringOp.CMPS;
    const target = kind !== StringOp.LODS;
    let value = this.#low(cpu.gpr[Gpr.RAX] ?? 0n);
    let other = 0n;
    if (kind === StringOp.SCAS || kind === StringOp.CMPS) {
      // before the source: the order shows when both fault
      const loaded = this.#load(this.#pointer(Gpr.RDI));
      if (loaded === undefined) return false;
      other = loaded;
    }
    if (source) {
      const loaded = this.#load(this.#pointer(Gpr.RSI) + this.#sourceBase);
      if (loaded === undefined) return false;
      value = loaded;
    }
    if (kind === StringOp.LODS) {
      this.#setAccumulator(value);
    } else if (kind === StringOp.SCAS || kind === StringOp.CMPS) {
      this.#compare(value, other);
    } else if (!this.#store(this.#pointer(Gpr.RDI), value)) {
      return false;
    }
    if (source) this.#advance(Gpr.RSI);
    if (target) this.#advance(Gpr.RDI);
    return true;
  }

  /** Sets the flags of `left - right`. */
  #compare(left: bigint, right: bigint): void {
    const { u32, cpu } = this.#memory;
    const bits = this.#bytes * 8;
    const difference = left - right;
    const overflow = ((left ^ right) & (left ^ difference)) >> BigInt(bits - 1);
    cpu.writeU64(Cpu.FLAG_RESULT, BigInt.asIntN(bits, difference));
    u32[Cpu.FLAG_AUX >> 2] =
      (left < right ? Rflags.CF : 0) |
      (Number((left ^ right ^ difference) & 0x10n) !== 0 ? Rflags.AF : 0) |
      ((overflow & 1n) === 1n ? Rflags.OF : 0);
  }

  #pointer(register: number): bigint {
    const value = this.#memory.cpu.gpr[register] ?? 0n;
    return this.#narrow ? value & MASK_32 : value;
  }

  #advance(register: number): void {
    const { gpr } = this.#memory.cpu;
    const next = this.#pointer(register) + this.#step;
    gpr[register] = this.#narrow ? next & MASK_32 : next;
  }

  #setCount(count: bigint): void {
    this.#memory.cpu.gpr[Gpr.RCX] = count;
  }

  #low(value: bigint): bigint {
    return BigInt.asUintN(this.#bytes * 8, value);
  }

  #setAccumulator(value: bigint): void {
    const { gpr } = this.#memory.cpu;
    const old = gpr[Gpr.RAX] ?? 0n;
    gpr[Gpr.RAX] = this.#bytes >= 4 ? value : ((old >> BigInt(this.#bytes * 8)) << BigInt(this.#bytes * 8)) | value;
  }

  #load(address: bigint): bigint | undefined {
    const { u8 } = this.#machine;
    let value = 0n;
    const start = this.#check(address);
    if (start < 0) return undefined;
    const first = this.#translation.translate(start, Access.READ);
    if (first < 0) return undefined;
    const second = this.#second(start, Access.READ);
    if (second < 0) return undefined;
    const here = PAGE_SIZE - (start % PAGE_SIZE);
    for (let i = this.#bytes - 1; i >= 0; i--)
      value = (value << 8n) | BigInt((i < here ? u8[first + i] : u8[second + i - here]) ?? 0);
    return value;
  }

  #store(address: bigint, value: bigint): boolean {
    const { u8 } = this.#machine;
    const start = this.#check(address);
    if (start < 0) return false;
    const first = this.#translation.translate(start, Access.WRITE);
    if (first < 0) return false;
    const second = this.#second(start, Access.WRITE);
    if (second < 0) return false;
    const here = PAGE_SIZE - (start % PAGE_SIZE);
    for (let i = 0; i < this.#bytes; i++) {
      const byte = Number((value >> BigInt(8 * i)) & 0xffn);
      if (i < here) u8[first + i] = byte;
      else u8[second + i - here] = byte;
    }
    this.#written(first);
    if (second > 0) this.#written(second);
    return true;
  }

  /** Machine address of the part of an element on the next page; 0 when there is none; -1 after recording a fault. */
  #second(start: number, access: AccessKind): number {
    if ((start % PAGE_SIZE) + this.#bytes <= PAGE_SIZE) return 0;
    return this.#translation.translateNext(start, access);
  }

  #check(address: bigint): number {
    const low = canonical(BigInt.asUintN(64, address));
    if (low < 0) this.#memory.u32[Word.FAULT_CODE >> 2] = NOT_CANONICAL;
    return low;
  }

  #written(machine: number): void {
    const frame = machine >>> 12;
    if (this.#cache.hasCode(frame)) this.#cache.drop(frame, this.#memory.u32[Word.RECORD >> 2] ?? 0);
  }
}

/** Low 48 bits of a canonical address, or -1. */
function canonical(address: bigint): number {
  const top = address >> 47n;
  return top === 0n || top === 0x1ffffn ? Number(address & 0xffffffffffffn) : -1;
}
