// A tiny guest kernel, written down as a program: the assembler plus macros for hypercalls, page tables,
// expected faults and the verdict. What every kernel starts with (console, shared page, trap table) and the
// subroutines that the macros call are in `prelude.ts` and `library.ts`.
// Macros leave their result in rax and may change every register but rsp, rbx, rbp and r12 to r15.

import {
  ConsoleIo,
  DomidReserved,
  Hypercall,
  MMU_UPDATE,
  MMU_UPDATE_SIZE,
  MMUEXT_OP,
  MMUEXT_OP_SIZE,
  MmuExt,
  SchedOp,
  Shutdown,
  Uvmf,
} from '../../../src/abi/index.ts';
import { Assembler } from '../assembler/assembler.ts';
import { elfImage } from '../assembler/elf-image.ts';
import { at, dwordOf, type Imm, type Mem, type Reg, registers, type Size } from '../assembler/operands.ts';
import { CODE64, DATA64, Flags, VIRT_BASE } from './constants.ts';
import { library } from './library.ts';
import { prelude } from './prelude.ts';

const { rax, rcx, rdx, rsp, rsi, rdi, r8, r10 } = registers;

/** Something that a macro can load: a register, memory, a constant, or the address of a label. */
export type Value = Reg | Mem | Imm | string;

/** Names of hypercalls without their common prefix. */
export type HypercallName = keyof typeof Hypercall extends infer Full
  ? Full extends `__HYPERVISOR_${infer Name}`
    ? Name
    : never
  : never;

/** Fields of a structure: size, offset and value. */
export type Field = readonly [size: Size, offset: number, value: Value];

/** How an image describes itself. */
export interface KernelOptions {
  /** Ask for a hypercall page, at label `hypercall_page`. */
  readonly hypercallPage?: boolean;
  /** Have the p2m list at this address. */
  readonly initP2m?: bigint;
}

const ARGUMENTS = [rdi, rsi, rdx, r10, r8];

/** What a kernel says last. */
export type Verdict = 'SUCCESS' | 'FAILURE' | 'ERROR' | 'SKIP';

/** A kernel being written. */
export class Kernel extends Assembler {
  readonly #options: KernelOptions;
  readonly #cells = new Set<string>();

  constructor(options: KernelOptions = {}) {
    super(VIRT_BASE);
    this.#options = options;
    prelude(this);
  }

