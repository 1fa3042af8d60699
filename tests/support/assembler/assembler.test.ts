// Every form of the assembler against its bytes, which a disassembler of others (objdump) confirmed: the
// second test asks it again where there is one.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Assembler } from './assembler.ts';
import { at, byteOf, dwordOf, registers, wordOf } from './operands.ts';

const { rax, rbx, rcx, rdx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 } = registers;
const { eax, ecx, edx, ebx, esi, edi, ax, cx, al, cl, dl, bl } = registers;

/** What is said, and what objdump calls it. */
const forms: readonly (readonly [(a: Assembler) => void, string])[] = [
  [(a) => a.mov(rax, rbx), 'mov rax,rbx'],
  [(a) => a.mov(r8, r15), 'mov r8,r15'],
  [(a) => a.mov(eax, edi), 'mov eax,edi'],
  [(a) => a.mov(ax, cx), 'mov ax,cx'],
  [(a) => a.mov(al, bl), 'mov al,bl'],
  [(a) => a.mov(rax, 5), 'mov rax,0x5'],
  [(a) => a.mov(rax, -1), 'mov rax,0xffffffffffffffff'],
  [(a) => a.mov(r9, 0x80000000), 'mov r9d,0x80000000'],
  [(a) => a.mov(r12, 0x123456789abcdef0n), 'movabs r12,0x123456789abcdef0'],
  [(a) => a.mov(ecx, 7), 'mov ecx,0x7'],
  [(a) => a.mov(dl, 7), 'mov dl,0x7'],
  [(a) => a.mov(rax, at(rbx)), 'mov rax,QWORD PTR [rbx+0x0]'],
  [(a) => a.mov(rax, at(rsp, 8)), 'mov rax,QWORD PTR [rsp+0x8]'],
  [(a) => a.mov(r10, at(r12, 0x1000)), 'mov r10,QWORD PTR [r12+0x1000]'],
  [(a) => a.mov(at(r13, -8), r14), 'mov QWORD PTR [r13-0x8],r14'],
  [(a) => a.mov(rax, at(rbp, 0, { index: rcx, scale: 8 })), 'mov rax,QWORD PTR [rbp+rcx*8+0x0]'],
  [(a) => a.mov(rax, at(r8, 0, { index: r9, scale: 8 })), 'mov rax,QWORD PTR [r8+r9*8+0x0]'],
  [(a) => a.mov(rax, at(0x1000)), 'mov rax,QWORD PTR ds:0x1000'],
  [(a) => a.mov(rax, at(8, 0, { segment: 'gs' })), 'mov rax,QWORD PTR gs:0x8'],
  [(a) => a.mov(rax, at(rdi, 0, { segment: 'fs' })), 'mov rax,QWORD PTR fs:[rdi+0x0]'],
  [(a) => a.mov(byteOf(at(rdi)), 1), 'mov BYTE PTR [rdi+0x0],0x1'],
  [(a) => a.mov(wordOf(at(rdi)), 1), 'mov WORD PTR [rdi+0x0],0x1'],
  [(a) => a.mov(dwordOf(at(rdi)), 1), 'mov DWORD PTR [rdi+0x0],0x1'],
  [(a) => a.mov(at(rdi), -1), 'mov QWORD PTR [rdi+0x0],0xffffffffffffffff'],
  [(a) => a.movzx(rax, byteOf(at(rsi))), 'movzx rax,BYTE PTR [rsi+0x0]'],
  [(a) => a.movzx(ebx, wordOf(at(rsi))), 'movzx ebx,WORD PTR [rsi+0x0]'],
  [(a) => a.movsxd(rax, dwordOf(at(rsi))), 'movsxd rax,DWORD PTR [rsi+0x0]'],
  [(a) => a.lea(r11, at(rax, 4)), 'lea r11,[rax+0x4]'],
  [(a) => a.xchg(at(rdi), rax), 'xchg QWORD PTR [rdi+0x0],rax'],
  [(a) => a.push(r12), 'push r12'],
  [(a) => a.push(at(rax)), 'push QWORD PTR [rax+0x0]'],
  [(a) => a.push(-2), 'push 0xfffffffffffffffe'],
  [(a) => a.pop(rbx), 'pop rbx'],
  [(a) => a.add(rax, 1), 'add rax,0x1'],
  [(a) => a.add(rdx, 0x1000), 'add rdx,0x1000'],
  [(a) => a.or(at(rdi), rcx), 'or QWORD PTR [rdi+0x0],rcx'],
  [(a) => a.and(byteOf(at(rdi)), -3), 'and BYTE PTR [rdi+0x0],0xfd'],
  [(a) => a.sub(rsp, 16), 'sub rsp,0x10'],
  [(a) => a.xor(edx, edx), 'xor edx,edx'],
  [(a) => a.cmp(rax, at(rsi)), 'cmp rax,QWORD PTR [rsi+0x0]'],
  [(a) => a.cmp(dwordOf(at(rsi)), 0x12345), 'cmp DWORD PTR [rsi+0x0],0x12345'],
  [(a) => a.test(rax, rax), 'test rax,rax'],
  [(a) => a.test(rax, 0x10), 'test rax,0x10'],
  [(a) => a.test(byteOf(at(rdi)), 1), 'test BYTE PTR [rdi+0x0],0x1'],
  [(a) => a.inc(dwordOf(at(rax))), 'inc DWORD PTR [rax+0x0]'],
  [(a) => a.dec(rcx), 'dec rcx'],
  [(a) => a.neg(rax), 'neg rax'],
  [(a) => a.div(rcx), 'div rcx'],
  [(a) => a.imul(rax, rdi), 'imul rax,rdi'],
  [(a) => a.shl(rax, 12), 'shl rax,0xc'],
  [(a) => a.shr(r9, 3), 'shr r9,0x3'],
  [(a) => a.rol(rax, 4), 'rol rax,0x4'],
  [(a) => a.bts(at(rdi), 63), 'bts QWORD PTR [rdi+0x0],0x3f'],
  [(a) => a.btr(at(rdi), 5), 'btr QWORD PTR [rdi+0x0],0x5'],
  [(a) => (a.lock(), a.cmpxchg(at(rdi), rcx)), 'lock cmpxchg QWORD PTR [rdi+0x0],rcx'],
  [(a) => a.cmpxchg16b(at(rdi)), 'cmpxchg16b OWORD PTR [rdi+0x0]'],
  [(a) => a.xadd(at(rdi), rax), 'xadd QWORD PTR [rdi+0x0],rax'],
  [(a) => a.jmp(rax), 'jmp rax'],
  [(a) => a.call(at(rax, 8)), 'call QWORD PTR [rax+0x8]'],
  [(a) => a.ret(), 'ret'],
  [(a) => a.nop(), 'nop'],
  [(a) => a.syscall(), 'syscall'],
  [(a) => a.sysenter(), 'sysenter'],
  [(a) => a.int(0x80), 'int 0x80'],
  [(a) => a.int3(), 'int3'],
  [(a) => a.ud2(), 'ud2'],
  [(a) => a.pause(), 'pause'],
  [(a) => a.iretq(), 'iretq'],
  [(a) => (a.rep(), a.movsb()), 'rep movs BYTE PTR es:[rdi],BYTE PTR ds:[rsi]'],
  [(a) => a.movsq(), 'movs QWORD PTR es:[rdi],QWORD PTR ds:[rsi]'],
  [(a) => a.stosb(), 'stos BYTE PTR es:[rdi],al'],
  [(a) => a.stosq(), 'stos QWORD PTR es:[rdi],rax'],
  [(a) => a.pushf(), 'pushf'],
  [(a) => a.popf(), 'popf'],
  [(a) => a.cld(), 'cld'],
  [(a) => a.std(), 'std'],
  [(a) => a.cli(), 'cli'],
  [(a) => a.sti(), 'sti'],
  [(a) => a.hlt(), 'hlt'],
  [(a) => a.cpuid(), 'cpuid'],
  [(a) => a.rdtsc(), 'rdtsc'],
  [(a) => a.rdmsr(), 'rdmsr'],
  [(a) => a.wrmsr(), 'wrmsr'],
  [(a) => a.inb(), 'in al,dx'],
  [(a) => a.outb(), 'out dx,al'],
  [(a) => a.movFromControl(rax, 3), 'mov rax,cr3'],
  [(a) => a.movToControl(4, rcx), 'mov cr4,rcx'],
  [(a) => a.movToSegment('ds', rax), 'mov ds,eax'],
  [(a) => a.movFromSegment(rax, 'cs'), 'mov eax,cs'],
  [(a) => a.swapgs(), 'swapgs'],
  [(a) => a.sysretq(), 'sysretq'],
  [(a) => a.wbinvd(), 'wbinvd'],
  [(a) => a.invlpg(at(rax)), 'invlpg BYTE PTR [rax+0x0]'],
  [(a) => a.lgdt(at(rax)), 'lgdt [rax+0x0]'],
  [(a) => a.lidt(at(rax)), 'lidt [rax+0x0]'],
  [(a) => a.fninit(), 'fninit'],
  [(a) => a.fld1(), 'fld1'],
  [(a) => a.fldpi(), 'fldpi'],
  [(a) => a.fistp(at(rax)), 'fistp QWORD PTR [rax+0x0]'],
  [(a) => a.fild(at(rax)), 'fild QWORD PTR [rax+0x0]'],
  [(a) => a.movqToXmm(3, rax), 'movq xmm3,rax'],
  [(a) => a.movqFromXmm(rcx, 3), 'movq rcx,xmm3'],
  [(a) => a.movdquFromXmm(at(rdi), 3), 'movdqu XMMWORD PTR [rdi+0x0],xmm3'],
  [(a) => a.ldmxcsr(at(rdi)), 'ldmxcsr DWORD PTR [rdi+0x0]'],
  [(a) => a.stmxcsr(at(rdi)), 'stmxcsr DWORD PTR [rdi+0x0]'],
  [(a) => a.cmp(cl, 3), 'cmp cl,0x3'],
  [(a) => a.mov(esi, 0x10), 'mov esi,0x10'],
];

