// User mode: programs below the guest's kernel, on page tables of their own, who come back by system calls,
// faults and interrupts. Two tests differ elsewhere: the real Xen lets user mode see every page of the root it
// runs on, because kernel and user share a ring, and has kernels keep a root of their own for it; and a QEMU
// processor does not clear DF in a system call.

import { CallbackType, MmuExt } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { CODE64, DATA64, Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdx, rsp, r11, r12 } = registers;

/** Sets user mode up: pages `user.code` and `user.data`, and page tables that are the kernel's. */
function prepareUser(k: Kernel, program: () => void): void {
  k.later(() => {
    k.align(4096);
    k.label('user.code');
    program();
    k.align(4096);
    k.label('user.data');
    k.zeros(4096);
  });
  k.protect('user.code', Flags.USER_READ_ONLY);
  k.expect('user code', 0);
  k.protect('user.data', Flags.TABLE);
  k.expect('user data', 0);
  k.entry('main', 4);
  k.shr(rax, 12);
  k.mmuext(MmuExt.MMUEXT_NEW_USER_BASEPTR, k.keep('root'));
  k.expect('NEW_USER_BASEPTR', 0);
  k.hypercall('stack_switch', DATA64, 'kernel.stack.top');
  k.expect('stack_switch', 0);
  k.page('kernel.stack');
  k.later(() => k.label('kernel.stack.top'));
}

function enterUser(k: Kernel, rip = 'user.code'): void {
  k.load(r12, 'user.data');
  k.add(r12, 4096);
  k.iret({ rip, rsp: r12, cs: CODE64, ss: DATA64, rflags: 0x202 });
}

guestTest('user mode: a system call comes to the callback with what the program had', (k) => {
  prepareUser(k, () => {
    k.mov(rax, 0x1234);
    k.mov(rbx, 0x5678);
    k.std();
    k.syscall();
    k.label('user.back');
  });
  k.onCallback(CallbackType.CALLBACKTYPE_syscall, 'system_call');
  k.expect('callback_op', 0);
  enterUser(k);
  k.label('system_call');
  k.keep('rax');
  k.pushf();
  k.pop(rax);
  k.and(rax, 0x400);
  k.keep('df');
  k.pop(rcx);
  k.pop(r11);
  for (const name of ['rip', 'cs', 'rflags', 'rsp', 'ss']) k.pop(k.cell(name));
  k.mov(rax, k.cell('df'));
  k.expect('DF is clear in the handler', 0);
  k.mov(rax, k.cell('rax'));
  k.expect('rax', 0x1234);
  k.mov(rax, rbx);
  k.expect('rbx', 0x5678);
  k.mov(rax, k.cell('rip'));
  k.expect('rip', 'user.back');
  k.mov(rax, k.cell('cs'));
  k.and(rax, 3);
  k.expect('ring of cs', 3);
  k.mov(rax, k.cell('rflags'));
  k.and(rax, 0x3600);
  k.expect('IF and DF in the saved flags, no I/O privilege', 0x600);
  k.mov(rax, k.cell('rsp'));
  k.sub(rax, 4096);
  k.expect('rsp', 'user.data');
});

guestTest('user mode: a program cannot see the pages of its kernel', (k) => {
  prepareUser(k, () => {
    k.mov(rax, at('secret'));
    k.ud2();
  });
  k.page('secret');
  k.expectTrap('a read of a page of the kernel', Vector.PF, () => enterUser(k));
  k.mov(rax, k.cell('trap.error'));
  k.expect('the error code: present, user', 5);
  k.mov(rax, k.cell('trap.cr2'));
  k.expect('cr2', 'secret');
  k.mov(rax, k.cell('trap.cs'));
  k.and(rax, 3);
  k.expect('ring of cs', 3);
});

guestTest('user mode: a program cannot see the table of frames or write its own code', (k) => {
  prepareUser(k, () => {
    k.mov(rdx, 0xffff800000000000n);
    k.mov(rax, at(rdx));
    k.label('user.second');
    k.mov(at('user.code'), rax);
  });
  k.expectTrap('a read of the table of frames', Vector.PF, () => enterUser(k));
  k.mov(rax, k.cell('trap.error'));
  k.and(rax, 4);
  k.expect('the error code: user', 4);
  k.expectTrap('a write to read-only code', Vector.PF, () => enterUser(k, 'user.second'));
  k.mov(rax, k.cell('trap.error'));
  k.expect('the error code: present, write, user', 7);
});

