/* Real programs: gzip packs 8 MiB, and python3 computes. Both are started through the dynamic linker of their own root, so that
 * the same files run on every side, wherever the root lies. */

#define _GNU_SOURCE
#include "system.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT = 8 << 20, PATH = 512 };

/* A text of 4096 words in random order, which packs about as well as prose. */
static void write_input(int file)
{
    uint8_t *text = malloc(INPUT + 16);
    check(text != 0, "malloc");
    uint32_t random = 2024;
    for (size_t at = 0; at < INPUT;) {
        uint32_t word = next_random(&random) % 4096;
        /* common words come more often */
        word = word * (next_random(&random) % 4096) / 4096;
        uint32_t letters = word * 2654435761u | 1;
        for (uint32_t left = 2 + word % 9; left > 0; left--)
            text[at++] = (uint8_t)('a' + next_random(&letters) % 26);
        text[at++] = word % 13 == 0 ? '\n' : ' ';
    }
    check(write(file, text, INPUT) == INPUT, "writing the input");
    free(text);
}

/* A number for what is in a file from offset 10 on: the header before it may hold a time. */
static uint64_t digest(int file)
{
    static uint64_t words[INPUT / 8];
    memset(words, 0, sizeof words);
    check(pread(file, words, sizeof words, 10) > 0, "reading the output");
    uint64_t sum = 0;
    for (size_t i = 0; i < INPUT / 8; i++)
        sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15u;
    return sum >> 8;
}

static int scratch_file(const char *name)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/bench-%s-%d", places.tmpfs, name, (int)getpid());
    int file = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
    check(file >= 0, path);
    unlink(path);
    return file;
}

static const char *in_root(const char *path)
{
    char *whole;
    check(asprintf(&whole, "%s%s", places.root, path) > 0, "asprintf");
    return whole;
}

uint64_t gzip_8m(uint64_t units)
{
    static int input, output;
    if (input == 0) {
        input = scratch_file("input");
        output = scratch_file("output");
        write_input(input);
    }
    const char *busybox = in_root("/bin/busybox");
    uint64_t sum = 0;
    while (units-- > 0) {
        lseek(input, 0, SEEK_SET);
        lseek(output, 0, SEEK_SET);
        check(ftruncate(output, 0) == 0, "ftruncate");
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            dup2(input, 0);
            dup2(output, 1);
            execl(busybox, "busybox", "gzip", "-c", (char *)0);
            _exit(127);
        }
        int status;
        waitpid(child, &status, 0);
        check(status == 0, "gzip failed");
        sum += digest(output);
    }
    return sum;
}

/* Starts python with the script that answers a number of units with the sum of what they compute. */
static void start_python(FILE **to, FILE **from)
{
    int there[2], back[2];
    check(pipe2(there, O_CLOEXEC) == 0 && pipe2(back, O_CLOEXEC) == 0, "pipe");
    const char *linker = in_root("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    char libraries[2 * PATH];
    snprintf(libraries, sizeof libraries, "%s:%s", in_root("/lib/x86_64-linux-gnu"), in_root("/usr/lib/x86_64-linux-gnu"));
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        dup2(there[0], 0);
        dup2(back[1], 1);
        setenv("PYTHONHOME", in_root("/usr"), 1);
        setenv("PYTHONHASHSEED", "0", 1);
        setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
        execl(linker, linker, "--library-path", libraries, in_root("/usr/bin/python3"), "-s", "-S", in_root("/bench/loop.py"), (char *)0);
        _exit(127);
    }
    helper_process = child;
    close(there[0]);
    close(back[1]);
    *to = fdopen(there[1], "w");
    *from = fdopen(back[0], "r");
}

uint64_t python_loop(uint64_t units)
{
    static FILE *to, *from;
    if (to == 0)
        start_python(&to, &from);
    fprintf(to, "%llu\n", (unsigned long long)units);
    fflush(to);
    unsigned long long sum;
    check(fscanf(from, "%llu", &sum) == 1, "python3 ended");
    return sum;
}
