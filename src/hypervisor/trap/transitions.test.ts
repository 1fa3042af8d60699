// Transitions that the engine makes by itself, against the hypervisor's own: two machines run the same random steps,
// one of them with tracing, which leaves every transition to the hypervisor. Registers, frames and event masks
// have to be the same after each step.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { CallbackType, Hypercall, MmuExt, VCPU_INFO } from '../../abi/index.ts';
import { Cpu, Exit, type ExitReason, Rflags, Sreg, Transition } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import { type GuestStep, type GuestVcpu, HypervisorWorld, Page } from '../../../tests/support/hypervisor-world.ts';

const ARGS = Page.ARGS * 4096;
const CODE = Page.CODE * 4096;
const STEPS = 3000;
const SEED = 20_261_122;

/** Code of the steps: system call, load and store through rdi. Each is followed by a jump to itself. */
const LOAD = CODE + 0x10;
const STORE = CODE + 0x20;
const BYTES: ReadonlyMap<number, readonly number[]> = new Map([
  [LOAD, [0x8b, 0x07, 0xeb, 0xfe]],
  [STORE, [0x89, 0x07, 0xeb, 0xfe]],
]);

const HANDLERS = { syscall: 0x6400, fault: 0x6480, event: 0x6500, failsafe: 0x6580, protection: 0x6600 } as const;

/** Places where nothing is mapped, or nothing that may be written. */
const BAD_ADDRESSES = [0x500000, 0x7fff_ffff_f000, 0x9000_0000_0000, Page.L1 * 4096 + 8] as const;

const CODE_SELECTOR = 0x33;
const STACK_SELECTOR = 0x2b;
const CODE_DESCRIPTOR = 0x00af_fb00_0000_ffffn;
const DATA_DESCRIPTOR = 0x00cf_f300_0000_ffffn;

/** A random guest on one machine, and what was seen of it. */
class RandomGuest {
  readonly digests: string[] = [];
  readonly world: HypervisorWorld;
  readonly #setUp: GuestStep[];
  readonly #domid;
  #state = SEED;

