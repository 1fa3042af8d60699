// Instructions that the engine leaves to the hypervisor: what they do for a guest's kernel, and the faults
// that they give where hardware would give them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hypercall, PhysdevOp } from '../../abi/index.ts';
import { Assist, type AssistKind, Cpu, Exit, Rflags, Sreg } from '../../engine/index.ts';
import { Vector } from '../../x86/index.ts';
import {
  type GuestStep,
  type GuestVcpu,
  HypervisorWorld,
  Page,
  script,
  STACK_TOP,
} from '../../../tests/support/hypervisor-world.ts';
import { cpuid, DEFAULT_CPUID } from './cpuid.ts';

const ARGS = Page.ARGS * 4096;
const HANDLER = 0x6800n;

/** The fields of an exit that an instruction sets. */
interface Operands {
  reg?: number;
  index?: number;
  size?: number;
  value?: number;
  stackDelta?: number;
}

/** An instruction of `length` bytes that the engine leaves to the hypervisor. */
function assist(kind: AssistKind, operands: Operands = {}, length = 2): GuestStep {
  return (guest) => {
    const { exit } = guest.world.engine;
    exit.assist = kind;
    exit.nextRip = guest.context.state.rip + BigInt(length);
    exit.reg = operands.reg ?? 0;
    exit.index = operands.index ?? 0;
    exit.size = operands.size ?? 0;
    exit.value = operands.value ?? 0;
    exit.stackDelta = operands.stackDelta ?? 0;
    return Exit.ASSIST;
  };
}

const setGpHandler: GuestStep = (guest) => {
  guest.writeU64(ARGS, Vector.GP);
  guest.writeU64(ARGS + 8, HANDLER);
  guest.writeU64(ARGS + 16, Vector.NP);
  guest.writeU64(ARGS + 24, HANDLER);
  guest.writeU64(ARGS + 40, 0);
  return guest.hypercall(Hypercall.__HYPERVISOR_set_trap_table, ARGS);
};

const setIopl: GuestStep = (guest) => {
  guest.writeU32(ARGS, 1);
  return guest.hypercall(Hypercall.__HYPERVISOR_physdev_op, PhysdevOp.PHYSDEVOP_set_iopl, ARGS);
};

/** Runs steps, then looks at the guest. */
function after(steps: GuestStep[], look: (guest: GuestVcpu) => void): void {
  const world = new HypervisorWorld();
  let looked = false;
  world.addDomain(
    script(...steps, (guest) => {
      looked = true;
      look(guest);
      return Exit.BUDGET;
    }),
  );
  world.run(1_000_000);
  assert.ok(looked);
}

function set(register: 'RAX' | 'RCX' | 'RDX' | 'RSP', value: bigint | number, then: GuestStep): GuestStep {
  return (guest) => {
    guest.set(register, value);
    return then(guest);
  };
}

test('cpuid: shows an Intel processor with what the engine implements and nothing else', () => {
  const [max, b, c, d] = cpuid(DEFAULT_CPUID, 0, 0);
  assert.equal(max, 7);
  assert.deepEqual([b, d, c], [0x756e6547, 0x49656e69, 0x6c65746e]);
  const [, ebx, ecx, edx] = cpuid(DEFAULT_CPUID, 1, 0);
  assert.equal(ebx, 0x10800);
  assert.equal(ecx >>> 0, 0x80982201);
  assert.equal(edx >>> 0, 0x07898171);
  assert.deepEqual([...cpuid(DEFAULT_CPUID, 7, 0)], [0, 1 << 9, 0, (1 << 4) | (1 << 29)]);
  assert.deepEqual([...cpuid(DEFAULT_CPUID, 7, 1)], [0, 0, 0, 0]);
  assert.deepEqual([...cpuid(DEFAULT_CPUID, 0x40000001, 0)], [0x40011, 0, 0, 0]);
});

test('msr: the GS base can be written before there are handlers', () => {
  after([set('RCX', 0xc0000101, set('RAX', 0x5000, set('RDX', 0, assist(Assist.WRMSR))))], (guest) => {
    assert.equal(guest.context.state.readU64(Cpu.GS_BASE), 0x5000n);
    assert.equal(guest.context.state.rip, BigInt(Page.CODE * 4096 + 2));
  });
});

