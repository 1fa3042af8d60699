// A guest cannot make anything run with more privilege: not through handlers, not through the frames it
// returns by, not with privileged instructions. For an iret frame that cannot be, the interface names the failsafe
// callback; the real Xen 4.17 raises #GP instead. Kernels must take both.

import { CallbackType, Hypercall } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, registers } from '../support/assembler/operands.ts';
import { CODE64, DATA64, FAILSAFE } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdx, rsp, r11 } = registers;

/** Checks that code runs on the selectors of ring 3 and without I/O privilege. */
function expectRing3(k: Kernel): void {
  k.movFromSegment(rax, 'cs');
  k.and(rax, 3);
  k.expect('ring of cs', 3);
  k.movFromSegment(rax, 'ss');
  k.and(rax, 3);
  k.expect('ring of ss', 3);
  k.pushf();
  k.pop(rax);
  k.and(rax, 0x3000);
  k.expect('I/O privilege', 0);
  k.pushf();
  k.pop(rax);
  k.and(rax, 0x200);
  k.expect('IF is always set', 0x200);
}

guestTest('privilege: a handler registered with a ring 0 selector runs in ring 3', (k) => {
  for (const selector of [0xe030, 0xe008, 0x10, 0, 0xe032]) {
    const table = k.record(32, [1, 0, Vector.UD], [2, 2, selector], [8, 8, 'handler']);
    k.hypercall('set_trap_table', table);
    k.expect('set_trap_table', 0);
    k.mov(rbx, 0);
    k.ud2();
    k.mov(rax, rbx);
    k.expect('the handler ran', 1);
  }
  k.jmp('over');
  k.label('handler');
  k.pop(rcx);
  k.pop(r11);
  k.push(rcx);
  k.push(r11);
  expectRing3(k);
  k.inc(rbx);
  k.pop(r11);
  k.pop(rcx);
  k.add(at(rsp), 2);
  k.returnFromTrap();
  k.label('over');
});

guestTest('privilege: a callback cannot be at an address that is not canonical', (k) => {
  for (const [name, type] of Object.entries(CallbackType)) {
    const register = k.record(16, [2, 0, type], [8, 8, 0x8000_0000_0000n]);
    k.hypercall('callback_op', 0, register);
    k.expectRefusal(name);
  }
  // The real Xen ignores bad addresses here, and says nothing.
  k.hypercall('set_callbacks', 0x8000_0000_0000n, 'main', 0);
  k.expectOneOf('set_callbacks', 0, -22);
  const table = k.record(32, [1, 0, Vector.UD], [2, 2, CODE64], [8, 8, 0x8000_0000_0000n]);
  k.hypercall('set_trap_table', table);
  k.expectRefusal('set_trap_table');
});

guestTest('privilege: an iret frame cannot give I/O privilege, or take interrupts away', (k) => {
  k.mov(rbx, rsp);
  for (const flags of [0x3202, 0x3002, 0x23202, 0x2]) {
    const back = k.fresh('back');
    k.iret({ rip: back, rsp: rbx, cs: CODE64 & ~3, rflags: flags });
    k.label(back);
    expectRing3(k);
  }
  // With ring 0 or 1 selectors: the frame means the kernel, which runs in ring 3.
  for (const [cs, ss] of [
    [CODE64 & ~3, DATA64],
    [CODE64 & ~3, DATA64 & ~3],
    [(CODE64 & ~3) | 1, (DATA64 & ~3) | 1],
  ] as const) {
    const back = k.fresh('back');
    k.iret({ rip: back, rsp: rbx, cs, ss });
    k.label(back);
    expectRing3(k);
  }
});

guestTest('privilege: an iret frame with bad selectors or rip ends in a handler of the kernel', (k) => {
  const refused = (text: string, frame: Partial<Parameters<Kernel['iret']>[0]>): void => {
    k.expectTrap(text, undefined, () => k.iret({ rip: 'nowhere', rsp, cs: CODE64 & ~3, ...frame }));
    k.mov(rax, k.cell('trap.vector'));
    k.expectOneOf(text, FAILSAFE, Vector.GP);
  };
  for (const cs of [0x8, 0x10, 0xe008, 0xe010, 0xe028, 0xe040, 0x7ff8, 0xfff8, 0]) refused(`cs ${cs}`, { cs });
  for (const ss of [0x8, 0xe008, 0xe030, 0xe040, 0xfff8]) refused(`ss ${ss}`, { ss });
  refused('rip that is not canonical', { rip: 0x8000_0000_0000n });
  refused('rip that is not canonical either', { rip: -0x8000_0000_0001n });
  k.stop('SUCCESS', '');
  k.label('nowhere');
  k.stop('FAILURE', 'the frame was taken');
});

guestTest('privilege: a native iretq cannot go to another ring', (k) => {
  for (const [cs, ss] of [
    [CODE64 & ~3, DATA64 & ~3],
    [(CODE64 & ~3) | 1, DATA64],
    [0xe008, DATA64],
    [0, DATA64],
    [CODE64, 0xe008],
  ] as const) {
    k.expectTrap(`iretq to ${cs}:${ss}`, Vector.GP, () => {
      k.mov(rcx, rsp);
      k.push(ss);
      k.push(rcx);
      k.push(0x202);
      k.push(cs);
      k.lea(rax, at('nowhere'));
      k.push(rax);
      k.iretq();
    });
  }
  // To the same ring it works, and does not change IOPL or IF.
  k.mov(rcx, rsp);
  k.push(DATA64);
  k.push(rcx);
  k.push(0x3002);
  k.push(CODE64);
  k.lea(rax, at('good'));
  k.push(rax);
  k.iretq();
  k.label('nowhere');
  k.stop('FAILURE', 'the frame was taken');
  k.label('good');
  expectRing3(k);
});

