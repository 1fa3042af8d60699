/* The table of the lines that only compute. */

#include "compute.h"

const struct line compute_lines[] = {
    {"int-mix", "step", 10000, 0xedecbe415c58858u, int_mix},
    {"sha256", "KiB", 16, 0x4348e3b98e8a327bu, sha256},
    {"sort", "1 M ints", 1, 0x78b9673edb285af0u, sort},
    {"chase", "load", 262144, 0x7fffe0000u, chase},
    {"hash", "operation", 98304, 0x103f6u, hash},
    {"matmul", "multiply-add", 128 * 128 * 128, 0x96e8b930c2b7ddf7u, matmul},
    {"matmul-dots", "multiply-add", 128 * 128 * 128, 0x96e8b930c2b7ddf7u, matmul_dots},
    {"mandelbrot", "picture", 1, 0x1a852eu, mandelbrot},
    {"fib", "call", 242785, 0x12511u, fib},
    {"bytecode", "collatz sum", 1, 0x3747u, bytecode},
    {"strlen", "byte", 4095, 0xfffu, byte_strlen},
    {"byte-copy", "byte", 4096, 0x6339u, byte_copy},
    {"memcpy", "MiB", 4, 0x2c9f21e64a1u, memcpy_sse2},
    {"memcpy-rep", "MiB", 4, 0x2c9f21e64a1u, memcpy_rep},
    {0, 0, 0, 0, 0},
};
