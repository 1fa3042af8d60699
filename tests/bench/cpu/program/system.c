/* The table of the lines that need a kernel. A value of 0 stands for one that depends on a version: the sides must agree on it. */

#include "system.h"

const struct line system_lines[] = {
    {"memcpy-libc", "MiB", 4, 15, memcpy_libc},
    {"gzip", "8 MiB", 1, 0, gzip_8m},
    {"python", "loop", 1, 0x22e1067u, python_loop},
    {"null-call", "call", 1000, 1000, null_call},
    {"rw-byte", "read+write", 1000, 1000, rw_byte},
    {"signal", "signal", 1000, 1000, signal_delivery},
    {"pipe", "hop", 200, 100, pipe_hop},
    {"fork-exit", "process", 1, 1, fork_exit},
    {"fork-exec", "process", 1, 1, fork_exec},
    {"page-fault", "page", 4096, 4096, page_fault},
    {"mmap", "64 MiB", 1, 16, mmap_64m},
    {"file", "file", 100, 100, file_on_tmpfs},
    {0, 0, 0, 0, 0},
};
