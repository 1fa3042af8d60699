// Entering and leaving a guest's handlers: bounce frames word by word, the iret hypercall with good and bad
// frames, system calls, software interrupts, upcalls.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallbackType, Hypercall, MmuExt, SegBase, VCPU_INFO } from '../../abi/index.ts';
import { Cpu, Exit, Gpr, Rflags, Sreg } from '../../engine/index.ts';
import { PageFaultError, Vector } from '../../x86/index.ts';
import {
  type GuestStep,
  type GuestVcpu,
  HypervisorWorld,
  Page,
  script,
  STACK_TOP,
} from '../../../tests/support/hypervisor-world.ts';

const ARGS = Page.ARGS * 4096;
const HANDLER = 0x6800;
const USER_RIP = 0x6100n;

/** Words from rsp up. */
function frame(guest: GuestVcpu, words: number): bigint[] {
  const rsp = Number(guest.get('RSP'));
  return Array.from({ length: words }, (_, i) => guest.readU64(rsp + 8 * i));
}

/** Registers one trap handler. */
function setTrap(vector: number, flags: number, address: bigint | number = HANDLER): GuestStep {
  return (guest) => {
    guest.writeU64(ARGS, BigInt(vector) | (BigInt(flags) << 8n) | (0x10n << 16n));
    guest.writeU64(ARGS + 8, address);
    guest.writeU64(ARGS + 24, 0);
    return guest.hypercall(Hypercall.__HYPERVISOR_set_trap_table, ARGS);
  };
}

/** Registers a callback. */
function setCallback(type: number, address: number, masks = false): GuestStep {
  return (guest) => {
    guest.writeU64(ARGS, BigInt(type) | (masks ? 1n << 16n : 0n));
    guest.writeU64(ARGS + 8, address);
    return guest.hypercall(Hypercall.__HYPERVISOR_callback_op, 0, ARGS);
  };
}

/** Makes USER_L4 the user's root. */
const setUserRoot: GuestStep = (guest) => {
  const domid = [...guest.world.mfns.keys()][0]!; // the only domain
  guest.writeU64(ARGS, MmuExt.MMUEXT_NEW_USER_BASEPTR);
  guest.writeU64(ARGS + 8, guest.world.frame(domid, Page.USER_L4));
  return guest.hypercall(Hypercall.__HYPERVISOR_mmuext_op, ARGS, 1, 0, 0x7ff0);
};

/** Issues iret with a frame. */
function iret(fields: {
  rip?: bigint;
  cs?: number;
  rflags?: number;
  rsp?: number;
  ss?: number;
  flags?: number;
}): GuestStep {
  return (guest) => {
    const { rip = USER_RIP, cs = 0xe033, rflags = 0x202, rsp = 0x7800, ss = 0xe02b, flags = 0 } = fields;
    const words = [0x1111n, 0x2222n, 0x3333n, BigInt(flags), rip, BigInt(cs), BigInt(rflags), BigInt(rsp), BigInt(ss)];
    const at = STACK_TOP - 256;
    for (const [i, word] of words.entries()) guest.writeU64(at + 8 * i, word);
    guest.set('RSP', at);
    return guest.hypercall(Hypercall.__HYPERVISOR_iret);
  };
}

const idle: GuestStep = () => Exit.BUDGET;

function run(...steps: GuestStep[]): HypervisorWorld {
  const world = new HypervisorWorld();
  world.addDomain(script(...steps));
  world.run(1_000_000);
  return world;
}

/** An exception raised by the guest's code. */
function raise(vector: number, errorCode = 0): GuestStep {
  return (guest) => {
    guest.world.engine.exit.vector = vector;
    guest.world.engine.exit.errorCode = errorCode;
    return Exit.EXCEPTION;
  };
}