  constructor(trace: boolean) {
    this.world = new HypervisorWorld({ realEngine: true, ...(trace ? { trace: ['trap'] as const } : {}) });
    this.#domid = this.world.addDomain((guest) => this.#step(guest));
    this.#setUp = [
      (guest) => this.#setUserRoot(guest),
      (guest) => this.#setTraps(guest, 0),
      (guest) => callback(guest, CallbackType.CALLBACKTYPE_syscall, HANDLERS.syscall, true),
      (guest) => callback(guest, CallbackType.CALLBACKTYPE_event, HANDLERS.event, true),
      (guest) => callback(guest, CallbackType.CALLBACKTYPE_failsafe, HANDLERS.failsafe, false),
      (guest) => this.#protectTable(guest),
      (guest) => this.#setGdt(guest),
    ];
  }

  run(): void {
    this.world.run(10_000 * STEPS);
    assert.equal(this.world.control.crashReport(this.#domid)?.reason, undefined);
  }

  #random(below: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(list.length)]!; // in range
  }

  #step(guest: GuestVcpu): ExitReason {
    const { state } = guest.context;
    for (const [address, bytes] of BYTES) this.world.memory.u8.set(bytes, guest.at(address));
    const setUp = this.#setUp.shift();
    if (setUp === undefined && this.digests.length >= STEPS) return Exit.BUDGET;
    if (setUp === undefined) this.digests.push(this.#digest(guest));
    state.rip = BigInt(CODE);
    state.writeU32(Cpu.KERNEL_MODE, 1);
    return setUp === undefined ? this.#randomStep(guest) : setUp(guest);
  }

  #digest(guest: GuestVcpu): string {
    const { state } = guest.context;
    const hash = createHash('sha1');
    hash.update(state.bytes.slice(0, Cpu.CODE_PAGE));
    hash.update(state.bytes.slice(Cpu.FS_BASE, Cpu.TEMP));
    hash.update(state.bytes.slice(Cpu.KERNEL_STACK, Cpu.SYSCALL_HANDLER));
    const { memory } = this.world;
    for (const page of [Page.STACK, Page.SPARE]) {
      const at = guest.at(page * 4096);
      hash.update(memory.u8.slice(at, at + 4096));
    }
    const info = this.world.sharedInfo(this.#domid);
    hash.update(memory.u8.slice(info, info + VCPU_INFO.time));
    return `${hash.digest('hex')} rip ${state.rip.toString(16)} mode ${state.readU32(Cpu.KERNEL_MODE)}`;
  }

  #randomStep(guest: GuestVcpu): ExitReason {
    const { state } = guest.context;
    const info = this.world.sharedInfo(this.#domid);
    for (let r = 0; r < 32; r++) state.gpr32[r] = this.#random(2 ** 32);
    guest.set('RSP', this.#stack());
    guest.set('RDI', this.#pick(BAD_ADDRESSES));
    const stack = this.#stack();
    state.writeU32(Cpu.KERNEL_STACK, stack);
    state.writeU32(Cpu.KERNEL_STACK + 4, 0);
    for (const base of [Cpu.GS_BASE, Cpu.OTHER_GS_BASE]) state.writeU32(base, this.#random(2 ** 32));
    state.rflags = (this.#random(2 ** 22) & ~(Rflags.TF | Rflags.VM | Rflags.IOPL)) | Rflags.IF;
    state.selector[Sreg.CS] = this.#pick([0xe033, CODE_SELECTOR]);
    state.selector[Sreg.SS] = this.#pick([0xe02b, STACK_SELECTOR]);
    this.world.memory.u8[info + VCPU_INFO.evtchn_upcall_mask] = this.#random(2);
    this.world.memory.u8[info + VCPU_INFO.evtchn_upcall_pending] = this.#random(8) === 0 ? 1 : 0;
    const userMode = this.#random(2) === 0;
    switch (this.#random(8)) {
      case 0:
        return this.#change(guest);
      case 1:
      case 2:
        state.writeU32(Cpu.KERNEL_MODE, 0);
        return Exit.SYSCALL; // runs what is at rip: a system call
      case 3:
      case 4:
        state.rip = BigInt.asUintN(64, BigInt.asIntN(48, BigInt(this.#pick([LOAD, STORE, ...BAD_ADDRESSES]))));
        if (state.rip === BigInt(STORE)) guest.set('RDI', this.#pick(BAD_ADDRESSES.slice(0, 3)));
        if (userMode) state.writeU32(Cpu.KERNEL_MODE, 0);
        return Exit.SYSCALL; // faults
      default:
        return this.#iret(guest);
    }
  }

  /** An address in the pages whose contents are compared. */
  #stack(): number {
    const crossing = (Page.STACK + 1) * 4096 - this.#random(12) * 8;
    return this.#random(4) === 0 ? crossing : Page.STACK * 4096 + 256 + this.#random(3700);
  }

  #iret(guest: GuestVcpu): ExitReason {
    const words = [
      BigInt(this.#random(2 ** 32)),
      BigInt(this.#random(2 ** 32)),
      BigInt(this.#random(2 ** 32)),
      BigInt(this.#random(4) === 0 ? 0x100 : 0),
      BigInt.asUintN(64, BigInt.asIntN(50, BigInt(this.#pick([CODE, LOAD, 0x500000, 2 ** 47])))),
      BigInt(this.#pick([0xe033, 0xe030, CODE_SELECTOR, CODE_SELECTOR, STACK_SELECTOR, 0x1_e033])),
      BigInt(this.#random(2 ** 22) & ~(this.#random(8) === 0 ? 0 : Rflags.TF)),
      BigInt(this.#stack()),
      BigInt(this.#pick([0xe02b, STACK_SELECTOR, STACK_SELECTOR, 0])),
    ];
    const at = Math.min(this.#stack(), (Page.STACK + 1) * 4096 - 80);
    for (const [i, word] of words.entries()) {
      const bytes = new DataView(new ArrayBuffer(8));
      bytes.setBigUint64(0, word, true);
      for (let b = 0; b < 8; b++) this.world.memory.u8[guest.at(at + 8 * i + b)] = bytes.getUint8(b);
    }
    guest.set('RSP', at);
    guest.set('RAX', Hypercall.__HYPERVISOR_iret);
    return guest.syscall();
  }

  /** Changes something that the engine has a copy of. */
  #change(guest: GuestVcpu): ExitReason {
    switch (this.#random(4)) {
      case 0:
        return this.#setTraps(guest, this.#random(2) * 4);
      case 1:
        return callback(guest, CallbackType.CALLBACKTYPE_syscall, HANDLERS.syscall + 2 * this.#random(9), true);
      case 2:
        return callback(guest, CallbackType.CALLBACKTYPE_syscall, HANDLERS.syscall, false);
      default: {
        const descriptor = this.#pick([CODE_DESCRIPTOR, CODE_DESCRIPTOR, DATA_DESCRIPTOR]);
        const address = this.world.frame(this.#domid, Page.SPARE) * 4096 + (CODE_SELECTOR & ~7);
        return guest.hypercall(Hypercall.__HYPERVISOR_update_descriptor, address, descriptor);
      }
    }
  }

  #setTraps(guest: GuestVcpu, flags: number): ExitReason {
    const rows = [
      [Vector.PF, flags, HANDLERS.fault],
      [Vector.GP, 0, HANDLERS.protection],
    ] as const;
    for (const [n, [vector, flag, address]] of rows.entries()) {
      guest.writeU64(ARGS + 16 * n, BigInt(vector) | (BigInt(flag) << 8n) | (0x10n << 16n));
      guest.writeU64(ARGS + 16 * n + 8, address);
    }
    guest.writeU64(ARGS + 16 * rows.length + 8, 0);
    return guest.hypercall(Hypercall.__HYPERVISOR_set_trap_table, ARGS);
  }

  #setUserRoot(guest: GuestVcpu): ExitReason {
    guest.writeU64(ARGS, MmuExt.MMUEXT_NEW_USER_BASEPTR);
    guest.writeU64(ARGS + 8, this.world.frame(this.#domid, Page.USER_L4));
    return guest.hypercall(Hypercall.__HYPERVISOR_mmuext_op, ARGS, 1, 0, 0x7ff0);
  }

  /** Maps the page of the GDT read-only. */
  #protectTable(guest: GuestVcpu): ExitReason {
    guest.writeU64(Page.SPARE * 4096 + (CODE_SELECTOR & ~7), CODE_DESCRIPTOR);
    guest.writeU64(Page.SPARE * 4096 + (STACK_SELECTOR & ~7), DATA_DESCRIPTOR);
    const entry = this.world.frame(this.#domid, Page.SPARE) * 4096 + 5;
    return guest.hypercall(Hypercall.__HYPERVISOR_update_va_mapping, Page.SPARE * 4096, entry, 1);
  }

  #setGdt(guest: GuestVcpu): ExitReason {
    guest.writeU64(ARGS, this.world.frame(this.#domid, Page.SPARE));
    return guest.hypercall(Hypercall.__HYPERVISOR_set_gdt, ARGS, 512);
  }
}

function callback(guest: GuestVcpu, type: number, address: number, masks: boolean): ExitReason {
  guest.writeU64(ARGS, BigInt(type) | (masks ? 1n << 16n : 0n));
  guest.writeU64(ARGS + 8, address);
  return guest.hypercall(Hypercall.__HYPERVISOR_callback_op, 0, ARGS);
}

test(`transitions: the engine's own are the hypervisor's, word for word (seed ${SEED})`, () => {
  const guests = [new RandomGuest(false), new RandomGuest(true)] as const;
  for (const guest of guests) guest.run();
  const [own, traced] = guests;
  assert.equal(own.digests.length, STEPS);
  for (const [n, digest] of own.digests.entries()) assert.equal(digest, traced.digests[n], `step ${n}`);
  const { systemCalls, pageFaults, returns } = own.world.anyEngine.counters;
  for (const count of [systemCalls, pageFaults, returns]) assert.ok(count > STEPS / 20, `${count} transitions`);
  const other = traced.world.anyEngine.counters;
  assert.deepEqual([other.systemCalls, other.pageFaults, other.returns], [0, 0, 0]);
  assert.deepEqual(own.world.hypervisor.audit(), []);
});

test('transitions: none is allowed before there is a handler for it', () => {
  const world = new HypervisorWorld();
  let allowed = -1;
  world.addDomain((guest) => {
    allowed = guest.context.state.readU32(Cpu.TRANSITIONS);
    return Exit.BUDGET;
  });
  world.run(10_000);
  assert.equal(allowed, Transition.RETURN);
});
