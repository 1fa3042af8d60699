/* The program of the bench: reads requests from standard input and answers each with times. The same file runs on the machine
 * itself and in guests, where it is the first process.
 *
 *   request   NAME WARM_MS SAMPLE_MS SAMPLES
 *   answer    @ NAME warm
 *   request   (an empty line)
 *   answer    @ NAME VALUE ELAPSED_NS OPERATIONS PROCESSOR_NS NS NS ...
 *             the value of a unit; since the empty line: time, operations, processor time of all; time of one operation in each sample
 *   or        @ NAME failed: REASON
 *
 * Each line runs in a process of its own, so that no line finds what another has left in memory. */

#define _GNU_SOURCE
#include "system.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SAMPLES = 64 };
#define NS_PER_MS 1000000ull

pid_t helper_process;
struct places places = {"", "/tmp", ""};

struct request {
    char name[32];
    unsigned long long warm_ms, sample_ms;
    unsigned samples;
};

static const char *running = "";

void fail(const char *what)
{
    printf("@ %s failed: %s (%s)\n", running, what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Runs so many units and checks what they compute. The first value of a line that has no known one stands for all. */
static uint64_t timed(const struct line *line, uint64_t units, uint64_t *value)
{
    uint64_t start = now(), sum = line->run(units), elapsed = now() - start;
    if (*value == 0)
        *value = sum / units;
    errno = 0;
    check(sum == *value * units, "computed something else");
    return elapsed > 0 ? elapsed : 1;
}

/* Time that this process, those it has waited for, and its helper have had a processor. */
static uint64_t processor_time(void)
{
    struct timespec own, helper = {0, 0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    clockid_t clock;
    if (helper_process != 0 && clock_getcpuclockid(helper_process, &clock) == 0)
        clock_gettime(clock, &helper);
    struct rusage ended;
    getrusage(RUSAGE_CHILDREN, &ended);
    uint64_t seconds = (uint64_t)(own.tv_sec + helper.tv_sec + ended.ru_utime.tv_sec + ended.ru_stime.tv_sec);
    uint64_t us = (uint64_t)(ended.ru_utime.tv_usec + ended.ru_stime.tv_usec);
    return seconds * 1000000000u + (uint64_t)(own.tv_nsec + helper.tv_nsec) + us * 1000;
}

static void wait_for_line(void)
{
    char text[8];
    check(fgets(text, sizeof text, stdin) != 0, "no request");
}

static void measure(const struct line *line, const struct request *request)
{
    uint64_t start = now(), value = line->value, units = 1, most;
    do {
        uint64_t elapsed = timed(line, units, &value);
        most = request->sample_ms * NS_PER_MS * units / elapsed;
        units = most < 1 ? 1 : most < units * 4 ? most : units * 4;
    } while (now() - start < request->warm_ms * NS_PER_MS || units * 2 < most);
    printf("@ %s warm\n", line->name);
    fflush(stdout);
    wait_for_line();
    double samples[MAX_SAMPLES];
    uint64_t processor = processor_time();
    start = now();
    for (unsigned i = 0; i < request->samples; i++)
        samples[i] = (double)timed(line, units, &value) / (double)units / line->ops_per_unit;
    unsigned long long elapsed = now() - start, operations = request->samples * units * line->ops_per_unit;
    processor = processor_time() - processor;
    printf("@ %s %llx %llu %llu %llu", line->name, (unsigned long long)value, elapsed, operations, (unsigned long long)processor);
    for (unsigned i = 0; i < request->samples; i++)
        printf(" %.4f", samples[i]);
    printf("\n");
}

static const struct line *find_line(const char *name)
{
    for (const struct line *line = compute_lines; line->name != 0; line++)
        if (strcmp(line->name, name) == 0)
            return line;
    for (const struct line *line = system_lines; line->name != 0; line++)
        if (strcmp(line->name, name) == 0)
            return line;
    return 0;
}

static void serve(void)
{
    struct termios terminal;
    if (tcgetattr(0, &terminal) == 0) {
        terminal.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSANOW, &terminal);
    }
    /* the children read on where this process has stopped */
    setvbuf(stdin, 0, _IONBF, 0);
    printf("@ ready\n");
    fflush(stdout);
    char text[128];
    while (fgets(text, sizeof text, stdin) != 0) {
        struct request request;
        if (sscanf(text, "%31s %llu %llu %u", request.name, &request.warm_ms, &request.sample_ms, &request.samples) != 4)
            continue;
        if (request.samples > MAX_SAMPLES)
            request.samples = MAX_SAMPLES;
        running = request.name;
        pid_t child = fork();
        if (child == 0) {
            const struct line *line = find_line(request.name);
            errno = ENOENT;
            check(line != 0, "no such line");
            measure(line, &request);
            fflush(stdout);
            _exit(0);
        }
        int status = 0;
        /* the first process is also the parent of whatever others have left */
        for (pid_t ended = 0; ended != child && ended != -1;)
            ended = wait(&status);
        if (WIFSIGNALED(status)) {
            printf("@ %s failed: signal %d\n", request.name, WTERMSIG(status));
            fflush(stdout);
        }
    }
}

/* What a first process does before anything else. */
static void prepare_guest(void)
{
    mkdir("/proc", 0755);
    mkdir("/tmp", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, 0);
    mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
    check(mount("tmpfs", "/tmp", "tmpfs", 0, 0) == 0, "mounting /tmp");
}

/* Without arguments: in a guest. Else: the root of the other programs, and a folder on a tmpfs. */
int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], EXIT_ARGUMENT) == 0)
        return EXIT_STATUS;
    places.self = argv[0];
    if (getpid() == 1) {
        prepare_guest();
    } else if (argc == 3) {
        places.root = argv[1];
        places.tmpfs = argv[2];
    } else {
        fprintf(stderr, "usage: %s ROOT TMPFS\n", argv[0]);
        return 2;
    }
    serve();
    return 0;
}
