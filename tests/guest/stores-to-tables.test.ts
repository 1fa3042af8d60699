// Writable page tables: a guest's stores to its read-only mapped L1 tables are carried out when they are
// good, whatever instruction makes them, and fault when they are not.

import { Vector } from '../../src/x86/index.ts';
import { at, byteOf, dwordOf, registers, wordOf } from '../support/assembler/operands.ts';
import { Flags } from '../support/guest/constants.ts';
import { guestTest } from '../support/guest/guest-test.ts';
import type { Kernel } from '../support/guest/kernel.ts';

const { rax, rbx, rcx, rdx, rsi, rdi, al, cl } = registers;

/** Two pages with different contents; rdx = address of the entry of `window`, `cell.a` and `cell.b` their entries. */
function prepare(k: Kernel): void {
  for (const name of ['window', 'a', 'b']) k.page(name);
  k.set(at('a'), 0xaaaa);
  k.set(at('b'), 0xbbbb);
  for (const name of ['a', 'b']) {
    k.pte(name, Flags.DATA);
    k.keep(name);
  }
  k.mov(rax, at('window')); // in the TLB
}

/** A write to `window` faults once its old translation is gone. */
function expectNoAccess(k: Kernel, how: string, access: () => void): void {
  k.flush('window');
  k.expectTrap(how, Vector.PF, access);
}

/** rdx = address of the entry that maps `window`. */
function toEntry(k: Kernel): void {
  k.entry('window');
  k.mov(rcx, 0);
}

function expectWindow(k: Kernel, how: string, contents: number): void {
  k.flush('window');
  k.mov(rax, at('window'));
  k.expect(how, contents);
}

guestTest('stores to tables: mov, xchg, cmpxchg, lock cmpxchg and stos replace an entry', (k) => {
  prepare(k);
  toEntry(k);
  k.mov(rax, k.cell('a'));
  k.mov(at(rdx), rax);
  expectWindow(k, 'mov', 0xaaaa);
  toEntry(k);
  k.mov(rax, k.cell('b'));
  k.xchg(at(rdx), rax);
  // But for the marks that a hypervisor may add: U, and bits that are the guest's own to it.
  k.mov(rcx, 0x000fffffffffff9bn);
  k.and(rax, rcx);
  k.keep('old');
  expectWindow(k, 'xchg', 0xbbbb);
  k.mov(rax, k.cell('a'));
  k.and(rax, ~0x64);
  k.keep('a.bare');
  k.mov(rax, k.cell('old'));
  k.expect('what xchg returned', k.cell('a.bare'));
  toEntry(k);
  k.mov(rax, at(rdx));
  k.mov(rcx, k.cell('a'));
  k.lock();
  k.cmpxchg(at(rdx), rcx);
  expectWindow(k, 'lock cmpxchg', 0xaaaa);
  toEntry(k);
  k.mov(rax, 0x1234);
  k.mov(rcx, k.cell('b'));
  k.lock();
  k.cmpxchg(at(rdx), rcx);
  expectWindow(k, 'a lock cmpxchg that does not match', 0xaaaa);
  toEntry(k);
  k.mov(rdi, rdx);
  k.mov(rax, k.cell('b'));
  k.stosq();
  expectWindow(k, 'stos', 0xbbbb);
  toEntry(k);
  k.mov(rdi, rdx);
  k.lea(rsi, k.cell('a'));
  k.movsq();
  expectWindow(k, 'movs', 0xaaaa);
  toEntry(k);
  k.mov(rdi, rdx);
  k.push(k.cell('b'));
  k.pop(at(rdi));
  expectWindow(k, 'pop', 0xbbbb);
});

