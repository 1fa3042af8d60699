// Exceptions reach the handlers of a guest's kernel with the right frame, and the way back restores
// everything. Where QEMU emulates the processor, the error code of `int n` comes out doubled (n * 16 + 2): its
// mistake, not the real Xen's.

import { Uvmf } from '../../src/abi/index.ts';
import { Vector } from '../../src/x86/index.ts';
import { at, byteOf, dwordOf, registers } from '../support/assembler/operands.ts';
import { CODE64, DATA64, Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 } = registers;

/** Checks the trap cells. */
function expectFrame(k: Kernel, error: number, at: string): void {
  k.mov(rax, k.cell('trap.error'));
  k.expect('the error code', error);
  k.mov(rax, k.cell('trap.rip'));
  k.expect('rip', at);
  k.movzx(rax, { ...k.cell('trap.cs'), size: 2 });
  k.expect('cs: ring 0 stands for the kernel', CODE64 & ~3);
  k.mov(rax, k.cell('trap.ss'));
  k.expect('ss', DATA64);
  k.mov(rax, k.cell('trap.rflags'));
  k.and(rax, 0x3000);
  k.expect('no I/O privilege in the saved flags', 0);
}

guestTest('traps: #DE, #UD and #BP have no error code', (k) => {
  k.expectTrap('a division by zero', Vector.DE, () => {
    k.mov(rcx, 0);
    k.label('here.de');
    k.div(rcx);
  });
  expectFrame(k, 0, 'here.de');
  k.expectTrap('ud2', Vector.UD, () => {
    k.label('here.ud');
    k.ud2();
  });
  expectFrame(k, 0, 'here.ud');
  k.expectTrap('int3', Vector.BP, () => {
    k.int3();
    k.label('here.bp');
  });
  expectFrame(k, 0, 'here.bp');
});

guestTest('traps: page faults have an error code and an address', (k) => {
  const hole = 0x7000_1234_5678n;
  k.mov(rdx, hole);
  k.expectTrap('a read of nothing', Vector.PF, () => {
    k.label('here.read');
    k.mov(rax, at(rdx));
  });
  expectFrame(k, 0, 'here.read');
  k.mov(rax, k.cell('trap.cr2'));
  k.expect('cr2', hole);
  k.mov(rdx, hole);
  k.expectTrap('a write to nothing', Vector.PF, () => {
    k.label('here.write');
    k.mov(at(rdx), rax);
  });
  expectFrame(k, 2, 'here.write');
  k.page('protected');
  k.protect('protected', Flags.READ_ONLY);
  k.expectTrap('a write to a read-only page', Vector.PF, () => {
    k.label('here.protected');
    k.mov(at('protected', 16), rax);
  });
  expectFrame(k, 3, 'here.protected');
  k.mov(rax, k.cell('trap.cr2'));
  k.sub(rax, 16);
  k.expect('cr2', 'protected');
  k.mov(rdx, hole);
  k.expectTrap('a jump to nothing', Vector.PF, () => k.jmp(rdx));
  k.mov(rax, k.cell('trap.error'));
  k.and(rax, ~0x10); // the fetch bit, where the processor has it
  k.expect('the error code of a fetch', 0);
  k.mov(rax, k.cell('trap.rip'));
  k.expect('rip is the target', hole);
});

guestTest('traps: an access that crosses into a hole names the hole', (k) => {
  k.page('last');
  k.page('hole');
  k.updateVaMapping('hole', 0);
  k.expect('unmapped', 0);
  k.expectTrap('a read across', Vector.PF, () => k.mov(rax, at('last', 4092)));
  k.mov(rax, k.cell('trap.cr2'));
  k.expect('cr2', 'hole');
  k.mov(at('last', 4088), 0);
  k.expectTrap('a write across', Vector.PF, () => k.mov(at('last', 4092), -1));
  k.mov(rax, at('last', 4088));
  k.expect('nothing was written', 0);
  k.expectTrap('a copy into it', Vector.PF, () => {
    k.lea(rdi, at('last', 4000));
    k.mov(rcx, 200);
    k.mov(rax, 7);
    k.rep();
    k.stosb();
  });
  k.movzx(rax, byteOf(at('last', 4095)));
  k.expect('the part before the hole was copied', 7);
});

