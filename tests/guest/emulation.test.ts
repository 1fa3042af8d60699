// Instructions that the hypervisor carries out for a guest's kernel: CPUID and its forced form, control and
// model-specific registers, port I/O and interrupt flags under the virtual I/O privilege level.

import { PhysdevOp, SegBase, VcpuOp, XenVer } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, dwordOf, registers } from '../support/assembler/operands.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdx, eax, ebx, ecx } = registers;

/** ud2; "xen"; cpuid: how a kernel asks for the hypervisor's answer where the instruction would not trap. */
function forcedCpuid(k: Kernel, leaf: number): void {
  k.mov(eax, leaf);
  k.mov(ecx, 0);
  k.bytes(0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2);
}

guestTest('emulation: cpuid names the hypervisor, forced or not', (k) => {
  forcedCpuid(k, 0x40000000);
  k.mov(rax, rbx);
  k.expect('XenV', 0x566e6558);
  forcedCpuid(k, 0x40000001);
  k.shr(rax, 16);
  k.expect('the major version', 4);
  forcedCpuid(k, 1);
  k.mov(k.cell('features'), rdx);
  k.mov(eax, 1);
  k.cpuid();
  k.mov(rax, k.cell('features'));
  k.and(rax, 0x2000000);
  k.expect('SSE', 0x2000000);
  // A plain ud2 is still an invalid opcode.
  k.expectTrap('ud2', Vector.UD, () => k.bytes(0x0f, 0x0b, 0x78, 0x65, 0x6d));
  k.mov(ebx, 0);
});

guestTest('emulation: the bases of FS and GS can be written as model-specific registers', (k) => {
  for (const [msr, base, segment] of [
    [0xc0000100, SegBase.SEGBASE_FS, 'fs'],
    [0xc0000101, SegBase.SEGBASE_GS_KERNEL, 'gs'],
  ] as const) {
    k.page(segment);
    k.set(at(segment), 0x1111 * (base + 1));
    k.lea(rax, at(segment));
    k.mov(rdx, rax);
    k.shr(rdx, 32);
    k.mov(ecx, msr);
    k.wrmsr();
    k.mov(rax, at(0, 0, { segment }));
    k.expect(`the word at ${segment}:0`, 0x1111 * (base + 1));
    k.mov(ecx, msr);
    k.rdmsr();
    k.shl(rdx, 32);
    k.or(rax, rdx);
    k.expect('rdmsr', segment);
  }
});

guestTest('emulation: control registers show protected mode with paging', (k) => {
  k.movFromControl(rax, 0);
  k.mov(rcx, 0x80000001);
  k.and(rax, rcx);
  k.expect('PG and PE of cr0', 0x80000001);
  k.movFromControl(rax, 4);
  k.and(rax, 0x20);
  k.expect('PAE of cr4', 0x20);
  k.movFromControl(rax, 4);
  k.movToControl(4, rax);
  k.movFromControl(rax, 3);
  k.keep('cr3');
  k.entry('main', 4);
  k.and(rax, -4096);
  k.expect('cr3 is the root', k.cell('cr3'));
  k.expectTrap('a root that is no table', undefined, () => {
    k.mov(rax, 0x000f_ffff_ffff_f000n);
    k.movToControl(3, rax);
  });
  k.mov(rax, k.cell('cr3'));
  k.movToControl(3, rax);
  k.hypercall('xen_version', XenVer.XENVER_version, 0);
  k.shr(rax, 16);
  k.expect('it still runs', 4);
});

guestTest('emulation: port I/O and interrupt flags work with I/O privilege, and do nothing', (k) => {
  k.hypercall('physdev_op', PhysdevOp.PHYSDEVOP_set_iopl, k.record(4, [4, 0, 4]));
  k.expectRefusal('I/O privilege level 4');
  k.hypercall('physdev_op', PhysdevOp.PHYSDEVOP_set_iopl, k.record(4, [4, 0, 1]));
  k.expect('I/O privilege level 1', 0);
  k.mov(rdx, 0x64);
  k.mov(rax, 0);
  k.inb();
  k.expect('a port that is not there', 0xff);
  k.mov(rdx, 0x80);
  k.outb();
  k.cli();
  k.pushf();
  k.pop(rax);
  k.and(rax, 0x200);
  k.expect('IF after cli', 0x200);
  k.sti();
  k.hypercall('physdev_op', PhysdevOp.PHYSDEVOP_set_iopl, k.record(4, [4, 0, 0]));
  k.expect('I/O privilege level 0', 0);
  k.expectTrap('a port without privilege', Vector.GP, () => {
    k.mov(rdx, 0x64);
    k.inb();
  });
});

guestTest('emulation: debug registers keep what is allowed', (k) => {
  k.hypercall('set_debugreg', 0, 'main');
  k.expect('an address of the guest', 0);
  k.hypercall('get_debugreg', 0);
  k.expect('the same', 'main');
  k.hypercall('set_debugreg', 1, 0xffff_8300_0000_0000n);
  k.expectRefusal("an address of the hypervisor's");
  k.hypercall('set_debugreg', 1, 0x8000_0000_0000n);
  k.expectRefusal('an address that is not canonical');
  k.hypercall('set_debugreg', 9, 0);
  k.expectRefusal('a register that does not exist');
  k.hypercall('set_debugreg', 7, 0x2000);
  k.expectRefusal('general detection');
});

guestTest('emulation: the run state of a vCPU is told in an area of the guest', (k) => {
  k.page('runstate');
  k.set(at('runstate'), -1);
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_runstate_memory_area, 0, k.record(8, [8, 0, 'runstate']));
  k.expect('register', 0);
  k.mov(eax, dwordOf(at('runstate')));
  k.expect('running', 0);
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_runstate_memory_area, 0, k.record(8, [8, 0, 0xffff_8300_0000_0000n]));
  k.expectRefusal("an area in the hypervisor's space");
  // An area that goes away afterwards does no harm.
  k.updateVaMapping('runstate', 0);
  k.expect('unmapped', 0);
  k.repeat(50, () => k.hypercall('sched_op', 0, 0));
});

guestTest('emulation: ten thousand returns by iret come back', (k) => {
  k.mov(rbx, 10_000);
  k.label('storm');
  k.mov(rcx, registers.rsp);
  k.iret({ rip: 'storm.back', rsp: rcx, cs: 0xe030 });
  k.label('storm.back');
  k.dec(rbx);
  k.j('ne', 'storm');
});