test('bounce: an exception in kernel mode pushes rcx, r11, error code and an iret frame with RPL 0', () => {
  let seen: bigint[] = [];
  let rsp = 0n;
  run(
    setTrap(Vector.GP, 4),
    (guest) => {
      guest.set('RCX', 0xc0);
      guest.set('R11', 0xb0);
      guest.set('RSP', STACK_TOP - 5);
      guest.context.state.rflags = 0x202 | Rflags.CF | Rflags.AC | Rflags.DF;
      return raise(Vector.GP, 0x18)(guest);
    },
    (guest) => {
      seen = frame(guest, 8);
      rsp = guest.get('RSP');
      assert.equal(guest.context.state.rip, BigInt(HANDLER));
      assert.equal(guest.context.state.rflags & Rflags.AC, 0);
      assert.notEqual(guest.context.state.rflags & Rflags.DF, 0);
      return Exit.BUDGET;
    },
  );
  assert.equal(rsp % 16n, 0n);
  const rip = BigInt(Page.CODE * 4096 + 2);
  // The event mask is 1 from the start: IF is 0 in the saved flags, and the mask is in the CS slot.
  assert.deepEqual(seen, [0xc0n, 0xb0n, 0x18n, rip, 0xe030n | (1n << 32n), 0x40403n, BigInt(STACK_TOP - 5), 0xe02bn]);
});

test('bounce: a trap without handler crashes the domain with a report', () => {
  const world = run(raise(Vector.DE));
  const domid = [...world.mfns.keys()][0]!; // the only domain
  const report = world.control.crashReport(domid);
  assert.match(report?.reason ?? '', /cannot deliver exception 0 .*there is no handler/);
  assert.equal(report?.vcpus[0]?.rip, BigInt(Page.CODE * 4096));
  assert.ok((report?.vcpus[0]?.code.length ?? 0) > 0);
});

test('bounce: a stack in a page table crashes the domain and leaves the table alone', () => {
  const world = run(setTrap(Vector.DE, 0), (guest) => {
    guest.set('RSP', (Page.L1 + 1) * 4096);
    return raise(Vector.DE)(guest);
  });
  const domid = [...world.mfns.keys()][0]!; // the only domain
  assert.match(world.control.crashReport(domid)?.reason ?? '', /stack cannot be written/);
  assert.deepEqual(world.hypervisor.audit(), []);
});

test('bounce: a frame that crosses a page is written to both pages', () => {
  let seen: bigint[] = [];
  run(
    setTrap(Vector.UD, 0),
    (guest) => {
      guest.set('RSP', Page.DATA * 4096 + 16);
      return raise(Vector.UD)(guest);
    },
    (guest) => {
      seen = frame(guest, 7);
      return Exit.BUDGET;
    },
  );
  assert.equal(seen[5], BigInt(Page.DATA * 4096 + 16));
  assert.equal(seen[6], 0xe02bn);
});

test('page fault: the address goes to vcpu_info and U says which mode it was', () => {
  const errors: bigint[] = [];
  const world = run(
    setTrap(Vector.PF, 4),
    setUserRoot,
    (guest) => guest.world.engine.fault(0x123456789000, PageFaultError.WRITE),
    (guest) => {
      errors.push(guest.readU64(Number(guest.get('RSP')) + 16));
      return iret({})(guest);
    },
    (guest) => {
      assert.equal(guest.kernelMode, false);
      return guest.world.engine.fault(0x1000, PageFaultError.FETCH);
    },
    (guest) => {
      errors.push(guest.readU64(Number(guest.get('RSP')) + 16));
      return Exit.BUDGET;
    },
  );
  assert.deepEqual(errors, [2n, 0x14n]);
  const domid = [...world.mfns.keys()][0]!; // the only domain
  assert.equal(world.control.domainInfo(domid)?.shutdownReason, undefined);
});