guestTest('user mode: a program cannot run privileged instructions, whatever the kernel may', (k) => {
  const attempts: readonly (readonly [string, () => void])[] = [
    ['cli', () => k.cli()],
    ['hlt', () => k.hlt()],
    ['in', () => k.inb()],
    ['rdmsr', () => k.rdmsr()],
    ['mov from cr3', () => k.movFromControl(rax, 3)],
    ['mov to cr3', () => k.movToControl(3, rax)],
    ['invlpg', () => k.invlpg(at(rax))],
    ['wbinvd', () => k.wbinvd()],
    ['int without a gate', () => k.int(0x99)],
    ['int with a gate for the kernel', () => k.int(Vector.GP)],
  ];
  prepareUser(k, () => {
    for (const [name, attempt] of attempts) {
      k.label(`user.${name}`);
      attempt();
    }
  });
  k.hypercall('physdev_op', 6, k.record(4, [4, 0, 1]));
  k.expect('set_iopl 1', 0);
  for (const [name] of attempts) {
    k.expectTrap(name, Vector.GP, () => enterUser(k, `user.${name}`));
    k.mov(rax, k.cell('trap.rip'));
    k.expect('rip', `user.${name}`);
  }
});

guestTest('user mode: int 0x80 comes through its gate', (k) => {
  prepareUser(k, () => {
    k.mov(rax, 20);
    k.int(0x80);
  });
  k.onTrap(0x80, 'gate', 3);
  enterUser(k);
  k.label('gate');
  k.expect('rax', 20);
});

guestTest('user mode: the bases of GS change places', (k) => {
  prepareUser(k, () => {
    k.mov(rax, at(0, 0, { segment: 'gs' }));
    k.syscall();
  });
  k.page('kernel.gs');
  k.set(at('kernel.gs'), 0x1111);
  k.set(at('user.data'), 0x2222);
  k.hypercall('set_segment_base', 2, 'kernel.gs');
  k.expect('the base in force', 0);
  k.hypercall('set_segment_base', 1, 'user.data');
  k.expect("the user's base", 0);
  k.mov(rax, at(0, 0, { segment: 'gs' }));
  k.expect('GS in the kernel', 0x1111);
  k.onCallback(CallbackType.CALLBACKTYPE_syscall, 'system_call');
  enterUser(k);
  k.label('system_call');
  k.expect('GS in the program', 0x2222);
  k.mov(rax, at(0, 0, { segment: 'gs' }));
  k.expect('GS in the kernel again', 0x1111);
});

guestTest('user mode: a program has page tables of its own', (k) => {
  prepareUser(k, () => {
    k.mov(rax, at('user.data'));
    k.syscall();
    k.mov(rax, at('user.data'));
    k.syscall();
  });
  // A second root without anything: the first instruction of the program faults.
  k.page('empty');
  k.table('empty');
  k.mfn('empty');
  k.mmuext(MmuExt.MMUEXT_NEW_USER_BASEPTR, k.keep('empty.frame'));
  k.expect('an empty root', 0);
  k.expectTrap('the first instruction', Vector.PF, () => enterUser(k));
  k.mov(rax, k.cell('trap.cr2'));
  k.expect('cr2', 'user.code');
  k.mov(rax, k.cell('trap.error'));
  k.and(rax, ~0x10);
  k.expect('the error code: user', 4);
  k.pte('empty', Flags.DATA);
  k.updateVaMapping('empty', k.keep('pte'));
  k.expectRefusal('writing to the root in use');
  k.mmuext(MmuExt.MMUEXT_NEW_USER_BASEPTR, k.cell('root'));
  k.expect('the first root again', 0);
  k.updateVaMapping('empty', k.cell('pte'));
  k.expect('writing to the root that is not used any more', 0);
});

guestTest(
  'user mode: a fault with a kernel stack that is not there ends the domain',
  (k) => {
    prepareUser(k, () => k.ud2());
    k.hypercall('stack_switch', DATA64, 0x7000_0000_0000n);
    k.expect('stack_switch', 0);
    enterUser(k);
  },
  { crash: /stack/ },
);

guestTest('user mode: stack_switch is refused an address or a selector that cannot be', (k) => {
  k.hypercall('stack_switch', 0xe008, rsp);
  k.expectOneOf('a selector of ring 0', -1, 0, -22);
});

guestTest('user mode: a system call without a callback is an invalid opcode', (k) => {
  prepareUser(k, () => k.syscall());
  k.expectTrap('the system call', Vector.UD, () => enterUser(k));
  k.mov(rax, k.cell('trap.rip'));
  k.expect('rip', 'user.code');
});

guestTest('user mode: a 32-bit program ends with a fault at its first instruction, and its kernel lives on', (k) => {
  prepareUser(k, () => k.ud2());
  k.load(r12, 'user.data');
  // Another hypervisor runs the program: then it is its own instruction that faults.
  k.expectTrap('the program', undefined, () => k.iret({ rip: 'user.code', rsp: r12, cs: 0xe023, ss: DATA64 }));
  k.hypercall('xen_version', 0, 0);
  k.shr(rax, 16);
  k.expect('the kernel', 4);
});
