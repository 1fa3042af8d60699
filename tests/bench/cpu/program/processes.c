/* Processes: a byte handed to and fro between two of them, and new ones that end at once or run another program first. */

#define _GNU_SOURCE
#include "system.h"
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUND_TRIPS = 100 };

void stay_on_processor(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    check(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

/* Sends back every byte plus one, until there are no more. */
static void answer(int from, int to)
{
    char byte;
    while (read(from, &byte, 1) == 1) {
        byte++;
        if (write(to, &byte, 1) != 1)
            break;
    }
    _exit(0);
}

uint64_t pipe_hop(uint64_t units)
{
    static int to, from;
    if (to == 0) {
        int there[2], back[2];
        check(pipe(there) == 0 && pipe(back) == 0, "pipe");
        stay_on_processor();
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            close(there[1]);
            close(back[0]);
            answer(there[0], back[1]);
        }
        helper_process = child;
        close(there[0]);
        close(back[1]);
        to = there[1];
        from = back[0];
    }
    uint64_t right = 0;
    for (uint64_t i = 0; i < units * ROUND_TRIPS; i++) {
        char sent = (char)i, byte = 0;
        right += write(to, &sent, 1) == 1 && read(from, &byte, 1) == 1 && byte == (char)(sent + 1);
    }
    return right;
}

/* Waits for a process and tells whether it ended as it should. */
static int ended_with(pid_t child, int expected)
{
    int status;
    check(child >= 0, "fork");
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == expected;
}

uint64_t fork_exit(uint64_t units)
{
    stay_on_processor();
    uint64_t right = 0;
    while (units-- > 0) {
        pid_t child = fork();
        if (child == 0)
            _exit(EXIT_STATUS);
        right += ended_with(child, EXIT_STATUS);
    }
    return right;
}

uint64_t fork_exec(uint64_t units)
{
    stay_on_processor();
    uint64_t right = 0;
    while (units-- > 0) {
        pid_t child = fork();
        if (child == 0) {
            execl(places.self, places.self, EXIT_ARGUMENT, (char *)0);
            _exit(1);
        }
        right += ended_with(child, EXIT_STATUS);
    }
    return right;
}