test('iret: a return to user mode swaps the mode, GS and the event mask, and restores rcx, r11 and rax', () => {
  const world = run(
    setUserRoot,
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_set_segment_base, SegBase.SEGBASE_GS_USER, 0x7000),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_set_segment_base, SegBase.SEGBASE_GS_KERNEL, 0x5000),
    iret({ rflags: 0x3202 }),
    (guest) => {
      const { state } = guest.context;
      assert.equal(guest.kernelMode, false);
      assert.equal(state.readU64(Cpu.GS_BASE), 0x7000n);
      assert.equal(state.rip, USER_RIP);
      assert.deepEqual([guest.get('RAX'), guest.get('R11'), guest.get('RCX')], [0x1111n, 0x2222n, 0x3333n]);
      assert.equal(state.rflags, 0x202);
      assert.equal(state.selector[Sreg.CS], 0xe033);
      return Exit.BUDGET;
    },
  );
  const domid = [...world.mfns.keys()][0]!; // the only domain
  assert.equal(world.control.inspectVcpu(domid, 0).upcallMask, false);
});

test('iret: without a user page table a return to user mode crashes the domain', () => {
  const world = run(iret({}));
  const domid = [...world.mfns.keys()][0]!; // the only domain
  assert.match(world.control.crashReport(domid)?.reason ?? '', /without a user page table/);
});

test('iret: cs with RPL 0 stays in kernel mode, whatever IOPL and VM say', () => {
  run(iret({ cs: 0xe030, rflags: 0x23000 }), (guest) => {
    assert.equal(guest.kernelMode, true);
    assert.equal(guest.context.state.selector[Sreg.CS], 0xe033);
    assert.equal(guest.context.state.rflags, 0x202);
    return Exit.BUDGET;
  });
});

for (const [what, fields] of [
  ['a non-canonical rip', { rip: 0x800000000000n }],
  ['a null code selector', { cs: 3 }],
  ['a data segment as code', { cs: 0xe02b }],
  ['a code segment as stack', { ss: 0xe033 }],
  ['a selector beyond the tables', { cs: 0xfffb }],
] as const) {
  test(`iret: ${what} enters the failsafe callback with the bad frame`, () => {
    let entered = false;
    run(setUserRoot, setCallback(CallbackType.CALLBACKTYPE_failsafe, HANDLER), iret(fields), (guest) => {
      entered = true;
      assert.equal(guest.kernelMode, true);
      assert.equal(guest.context.state.rip, BigInt(HANDLER));
      const words = frame(guest, 11);
      assert.equal(words[6], 'rip' in fields ? fields.rip : USER_RIP);
      assert.equal(words[0], 0x3333n);
      return Exit.BUDGET;
    });
    assert.ok(entered);
  });
}

test('iret: a 32-bit code segment gives the process #GP and its kernel lives on', () => {
  let words: bigint[] = [];
  const world = run(setTrap(Vector.GP, 0), setUserRoot, iret({ cs: 0xe023 }), (guest) => {
    words = frame(guest, 5);
    return Exit.BUDGET;
  });
  assert.equal(words[3], USER_RIP);
  assert.equal((words[4] ?? 0n) & 0xffffn, 0xe023n);
  const domid = [...world.mfns.keys()][0]!; // the only domain
  assert.equal(world.control.domainInfo(domid)?.shutdownReason, undefined);
});

test('system call: user mode enters the registered callback on the kernel stack, DF clear', () => {
  let words: bigint[] = [];
  run(
    setUserRoot,
    setCallback(CallbackType.CALLBACKTYPE_syscall, HANDLER, true),
    (guest) => guest.hypercall(Hypercall.__HYPERVISOR_stack_switch, 0xe02b, STACK_TOP - 64),
    iret({ rflags: 0x202 | Rflags.DF }),
    (guest) => guest.syscall(),
    (guest) => {
      words = frame(guest, 7);
      assert.equal(guest.kernelMode, true);
      assert.equal(guest.context.state.rip, BigInt(HANDLER));
      assert.equal(guest.context.state.rflags & Rflags.DF, 0);
      return Exit.BUDGET;
    },
  );
  assert.equal(words[2], USER_RIP + 2n);
  assert.equal(words[3], 0xe033n);
  assert.equal(words[4], 0x202n | BigInt(Rflags.DF));
  assert.equal(words[5], 0x7800n);
});