test('msr: EFER reads as a 64-bit kernel expects, and an unknown register gets #GP', () => {
  after([set('RCX', 0xc0000080, assist(Assist.RDMSR))], (guest) => assert.equal(guest.get('RAX'), 0xd01n));
  after([setGpHandler, set('RCX', 0x12345, assist(Assist.RDMSR))], (guest) => {
    assert.equal(guest.context.state.rip, HANDLER);
    assert.equal(guest.readU64(Number(guest.get('RSP')) + 16), 0n);
  });
});

test('control registers: CR0 has what a kernel expects, and only TS may change', () => {
  after([assist(Assist.MOV_FROM_CR, { index: 0, reg: 0 })], (guest) => assert.equal(guest.get('RAX'), 0x80050033n));
  after([setGpHandler, set('RAX', 0x80050032, assist(Assist.MOV_TO_CR, { index: 0, reg: 0 }))], (guest) => {
    assert.equal(guest.context.state.rip, HANDLER);
  });
  after(
    [
      set('RAX', 0x8005003b, assist(Assist.MOV_TO_CR, { index: 0, reg: 0 })),
      assist(Assist.MOV_FROM_CR, { index: 0, reg: 2 }),
    ],
    (guest) => assert.equal(guest.get('RDX'), 0x8005003bn),
  );
});

test('port I/O: needs the virtual privilege level; ports are empty, and timer channel 2 answers 0', () => {
  after([setGpHandler, assist(Assist.IN, { value: 0x60, size: 1 })], (guest) =>
    assert.equal(guest.context.state.rip, HANDLER),
  );
  after([setIopl, set('RAX', 0x1200, assist(Assist.IN, { value: 0x60, size: 1 }))], (guest) =>
    assert.equal(guest.get('RAX'), 0x12ffn),
  );
  after([setIopl, set('RAX', 0x12ff, assist(Assist.IN, { value: 0x42, size: 1 }))], (guest) =>
    assert.equal(guest.get('RAX'), 0x1200n),
  );
  after([setIopl, set('RAX', 2n ** 63n, assist(Assist.IN, { value: 0xcfc, size: 4 }))], (guest) =>
    assert.equal(guest.get('RAX'), 0xffffffffn),
  );
});

test('cli: is a no-op with the privilege level, #GP without', () => {
  after([setGpHandler, assist(Assist.CLI, {}, 1)], (guest) => assert.equal(guest.context.state.rip, HANDLER));
  after([setIopl, assist(Assist.CLI, {}, 1)], (guest) =>
    assert.equal(guest.context.state.rip, BigInt(Page.CODE * 4096 + 3)),
  );
});

test('segments: null and flat selectors load; a bad one gets #GP with its index', () => {
  after([assist(Assist.LOAD_SREG, { index: Sreg.DS, value: 0, stackDelta: 8 })], (guest) => {
    assert.equal(guest.context.state.selector[Sreg.DS], 0);
    assert.equal(guest.get('RSP'), BigInt(STACK_TOP + 8));
  });
  after([assist(Assist.LOAD_SREG, { index: Sreg.SS, value: 0xe02b })], (guest) => {
    assert.equal(guest.context.state.selector[Sreg.SS], 0xe02b);
  });
  after([setGpHandler, assist(Assist.LOAD_SREG, { index: Sreg.ES, value: 0x2b })], (guest) => {
    assert.equal(guest.context.state.rip, HANDLER);
    assert.equal(guest.readU64(Number(guest.get('RSP')) + 16), 0x28n);
  });
  after([setGpHandler, assist(Assist.LOAD_SREG, { index: Sreg.SS, value: 0 })], (guest) => {
    assert.equal(guest.context.state.rip, HANDLER);
  });
});

test('segments: lar, lsl and verw judge the flat segments as hardware does', () => {
  after([assist(Assist.LSL, { reg: 0, size: 8, value: 0xe02b })], (guest) => {
    assert.equal(guest.get('RAX'), 0xffffffffn);
    assert.notEqual(guest.context.state.rflags & Rflags.ZF, 0);
  });
  after([assist(Assist.VERW, { value: 0xe033 })], (guest) => assert.equal(guest.context.state.rflags & Rflags.ZF, 0));
  after([assist(Assist.VERW, { value: 0xe02b })], (guest) =>
    assert.notEqual(guest.context.state.rflags & Rflags.ZF, 0),
  );
  after([set('RAX', 5, assist(Assist.LAR, { reg: 0, size: 4, value: 0 }))], (guest) => {
    assert.equal(guest.get('RAX'), 5n);
    assert.equal(guest.context.state.rflags & Rflags.ZF, 0);
  });
});