guestTest('privilege: popf cannot change I/O privilege or mask interrupts', (k) => {
  for (const flags of [0x3002, 0x3202, 2]) {
    k.push(flags);
    k.popf();
    expectRing3(k);
  }
});

guestTest('privilege: privileged instructions are #GP', (k) => {
  const refused = (text: string, attempt: () => void): void => k.expectTrap(text, Vector.GP, attempt);
  refused('hlt', () => k.hlt());
  refused('lgdt', () => k.lgdt(at('main')));
  refused('lidt', () => k.lidt(at('main')));
  refused('lldt', () => k.bytes(0x0f, 0x00, 0xd0));
  refused('ltr', () => k.bytes(0x0f, 0x00, 0xd8));
  refused('swapgs', () => k.swapgs());
  refused('sysretq', () => k.sysretq());
  refused('cli', () => k.cli());
  refused('sti', () => k.sti());
  refused('in', () => {
    k.mov(rdx, 0x60);
    k.inb();
  });
  refused('out', () => {
    k.mov(rdx, 0x64);
    k.outb();
  });
  refused('mov to cr8', () => k.movToControl(8, rax));
  refused('mov from cr8', () => k.movFromControl(rax, 8));
  refused('rdmsr of nothing', () => {
    k.mov(rcx, 0x12345678);
    k.rdmsr();
  });
  refused('wrmsr of nothing', () => {
    k.mov(rcx, 0x12345678);
    k.wrmsr();
  });
  refused('wrmsr of LSTAR', () => {
    k.mov(rcx, 0xc0000082);
    k.mov(rax, 0x1000);
    k.mov(rdx, 0);
    k.wrmsr();
  });
});

guestTest('privilege: a segment register cannot be loaded with a privileged or missing descriptor', (k) => {
  for (const selector of [0xe008, 0xe010, 0xe040, 0x8, 0x10, 0xe030 - 0x18]) {
    k.expectTrap(`ds = ${selector}`, Vector.GP, () => {
      k.mov(rax, selector);
      k.movToSegment('ds', rax);
    });
  }
  k.expectTrap('ss = 0xe033', Vector.GP, () => {
    k.mov(rax, CODE64);
    k.movToSegment('ss', rax);
  });
  k.mov(rax, DATA64);
  k.movToSegment('ds', rax);
  k.movToSegment('es', rax);
  k.mov(rax, 0);
  k.movToSegment('ds', rax);
  k.movToSegment('es', rax);
});

guestTest('privilege: bases that are not canonical are refused', (k) => {
  for (const which of [0, 1, 2]) {
    k.hypercall('set_segment_base', which, 0x8000_0000_0000n);
    k.expectRefusal(`set_segment_base ${which}`);
  }
  k.hypercall('set_segment_base', 77, 0);
  k.expectRefusal('set_segment_base of nothing');
  // Selectors are forgiven: the guest's kernel relies on it.
  k.hypercall('set_segment_base', 3, 0xffff);
  k.expect('a bad selector for GS', 0);
  k.expectTrap('wrmsr of a base that is not canonical', Vector.GP, () => {
    k.mov(rcx, 0xc0000100);
    k.mov(rax, 0);
    k.mov(rdx, 0x8000);
    k.wrmsr();
  });
});

guestTest(
  'privilege: a return to user mode without user page tables ends the domain',
  (k) => k.iret({ rip: 'main', rsp, cs: CODE64, ss: DATA64 }),
  { crash: /user/ },
);

guestTest(
  'privilege: an iret frame that cannot be read ends the domain',
  (k) => {
    k.mov(rsp, 0x7000_0000_0000n);
    k.mov(rax, Hypercall.__HYPERVISOR_iret);
    k.syscall();
  },
  { crash: /iret/ },
);

guestTest(
  'privilege: an exception on a stack that is not mapped ends the domain',
  (k) => {
    k.mov(rsp, 0x7000_0000_0000n);
    k.ud2();
  },
  { crash: /stack/ },
);

guestTest(
  "privilege: an exception on a stack in the hypervisor's space ends the domain",
  (k) => {
    k.mov(rsp, 0xffff_8300_0000_1000n);
    k.ud2();
  },
  { crash: /stack/ },
);

guestTest(
  'privilege: an exception on a stack in the table of frames ends the domain',
  (k) => {
    k.mov(rsp, 0xffff_8000_0000_1000n);
    k.ud2();
  },
  { crash: /stack/ },
);

guestTest(
  'privilege: an exception on a stack that is not canonical ends the domain',
  (k) => {
    k.mov(rsp, 0x8000_0000_0000n);
    k.ud2();
  },
  { crash: /stack/ },
);

guestTest(
  'privilege: an exception without a handler ends the domain',
  (k) => {
    k.hypercall('set_trap_table', 0);
    k.ud2();
  },
  { crash: /no handler/ },
);

guestTest(
  'privilege: an endless chain of faults on one stack ends the domain',
  (k) => {
    k.onTrap(Vector.UD, 'handler');
    k.label('handler');
    k.ud2();
  },
  { crash: /exception 6|stack/ },
);