test('system call: without a callback the program gets #UD at the instruction', () => {
  let words: bigint[] = [];
  run(
    setTrap(Vector.UD, 0),
    setUserRoot,
    iret({}),
    (guest) => guest.syscall(),
    (guest) => {
      words = frame(guest, 3);
      return Exit.BUDGET;
    },
  );
  assert.equal(words[2], USER_RIP);
});

function softInterrupt(vector: number): GuestStep {
  return (guest) => {
    guest.world.engine.exit.vector = vector;
    guest.world.engine.exit.nextRip = guest.context.state.rip + 2n;
    return Exit.SOFTWARE_INTERRUPT;
  };
}

test('int n: user mode needs a gate with DPL 3, and gets #GP with n * 8 + 2 otherwise', () => {
  const rips: bigint[] = [];
  let error = 0n;
  run(
    setTrap(0x80, 3),
    setTrap(0x81, 1),
    setTrap(Vector.GP, 0, 0x6900),
    setUserRoot,
    iret({}),
    softInterrupt(0x80),
    (guest) => {
      rips.push(guest.context.state.rip);
      return iret({})(guest);
    },
    softInterrupt(0x81),
    (guest) => {
      rips.push(guest.context.state.rip);
      error = guest.readU64(Number(guest.get('RSP')) + 16);
      return Exit.BUDGET;
    },
  );
  assert.deepEqual(rips, [BigInt(HANDLER), 0x6900n]);
  assert.equal(error, 0x81n * 8n + 2n);
});

test('int n: the kernel counts as privilege level 1', () => {
  const rips: bigint[] = [];
  run(
    setTrap(0x81, 1),
    setTrap(0x82, 0),
    setTrap(Vector.GP, 0, 0x6900),
    softInterrupt(0x81),
    (guest) => {
      rips.push(guest.context.state.rip);
      return softInterrupt(0x82)(guest);
    },
    (guest) => {
      rips.push(guest.context.state.rip);
      return Exit.BUDGET;
    },
  );
  assert.deepEqual(rips, [BigInt(HANDLER), 0x6900n]);
});

test('cpuid: the forced prefix works before there are handlers, and shows the hypervisor', () => {
  run(
    (guest) => {
      const code = [0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2];
      for (const [i, byte] of code.entries()) guest.world.memory.u8[guest.at(Page.CODE * 4096 + i)] = byte;
      guest.set('RAX', 0x40000000);
      return raise(Vector.UD)(guest);
    },
    (guest) => {
      const { gpr32 } = guest.context.state;
      assert.equal(guest.context.state.rip, BigInt(Page.CODE * 4096 + 7));
      assert.deepEqual(
        [gpr32[2 * Gpr.RBX], gpr32[2 * Gpr.RCX], gpr32[2 * Gpr.RDX]],
        [0x566e6558, 0x65584d4d, 0x4d4d566e],
      );
      return Exit.BUDGET;
    },
  );
});

test('event upcall: delivered on the way back to the guest once unmasked, and masks', () => {
  let upcalls = 0;
  const world = new HypervisorWorld();
  const domid = world.addDomain(
    script(
      setCallback(CallbackType.CALLBACKTYPE_event, HANDLER),
      (guest) => {
        const info = guest.world.sharedInfo(domid);
        guest.world.memory.u8[info + VCPU_INFO.evtchn_upcall_pending] = 1;
        guest.world.memory.u8[info + VCPU_INFO.evtchn_upcall_mask] = 0;
        return Exit.BUDGET;
      },
      (guest) => {
        upcalls++;
        assert.equal(guest.context.state.rip, BigInt(HANDLER));
        assert.equal(guest.world.memory.u8[guest.world.sharedInfo(domid) + VCPU_INFO.evtchn_upcall_mask], 1);
        const saved = frame(guest, 5);
        assert.notEqual((saved[4] ?? 0n) & 0x200n, 0n);
        return Exit.BUDGET;
      },
      idle,
    ),
  );
  world.run(1_000_000);
  assert.equal(upcalls, 1);
});
