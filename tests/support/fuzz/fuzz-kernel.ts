// The kernel that the fuzz test runs: it takes commands from a page and carries them out one after the
// other, whatever they are. Any trap leads to the next command. After each batch it asks for another with
// console_io; the test fills the page then.

import { CallbackType, ConsoleIo, Hypercall, MmuExt } from '../../../src/abi/index.ts';
import { at, byteOf, dwordOf, registers } from '../assembler/operands.ts';
import { CODE64, DATA64, Flags } from '../guest/constants.ts';
import { Kernel } from '../guest/kernel.ts';

const { rax, rbx, rcx, rdx, rsp, rsi, rdi, r8, r9, r10, r12, al } = registers;

/** What a command does with its arguments `a` to `f`. */
export const Command = {
  /** Hypercall `a` with b, c, d, e, f. */
  HYPERCALL: 0,
  /** Stores b at a, in 8, 4 and 1 bytes, by `xchg` and by `lock and`. */
  STORE: 1,
  STORE_DWORD: 2,
  STORE_BYTE: 3,
  EXCHANGE: 4,
  LOCKED_AND: 5,
  /** Returns by hypercall with the frame b bytes into the buffer. */
  IRET: 6,
  /** An invalid opcode on the stack at `a`. */
  TRAP_ON_STACK: 7,
  /** Loads selector `a` into ds, es, fs, gs and ss. */
  SELECTORS: 8,
  /** wrmsr of b at register a; then rdmsr. */
  MSR: 9,
  /** Jumps to `a`. */
  JUMP: 10,
  /** Native iretq with the frame b bytes into the buffer. */
  NATIVE_IRET: 11,
  /** Loads from `a`. */
  LOAD: 12,
} as const;

/** Bytes of a command: kind, a to f, and the result, u64 each. */
export const COMMAND_SIZE = 64;

/** Commands in a batch. */
export const BATCH = 64;

/** Pages of the kernel that commands may refer to, and how many each is. */
export const FUZZ_PAGES = { commands: 1, buffer: 4, spare: 16, user: 1 } as const;

/** Makes the kernel. @returns its file and the addresses of its pages */
export function fuzzKernel(): { file: Uint8Array<ArrayBuffer>; addresses: Readonly<Record<string, bigint>> } {
  const k = new Kernel();
  k.mov(r12, 0);
  k.label('batch');
  k.lea(rsp, at('stack', 4 * 4096));
  restoreHandlers(k);
  k.hypercall('console_io', ConsoleIo.CONSOLEIO_write, 5, k.message('batch'));
  k.mov(k.cell('index'), 0);
  k.jmp('next');

  // Every exception, callback and system call comes here.
  k.label('caught');
  k.label('next');
  k.lea(rsp, at('stack', 4 * 4096));
  k.cld();
  k.mov(rbx, k.cell('index'));
  k.cmp(rbx, BATCH);
  k.j('ae', 'batch');
  k.inc(k.cell('index'));
  k.shl(rbx, 6);
  k.lea(rax, at('commands'));
  k.add(rbx, rax);
  k.mov(rcx, at(rbx));
  for (const [name, number] of Object.entries(Command)) {
    k.cmp(rcx, number);
    k.j('e', `do.${name}`);
  }
  k.jmp('next');
  commands(k);

  for (const [name, count] of Object.entries(FUZZ_PAGES)) k.page(name, count);
  k.later(() => {
    k.align(8);
    k.label('caught.table');
    for (let vector = 0; vector < 256; vector++) {
      if (vector > 19 && vector !== 0x80) continue;
      k.bytes(vector, 3);
      k.u16(CODE64);
      k.u32(0);
      k.u64('caught');
    }
    k.zeros(16);
  });
  const file = k.finish();
  const addresses: Record<string, bigint> = {};
  for (const label of [...Object.keys(FUZZ_PAGES), 'entry', 'caught', 'stack', 'shared_info', 'cell.index']) {
    addresses[label] = k.addressOf(label);
  }
  return { file, addresses };
}

/** Commands may have taken the handlers away. */
function restoreHandlers(k: Kernel): void {
  k.hypercall('set_trap_table', 'caught.table');
  for (const type of [
    CallbackType.CALLBACKTYPE_event,
    CallbackType.CALLBACKTYPE_failsafe,
    CallbackType.CALLBACKTYPE_syscall,
  ]) {
    k.onCallback(type, 'caught');
  }
  k.hypercall('stack_switch', DATA64, 'fuzz.stack.top');
  k.protect('user', Flags.TABLE);
  k.entry('main', 4);
  k.shr(rax, 12);
  k.mmuext(MmuExt.MMUEXT_NEW_USER_BASEPTR, rax);
  k.page('fuzz.stack');
  k.later(() => k.label('fuzz.stack.top'));
}

function commands(k: Kernel): void {
  const on = (name: keyof typeof Command, body: () => void): void => {
    k.label(`do.${name}`);
    k.mov(rdi, at(rbx, 8));
    k.mov(rsi, at(rbx, 16));
    body();
    k.jmp('next');
  };
  on('HYPERCALL', () => {
    k.mov(rax, rdi);
    k.mov(rdi, rsi);
    k.mov(rsi, at(rbx, 24));
    k.mov(rdx, at(rbx, 32));
    k.mov(r10, at(rbx, 40));
    k.mov(r8, at(rbx, 48));
    k.mov(r9, 0);
    k.syscall();
    k.mov(at(rbx, 56), rax);
  });
  on('STORE', () => k.mov(at(rdi), rsi));
  on('STORE_DWORD', () => k.mov(dwordOf(at(rdi)), { ...rsi, size: 4 }));
  on('STORE_BYTE', () => {
    k.mov(rax, rsi);
    k.mov(byteOf(at(rdi)), al);
  });
  on('EXCHANGE', () => k.xchg(at(rdi), rsi));
  on('LOCKED_AND', () => {
    k.lock();
    k.and(at(rdi), rsi);
  });
  on('IRET', () => {
    k.lea(rsp, at('buffer'));
    k.add(rsp, rsi);
    k.mov(rax, Hypercall.__HYPERVISOR_iret);
    k.syscall();
  });
  on('TRAP_ON_STACK', () => {
    k.mov(rsp, rdi);
    k.ud2();
  });
  on('SELECTORS', () => {
    k.mov(rax, rdi);
    for (const segment of ['ds', 'es', 'fs', 'gs', 'ss'] as const) k.movToSegment(segment, rax);
  });
  on('MSR', () => {
    k.mov(rcx, rdi);
    k.mov(rax, rsi);
    k.mov(rdx, rsi);
    k.shr(rdx, 32);
    k.wrmsr();
    k.rdmsr();
  });
  on('JUMP', () => k.jmp(rdi));
  on('NATIVE_IRET', () => {
    k.lea(rsp, at('buffer'));
    k.add(rsp, rsi);
    k.iretq();
  });
  on('LOAD', () => k.mov(rax, at(rdi)));
}
