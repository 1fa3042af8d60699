/* The lines of the bench that only compute. They call no library and no system, so that they also link without either
 * (-ffreestanding) and run on a bare engine. Every one does the same unit of work again and again: its value is always the
 * same, which is how each timed call is checked. */
#ifndef COMPUTE_H
#define COMPUTE_H

#include <stdint.h>

/* Does `units` units of work. Returns the sum of their values modulo 2^64: units * the line's `value`. */
typedef uint64_t line_fn(uint64_t units);

struct line {
    const char *name;
    /* what one operation is; times are given for one */
    const char *op;
    uint32_t ops_per_unit;
    /* what one unit must compute */
    uint64_t value;
    line_fn *run;
};

/* All lines; the last one has no name. */
extern const struct line compute_lines[];

line_fn int_mix, sha256, sort, chase, hash, matmul, matmul_dots, mandelbrot, fib, bytecode, byte_strlen, byte_copy, memcpy_sse2, memcpy_rep;

/* Keeps the compiler from knowing a value, so that it can't compute ahead or lift a unit out of its loop. */
#define HIDE(value) __asm__ volatile("" : "+r"(value) : : "memory")

/* The next of a fixed series of numbers; `state` must not be 0. */
static inline uint32_t next_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

#endif
