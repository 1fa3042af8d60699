/*
 * Runs single instructions on the real CPU, each from a given state, and reports the state they leave.
 * Reads struct test_case from standard input until its end and writes one struct test_result for each.
 * Built and run by tests/cpu/record.ts; the layouts below are read and written there too.
 *
 * How: a signal handler loads the whole test state into the ucontext it returns to. The instruction
 * is followed by int3, so that it ends in a second signal, whose handler stores the state and goes
 * back to the main loop. A fault ends it the same way.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

#define CODE_BASE 0x10000000ul
#define DATA_BASE 0x10010000ul
#define PAGE 4096
#define WINDOW 256 /* bytes of the data page that are loaded and stored, from WINDOW_OFFSET on */
#define WINDOW_OFFSET 1024
#define CODE_OFFSET 512
#define INT3 0xcc

struct test_case {
  uint64_t gpr[16]; /* in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
  uint64_t rflags;
  uint8_t code[16]; /* code[15] is the length */
  uint8_t fx[512];  /* FXSAVE image */
  uint8_t data[WINDOW];
};

struct test_result {
  uint64_t gpr[16];
  uint64_t rflags;
  uint64_t rip; /* relative to the first byte of the instruction */
  uint32_t signal; /* 0: ran into the int3 */
  uint32_t vector;
  uint64_t error;
  uint64_t address; /* of a page fault */
  uint8_t fx[512];
  uint8_t data[WINDOW];
};

static struct test_case test;
static struct test_result result;
static ucontext_t home;
static uint8_t home_fx[8192];
static size_t fx_size;
static volatile int running;

static const int ucontext_register[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                           REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

/* Size of the frame's FPU state: legacy area, plus the extended part when its magic is there. */
static size_t size_of_fx(const void *fx) {
  uint32_t magic, size;
  memcpy(&magic, (const uint8_t *)fx + 464, 4);
  memcpy(&size, (const uint8_t *)fx + 468, 4);
  return magic == 0x46505853 ? size : 512;
}

static void begin(ucontext_t *uc) {
  uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
  fx_size = size_of_fx(fx);
  if (fx_size > sizeof home_fx) abort();
  memcpy(&home, uc, sizeof home);
  memcpy(home_fx, fx, fx_size);
  for (int i = 0; i < 16; i++) uc->uc_mcontext.gregs[ucontext_register[i]] = (greg_t)test.gpr[i];
  uc->uc_mcontext.gregs[REG_RIP] = CODE_BASE + CODE_OFFSET;
  uc->uc_mcontext.gregs[REG_EFL] = (greg_t)test.rflags;
  memcpy(fx, test.fx, 416); /* up to the bytes that the kernel uses itself */
  if (fx_size > 512) {
    uint64_t present;
    memcpy(&present, fx + 512, 8);
    present |= 3; /* x87 and SSE state are there, not in their initial configuration */
    memcpy(fx + 512, &present, 8);
  }
  running = 1;
}

static void finish(int signal, siginfo_t *info, ucontext_t *uc) {
  const uint8_t *fx = (const uint8_t *)uc->uc_mcontext.fpregs;
  memset(&result, 0, sizeof result);
  for (int i = 0; i < 16; i++) result.gpr[i] = (uint64_t)uc->uc_mcontext.gregs[ucontext_register[i]];
  result.rflags = (uint64_t)uc->uc_mcontext.gregs[REG_EFL];
  result.rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP] - CODE_BASE - CODE_OFFSET;
  result.vector = (uint32_t)uc->uc_mcontext.gregs[REG_TRAPNO];
  result.error = (uint64_t)uc->uc_mcontext.gregs[REG_ERR];
  if (signal == SIGTRAP && result.vector == 3) result.rip--;
  else result.signal = (uint32_t)signal;
  if (result.vector == 14) result.address = (uint64_t)info->si_addr;
  memcpy(result.fx, fx, 416);
  memcpy(result.data, (void *)(DATA_BASE + WINDOW_OFFSET), WINDOW);
  running = 0;
  void *fpregs = uc->uc_mcontext.fpregs;
  memcpy(fpregs, home_fx, fx_size);
  memcpy(uc->uc_mcontext.gregs, home.uc_mcontext.gregs, sizeof home.uc_mcontext.gregs);
}

static void on_signal(int signal, siginfo_t *info, void *context) {
  if (signal == SIGUSR1) begin(context);
  else if (running) finish(signal, info, context);
  else _exit(2);
}

int main(void) {
  static uint8_t stack[65536];
  stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
  uint8_t *code = mmap((void *)CODE_BASE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  uint8_t *data = mmap((void *)DATA_BASE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (code == MAP_FAILED || data == MAP_FAILED || sigaltstack(&alternate, NULL) != 0) return 1;
  struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
  const int signals[] = { SIGUSR1, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) sigaction(signals[i], &action, NULL);
  while (fread(&test, sizeof test, 1, stdin) == 1) {
    memset(code, INT3, PAGE);
    memcpy(code + CODE_OFFSET, test.code, test.code[15]);
    memset(data, 0, PAGE);
    memcpy(data + WINDOW_OFFSET, test.data, WINDOW);
    raise(SIGUSR1);
    if (fwrite(&result, sizeof result, 1, stdout) != 1) return 1;
  }
  return 0;
}
