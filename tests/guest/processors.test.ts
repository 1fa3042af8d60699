// Several vCPUs: bringing them up and taking them down, interrupts between them, and registers that do not
// leak from one to the other.

import { EvtchnOp, MmuExt, SchedOp, VCPU_GUEST_CONTEXT, VcpuOp, Vgcf } from '../../src/abi/index.ts';
import { at, dwordOf, registers } from '../support/assembler/operands.ts';
import { CODE64, DATA64, Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax, rcx, eax } = registers;
const REGS = VCPU_GUEST_CONTEXT.user_regs;

/** A context at `context` that starts at `entry`, on the page tables of vCPU 0. */
function prepare(k: Kernel, entry: Value): void {
  k.page('context', 2);
  k.page('second.stack');
  k.set(at('context', VCPU_GUEST_CONTEXT.flags), Vgcf.VGCF_in_kernel);
  k.set(at('context', REGS + 128), entry);
  k.set(at('context', REGS + 136), CODE64);
  k.set(at('context', REGS + 144), 0x202);
  k.load(rax, 'second.stack');
  k.add(rax, 4096);
  k.mov(at('context', REGS + 152), rax);
  k.mov(at('context', VCPU_GUEST_CONTEXT.kernel_sp), rax);
  k.set(at('context', REGS + 160), DATA64);
  k.set(at('context', VCPU_GUEST_CONTEXT.kernel_ss), DATA64);
  k.entry('main', 4);
  k.and(rax, -4096);
  k.mov(at('context', VCPU_GUEST_CONTEXT.ctrlreg + 24), rax);
  k.set(at('context', VCPU_GUEST_CONTEXT.event_callback_eip), 'prelude.event');
  k.set(at('context', VCPU_GUEST_CONTEXT.failsafe_callback_eip), 'prelude.failsafe');
}

function bringUp(k: Kernel): void {
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_initialise, 1, 'context');
  k.expect('initialise', 0);
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_up, 1, 0);
  k.expect('up', 0);
}

/** Lets others run until a variable is `want`. */
function waitFor(k: Kernel, name: string, want: number): void {
  const loop = k.fresh('wait');
  k.label(loop);
  k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
  k.cmp(k.cell(name), want);
  k.j('ne', loop);
}

const four = { maxVcpus: 4 };

guestTest(
  'processors: a second vCPU comes up, runs beside the first, and goes down',
  (k) => {
    prepare(k, 'second');
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_is_up, 1, 0);
    k.expect('is_up before', 0);
    bringUp(k);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_is_up, 1, 0);
    k.expect('is_up after', 1);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_initialise, 1, 'context');
    k.expectRefusal('initialising it twice');
    waitFor(k, 'counter', 3);
    waitFor(k, 'gone', 1);
    k.label('until.down');
    k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_is_up, 1, 0);
    k.test(rax, rax);
    k.j('ne', 'until.down');
    k.jmp('over');
    k.label('second');
    for (let i = 0; i < 3; i++) {
      k.inc(k.cell('counter'));
      k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
    }
    k.mov(k.cell('gone'), 1);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_down, 1, 0);
    k.ud2();
    k.label('over');
  },
  four,
);

guestTest(
  'processors: vCPUs that spin take turns',
  (k) => {
    prepare(k, 'second');
    bringUp(k);
    k.label('spin');
    k.pause();
    k.cmp(k.cell('counter'), 1000);
    k.j('b', 'spin');
    k.jmp('over');
    k.label('second');
    k.inc(k.cell('counter'));
    k.jmp('second');
    k.label('over');
  },
  four,
);

