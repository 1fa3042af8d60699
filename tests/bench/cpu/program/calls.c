/* Cheap calls of the kernel: the null call, a byte read and written, a signal, a file made and deleted, memory mapped. */

#define _GNU_SOURCE
#include "system.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALLS = 1000, FILES = 100, PAGE = 4096, FAULTS = 4096 };
#define MAPPED (64ul << 20)
/* linux/magic.h */
#define TMPFS_MAGIC 0x01021994

uint64_t null_call(uint64_t units)
{
    long parent = getppid();
    uint64_t right = 0;
    for (uint64_t i = 0; i < units * CALLS; i++)
        right += syscall(SYS_getppid) == parent;
    return right;
}

uint64_t rw_byte(uint64_t units)
{
    int from = open("/dev/zero", O_RDONLY), to = open("/dev/null", O_WRONLY);
    check(from >= 0 && to >= 0, "/dev/zero and /dev/null");
    uint64_t right = 0;
    for (uint64_t i = 0; i < units * CALLS; i++) {
        char byte = 1;
        right += read(from, &byte, 1) == 1 && byte == 0 && write(to, &byte, 1) == 1;
    }
    close(from);
    close(to);
    return right;
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

uint64_t signal_delivery(uint64_t units)
{
    struct sigaction action = {.sa_handler = count_signal};
    check(sigaction(SIGUSR1, &action, 0) == 0, "sigaction");
    pid_t self = getpid();
    uint64_t right = 0;
    for (uint64_t i = 0; i < units * CALLS; i++) {
        signals = 0;
        kill(self, SIGUSR1);
        right += signals == 1;
    }
    return right;
}

uint64_t file_on_tmpfs(uint64_t units)
{
    struct statfs about;
    check(statfs(places.tmpfs, &about) == 0 && about.f_type == TMPFS_MAGIC, "no tmpfs");
    char path[256];
    snprintf(path, sizeof path, "%s/bench-file-%d", places.tmpfs, (int)getpid());
    uint64_t right = 0;
    for (uint64_t i = 0; i < units * FILES; i++) {
        int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        right += file >= 0 && close(file) == 0 && unlink(path) == 0;
    }
    return right;
}

/* Memory in pages of 4 KiB, on every machine. */
static uint8_t *map(size_t bytes, int flags)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    uint8_t *memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    check(memory != MAP_FAILED, "mmap");
    return memory;
}

uint64_t page_fault(uint64_t units)
{
    uint64_t right = 0;
    while (units-- > 0) {
        volatile uint8_t *memory = map(FAULTS * PAGE, 0);
        for (size_t at = 0; at < FAULTS * PAGE; at += PAGE) {
            memory[at] += 1;
            right += memory[at];
        }
        munmap((void *)memory, FAULTS * PAGE);
    }
    return right;
}

/* The kernel fills the whole mapping at once. */
uint64_t mmap_64m(uint64_t units)
{
    uint64_t right = 0;
    while (units-- > 0) {
        volatile uint8_t *memory = map(MAPPED, MAP_POPULATE);
        for (size_t at = 0; at < MAPPED; at += MAPPED / 16)
            right += memory[at] == 0;
        munmap((void *)memory, MAPPED);
    }
    return right;
}

/* The library's copy, in whatever way it finds best for the processor. */
uint64_t memcpy_libc(uint64_t units)
{
    enum { BULK = 4 << 20 };
    static uint8_t from[BULK], to[BULK];
    void *(*volatile copy)(void *, const void *, size_t) = memcpy;
    memset(from, 5, BULK);
    uint64_t right = 0;
    while (units-- > 0) {
        to[0] = to[BULK / 2] = to[BULK - 1] = 0;
        copy(to, from, BULK);
        right += to[0] + to[BULK / 2] + to[BULK - 1];
    }
    return right;
}
