// The engine as a whole: translation, faults, self-modified code, single steps. Code is given as bytes
// with its assembly beside it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BareMachine, CODE, DATA } from '../../tests/support/bare-machine.ts';
import { mfn, vaddr } from '../base/index.ts';
import { Access, Assist, Cpu, Exit, type ExitReason, Rflags } from '../engine/index.ts';
import { PageFaultError, Pte, Vector } from '../x86/index.ts';

const INT3 = 'cc';
const USER_DATA = Pte.PRESENT | Pte.USER | Pte.WRITABLE;

test('engine: runs straight code and stops behind int3', () => {
  const m = new BareMachine();
  m.code(`48 c7 c0 05 00 00 00 48 83 c0 07 ${INT3}`); // mov $5,%rax; add $7,%rax
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
  assert.equal(m.get('RAX'), 12n);
  assert.equal(m.vcpu.state.rip, BigInt(CODE + 12));
});

test('engine: an endless loop ends with its budget', () => {
  const m = new BareMachine();
  m.code('eb fe'); // jmp .
  assert.equal(m.engine.enter(m.vcpu, 1000), Exit.BUDGET);
  assert.equal(m.vcpu.state.rip, BigInt(CODE));
  assert.ok(m.engine.counters.instructions >= 1000);
});

test('engine: entries with a budget of one instruction get on', () => {
  const m = new BareMachine();
  m.code(`48 ff c0 eb 00 48 ff c0 ${INT3}`); // inc %rax; jmp .+2; inc %rax
  m.set({ RAX: 0n });
  let reason: number = Exit.BUDGET;
  for (let n = 0; n < 10 && reason === Exit.BUDGET; n++) reason = m.engine.enter(m.vcpu, 1);
  assert.equal(reason, Exit.EXCEPTION);
  assert.equal(m.get('RAX'), 2n);
});

