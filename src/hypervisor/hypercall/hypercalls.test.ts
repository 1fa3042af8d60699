// Single hypercalls with good and bad arguments: version, multicall, continuation, segment bases, debug
// registers, callbacks, I/O privileges.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallbackType, Errno, Hypercall, PhysdevOp, SegBase, XenVer } from '../../abi/index.ts';
import type { Domid } from '../../base/index.ts';
import { Assist, Cpu, Exit, Sreg } from '../../engine/index.ts';
import { type GuestStep, type GuestVcpu, HypervisorWorld, Page } from '../../../tests/support/hypervisor-world.ts';

const ARGS = Page.ARGS * 4096;
const DATA = Page.DATA * 4096;
/** An address that nothing is mapped at. */
const UNMAPPED = 0x123456000;

function call(number: number, ...args: (bigint | number)[]): GuestStep {
  return (guest) => guest.hypercall(number, ...args);
}

function result(guest: GuestVcpu): number {
  return Number(BigInt.asIntN(64, guest.get('RAX')));
}

/** Runs steps one after the other and gives rax after each. */
function results(world: HypervisorWorld, steps: readonly GuestStep[]): { domid: Domid; values: number[] } {
  const values: number[] = [];
  let next = 0;
  const domid = world.addDomain((guest) => {
    if (next > 0 && values.length < next) values.push(result(guest));
    const step = steps[next];
    next++;
    return step === undefined ? Exit.BUDGET : step(guest);
  });
  world.run(steps.length * 100_000);
  return { domid, values: values.slice(0, steps.length) };
}

test('xen_version: tells version, features and capabilities, and keeps the command line to itself', () => {
  const world = new HypervisorWorld();
  const version = Hypercall.__HYPERVISOR_xen_version;
  let text = '';
  let features = 0;
  const { values } = results(world, [
    call(version, XenVer.XENVER_version, 0),
    (guest) => {
      guest.writeU64(DATA, 0);
      return guest.hypercall(version, XenVer.XENVER_get_features, DATA);
    },
    (guest) => {
      features = guest.readU32(DATA + 4);
      guest.writeU64(DATA, 1);
      return guest.hypercall(version, XenVer.XENVER_get_features, DATA);
    },
    call(version, XenVer.XENVER_commandline, DATA),
    (guest) => {
      text = Buffer.from(world.memory.u8.slice(guest.at(DATA), guest.at(DATA) + 9)).toString();
      return guest.hypercall(version, XenVer.XENVER_pagesize, 0);
    },
    call(version, XenVer.XENVER_build_id, 0),
    call(version, 99, 0),
    call(version, XenVer.XENVER_extraversion, UNMAPPED),
    call(version, XenVer.XENVER_capabilities, 0xffff800000000000n),
  ]);
  const { EINVAL, EPERM, ENOSYS, EFAULT } = Errno;
  assert.deepEqual(values, [0x40011, 0, -EINVAL, 0, 4096, -EPERM, -ENOSYS, -EFAULT, -EFAULT]);
  assert.equal(features, 0x220e0);
  assert.equal(text, '<denied>\0');
});

test('multicall: runs entries in order, stores each result, and refuses itself and iret', () => {
  const world = new HypervisorWorld();
  const entries = [
    [Hypercall.__HYPERVISOR_xen_version, XenVer.XENVER_version],
    [Hypercall.__HYPERVISOR_iret, 0],
    [Hypercall.__HYPERVISOR_multicall, DATA],
    [63, 0],
    [Hypercall.__HYPERVISOR_stack_switch, 0xe02b],
  ];
  const stored: bigint[] = [];
  const { values } = results(world, [
    (guest) => {
      for (const [i, [op = 0, first = 0]] of entries.entries()) {
        guest.writeU64(DATA + 64 * i, op);
        guest.writeU64(DATA + 64 * i + 16, first);
        for (let word = 3; word < 8; word++) guest.writeU64(DATA + 64 * i + 8 * word, 0);
      }
      return guest.hypercall(Hypercall.__HYPERVISOR_multicall, DATA, entries.length);
    },
    (guest) => {
      for (let i = 0; i < entries.length; i++) stored.push(BigInt.asIntN(64, guest.readU64(DATA + 64 * i + 8)));
      return guest.hypercall(Hypercall.__HYPERVISOR_multicall, UNMAPPED, 1);
    },
    call(Hypercall.__HYPERVISOR_multicall, UNMAPPED, 0),
  ]);
  assert.deepEqual(values, [0, -Errno.EFAULT, 0]);
  const { EINVAL, ENOSYS } = Errno;
  assert.deepEqual(stored, [0x40011n, -BigInt(EINVAL), -BigInt(EINVAL), -BigInt(ENOSYS), 0n]);
});

test('continuation: a long console write goes back to the syscall with its progress in the registers', () => {
  const world = new HypervisorWorld();
  let entries = 0;
  let done = false;
  const start = BigInt(Page.CODE * 4096);
  world.addDomain((guest) => {
    entries++;
    if (entries === 1) {
      world.memory.u8.fill(0x61, guest.at(DATA), guest.at(DATA) + 4096);
      return guest.hypercall(Hypercall.__HYPERVISOR_console_io, 0, 4096, DATA);
    }
    if (guest.context.state.rip === start) {
      assert.equal(guest.get('RAX'), BigInt(Hypercall.__HYPERVISOR_console_io));
      assert.equal(guest.get('RDX') - BigInt(DATA), 4096n - guest.get('RSI'));
      return guest.syscall();
    }
    done = true;
    assert.equal(result(guest), 0);
    return Exit.BUDGET;
  });
  world.run(100_000);
  assert.ok(done);
  assert.equal(world.log.console.join('').replaceAll(/\d+:/g, ''), 'a'.repeat(4096));
});