test('assembler: a label is reached from before and from behind, as an address, as memory and as data', () => {
  const a = new Assembler(0xffffffff80000000n);
  a.label('start');
  a.jmp('end'); // 5 bytes
  a.mov(dwordOf(at('cell', 4)), 0x11223344); // 10 bytes
  a.label('end');
  a.lea(rax, at('start')); // 7 bytes
  a.later(() => {
    a.label('cell');
    a.u64('end', 0);
  });
  const image = a.link();
  assert.equal(image.length, 8192);
  const view = new DataView(image.buffer);
  assert.equal(view.getInt32(1, true), 10);
  assert.equal(view.getInt32(7, true), 4096 + 4 - 15, 'the displacement counts from behind the immediate');
  assert.equal(view.getInt32(18, true), -22);
  assert.equal(view.getBigUint64(4096, true), 0xffffffff8000000fn);
  assert.equal(a.addressOf('end'), 0xffffffff8000000fn);
});

test('assembler: a missing label and one placed twice are refused', () => {
  const a = new Assembler(0n);
  a.jmp('nowhere');
  assert.throws(() => a.link(), /no label nowhere/);
  a.label('here');
  assert.throws(() => a.label('here'), /twice/);
});

test('assembler: another disassembler reads every form as it was meant', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'assembler-'));
  try {
    const a = new Assembler(0n);
    for (const [emit] of forms) {
      emit(a);
    }
    const file = join(directory, 'forms.bin');
    writeFileSync(file, a.link());
    const output = disassemble(file);
    if (output === undefined) {
      context.diagnostic('objdump is not installed: the forms were not compared');
      return;
    }
    const lines = output
      .split('\n')
      .filter((line) => /^ *[0-9a-f]+:\t/.test(line))
      .map((line) =>
        line
          .replace(/^.*?:\t/, '')
          .replace(/ +#.*$/, '')
          .replace(/ +/g, ' ')
          .trim(),
      );
    assert.deepEqual(
      lines.slice(0, forms.length),
      forms.map(([, text]) => text),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** What objdump prints; undefined where there is none. */
function disassemble(file: string): string | undefined {
  const options = ['-D', '-b', 'binary', '-m', 'i386:x86-64', '-M', 'intel', '--no-show-raw-insn'];
  try {
    return execFileSync('objdump', [...options, file], { encoding: 'utf8' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