test('engine: a load from an unmapped page reports its address and leaves the registers', () => {
  const m = new BareMachine();
  m.code(`48 03 03 ${INT3}`); // add (%rbx),%rax
  m.set({ RAX: 7n, RBX: BigInt(DATA) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.PF);
  assert.equal(m.engine.exit.faultAddress, BigInt(DATA));
  assert.equal(m.engine.exit.errorCode, 0);
  assert.equal(m.vcpu.state.rip, BigInt(CODE));
  assert.equal(m.get('RAX'), 7n);
});

test('engine: a store to a read-only page is a write fault on a present page', () => {
  const m = new BareMachine();
  m.code(`48 01 03 ${INT3}`); // add %rax,(%rbx)
  m.map(DATA, Pte.PRESENT | Pte.USER);
  m.set({ RBX: BigInt(DATA) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.errorCode, PageFaultError.PRESENT | PageFaultError.WRITE);
});

test('engine: a push that faults leaves rsp', () => {
  const m = new BareMachine();
  m.code(`50 ${INT3}`); // push %rax
  m.set({ RSP: BigInt(DATA) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.get('RSP'), BigInt(DATA));
  assert.equal(m.engine.exit.faultAddress, BigInt(DATA - 8));
});

test('engine: no non-canonical address hits an empty TLB entry', () => {
  for (const address of [0x7fff_0000_0000_0000n, 0x7fff_0000_0000_1000n, 0x7fff_0000_0000_0008n, 0x8000_0000_0000n]) {
    const m = new BareMachine();
    m.code(`48 8b 03 ${INT3}`); // mov (%rbx),%rax
    m.set({ RBX: address });
    assert.equal(m.run(), Exit.EXCEPTION);
    assert.equal(m.engine.exit.vector, Vector.GP, address.toString(16));
  }
});

test('engine: user mode cannot touch a page without U, kernel mode can', () => {
  const m = new BareMachine();
  m.code(`48 8b 03 ${INT3}`); // mov (%rbx),%rax
  m.map(DATA, Pte.PRESENT | Pte.WRITABLE);
  m.set({ RBX: BigInt(DATA) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
  m.vcpu.state.rip = BigInt(CODE);
  m.vcpu.state.writeU32(Cpu.KERNEL_MODE, 0);
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.PF);
  assert.equal(m.engine.exit.errorCode, PageFaultError.PRESENT);
});

test('engine: a page without execute permission does not run', () => {
  const m = new BareMachine();
  m.code(INT3);
  const entry = m.entry(CODE);
  m.memory.view.setUint32(entry + 4, 0x80000000, true);
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.PF);
  assert.equal(m.engine.exit.errorCode, PageFaultError.PRESENT | PageFaultError.FETCH);
});

test('engine: accesses set the accessed bit, and only writes the dirty bit', () => {
  const m = new BareMachine();
  m.code(`48 8b 03 48 89 01 ${INT3}`); // mov (%rbx),%rax; mov %rax,(%rcx)
  m.map(DATA, USER_DATA);
  m.map(DATA + 4096, USER_DATA);
  m.set({ RBX: BigInt(DATA), RCX: BigInt(DATA + 4096) });
  m.run();
  assert.equal(m.memory.view.getUint32(m.entry(DATA), true) & 0xfff, USER_DATA | Pte.ACCESSED);
  assert.equal(m.memory.view.getUint32(m.entry(DATA + 4096), true) & 0xfff, USER_DATA | Pte.ACCESSED | Pte.DIRTY);
});

test('engine: a load and a store across a page end use both pages', () => {
  const m = new BareMachine();
  m.code(`48 8b 03 48 ff c0 48 89 03 48 01 03 ${INT3}`); // mov (%rbx),%rax; inc %rax; mov %rax,(%rbx); add %rax,(%rbx)
  const first = m.map(DATA);
  m.allocate();
  const second = m.map(DATA + 4096);
  m.memory.u8.set([0xff, 0xff, 0xff], first * 4096 + 4093);
  m.set({ RBX: BigInt(DATA + 4093) });
  m.run();
  assert.equal(m.get('RAX'), 0x1000000n);
  assert.deepEqual([...m.memory.u8.subarray(first * 4096 + 4093, first * 4096 + 4096)], [0, 0, 0]);
  assert.equal(m.memory.u8[second * 4096], 2);
});

test('engine: a crossing access that faults on its second page reports that page and writes nothing', () => {
  const m = new BareMachine();
  m.code(`48 89 03 ${INT3}`); // mov %rax,(%rbx)
  const first = m.map(DATA);
  m.set({ RAX: -1n, RBX: BigInt(DATA + 4092) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.faultAddress, BigInt(DATA + 4096));
  assert.equal(m.memory.u8[first * 4096 + 4092], 0);
});

test('engine: an instruction across a page end runs, and follows a remap of the second page', () => {
  const m = new BareMachine();
  m.code('b8 01 00', CODE + 4093); // mov $imm32,%eax: its last bytes are on the next page
  m.code(`00 00 ${INT3}`, CODE + 4096);
  m.vcpu.state.rip = BigInt(CODE + 4093);
  m.run();
  assert.equal(m.get('RAX'), 1n);
  m.code(`02 00 ${INT3}`, CODE + 4096);
  m.vcpu.state.rip = BigInt(CODE + 4093);
  m.run();
  assert.equal(m.get('RAX'), 0x20001n);
});

test('engine: an instruction that runs over into an unmapped page faults there', () => {
  const m = new BareMachine();
  m.code('b8 01 00', CODE + 4093);
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.PF);
  assert.equal(m.engine.exit.faultAddress, BigInt(CODE + 4096));
  assert.equal(m.vcpu.state.rip, BigInt(CODE + 4093));
});

test('engine: code changed through another mapping of its frame runs changed', () => {
  const m = new BareMachine();
  // call f; movb $0x2a,(%rbx); call f; int3; f: mov $1,%eax; ret
  const frame = m.code('e8 09 00 00 00 c6 03 2a e8 01 00 00 00 cc b8 01 00 00 00 c3');
  m.map(DATA, USER_DATA, frame);
  m.map(DATA + 0x10000);
  m.set({ RBX: BigInt(DATA + 15), RSP: BigInt(DATA + 0x10800) });
  m.run();
  assert.equal(m.get('RAX'), 0x2an);
});

test('engine: an instruction that overwrites the next one in its own block runs the new one', () => {
  const m = new BareMachine();
  // movb $0x2a,3+1(%rip); mov $1,%eax; int3
  m.code(`c6 05 01 00 00 00 2a b8 01 00 00 00 ${INT3}`);
  m.run();
  assert.equal(m.get('RAX'), 0x2an);
});

test('engine: a repeated move stops at a fault with its registers at the element that faults', () => {
  const m = new BareMachine();
  m.code(`f3 a4 ${INT3}`); // rep movsb
  m.map(DATA);
  const frame = m.map(DATA + 0x4000);
  m.memory.u8.fill(7, frame * 4096, frame * 4096 + 4096);
  m.set({ RCX: 100n, RSI: BigInt(DATA + 0x4000), RDI: BigInt(DATA + 4096 - 10) });
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.faultAddress, BigInt(DATA + 4096));
  assert.equal(m.get('RCX'), 90n);
  assert.equal(m.get('RSI'), BigInt(DATA + 0x4000 + 10));
  assert.equal(m.vcpu.state.rip, BigInt(CODE));
  m.map(DATA + 4096);
  m.run();
  assert.equal(m.get('RCX'), 0n);
});

test('engine: the trap flag stops after every instruction', () => {
  const m = new BareMachine();
  m.code(`90 48 ff c0 48 ff c0 ${INT3}`); // nop; inc %rax; inc %rax
  m.vcpu.state.rflags = 0x202 | Rflags.TF;
  for (const rip of [1, 4, 7]) {
    assert.equal(m.run(), Exit.EXCEPTION);
    assert.equal(m.engine.exit.vector, Vector.DB);
    assert.equal(m.vcpu.state.rip, BigInt(CODE + rip));
  }
  assert.equal(m.get('RAX'), 2n);
});

test('engine: a step with a writable copy leaves the page itself alone', () => {
  const m = new BareMachine();
  m.code(`48 87 03 ${INT3}`); // xchg %rax,(%rbx)
  const frame = m.map(DATA, Pte.PRESENT | Pte.USER);
  const copy = m.allocate();
  m.memory.u8[frame * 4096] = 5;
  m.memory.u8[copy * 4096] = 5;
  m.set({ RAX: 9n, RBX: BigInt(DATA) });
  assert.equal(m.engine.stepWithWritable(m.vcpu, vaddr(DATA), mfn(copy)), Exit.BUDGET);
  assert.equal(m.get('RAX'), 5n);
  assert.equal(m.memory.u8[frame * 4096], 5);
  assert.equal(m.memory.u8[copy * 4096], 9);
  m.set({ RBX: BigInt(DATA) });
  m.vcpu.state.rip = BigInt(CODE);
  assert.equal(m.run(), Exit.EXCEPTION, 'the copy is gone after the step');
});

test('engine: translate answers for the mode that is asked for', () => {
  const m = new BareMachine();
  const frame = m.map(DATA, Pte.PRESENT);
  assert.equal(m.engine.translate(m.vcpu, vaddr(DATA + 5), Access.READ, true), frame * 4096 + 5);
  assert.equal(m.engine.translate(m.vcpu, vaddr(DATA), Access.READ, false), -1);
  assert.equal(m.engine.translate(m.vcpu, vaddr(DATA), Access.WRITE, true), -1);
});

test('engine: privileged instructions come out decoded', () => {
  const m = new BareMachine();
  m.code('41 0f 20 e1'); // mov %cr4,%r9
  assert.equal(m.run(), Exit.ASSIST);
  assert.equal(m.engine.exit.assist, Assist.MOV_FROM_CR);
  assert.equal(m.engine.exit.reg, 9);
  assert.equal(m.engine.exit.index, 4);
  assert.equal(m.engine.exit.nextRip, BigInt(CODE + 4));
  assert.equal(m.vcpu.state.rip, BigInt(CODE));
});

test('engine: two vCPUs keep their own registers', () => {
  const m = new BareMachine();
  m.code(`48 ff c0 ${INT3}`); // inc %rax
  const other = m.engine.createContext();
  other.state.bytes.set(m.vcpu.state.bytes);
  other.state.gpr[0] = 100n;
  m.run();
  m.engine.enter(other, 1000);
  assert.equal(m.get('RAX'), 1n);
  assert.equal(other.state.gpr[0], 101n);
});

test('engine: a flush forgets every page, however many had been touched', () => {
  for (const nrPages of [3, 900]) {
    const m = new BareMachine(4096);
    m.code(`48 89 03 48 81 c3 00 10 00 00 48 ff c9 75 f1 ${INT3}`); // f: mov %rax,(%rbx); add $4096,%rbx; dec %rcx; jne f
    for (let page = 0; page < nrPages; page++) m.map(DATA + page * 4096);
    const touch = (): number => {
      m.vcpu.state.rip = BigInt(CODE);
      m.set({ RBX: BigInt(DATA), RCX: BigInt(nrPages) });
      m.run();
      return m.engine.exit.vector;
    };
    for (let round = 0; round < 3; round++) assert.equal(touch(), Vector.BP);
    for (let page = 0; page < nrPages; page++) m.memory.view.setUint32(m.entry(DATA + page * 4096), 0, true);
    m.engine.flushTlb();
    for (let page = 0; page < nrPages; page++) {
      m.vcpu.state.rip = BigInt(CODE);
      m.set({ RBX: BigInt(DATA + page * 4096), RCX: 1n });
      m.run();
      assert.equal(m.engine.exit.vector, Vector.PF, `page ${page} of ${nrPages}`);
    }
  }
});

test('engine: an instruction that stores before its end and overwrites a nop behind it runs the new one', () => {
  const m = new BareMachine();
  m.code(`0f c0 05 02 00 00 00 ff c2 90 ${INT3}`); // xadd %al,2(%rip); inc %edx; nop; int3: the nop at 9 becomes 0x90 + al
  m.set({ RAX: 0x3cn }); // 0x90 + 0x3c = 0xcc: int3
  m.run();
  assert.equal(m.vcpu.state.rip, BigInt(CODE + 10), 'stops behind the byte that was a nop');
  m.code(`0f c0 05 00 00 00 00 90 ${INT3}`); // xadd %al,0(%rip): the nop right behind it
  m.set({ RAX: 0x3cn });
  m.run();
  assert.equal(m.vcpu.state.rip, BigInt(CODE + 8));
});

test('engine: a page that is decoded for a region of another page leaves the write TLB', () => {
  const m = new BareMachine(1024, 'compiler');
  m.code('b0 00 c3', CODE + 0x1000); // mov $0,%al; ret
  const store = 'c6 04 25 01 10 00 10 05'; // movb $5,CODE+0x1001
  m.map(DATA);
  m.set({ RSP: BigInt(DATA + 0x800), RCX: BigInt(CODE + 0x800) });
  const frame = m.code(`e8 fb 0f 00 00 ${store} ${store} ff e1`); // call CODE+0x1000; twice; jmp *%rcx
  const behind = `fe 04 25 01 10 00 10 e8 f4 07 00 00 ${INT3}`; // incb CODE+0x1001; call CODE+0x1000
  m.memory.u8.set(Buffer.from(behind.replaceAll(' ', ''), 'hex'), frame * 4096 + 0x800);
  assert.equal(m.run(), Exit.EXCEPTION);
  assert.equal(m.engine.exit.vector, Vector.BP);
  assert.equal(m.get('RAX') & 0xffn, 6n);
});

test('engine: a flush of the writes to a frame ends them at every address and in both modes', () => {
  const m = new BareMachine();
  const frame = m.map(DATA);
  m.map(DATA + 0x1000, undefined, frame);
  const other = m.map(DATA + 0x2000);
  m.code(`88 03 88 83 00 10 00 00 88 83 00 20 00 00 ${INT3}`); // mov %al,(%rbx); mov %al,0x1000(%rbx); mov %al,0x2000(%rbx)
  const stores = (mode: number, at = 0): ExitReason => {
    m.set({ RAX: 7n, RBX: BigInt(DATA) });
    m.vcpu.state.rip = BigInt(CODE + at);
    m.vcpu.state.writeU32(Cpu.KERNEL_MODE, mode);
    return m.run();
  };
  for (const mode of [0, 1]) stores(mode);
  for (const page of [0, 0x1000, 0x2000])
    m.memory.view.setUint32(
      m.entry(DATA + page),
      (page === 0x2000 ? other : frame) * 4096 + Pte.PRESENT + Pte.USER,
      true,
    );
  m.engine.flushWritesTo(mfn(frame));
  for (const mode of [0, 1]) {
    for (const at of [0, 2]) {
      assert.equal(stores(mode, at), Exit.EXCEPTION);
      assert.equal(m.engine.exit.vector, Vector.PF);
    }
    stores(mode, 8);
    assert.equal(m.engine.exit.vector, Vector.BP, 'nobody flushed the other frame');
  }
});

test('engine: a flush of the lower half keeps what kernel mode has of the upper half, and tells its tables', () => {
  const m = new BareMachine();
  const upper = 0xffff_9000_0000_5000n;
  const low48 = 0x9000_0000_5000;
  const frame = m.map(low48);
  const other = m.allocate();
  m.map(DATA);
  m.code(`8a 03 ${INT3}`); // mov (%rbx),%al
  const load = (address: bigint, mode: number): number => {
    m.set({ RAX: 0n, RBX: address });
    m.vcpu.state.rip = BigInt(CODE);
    m.vcpu.state.writeU32(Cpu.KERNEL_MODE, mode);
    m.run();
    return Number(m.get('RAX'));
  };
  m.memory.u8[other * 4096] = 5;
  const table = mfn(Math.floor(m.entry(low48) / 4096));
  assert.ok(!m.engine.reachesUpperHalf(table));
  for (const mode of [0, 1]) for (const address of [upper, BigInt(DATA)]) load(address, mode);
  assert.ok(m.engine.reachesUpperHalf(table));
  assert.ok(!m.engine.reachesUpperHalf(mfn(Math.floor(m.entry(DATA) / 4096))));
  for (const page of [low48, DATA]) m.memory.view.setUint32(m.entry(page), other * 4096 + USER_DATA, true);
  assert.equal(load(BigInt(DATA), 1), 0, 'nobody has flushed');
  for (let i = 0; i < 3; i++) {
    m.engine.flushTlbLowerHalf();
    assert.equal(load(upper, 1), 0, 'kept');
    assert.equal(load(upper, 0), 5);
    for (const mode of [0, 1]) assert.equal(load(BigInt(DATA), mode), 5);
  }
  m.engine.flushTlb();
  assert.ok(!m.engine.reachesUpperHalf(table));
  assert.equal(load(upper, 1), 5);
  assert.notEqual(frame, other);
});

test('engine: a flush of the lower half ends calls between compiled functions there, in either mode', () => {
  for (const mode of [0, 1]) {
    const m = new BareMachine();
    m.map(DATA);
    m.code('b8 01 00 00 00 c3', CODE + 0x1000); // mov $1,%eax; ret
    m.code(`e8 fb 0f 00 00 ${INT3}`); // call CODE+0x1000
    const run = (): number => {
      m.set({ RSP: BigInt(DATA + 0x800), RAX: 0n });
      m.vcpu.state.rip = BigInt(CODE);
      m.vcpu.state.writeU32(Cpu.KERNEL_MODE, mode);
      m.run();
      return Number(m.get('RAX'));
    };
    for (let i = 0; i < 5; i++) assert.equal(run(), 1);
    const other = m.allocate();
    m.memory.u8.set([0xb8, 2, 0, 0, 0, 0xc3], other * 4096);
    m.memory.view.setUint32(m.entry(CODE + 0x1000), other * 4096 + USER_DATA, true);
    m.engine.flushTlbLowerHalf();
    assert.equal(run(), 2, `mode ${mode}`);
  }
});

test('engine: a step with a writable copy says how much its instruction can have stored', () => {
  const instructions = {
    '48 87 03': 16, // xchg %rax,(%rbx)
    'f0 48 0f c7 0b': 0, // lock cmpxchg16b (%rbx): two stores
    '0f 11 03': 16, // movups %xmm0,(%rbx)
    aa: 0, // stos
    'f3 aa': 0, // rep stos
    '0f ae 03': 0, // fxsave (%rbx)
    'ff 13': 0, // call *(%rbx)
  };
  for (const [hex, size] of Object.entries(instructions)) {
    const m = new BareMachine();
    m.code(`${hex} ${INT3}`);
    m.map(DATA, Pte.PRESENT | Pte.USER);
    m.set({ RBX: BigInt(DATA), RDI: BigInt(DATA), RCX: 3n, RSP: BigInt(DATA + 0x800) });
    m.engine.stepWithWritable(m.vcpu, vaddr(DATA), mfn(m.allocate()));
    assert.equal(m.engine.exit.size, size, hex);
  }
});
