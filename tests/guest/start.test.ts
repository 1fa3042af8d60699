// What a guest finds when it starts, however its image describes itself.

import { SIF, START_INFO, XenVer } from '../../src/abi/index.ts';
import { at, byteOf, registers } from '../support/assembler/operands.ts';
import { CODE64, DATA64, M2P, VIRT_BASE } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';

const { rax, rcx, rdx, rdi } = registers;

guestTest('start: a kernel that does nothing succeeds', () => {});

guestTest('start: the start information page says what there is', (k) => {
  k.startInfo(0);
  k.expect('the magic', 0x2d302e332d6e6578n);
  k.startInfo(START_INFO.flags, 4);
  k.and(rax, ~SIF.VIRT_P2M_4TOOLS);
  k.expect('the flags', 0);
  k.startInfo(START_INFO.store_evtchn, 4);
  k.and(rax, -16);
  k.expect('the store port is small', 0);
  k.startInfo(START_INFO.mod_len);
  k.expect('no module', 0);
  k.startInfo(START_INFO.pt_base);
  k.entry(rax);
  k.and(rcx, 2);
  k.mov(rax, rcx);
  k.expect('the page tables are mapped read-only', 0);
  k.movFromSegment(rax, 'cs');
  k.expect('cs', CODE64);
  k.movFromSegment(rax, 'ss');
  k.expect('ss', DATA64);
});

guestTest('start: each frame is in the machine-to-physical table under its pfn', (k) => {
  k.label('next');
  k.mov(rdi, k.cell('start_info'));
  k.mov(rcx, k.cell('pfn'));
  k.cmp(rcx, at(rdi, START_INFO.nr_pages));
  k.j('ae', 'done');
  k.mov(rdi, at(rdi, START_INFO.mfn_list));
  k.mov(rax, at(rdi, 0, { index: rcx, scale: 8 }));
  k.mov(rdi, M2P);
  k.mov(rax, at(rdi, 0, { index: rax, scale: 8 }));
  k.inc(k.cell('pfn'));
  k.cmp(rax, rcx);
  k.j('e', 'next');
  k.expect('the pfn', k.cell('pfn'));
  k.label('done');
});

guestTest('start: the machine-to-physical table cannot be written', (k) => {
  k.mov(rdx, M2P);
  k.expectTrap('a store to it', 14, () => k.mov(at(rdx), rax));
  k.mov(rax, k.cell('trap.cr2'));
  k.expect('cr2', M2P);
  k.mov(rax, k.cell('trap.error'));
  k.expect('the error code: present, write', 3);
});

guestTest(
  'start: the hypercall page works',
  (k) => {
    k.mov(rdi, XenVer.XENVER_version);
    k.mov(registers.rsi, 0);
    k.call('hypercall_page_version');
    k.shr(rax, 16);
    k.expect('the major version by the page', 4);
    k.jmp('over');
    k.label('hypercall_page_version');
    k.lea(rax, at('hypercall_page', 17 * 32));
    k.jmp(rax);
    k.label('over');
    k.movzx(rax, byteOf(at('hypercall_page')));
    k.expect('its first byte is push', 0x51);
  },
  { hypercallPage: true },
);

guestTest(
  'start: the p2m is where the image wants it',
  (k) => {
    k.startInfo(START_INFO.mfn_list);
    k.expect('its address', 0x8000000000n);
    k.startInfo(START_INFO.first_p2m_pfn);
    k.shl(rax, 12);
    k.load(rcx, VIRT_BASE);
    k.add(rax, rcx);
    k.keep('list');
    k.startInfo(START_INFO.nr_p2m_frames);
    k.expectOneOf('frames of the list and its tables', 6, 11); // 11 with 16 MiB
    k.startInfo(START_INFO.first_p2m_pfn);
    k.mov(rcx, 0x8000000000n);
    k.mov(rax, at(rcx, 0, { index: rax, scale: 8 }));
    k.keep('frame');
    k.mov(rcx, M2P);
    k.mov(rax, k.cell('frame'));
    k.mov(rax, at(rcx, 0, { index: rax, scale: 8 }));
    k.shl(rax, 12);
    k.load(rcx, VIRT_BASE);
    k.add(rax, rcx);
    k.expect("the list's own frame", k.cell('list'));
  },
  { initP2m: 0x8000000000n },
);
