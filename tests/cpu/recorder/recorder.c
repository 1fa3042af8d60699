/*
 * Runs instructions on the real CPU, each case from a given state, and reports the state they leave.
 * Reads struct test_case from standard input until its end and writes one struct test_result for each.
 * Built and run by tests/cpu/recorder-client.ts; machine-layout.ts has the same layouts and addresses.
 *
 * How: a signal handler loads the whole test state into the ucontext it returns to. The code pages
 * are full of int3, so that the case ends in a second signal, whose handler stores the state and goes
 * back to the main loop. A fault ends it the same way.
 *
 * Pages: two of code, an unmapped one; one read-only page, two data pages, an unmapped one.
 */
#define _GNU_SOURCE
#include <immintrin.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#define PAGE 4096ul
#define CODE_BASE 0x10000000ul
#define CODE_SIZE (2 * PAGE)
#define READ_ONLY 0x1000f000ul
#define DATA_BASE 0x10010000ul
#define DATA_SIZE (2 * PAGE)
#define FS_BASE (DATA_BASE - 0x1000000)
#define GS_BASE 0x7ffff0000000ul
#define INT3 0xcc
#define FX 416 /* bytes of an FXSAVE image that the CPU defines */
#define CODE_BYTES 256
/* Windows of the data pages that are loaded and stored: their beginning, their middle, their end. */
#define WINDOW_0 32
#define WINDOW_1 768
#define WINDOW_2 64
#define WINDOWS (WINDOW_0 + WINDOW_1 + WINDOW_2)

struct test_case {
  uint64_t gpr[16]; /* in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
  uint64_t rflags;
  uint32_t code_offset;
  uint32_t code_length;
  uint8_t code[CODE_BYTES];
  uint8_t fx[FX];
  uint8_t data[WINDOWS];
};

struct test_result {
  uint64_t gpr[16];
  uint64_t rflags;
  uint64_t rip;
  uint32_t vector; /* 3 behind the int3 */
  uint32_t error;
  uint64_t address; /* of a page fault */
  uint8_t fx[FX];
  uint8_t data[WINDOWS];
};

static struct test_case test;
static struct test_result result;
static ucontext_t home;
static uint8_t home_fx[16384];
static size_t fx_size;
static volatile int running;
static uint64_t home_fs;

static const int ucontext_register[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                           REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

/* Size of the frame's FPU state: legacy area, plus the extended part when its magic is there. */
static size_t size_of_fx(const void *fx) {
  uint32_t magic, size;
  memcpy(&magic, (const uint8_t *)fx + 464, 4);
  memcpy(&size, (const uint8_t *)fx + 468, 4);
  return magic == 0x46505853 ? size : 512;
}

/* ID and NT are not part of what sigreturn restores. */
static void clear_sticky_flags(void) {
  __asm__ volatile("pushfq; andq $~0x204000, (%%rsp); popfq" ::: "cc", "memory");
}

static void copy_windows(uint8_t *to, const uint8_t *from, int load) {
  static const struct { size_t offset, size; } windows[] = {
    { 0, WINDOW_0 }, { PAGE - WINDOW_1 / 2, WINDOW_1 }, { 2 * PAGE - WINDOW_2, WINDOW_2 }
  };
  size_t at = 0;
  for (size_t i = 0; i < 3; i++) {
    if (load) memcpy(to + windows[i].offset, from + at, windows[i].size);
    else memcpy(to + at, from + windows[i].offset, windows[i].size);
    at += windows[i].size;
  }
}

static void begin(ucontext_t *uc) {
  uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
  clear_sticky_flags();
  fx_size = size_of_fx(fx);
  if (fx_size > sizeof home_fx) abort();
  memcpy(&home, uc, sizeof home);
  memcpy(home_fx, fx, fx_size);
  for (int i = 0; i < 16; i++) uc->uc_mcontext.gregs[ucontext_register[i]] = (greg_t)test.gpr[i];
  uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(CODE_BASE + test.code_offset);
  uc->uc_mcontext.gregs[REG_EFL] = (greg_t)test.rflags;
  memcpy(fx, test.fx, FX);
  if (fx_size > 512) {
    uint64_t present;
    memcpy(&present, fx + 512, 8);
    present |= 3; /* x87 and SSE state are there, not in their initial configuration */
    memcpy(fx + 512, &present, 8);
  }
  running = 1;
  _writefsbase_u64(FS_BASE);
}

static void finish(siginfo_t *info, ucontext_t *uc) {
  _writefsbase_u64(home_fs);
  const uint8_t *fx = (const uint8_t *)uc->uc_mcontext.fpregs;
  clear_sticky_flags();
  memset(&result, 0, sizeof result);
  for (int i = 0; i < 16; i++) result.gpr[i] = (uint64_t)uc->uc_mcontext.gregs[ucontext_register[i]];
  result.rflags = (uint64_t)uc->uc_mcontext.gregs[REG_EFL];
  result.rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
  result.vector = (uint32_t)uc->uc_mcontext.gregs[REG_TRAPNO];
  if (result.vector == 13 || result.vector == 14) result.error = (uint32_t)uc->uc_mcontext.gregs[REG_ERR];
  if (result.vector == 14) result.address = (uint64_t)info->si_addr;
  memcpy(result.fx, fx, FX);
  copy_windows(result.data, (const uint8_t *)DATA_BASE, 0);
  running = 0;
  memcpy(uc->uc_mcontext.fpregs, home_fx, fx_size);
  memcpy(uc->uc_mcontext.gregs, home.uc_mcontext.gregs, sizeof home.uc_mcontext.gregs);
}

static void on_signal(int signal, siginfo_t *info, void *context) {
  if (running) finish(info, context);
  else if (signal == SIGUSR1) begin(context);
  else _exit(2);
}

static uint8_t *map(uint64_t address, size_t size, int protection) {
  uint8_t *page = mmap((void *)address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (page == MAP_FAILED) exit(3);
  return page;
}

int main(void) {
  static uint8_t stack[131072];
  stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
  uint8_t *code = map(CODE_BASE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
  uint8_t *read_only = map(READ_ONLY, PAGE, PROT_READ | PROT_WRITE);
  uint8_t *data = map(DATA_BASE, DATA_SIZE, PROT_READ | PROT_WRITE);
  for (size_t i = 0; i < PAGE; i++) read_only[i] = (uint8_t)(i * 167 + 13);
  if (mprotect(read_only, PAGE, PROT_READ) != 0 || sigaltstack(&alternate, NULL) != 0) return 1;
  if (syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE) != 0) return 1;
  home_fs = _readfsbase_u64();
  struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
  const int signals[] = { SIGUSR1, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) sigaction(signals[i], &action, NULL);
  while (fread(&test, sizeof test, 1, stdin) == 1) {
    memset(code, INT3, CODE_SIZE);
    memcpy(code + test.code_offset, test.code, test.code_length);
    memset(data, 0, DATA_SIZE);
    copy_windows(data, test.data, 1);
    raise(SIGUSR1);
    if (fwrite(&result, sizeof result, 1, stdout) != 1) return 1;
  }
  return 0;
}