/** Puts words on the stack and points rsp at them. */
function push(words: readonly (bigint | number)[], then: GuestStep): GuestStep {
  return (guest) => {
    const rsp = STACK_TOP - 8 * words.length;
    for (const [i, word] of words.entries()) guest.writeU64(rsp + 8 * i, word);
    guest.set('RSP', rsp);
    return then(guest);
  };
}

test('iretq: returns to the same privilege and changes neither IF nor the mode', () => {
  const frame = [0x6400, 0xe033, Rflags.CF | 0x3002, 0x5800, 0xe02b];
  after([push(frame, assist(Assist.IRET, { size: 8 }))], (guest) => {
    const { state } = guest.context;
    assert.equal(state.rip, 0x6400n);
    assert.equal(guest.get('RSP'), 0x5800n);
    assert.equal(state.rflags, 0x203);
    assert.equal(guest.kernelMode, true);
  });
});

test('iretq: a 32-bit or privileged code segment gets #GP at the instruction', () => {
  for (const [cs, error] of [
    [0xe023, 0n],
    [0x08, 0x08n],
    [0xe030, 0xe030n],
  ] as const) {
    after([setGpHandler, push([0x6400, cs, 2, 0x5800, 0xe02b], assist(Assist.IRET, { size: 8 }))], (guest) => {
      assert.equal(guest.context.state.rip, HANDLER);
      assert.equal(guest.readU64(Number(guest.get('RSP')) + 16), error);
    });
  }
});

test('far call: pushes CS and the return address, far return takes them back', () => {
  after(
    [
      (guest) => {
        guest.context.state.writeU64(Cpu.TEMP, 0x6400n);
        return assist(Assist.FAR_TRANSFER, { size: 8, value: 0xe033, index: 1 }, 6)(guest);
      },
      (guest) => {
        assert.equal(guest.context.state.rip, 0x6400n);
        assert.equal(guest.readU64(Number(guest.get('RSP'))), BigInt(Page.CODE * 4096 + 6));
        return assist(Assist.RETF, { size: 8, value: 16 })(guest);
      },
    ],
    (guest) => {
      assert.equal(guest.context.state.rip, BigInt(Page.CODE * 4096 + 6));
      assert.equal(guest.get('RSP'), BigInt(STACK_TOP + 16));
    },
  );
});

test('privileged: hlt, lgdt and the like get #GP in the kernel too', () => {
  for (const kind of [Assist.HLT, Assist.OTHER_PRIVILEGED, Assist.RDPMC, Assist.INS, Assist.STORE_SYSTEM]) {
    after([setGpHandler, assist(kind)], (guest) => assert.equal(guest.context.state.rip, HANDLER));
  }
});

test('iretq: a frame that crosses a page is read from both pages', () => {
  after(
    [
      (guest) => {
        const rsp = Page.DATA * 4096 - 12;
        for (const [i, word] of [0x6400, 0xe033, 0x202, 0x5800, 0xe02b].entries()) {
          const bytes = new DataView(new ArrayBuffer(8));
          bytes.setBigUint64(0, BigInt(word), true);
          for (let byte = 0; byte < 8; byte++)
            guest.world.memory.u8[guest.at(rsp + 8 * i + byte)] = bytes.getUint8(byte);
        }
        guest.set('RSP', rsp);
        return assist(Assist.IRET, { size: 8 })(guest);
      },
    ],
    (guest) => {
      assert.equal(guest.context.state.rip, 0x6400n);
      assert.equal(guest.get('RSP'), 0x5800n);
    },
  );
});

test('iretq: a stack that is not mapped gives the page fault of a read', () => {
  const world = new HypervisorWorld();
  const domid = world.addDomain(script(set('RSP', 0x123456000, assist(Assist.IRET, { size: 8 }))));
  world.run(1_000_000);
  const report = world.control.crashReport(domid);
  assert.match(report?.reason ?? '', /exception 14 \(error code 0x0\)/);
  assert.equal(report?.vcpus[0]?.cr2, 0x123456000n);
});