test('set_segment_base: canonical bases only, and a bad user selector becomes null', () => {
  const world = new HypervisorWorld();
  const base = Hypercall.__HYPERVISOR_set_segment_base;
  const { values } = results(world, [
    call(base, SegBase.SEGBASE_FS, 0x7fff12345678n),
    call(base, SegBase.SEGBASE_FS, 0x800000000000n),
    call(base, SegBase.SEGBASE_GS_USER_SEL, 0xfff3),
    (guest) => {
      assert.equal(guest.context.state.readU64(Cpu.FS_BASE), 0x7fff12345678n);
      assert.equal(guest.context.state.selector[Sreg.GS], 0);
      return guest.hypercall(base, 9, 0);
    },
  ]);
  assert.deepEqual(values, [0, -Errno.EINVAL, 0, -Errno.EINVAL]);
});

test('debug registers: kernel addresses come back whole; those of the hypervisor, and GD, are refused', () => {
  const world = new HypervisorWorld();
  const set = Hypercall.__HYPERVISOR_set_debugreg;
  const get = Hypercall.__HYPERVISOR_get_debugreg;
  let raw = 0n;
  const { values } = results(world, [
    call(set, 0, 0xffffffff81234567n),
    call(get, 0),
    (guest) => {
      raw = guest.get('RAX');
      return guest.hypercall(set, 1, 0xffff800000001000n);
    },
    call(set, 7, 0x2000),
    call(get, 6),
    call(set, 8, 0),
    call(get, 0x100000000n),
  ]);
  assert.equal(raw, 0xffffffff81234567n);
  const { EPERM, EINVAL } = Errno;
  assert.deepEqual(values.slice(2), [-EPERM, -EPERM, 0xffff0ff0, -EINVAL, -EINVAL]);
});

/** Registers a callback. */
const register =
  (type: number, address: bigint): GuestStep =>
  (guest) => {
    guest.writeU64(ARGS, type);
    guest.writeU64(ARGS + 8, address);
    return guest.hypercall(Hypercall.__HYPERVISOR_callback_op, 0, ARGS);
  };

test('callback_op and set_callbacks: addresses must be canonical, types known', () => {
  const world = new HypervisorWorld();
  const { values } = results(world, [
    register(CallbackType.CALLBACKTYPE_syscall, 0xffffffff81000000n),
    register(CallbackType.CALLBACKTYPE_syscall, 2n ** 50n),
    register(77, 0n),
    call(Hypercall.__HYPERVISOR_callback_op, 1, ARGS),
    call(Hypercall.__HYPERVISOR_callback_op, 5, ARGS),
    call(Hypercall.__HYPERVISOR_set_callbacks, 0x6000, 0x6000, 2n ** 47n),
    call(Hypercall.__HYPERVISOR_set_trap_table, UNMAPPED),
    call(Hypercall.__HYPERVISOR_set_trap_table, 0),
  ]);
  const { EINVAL, ENOSYS, EFAULT } = Errno;
  assert.deepEqual(values, [0, -EINVAL, -ENOSYS, -ENOSYS, -ENOSYS, -EINVAL, -EFAULT, 0]);
});

test('physdev_op: a bitmap opens single ports, and ports beyond its end stay closed', () => {
  const world = new HypervisorWorld();
  const { values, domid } = results(world, [
    (guest) => {
      world.memory.u8.fill(0, guest.at(DATA), guest.at(DATA) + 16);
      guest.writeU64(ARGS, DATA);
      guest.writeU64(ARGS + 8, 100);
      return guest.hypercall(Hypercall.__HYPERVISOR_physdev_op, PhysdevOp.PHYSDEVOP_set_iobitmap, ARGS);
    },
    (guest) => {
      guest.writeU64(ARGS + 8, 65537);
      return guest.hypercall(Hypercall.__HYPERVISOR_physdev_op, PhysdevOp.PHYSDEVOP_set_iobitmap, ARGS);
    },
    call(Hypercall.__HYPERVISOR_physdev_op, PhysdevOp.PHYSDEVOP_manage_pci_add, 0),
    call(Hypercall.__HYPERVISOR_physdev_op, PhysdevOp.PHYSDEVOP_pirq_eoi_gmfn_v2, 0),
    (guest) => {
      const { exit } = world.engine;
      exit.assist = Assist.IN;
      exit.value = 99;
      exit.size = 1;
      exit.nextRip = guest.context.state.rip + 1n;
      return Exit.ASSIST;
    },
    (guest) => {
      const { exit } = world.engine;
      exit.assist = Assist.IN;
      exit.value = 100;
      exit.size = 1;
      exit.nextRip = guest.context.state.rip + 1n;
      return Exit.ASSIST;
    },
  ]);
  const { EINVAL, EPERM, ENOSYS } = Errno;
  assert.deepEqual(values.slice(0, 4), [0, -EINVAL, -EPERM, -ENOSYS]);
  assert.match(world.control.crashReport(domid)?.reason ?? '', /exception 13/);
});
