// Event channels within one domain: delivery, masks, polling, virtual interrupts and timers; and the ports
// that a domain cannot use.

import {
  CallbackType,
  EvtchnOp,
  EvtchnStat,
  SchedOp,
  SHARED_INFO,
  VCPU_INFO,
  VcpuOp,
  Virq,
} from '../../src/abi/index.ts';
import { at, byteOf, dwordOf, registers } from '../support/assembler/operands.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel, Value } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdx, r11 } = registers;

const PENDING = byteOf(at('shared_info', VCPU_INFO.evtchn_upcall_pending));
const MASK = byteOf(at('shared_info', VCPU_INFO.evtchn_upcall_mask));
const SYSTEM_TIME = at('shared_info', VCPU_INFO.time + 16);

/** An upcall handler that counts in rbx and acknowledges everything. */
function counter(k: Kernel): void {
  k.jmp('counter.over');
  k.label('counter');
  k.pop(rcx);
  k.pop(r11);
  k.inc(rbx);
  k.mov(PENDING, 0);
  k.push(rax);
  k.movzx(rax, MASK);
  k.mov(k.cell('mask.inside'), rax);
  k.mov(rax, at('shared_info', SHARED_INFO.evtchn_pending));
  k.mov(k.cell('pending'), rax);
  k.mov(at('shared_info', SHARED_INFO.evtchn_pending), 0);
  k.mov(at('shared_info', VCPU_INFO.evtchn_pending_sel), 0);
  k.pop(rax);
  k.returnFromTrap();
  k.label('counter.over');
  k.mov(rbx, 0);
  k.onCallback(CallbackType.CALLBACKTYPE_event, 'counter');
  // Nothing of the past, and nothing of the console.
  k.mov(at('shared_info', SHARED_INFO.evtchn_pending), 0);
  k.mov(at('shared_info', VCPU_INFO.evtchn_pending_sel), 0);
  k.mov(PENDING, 0);
  k.mov(at('shared_info', SHARED_INFO.evtchn_mask), 6);
}

/** Binds an IPI of vCPU 0; its port is in `cell.port` and, as a bit, in `cell.bit`. */
function bindIpi(k: Kernel): void {
  const bind = k.record(8, [4, 0, 0]);
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_ipi, bind);
  k.expect('bind_ipi', 0);
  k.mov(registers.eax, dwordOf(at(bind, 4)));
  k.keep('port');
  k.mov(rcx, rax);
  k.mov(rax, 1);
  k.bytes(0x48, 0xd3, 0xe0); // shl %cl,%rax
  k.keep('bit');
}

function portOp(k: Kernel, op: number, port: Value): void {
  k.hypercall('event_channel_op', op, k.record(4, [4, 0, port]));
}

guestTest('events: an event reaches the callback once, masked, and the mask comes back', (k) => {
  counter(k);
  bindIpi(k);
  portOp(k, EvtchnOp.EVTCHNOP_send, k.cell('port'));
  k.expect('send', 0);
  k.mov(rax, rbx);
  k.expect('nothing while events are masked', 0);
  k.movzx(rax, PENDING);
  k.expect('but it is pending', 1);
  k.mov(rax, at('shared_info', SHARED_INFO.evtchn_pending));
  k.expect('its bit', k.cell('bit'));
  k.mov(MASK, 0);
  k.hypercall('xen_version', 0, 0);
  k.mov(rax, rbx);
  k.expect('delivered at the next hypercall', 1);
  k.mov(rax, k.cell('mask.inside'));
  k.expect('masked in the callback', 1);
  k.movzx(rax, MASK);
  k.expect('not masked afterwards', 0);
  k.mov(rax, k.cell('pending'));
  k.expect('the bit in the callback', k.cell('bit'));
  portOp(k, EvtchnOp.EVTCHNOP_send, k.cell('port'));
  k.mov(rax, rbx);
  k.expect('the second one comes at once', 2);
});

guestTest('events: a masked port waits until it is unmasked', (k) => {
  counter(k);
  bindIpi(k);
  k.mov(rax, k.cell('bit'));
  k.or(at('shared_info', SHARED_INFO.evtchn_mask), rax);
  k.mov(MASK, 0);
  portOp(k, EvtchnOp.EVTCHNOP_send, k.cell('port'));
  k.mov(rax, rbx);
  k.expect('not delivered', 0);
  portOp(k, EvtchnOp.EVTCHNOP_unmask, k.cell('port'));
  k.expect('unmask', 0);
  k.mov(rax, rbx);
  k.expect('delivered', 1);
});