guestTest('traps: an address that is not canonical is #GP', (k) => {
  k.mov(rdx, 0x8000_0000_0000n);
  k.expectTrap('a read', Vector.GP, () => {
    k.label('here');
    k.mov(rax, at(rdx));
  });
  expectFrame(k, 0, 'here');
});

guestTest('traps: a single step traps behind each instruction', (k) => {
  k.expectTrap('a step', Vector.DB, () => {
    k.pushf();
    k.or(at(rsp), 0x100);
    k.popf();
    k.nop();
    k.label('here');
    k.nop();
  });
  k.mov(rax, k.cell('trap.rip'));
  k.expect('rip', 'here');
});

guestTest('traps: int n needs a gate that lets it in', (k) => {
  k.expectTrap('int 0x40 without a gate', Vector.GP, () => {
    k.label('here.40');
    k.int(0x40);
  });
  expectFrame(k, 0x40 * 8 + 2, 'here.40');
  k.onTrap(0x41, 'gate', 3);
  k.mov(rbx, 0);
  k.int(0x41);
  k.mov(rax, rbx);
  k.expect('the handler ran', 1);
  k.jmp('over');
  k.label('gate');
  k.pop(rcx);
  k.pop(r11);
  k.inc(rbx);
  k.returnFromTrap();
  k.label('over');
  k.onTrap(0x42, 'gate', 0);
  k.expectTrap('int 0x42 with a gate for ring 0', Vector.GP, () => k.int(0x42));
});

guestTest('traps: the way back restores every register and the flags', (k) => {
  k.onTrap(Vector.UD, 'handler');
  const registersInOrder = [rax, rbx, rcx, rdx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
  for (const [i, reg] of registersInOrder.entries()) k.mov(reg, 0x1111 * (i + 1));
  k.mov(k.cell('rsp'), rsp);
  k.cmp(rax, rbx);
  k.ud2();
  k.j('ae', 'flags'); // 0x1111 - 0x2222 borrowed
  for (const [i, reg] of registersInOrder.entries()) {
    k.cmp(reg, 0x1111 * (i + 1));
    k.j('ne', 'changed');
  }
  k.cmp(rsp, k.cell('rsp'));
  k.j('ne', 'changed');
  k.jmp('over');
  k.label('flags');
  k.stop('FAILURE', 'the flags changed');
  k.label('changed');
  k.stop('FAILURE', 'a register changed');
  k.label('handler');
  k.pop(rcx);
  k.pop(r11);
  k.add(at(rsp), 2); // over the ud2
  k.returnFromTrap();
  k.label('over');
});

guestTest('traps: a fault in a handler stacks on the same stack', (k) => {
  k.onTrap(Vector.UD, 'outer');
  k.onTrap(Vector.DE, 'inner');
  k.mov(rbx, 0);
  k.ud2();
  k.mov(rax, rbx);
  k.expect('both handlers ran', 11);
  k.jmp('over');
  k.label('outer');
  k.pop(rcx);
  k.pop(r11);
  k.push(rcx);
  k.push(r11);
  k.add(rbx, 1);
  k.mov(r8, 0);
  k.div(r8);
  k.pop(r11);
  k.pop(rcx);
  k.add(at(rsp), 2);
  k.returnFromTrap();
  k.label('inner');
  k.pop(rcx);
  k.pop(r11);
  k.add(rbx, 10);
  k.add(at(rsp), 3); // over the div
  k.returnFromTrap();
  k.label('over');
});

guestTest('traps: code that changes itself runs as changed, also through another mapping', (k) => {
  k.page('alias');
  k.pte('patched.page', Flags.DATA);
  k.updateVaMapping('alias', rax, Uvmf.UVMF_INVLPG);
  k.expect('a second mapping', 0);
  k.call('patched');
  k.expect('before', 1);
  k.mov(dwordOf(at('patched', 3)), 2);
  k.call('patched');
  k.expect('after a store', 2);
  k.mov(dwordOf(at('alias', 3)), 3);
  k.call('patched');
  k.expect('after a store through the other mapping', 3);
  k.later(() => {
    k.align(4096);
    k.label('patched.page');
    k.label('patched');
    k.mov(rax, 1); // 48 c7 c0 imm32
    k.ret();
    k.align(4096);
  });
});