guestTest(
  'processors: floating point and segment registers belong to one vCPU',
  (k) => {
    prepare(k, 'second');
    k.fninit();
    k.fldpi();
    k.fldpi();
    k.mov(rax, 0x1111222233334444n);
    k.movqToXmm(5, rax);
    k.set(k.cell('mxcsr'), 0x9fc0);
    k.ldmxcsr(dwordOf(k.cell('mxcsr')));
    k.hypercall('set_segment_base', 0, 'main');
    k.hypercall('set_segment_base', 2, 'entry');
    bringUp(k);
    waitFor(k, 'done', 1);
    k.movqFromXmm(rax, 5);
    k.expect('xmm5', 0x1111222233334444n);
    k.fistp(k.cell('pi'));
    k.mov(rax, k.cell('pi'));
    k.expect('st(0)', 3);
    k.set(k.cell('mxcsr'), 0);
    k.stmxcsr(dwordOf(k.cell('mxcsr')));
    k.mov(rax, k.cell('mxcsr'));
    k.expect('MXCSR', 0x9fc0);
    k.mov(rax, at(0, 0, { segment: 'gs' }));
    k.expect('GS base', at('entry'));
    k.mov(rax, k.cell('second.xmm'));
    k.expect("the other vCPU's xmm5 at its start", 0);
    k.jmp('over');
    k.label('second');
    k.movqFromXmm(k.cell('second.xmm'), 5);
    k.fninit();
    k.fld1();
    k.mov(rax, -1);
    k.movqToXmm(5, rax);
    k.hypercall('set_segment_base', 2, 'second');
    k.mov(k.cell('done'), 1);
    k.label('forever');
    k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
    k.jmp('forever');
    k.label('over');
  },
  four,
);

guestTest(
  'processors: an event for a vCPU reaches that one and wakes it',
  (k) => {
    prepare(k, 'second');
    const bind = k.record(8, [4, 0, 1]);
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_ipi, bind);
    k.expect('bind_ipi for vCPU 1', 0);
    k.set(at('context', VCPU_GUEST_CONTEXT.event_callback_eip), 'second.event');
    bringUp(k);
    waitFor(k, 'started', 1);
    k.mov(eax, dwordOf(at(bind, 4)));
    k.keep('port');
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_send, k.record(4, [4, 0, k.cell('port')]));
    k.expect('send', 0);
    waitFor(k, 'woken', 1);
    k.mov(rax, k.cell('upcalls'));
    k.expect('upcalls on vCPU 1', 1);
    k.jmp('over');
    k.label('second');
    k.mov(k.cell('started'), 1);
    k.hypercall('sched_op', SchedOp.SCHEDOP_block, 0);
    k.hypercall('xen_version', 0, 0);
    k.mov(k.cell('woken'), 1);
    k.label('forever');
    k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
    k.jmp('forever');
    k.label('second.event');
    k.pop(rcx);
    k.pop(registers.r11);
    k.inc(k.cell('upcalls'));
    k.mov({ ...at('shared_info', 64), size: 1 }, 0);
    k.mov(at('shared_info', 64 + 8), 0);
    k.returnFromTrap();
    k.label('over');
  },
  four,
);

guestTest(
  'processors: a context with bad page tables, descriptors or addresses is refused',
  (k) => {
    prepare(k, 'main');
    k.page('garbage');
    k.mfn('garbage');
    k.shl(rax, 12);
    k.keep('garbage');
    k.mov(rax, at('context', VCPU_GUEST_CONTEXT.ctrlreg + 24));
    k.keep('root');
    const cr3 = at('context', VCPU_GUEST_CONTEXT.ctrlreg + 24);
    const refused = (text: string): void => {
      k.hypercall('vcpu_op', VcpuOp.VCPUOP_initialise, 1, 'context');
      k.expectRefusal(text);
    };
    k.set(cr3, k.cell('garbage'));
    refused('a root that is mapped writable');
    k.set(cr3, 0);
    refused('no root');
    k.set(cr3, 0x000f_ffff_ffff_f000n);
    refused('a root that does not exist');
    k.entry('main', 1);
    k.and(rax, -4096);
    k.mov(cr3, rax);
    refused('an L1 table as the root');
    k.set(cr3, k.cell('root'));
    k.set(at('context', VCPU_GUEST_CONTEXT.ctrlreg + 8), k.cell('garbage'));
    refused('a user root that is no table');
    k.set(at('context', VCPU_GUEST_CONTEXT.ctrlreg + 8), 0);
    k.mfn('garbage');
    k.mov(at('context', VCPU_GUEST_CONTEXT.gdt_frames), rax);
    k.set(at('context', VCPU_GUEST_CONTEXT.gdt_ents), 16);
    refused('a GDT that is mapped writable');
    k.set(at('context', VCPU_GUEST_CONTEXT.gdt_ents), 0xffffffff);
    refused('a GDT of 4 G entries');
    k.set(at('context', VCPU_GUEST_CONTEXT.gdt_ents), 0);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_initialise, 1, 0x7000_0000_0000n);
    k.expectRefusal('a context that is not mapped');
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_up, 1, 0);
    k.expectRefusal('bringing it up without a context');
    for (const vcpu of [4, 32, 8192, -1]) {
      for (const op of [VcpuOp.VCPUOP_initialise, VcpuOp.VCPUOP_up, VcpuOp.VCPUOP_down, VcpuOp.VCPUOP_is_up]) {
        k.hypercall('vcpu_op', op, vcpu, 'context');
        k.expectRefusal(`operation ${op} on vCPU ${vcpu}`);
      }
    }
    k.mov(at('garbage'), 0);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_initialise, 1, 'context');
    k.expect('a good one', 0);
  },
  four,
);