guestTest('events: poll wakes for a masked port, and at its time', (k) => {
  counter(k);
  bindIpi(k);
  k.mov(rax, k.cell('bit'));
  k.or(at('shared_info', SHARED_INFO.evtchn_mask), rax);
  portOp(k, EvtchnOp.EVTCHNOP_send, k.cell('port'));
  k.set(k.cell('ports'), k.cell('port'));
  k.hypercall('sched_op', SchedOp.SCHEDOP_poll, k.record(24, [8, 0, 'cell.ports'], [4, 8, 1]));
  k.expect('poll of a pending port', 0);
  k.mov(at('shared_info', SHARED_INFO.evtchn_pending), 0);
  k.mov(rax, SYSTEM_TIME);
  k.add(rax, 2_000_000);
  k.keep('until');
  const poll = k.record(24, [8, 0, 'cell.ports'], [4, 8, 1], [8, 16, k.cell('until')]);
  k.hypercall('sched_op', SchedOp.SCHEDOP_poll, poll);
  k.expect('poll until a time', 0);
  k.hypercall('sched_op', SchedOp.SCHEDOP_poll, k.record(24, [8, 0, 'cell.ports'], [4, 8, 129]));
  k.expectRefusal('poll of too many ports');
  k.set(k.cell('ports'), 0xffffffff);
  k.hypercall('sched_op', SchedOp.SCHEDOP_poll, poll);
  k.expectRefusal('poll of a port that does not exist');
  k.hypercall('sched_op', SchedOp.SCHEDOP_poll, k.record(24, [8, 0, 0x7000_0000_0000n], [4, 8, 1]));
  k.expectRefusal('poll of ports that cannot be read');
});

guestTest('events: a single-shot timer wakes a blocked vCPU, in time and not before', (k) => {
  counter(k);
  const bind = k.record(12, [4, 0, Virq.VIRQ_TIMER], [4, 4, 0]);
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_virq, bind);
  k.expect('bind_virq', 0);
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_virq, bind);
  k.expect('a second binding', -17);
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_stop_periodic_timer, 0, 0);
  k.expect('stop_periodic_timer', 0);
  k.mov(rax, SYSTEM_TIME);
  k.add(rax, 5_000_000);
  k.keep('until');
  const timer = k.record(16, [8, 0, k.cell('until')], [4, 8, 0]);
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_set_singleshot_timer, 0, timer);
  k.expect('set_singleshot_timer', 0);
  // Blocking unmasks events; other events may come first.
  k.label('wait');
  k.hypercall('sched_op', SchedOp.SCHEDOP_block, 0);
  k.test(rbx, rbx);
  k.j('e', 'wait');
  k.hypercall('xen_version', 0, 0);
  k.mov(rax, rbx);
  k.expect('one upcall', 1);
  // In the past it fires at once; with the flag it is refused, but for later versions of Xen, which ignore the flag.
  k.set(at(timer), 1);
  k.set(dwordOf(at(timer, 8)), 1);
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_set_singleshot_timer, 0, timer);
  k.expectOneOf('a time in the past, which must be in the future', -62, 0);
  k.set(dwordOf(at(timer, 8)), 0);
  k.hypercall('vcpu_op', VcpuOp.VCPUOP_set_singleshot_timer, 0, timer);
  k.expect('a time in the past', 0);
  k.label('wait.again');
  k.hypercall('sched_op', SchedOp.SCHEDOP_yield, 0);
  k.cmp(rbx, 2);
  k.j('b', 'wait.again');
});