guestTest('stores to tables: and, or, bts and btr change bits, also one byte at a time', (k) => {
  prepare(k);
  k.mov(at('window'), 0x11);
  toEntry(k);
  k.lock();
  k.and(byteOf(at(rdx)), ~2);
  expectNoAccess(k, 'a write after lock andb took RW away', () => k.mov(at('window'), 0x22));
  toEntry(k);
  k.lock();
  k.bts(at(rdx), 1);
  k.flush('window');
  k.mov(at('window'), 0x33);
  expectWindow(k, 'a write after bts gave RW back', 0x33);
  toEntry(k);
  k.lock();
  k.btr(at(rdx), 5);
  k.mov(rax, at(rdx));
  k.and(rax, 0x20);
  k.expect('A after btr', 0);
  toEntry(k);
  k.and(at(rdx), -2);
  expectNoAccess(k, 'a read after and took P away', () => k.mov(rax, at('window')));
  toEntry(k);
  k.or(dwordOf(at(rdx)), 1);
  expectWindow(k, 'after orl gave P back', 0x33);
  toEntry(k);
  k.xor(wordOf(at(rdx)), 2);
  expectNoAccess(k, 'a write after xorw took RW away', () => k.mov(at('window'), 0x22));
  toEntry(k);
  k.mov(al, 0x63);
  k.mov(byteOf(at(rdx)), al);
  k.flush('window');
  k.mov(at('window'), 0x44);
  expectWindow(k, 'a write after movb gave RW back', 0x44);
  toEntry(k);
  k.inc(byteOf(at(rdx)));
  k.dec(byteOf(at(rdx)));
  k.mov(cl, 0x63);
  k.xchg(byteOf(at(rdx)), cl);
  expectWindow(k, 'after inc, dec and xchgb', 0x44);
});

guestTest('stores to tables: halves of an entry can be written one by one, when each step is good', (k) => {
  prepare(k);
  toEntry(k);
  k.mov(dwordOf(at(rdx)), 0);
  k.mov(dwordOf(at(rdx, 4)), 0);
  expectNoAccess(k, 'a read of nothing', () => k.mov(rax, at('window')));
  toEntry(k);
  k.mov(rax, k.cell('a'));
  k.mov(dwordOf(at(rdx)), registers.eax);
  expectWindow(k, 'the low half', 0xaaaa);
  toEntry(k);
  k.expectTrap('a high half that names no frame', Vector.PF, () => k.mov(dwordOf(at(rdx, 4)), 0xf_ffff));
  expectWindow(k, 'it is as it was', 0xaaaa);
});

guestTest('stores to tables: a bad entry is refused with a fault, and nothing changes', (k) => {
  prepare(k);
  k.mov(at('window'), 0x55);
  k.foreignFrame();
  k.shl(rax, 12);
  k.or(rax, Flags.DATA);
  k.keep('foreign');
  k.entry('window');
  k.and(rax, -4096);
  k.or(rax, Flags.DATA);
  k.keep('table');
  for (const name of ['foreign', 'table']) {
    toEntry(k);
    k.mov(rbx, k.cell(name));
    k.expectTrap(`mov of a ${name} entry`, Vector.PF, () => k.mov(at(rdx), rbx));
    toEntry(k);
    k.mov(rbx, k.cell(name));
    k.expectTrap(`xchg of a ${name} entry`, Vector.PF, () => k.xchg(at(rdx), rbx));
    k.mov(rax, rbx);
    k.expect('xchg did not change its register', k.cell(name));
    toEntry(k);
    k.mov(rax, at(rdx));
    k.mov(rbx, k.cell(name));
    k.expectTrap(`cmpxchg of a ${name} entry`, Vector.PF, () => k.cmpxchg(at(rdx), rbx));
    expectWindow(k, 'the page', 0x55);
  }
});

guestTest('stores to tables: a store across two entries is refused', (k) => {
  prepare(k);
  toEntry(k);
  k.expectTrap('an unaligned store', Vector.PF, () => k.mov(at(rdx, 4), rax));
  toEntry(k);
  k.expectTrap('an unaligned store of 4 bytes', Vector.PF, () => k.mov(dwordOf(at(rdx, 2)), registers.eax));
});

guestTest('stores to tables: tables of higher levels are not written by stores', (k) => {
  prepare(k);
  for (const level of [2, 3, 4]) {
    k.entry('window', level);
    k.expectTrap(`a store of what is there to an L${level} table`, Vector.PF, () => k.mov(at(rdx), rcx));
    k.entry('window', level);
    k.expectTrap(`a store of 0 to an unused slot of an L${level} table`, Vector.PF, () => k.mov(at(rdx, -800), 0));
  }
});

guestTest('stores to tables: a genuine write fault on a read-only page stays a fault', (k) => {
  prepare(k);
  k.protect('a', Flags.READ_ONLY);
  k.expect('read-only', 0);
  k.expectTrap('a store', Vector.PF, () => k.mov(at('a'), 1));
  k.mov(rax, k.cell('trap.error'));
  k.expect('the error code', 3);
  k.mov(rax, at('a'));
  k.expect('the page', 0xaaaa);
});
