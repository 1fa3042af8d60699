// Instructions whose records the golden file of `lowering.test.ts` shows, as hex digits.

/** One instruction each, with at least one of every family. */
export const GOLDEN_CODE: readonly string[] = [
  '4801d8', // add rax,rbx
  '00e1', // add cl,ah
  '48832c2408', // sub QWORD PTR [rsp],8
  '6683c001', // add ax,1
  '3d78563412', // cmp eax,imm
  '803f00', // cmp BYTE PTR [rdi],0
  '31c0', // xor eax,eax
  'f0ff0424', // lock inc
  'f7d9', // neg ecx
  '480fafc3', // imul rax,rbx
  '6bc00a', // imul eax,eax,10
  '48f7f1', // div rcx
  'f6f4', // div ah
  'c1e005', // shl eax,5
  'c1e000', // shl eax,0
  '48d3e8', // shr rax,cl
  'd1147b', // rcl DWORD PTR [rbx+rdi*2],1
  '0fa4d804', // shld eax,ebx,4
  '0fa30f', // bt DWORD PTR [rdi],ecx
  'f0480fab8780000000', // lock bts [rdi+0x80],rax
  '0fbaf007', // btr eax,7
  '480fbcc1', // bsf rax,rcx
  'f3480fb8c1', // popcnt
  'f20f38f0c4', // crc32 eax,ah
  '0f94c0', // sete al
  '480f44c3', // cmove rax,rbx
  '0f4c07', // cmovl eax,[rdi]
  '488b0425 28000000', // mov rax,ds:0x28
  '65488b042528000000', // mov rax,gs:0x28
  '67898c8300010000', // mov [ebx+eax*4+0x100],ecx
  '64678b4c8310', // mov ecx,fs:[ebx+eax*4+0x10]
  '488b0510000000', // mov rax,[rip+0x10]
  '48b80807060504030201', // movabs
  '48c7c0ffffffff', // mov rax,-1
  'c60700', // mov BYTE PTR [rdi],0
  '0fb607', // movzx eax,BYTE PTR [rdi]
  '480fbec4', // movsx rax,spl
  '0fbf07', // movsx eax,WORD PTR [rdi]
  '4863c7', // movsxd rax,edi
  '8d4c8b08', // lea ecx,[rbx+rcx*4+8]
  '488703', // xchg [rbx],rax
  '0fc103', // xadd [rbx],eax
  '0fb10b', // cmpxchg [rbx],ecx
  '480fc70e', // cmpxchg16b [rsi]
  '98', // cwde
  '4899', // cqo
  '480fc8', // bswap rax
  'd7', // xlat
  '55', // push rbp
  '6668 3412', // push 16-bit immediate
  'ff742410', // push [rsp+16]
  '8f442410', // pop [rsp+16]
  '665c', // pop sp
  '0fa0', // push fs
  '9c', // pushf
  '9d', // popf
  'c8200002', // enter 32,2
  'c9', // leave
  'e810000000', // call
  'ffd0', // call rax
  'ff6710', // jmp [rdi+16]
  'c20800', // ret 8
  '7410', // je
  'e2fe', // loop
  'e1fe', // loope
  'e3fe', // jrcxz
  'f348a5', // rep movsq
  'f2ae', // repnz scasb
  'fc', // cld
  '9f', // lahf
  '0f05', // syscall
  'cc', // int3
  'cd80', // int 0x80
  '48cf', // iretq
  '0fa2', // cpuid
  '0f31', // rdtsc
  '8ed8', // mov ds,eax
  '0fa1', // pop fs
  '0f22d8', // mov cr3,rax
  'e464', // in al,0x64
  'ff2f', // jmp far
  '0f03c1', // lsl eax,ecx
  '90', // nop
];
