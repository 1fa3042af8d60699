/* The lines of the bench that ask something of the kernel or run other programs. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include "compute.h"
#include <stddef.h>
#include <sys/types.h>

/* All lines; the last one has no name. */
extern const struct line system_lines[];

line_fn null_call, rw_byte, signal_delivery, pipe_hop, fork_exit, fork_exec, page_fault, mmap_64m, file_on_tmpfs, memcpy_libc;
line_fn gzip_8m, python_loop;

/* Where things are: set once, before any line runs. */
struct places {
    /* what stands before the path of every program that a line starts; "" in a guest */
    const char *root;
    /* a folder on a tmpfs */
    const char *tmpfs;
    /* this program */
    const char *self;
};
extern struct places places;

/* A process that a line has started and keeps, or 0. */
extern pid_t helper_process;

/* Argument with which this program ends at once, with this status. */
#define EXIT_ARGUMENT "--exit"
#define EXIT_STATUS 7

/* Reports that the line can't run, with what errno says, and ends the process. */
__attribute__((noreturn)) void fail(const char *what);

/* Ends the line unless `ok`. */
static inline void check(int ok, const char *what)
{
    if (!ok)
        fail(what);
}

/* For lines of several processes: all of them on the processor that this one is on, as in a guest with one. */
void stay_on_processor(void);

#endif
