/*
 * Runs single floating point instructions on the real CPU, one per request, and reports what each left
 * behind. It knows nothing about floating point: requests come from the generator in this directory,
 * as fixed-size binary records on standard input; answers go to standard output in the same order.
 * The instruction finds its memory operand (64 bytes) through RSI; RAX and the flags are given and reported.
 * Build: gcc -O1 -o float-recorder float-recorder.c
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

struct request {
  uint8_t code[16]; /* instruction bytes; the rest is zero */
  uint64_t code_size;
  uint64_t rax;
  uint64_t rflags;
  uint8_t pad[24];
  uint8_t memory[512] __attribute__((aligned(16)));
  uint8_t image[512] __attribute__((aligned(16))); /* FXRSTOR64 image */
};

struct answer {
  uint64_t trap; /* 0, or 1 + vector */
  uint64_t rax;
  uint64_t rflags;
  uint64_t code_address; /* what FIP is relative to */
  uint64_t memory_address;
  uint8_t pad[24];
  uint8_t memory[512] __attribute__((aligned(16)));
  uint8_t image[512] __attribute__((aligned(16))); /* FXSAVE64 image */
};

static struct request request;
static struct answer answer;
static sigjmp_buf after_trap;

static void on_signal(int number, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  (void)number;
  (void)info;
  answer.trap = 1 + uc->uc_mcontext.gregs[REG_TRAPNO];
  answer.rax = uc->uc_mcontext.gregs[REG_RAX];
  answer.rflags = uc->uc_mcontext.gregs[REG_EFL];
  memcpy(answer.image, uc->uc_mcontext.fpregs, 512);
  siglongjmp(after_trap, 1);
}

static void run(void *code) {
  __asm__ volatile(
      "fxrstor64 %[in]\n"
      "mov %[memory], %%rsi\n"
      "mov %[code], %%r11\n"
      "mov %[rax], %%rax\n"
      "pushq %[flags]\n"
      "popfq\n"
      "call *%%r11\n"
      "pushfq\n"
      "popq %[flags_out]\n"
      "mov %%rax, %[rax_out]\n"
      "fxsave64 %[out]\n"
      "fninit\n"
      "cld\n"
      : [out] "=m"(answer.image), [rax_out] "=m"(answer.rax), [flags_out] "=m"(answer.rflags)
      : [in] "m"(request.image), [memory] "r"(answer.memory), [code] "r"(code), [rax] "m"(request.rax),
        [flags] "m"(request.rflags)
      : "rax", "rsi", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

int main(void) {
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static const int signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGTRAP};
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};
  if (code == MAP_FAILED) return 1;
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  while (fread(&request, sizeof request, 1, stdin) == 1) {
    if (request.code_size > sizeof request.code) return 1;
    memcpy(code, request.code, request.code_size);
    code[request.code_size] = 0xc3;
    memset(&answer, 0, sizeof answer);
    memcpy(answer.memory, request.memory, sizeof answer.memory);
    answer.code_address = (uint64_t)code;
    answer.memory_address = (uint64_t)answer.memory;
    if (sigsetjmp(after_trap, 1) == 0) run(code);
    uint32_t control = 0x1f80;
    __asm__ volatile("fninit\n ldmxcsr %0" : : "m"(control));
    if (fwrite(&answer, sizeof answer, 1, stdout) != 1) return 1;
  }
  return 0;
}