guestTest('events: ports that are not there cannot be used', (k) => {
  for (const [name, op] of Object.entries({
    send: EvtchnOp.EVTCHNOP_send,
    close: EvtchnOp.EVTCHNOP_close,
    unmask: EvtchnOp.EVTCHNOP_unmask,
  })) {
    for (const port of [0xffffffff, 4096, 100_000]) {
      portOp(k, op, port);
      k.expectRefusal(`${name} of port ${port}`);
    }
  }
  portOp(k, EvtchnOp.EVTCHNOP_send, 77);
  k.expectRefusal('send of a closed port');
  portOp(k, EvtchnOp.EVTCHNOP_close, 77);
  k.expectRefusal('close of a closed port');
  for (const [name, op] of Object.entries({
    bind_ipi: EvtchnOp.EVTCHNOP_bind_ipi,
    bind_virq: EvtchnOp.EVTCHNOP_bind_virq,
    bind_vcpu: EvtchnOp.EVTCHNOP_bind_vcpu,
  })) {
    k.hypercall('event_channel_op', op, k.record(12, [4, 0, 99], [4, 4, 99]));
    k.expectRefusal(`${name} with a vCPU or virtual interrupt that does not exist`);
  }
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_pirq, k.record(12, [4, 0, 1]));
  k.expectRefusal('bind_pirq');
  k.hypercall('event_channel_op', 99, k.record(12));
  k.expectRefusal('an operation that does not exist');
});

guestTest("events: another domain's ports cannot be bound, asked for or reset", (k) => {
  for (const [remote, port] of [
    [0, 1],
    [0, 5],
    [0, 0xffffffff],
    [77, 1],
    [0x7ff1, 1],
  ] as const) {
    k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_bind_interdomain, k.record(12, [2, 0, remote], [4, 4, port]));
    k.expectRefusal(`bind_interdomain to port ${port} of domain ${remote}`);
  }
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_alloc_unbound, k.record(8, [2, 0, 0], [2, 2, 0]));
  k.expectRefusal("alloc_unbound in domain 0's name");
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_status, k.record(24, [2, 0, 0], [4, 4, 1]));
  k.expectRefusal("status of domain 0's port");
  portOp(k, EvtchnOp.EVTCHNOP_reset, 0);
  k.expectRefusal("reset of domain 0's ports");
});

guestTest('events: a port that is closed twice is refused the second time', (k) => {
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_alloc_unbound, k.record(8, [2, 0, 0x7ff0], [2, 2, 0]));
  k.expect('alloc_unbound', 0);
  bindIpi(k);
  const status = k.record(24, [2, 0, 0x7ff0], [4, 4, k.cell('port')]);
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_status, status);
  k.expect('status', 0);
  k.mov(registers.eax, dwordOf(at(status, 8)));
  k.expect('it is an IPI', EvtchnStat.EVTCHNSTAT_ipi);
  portOp(k, EvtchnOp.EVTCHNOP_close, k.cell('port'));
  k.expect('close', 0);
  portOp(k, EvtchnOp.EVTCHNOP_close, k.cell('port'));
  k.expectRefusal('the second close');
  portOp(k, EvtchnOp.EVTCHNOP_send, k.cell('port'));
  k.expectRefusal('send after close');
});

guestTest('events: ports run out at a bound, and come back', (k) => {
  const open = k.record(8, [2, 0, 0x7ff0], [2, 2, 0]);
  k.mov(rbx, 0);
  k.label('more');
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_alloc_unbound, open);
  k.inc(rbx);
  k.cmp(rbx, 5000);
  k.j('e', 'unbounded');
  k.test(rax, rax);
  k.j('e', 'more');
  k.expect('no port left', -28);
  portOp(k, EvtchnOp.EVTCHNOP_close, 50);
  k.expect('close', 0);
  k.hypercall('event_channel_op', EvtchnOp.EVTCHNOP_alloc_unbound, open);
  k.expect('one more', 0);
  k.stop('SUCCESS', '');
  k.label('unbounded');
  k.stop('FAILURE', '5000 ports in one domain');
});

guestTest('events: the clock of the shared page runs with the time stamp counter', (k) => {
  const now = (): void => {
    k.rdtsc();
    k.shl(rdx, 32);
    k.or(rax, rdx);
  };
  now();
  k.keep('first');
  k.repeat(1000, () => k.nop());
  now();
  k.sub(rax, k.cell('first'));
  k.shr(rax, 63);
  k.expect('it does not run backwards', 0);
  k.mov(rax, at('shared_info', VCPU_INFO.time));
  k.and(rax, 1);
  k.expect('the version is even', 0);
  k.mov(registers.eax, dwordOf(at('shared_info', VCPU_INFO.time + 24)));
  k.test(rax, rax);
  k.j('ne', 'good');
  k.stop('FAILURE', 'the multiplier is 0');
  k.label('good');
  k.mov(registers.eax, dwordOf(at('shared_info', SHARED_INFO.wc_sec)));
  k.shr(rax, 30); // after 2004
  k.expect('wall clock', 1);
});