  /** Ends the kernel with SUCCESS and makes its file. */
  finish(): Uint8Array<ArrayBuffer> {
    this.stop('SUCCESS', '');
    library(this);
    if (this.#options.hypercallPage === true) this.page('hypercall_page');
    const image = this.link();
    return elfImage(image, {
      entry: this.addressOf('entry'),
      virtBase: VIRT_BASE,
      ...(this.#options.hypercallPage === true && { hypercallPage: this.addressOf('hypercall_page') }),
      ...(this.#options.initP2m !== undefined && { initP2m: this.#options.initP2m }),
    });
  }

  // Data.

  /** A variable of 8 bytes, 0 at first; the same name means the same variable. */
  cell(name: string): Mem {
    const label = `cell.${name}`;
    if (!this.#cells.has(label)) {
      this.#cells.add(label);
      this.later(() => {
        this.align(8);
        this.label(label);
        this.u64(0);
      });
    }
    return at(label);
  }

  /** A page of zeros, or several. @returns its label */
  page(name: string, count = 1): string {
    this.later(() => {
      this.align(4096);
      this.label(name);
      this.zeros(count * 4096);
    });
    return name;
  }

  /** A zero-terminated text. @returns its label */
  message(text: string): string {
    const label = this.fresh('text');
    this.later(() => {
      this.label(label);
      this.text(text);
      this.bytes(0);
    });
    return label;
  }

  /** Room for a structure, whose fields are stored when the code gets here. @returns its label */
  record(sizeBytes: number, ...fields: readonly Field[]): string {
    const label = this.fresh('record');
    this.later(() => {
      this.align(8);
      this.label(label);
      this.zeros(sizeBytes);
    });
    for (const [size, offset, value] of fields) this.set({ ...at(label, offset), size }, value);
    return label;
  }

  // Values.

  /** Loads a value into a register of 8 bytes. */
  load(dst: Reg, value: Value): void {
    if (typeof value === 'string') this.lea(dst, at(value));
    else if (typeof value !== 'object') this.mov(dst, value);
    else if (value.kind === 'mem' && value.size < 4) this.movzx(dst, value);
    else if (value.kind === 'mem' && value.size === 4) this.mov({ ...dst, size: 4 }, value);
    else if (value.kind === 'mem' || value.code !== dst.code) this.mov(dst, value);
  }

  /** Stores a value in memory, in the memory operand's size. Changes rax. */
  set(dst: Mem, value: Value): void {
    this.load(rax, value);
    this.mov(dst, { ...rax, size: dst.size });
  }

  // Calls.

  /** Issues a hypercall. A register among the arguments must not be one that an earlier argument has taken. */
  hypercall(name: HypercallName, ...args: readonly Value[]): void {
    for (const [i, value] of args.entries()) {
      const taken = ARGUMENTS.slice(0, i).some((reg) => usesRegister(value, reg));
      const target = ARGUMENTS[i];
      if (taken || target === undefined) throw new Error(`argument ${i} of ${name} cannot be loaded`);
      this.load(target, value);
    }
    this.mov(rax, Hypercall[`__HYPERVISOR_${name}`]);
    this.syscall();
  }

  /** Calls a subroutine of the library with values in rdi and rsi. */
  #library(routine: string, ...args: readonly Value[]): void {
    for (const [i, value] of args.entries()) this.load(ARGUMENTS[i] ?? r8, value);
    this.call(routine);
  }

  /** rax = frame of a page of the image. */
  mfn(address: Value): void {
    this.#library('library.mfn', address);
  }

  /** rax = machine address of a page of the image, with page-table flags. */
  pte(address: Value, flags: number): void {
    this.mfn(address);
    this.shl(rax, 12);
    this.or(rax, flags);
  }

  /** rax = machine address of the entry that maps `address` in the table of `level`; rdx = its virtual address; rcx = it. */
  entry(address: Value, level = 1): void {
    this.#library('library.walk', address, level);
  }

  /** rax = a frame that the domain does not own: the hypervisor's, another domain's or nobody's. */
  foreignFrame(): void {
    this.call('library.foreign');
  }

  /** Writes entries into a page that is still writable, and makes it read-only, as a page table has to be. */
  table(page: string, ...entries: readonly (readonly [slot: number, entry: Value])[]): void {
    for (const [slot, entry] of entries) this.set(at(page, slot * 8), entry);
    this.protect(page, Flags.READ_ONLY);
    this.expect(`${page} becomes read-only`, 0);
  }

  /** mmu_update with one request. */
  mmuUpdate(ptr: Value, val: Value, domid: number = DomidReserved.DOMID_SELF): void {
    const request = this.record(MMU_UPDATE_SIZE, [8, MMU_UPDATE.ptr, ptr], [8, MMU_UPDATE.val, val]);
    this.hypercall('mmu_update', request, 1, 0, domid);
  }

  /** Writes the entry that maps `address` in the table of `level`, by mmu_update. */
  updateEntry(address: Value, level: number, val: Value): void {
    const value = this.cell('update.val');
    this.set(value, val);
    this.entry(address, level);
    this.mmuUpdate(rax, value);
  }

  /** Drops the translation of `address`. */
  flush(address: Value): void {
    this.mmuext(MmuExt.MMUEXT_INVLPG_LOCAL, address);
    this.expect('invlpg', 0);
  }

  /** mmuext_op with one operation. */
  mmuext(cmd: number, arg1: Value = 0, arg2: Value = 0, domid: number = DomidReserved.DOMID_SELF): void {
    const op = this.record(
      MMUEXT_OP_SIZE,
      [8, MMUEXT_OP.arg1, arg1],
      [8, MMUEXT_OP.arg2, arg2],
      [4, MMUEXT_OP.cmd, cmd],
    );
    this.hypercall('mmuext_op', op, 1, 0, domid);
  }

  /** Replaces the L1 entry of `address`. */
  updateVaMapping(address: Value, pte: Value, flags: number = Uvmf.UVMF_INVLPG): void {
    this.load(rsi, pte);
    this.load(rdi, address);
    this.mov(rdx, flags);
    this.mov(rax, Hypercall.__HYPERVISOR_update_va_mapping);
    this.syscall();
  }

  /** Maps the page at `address` to its own frame with other flags. */
  protect(address: Value, flags: number): void {
    this.pte(address, flags);
    this.updateVaMapping(address, rax);
  }

  // Verdicts.

  /** Prints a text. */
  print(text: string): void {
    this.lea(rsi, at(this.message(text)));
    this.call('library.print');
  }

  /** Prints a value in hexadecimal. */
  printHex(value: Value): void {
    this.load(rax, value);
    this.call('library.print_hex');
  }

  /** Prints a verdict and powers off. */
  stop(verdict: Verdict, text: string): void {
    this.print(text === '' ? `${verdict}\n` : `${verdict}: ${text}\n`);
    this.jmp('library.power_off');
  }

  /** Shuts down for a reason of `Shutdown`. */
  shutdown(reason: number = Shutdown.SHUTDOWN_poweroff): void {
    this.hypercall('sched_op', SchedOp.SCHEDOP_shutdown, this.record(4, [4, 0, reason]));
  }

  /** Has all frames counted, where the hypervisor offers that; another one just refuses the call. Keeps rax. */
  audit(): void {
    this.push(rax);
    this.hypercall('console_io', ConsoleIo.CONSOLEIO_write, 5, this.message('audit'));
    this.pop(rax);
  }

  /** Expects rax to be `want`, and all frames to be counted right. Keeps rax. */
  expect(text: string, want: Value): void {
    this.expectOneOf(text, want);
  }

  /** Expects rax to be one of the values. Keeps rax. */
  expectOneOf(text: string, ...wanted: readonly Value[]): void {
    if (wanted.some((want) => typeof want === 'object' && want.kind === 'reg')) throw new Error('the audit changes it');
    const good = this.fresh('good');
    this.audit();
    for (const want of wanted) {
      this.load(rcx, want);
      this.cmp(rax, rcx);
      this.j('e', good);
    }
    this.mov(this.cell('got'), rax);
    this.print(`FAILURE: ${text}: got `);
    this.printHex(this.cell('got'));
    this.print(' instead of ');
    this.printHex(wanted[0] ?? 0);
    this.print('\n');
    this.jmp('library.power_off');
    this.label(good);
  }

  /** Expects rax to be a negated errno, and prints it: any refusal will do. Keeps rax. */
  expectRefusal(text: string): void {
    const good = this.fresh('good');
    this.audit();
    this.mov(this.cell('got'), rax);
    this.test(rax, rax);
    this.j('s', good);
    this.stop('FAILURE', `${text}: was not refused`);
    this.label(good);
    this.print(`${text}: refused, errno `);
    this.neg(this.cell('got'));
    this.printHex(this.cell('got'));
    this.print('\n');
    this.mov(rax, this.cell('got'));
    this.neg(rax);
  }

  /** Expects `attempt` to trap with `vector`, or with any if it is undefined; `trap.*` cells hold the details afterwards. It starts with the registers as they are. */
  expectTrap(text: string, vector: number | undefined, attempt: () => void): void {
    const resume = this.fresh('resume');
    this.push(rax);
    this.set(this.cell('resume.rip'), resume);
    this.pop(rax);
    this.mov(this.cell('resume.rsp'), rsp);
    attempt();
    this.mov(this.cell('resume.rip'), 0);
    this.stop('FAILURE', `${text}: did not trap`);
    this.label(resume);
    this.mov(rax, this.cell('trap.vector'));
    if (vector !== undefined) this.expect(text, vector);
  }

  // Traps and events.

  /** Enters `handler` for a vector. @param flags - DPL, and 4 to mask events */
  onTrap(vector: number, handler: string, flags = 0): void {
    const table = this.fresh('traps');
    this.later(() => {
      this.align(8);
      this.label(table);
      this.bytes(vector, flags);
      this.u16(CODE64);
      this.u32(0);
      this.u64(handler);
      this.zeros(16);
    });
    this.hypercall('set_trap_table', table);
  }

  /** Registers a callback of `CallbackType`. @param flags - 1 masks events */
  onCallback(type: number, handler: string, flags = 0): void {
    const register = this.record(16, [2, 0, type], [2, 2, flags], [8, 8, handler]);
    this.hypercall('callback_op', 0, register);
  }

  /** Returns by the iret hypercall to where the frame that is made here says. */
  iret(frame: { rip: Value; rsp: Value; cs?: Value; ss?: Value; rflags?: Value; flags?: Value; rax?: Value }): void {
    const words = [
      frame.ss ?? DATA64,
      frame.rsp,
      frame.rflags ?? 0x202,
      frame.cs ?? CODE64,
      frame.rip,
      frame.flags ?? 0,
    ];
    // The words are stored first: they may be given relative to rsp.
    const record = this.record(72, ...words.map((value, i): Field => [8, 64 - 8 * i, value]), [8, 0, frame.rax ?? 0]);
    this.lea(rsp, at(record));
    this.mov(rax, Hypercall.__HYPERVISOR_iret);
    this.syscall();
  }

  /** Leaves a bounce frame that `pop rcx; pop r11` has been applied to (and the error code, if any). */
  returnFromTrap(): void {
    this.sub(rsp, 32);
    this.mov(at(rsp), rax);
    this.mov(at(rsp, 8), registers.r11);
    this.mov(at(rsp, 16), rcx);
    this.mov(at(rsp, 24), 0);
    this.mov(rax, Hypercall.__HYPERVISOR_iret);
    this.syscall();
  }

  /** `count` times what `body` does, counted in rbx. */
  repeat(count: number, body: () => void): void {
    const loop = this.fresh('loop');
    this.mov(registers.rbx, count);
    this.label(loop);
    body();
    this.dec(registers.rbx);
    this.j('ne', loop);
  }

  /** Stores rax in a variable. @returns it */
  keep(name: string): Mem {
    const cell = this.cell(name);
    this.mov(cell, rax);
    return cell;
  }

  /** A field of the start information page, loaded into rax. */
  startInfo(offset: number, size: 4 | 8 = 8): void {
    this.mov(rdi, this.cell('start_info'));
    this.load(rax, size === 4 ? dwordOf(at(rdi, offset)) : at(rdi, offset));
  }
}

function usesRegister(value: Value, reg: Reg): boolean {
  if (typeof value !== 'object') return false;
  if (value.kind === 'reg') return value.code === reg.code;
  return value.base?.code === reg.code || value.index?.code === reg.code;
}