guestTest(
  'processors: a context with ring 0 selectors starts in ring 3',
  (k) => {
    prepare(k, 'second');
    k.set(at('context', REGS + 136), CODE64 & ~3);
    k.set(at('context', REGS + 160), DATA64 & ~3);
    k.set(at('context', REGS + 144), 0x3002);
    bringUp(k);
    waitFor(k, 'done', 1);
    k.mov(rax, k.cell('cs'));
    k.and(rax, 3);
    k.expect('ring of cs', 3);
    k.mov(rax, k.cell('rflags'));
    k.and(rax, 0x3200);
    k.expect('IF and no I/O privilege', 0x200);
    k.jmp('over');
    k.label('second');
    k.movFromSegment(rax, 'cs');
    k.keep('cs');
    k.pushf();
    k.pop(k.cell('rflags'));
    k.mov(k.cell('done'), 1);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_down, 1, 0);
    k.label('over');
  },
  four,
);

guestTest(
  'processors: registering areas refuses what is not a page of the domain',
  (k) => {
    k.page('info');
    const register = k.record(16, [8, 0, 0], [4, 8, 0]);
    k.foreignFrame();
    k.mov(at(register), rax);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_vcpu_info, 1, register);
    k.expectRefusal('a foreign frame');
    k.set(at(register), 0xffffffffffffn);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_vcpu_info, 1, register);
    k.expectRefusal('a frame that does not exist');
    k.entry('info');
    k.shr(rax, 12);
    k.mov(at(register), rax);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_vcpu_info, 1, register);
    k.expectRefusal('a page table');
    k.mfn('info');
    k.mov(at(register), rax);
    k.set(dwordOf(at(register, 8)), 4096 - 32);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_vcpu_info, 1, register);
    k.expectRefusal('a place across the end of the page');
    k.set(dwordOf(at(register, 8)), 64);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_vcpu_info, 1, register);
    k.expect('a good place', 0);
    k.hypercall('vcpu_op', VcpuOp.VCPUOP_register_vcpu_info, 1, register);
    k.expectRefusal('a second time');
    k.pte('info', 0x21);
    k.updateVaMapping('info', rax);
    k.expect('read-only', 0);
    k.mfn('info');
    k.mmuext(0, k.keep('frame'));
    k.expectRefusal('a page table of it');
  },
  four,
);

guestTest(
  'processors: the stale translation of another vCPU does not write to a table',
  (k) => {
    k.page('table');
    prepare(k, 'second');
    bringUp(k);
    waitFor(k, 'written', 1);
    k.pte('table', Flags.READ_ONLY);
    k.updateVaMapping('table', rax, 0);
    k.expect('read-only, without a flush', 0);
    k.mfn('table');
    k.mmuext(MmuExt.MMUEXT_PIN_L2_TABLE, k.keep('frame'));
    k.expect('pin', 0);
    k.set(k.cell('resume.rip'), 'second.faulted');
    k.load(rax, 'second.stack');
    k.add(rax, 4096);
    k.mov(k.cell('resume.rsp'), rax);
    k.mov(k.cell('pinned'), 1);
    waitFor(k, 'faulted', 1);
    k.mov(rax, at('table'));
    k.expect('the table', 0);
    k.jmp('over');
    k.label('second');
    k.hypercall('set_trap_table', 'trap_table');
    k.mov(at('table'), 0);
    k.mov(k.cell('written'), 1);
    k.label('second.spin');
    k.cmp(k.cell('pinned'), 1);
    k.j('ne', 'second.spin');
    k.mov(at('table'), -1);
    k.mov(k.cell('faulted'), 2);
    k.label('second.faulted');
    k.inc(k.cell('faulted'));
    k.label('second.end');
    k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
    k.jmp('second.end');
    k.label('over');
  },
  four,
);
