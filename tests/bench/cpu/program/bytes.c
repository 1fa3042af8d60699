/* Loops over memory: byte by byte as simple C does it, 16 bytes at a time, and the processor's own copy instruction. */

#include "compute.h"
#include <emmintrin.h>

enum { TEXT = 4096, BULK = 4 << 20 };

#define PLAIN __attribute__((noinline, optimize("no-tree-vectorize", "no-tree-loop-distribute-patterns", "no-unroll-loops")))

static uint8_t text[TEXT], copied[TEXT];
static __m128i bulk[BULK / 16], bulk_copied[BULK / 16];

static void fill(uint8_t *to, uint32_t length)
{
    for (uint32_t i = 0; i + 1 < length; i++)
        to[i] = (uint8_t)(i * 7 % 255 + 1);
    to[length - 1] = 0;
}

static PLAIN uint64_t strlen_unit(const uint8_t *from)
{
    const uint8_t *at = from;
    while (*at != 0)
        at++;
    return (uint64_t)(at - from);
}

uint64_t byte_strlen(uint64_t units)
{
    fill(text, TEXT);
    uint64_t sum = 0;
    while (units-- > 0) {
        const uint8_t *hidden = text;
        HIDE(hidden);
        sum += strlen_unit(hidden);
    }
    return sum;
}

static PLAIN uint64_t copy_unit(uint8_t *to, const uint8_t *from, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++)
        to[i] = from[i];
    return to[length / 2] + (uint64_t)to[length - 2] * 256;
}

uint64_t byte_copy(uint64_t units)
{
    fill(text, TEXT);
    uint64_t sum = 0;
    while (units-- > 0) {
        uint8_t *hidden = copied;
        HIDE(hidden);
        hidden[TEXT / 2] = 0;
        hidden[TEXT - 2] = 0;
        sum += copy_unit(hidden, text, TEXT);
    }
    return sum;
}

/* What is looked at of a large copy: a few bytes, wiped before. */
static uint64_t sample(uint8_t *copy, int wipe)
{
    uint64_t sum = 0;
    for (uint32_t at = 4095; at < BULK; at += BULK / 8) {
        sum = sum * 31 + copy[at];
        if (wipe)
            copy[at] = 0;
    }
    return sum;
}

static __attribute__((noinline)) void sse2_unit(__m128i *to, const __m128i *from)
{
    for (uint32_t i = 0; i < BULK / 16; i += 4) {
        __m128i a = _mm_loadu_si128(from + i), b = _mm_loadu_si128(from + i + 1);
        __m128i c = _mm_loadu_si128(from + i + 2), d = _mm_loadu_si128(from + i + 3);
        _mm_storeu_si128(to + i, a);
        _mm_storeu_si128(to + i + 1, b);
        _mm_storeu_si128(to + i + 2, c);
        _mm_storeu_si128(to + i + 3, d);
    }
}

static __attribute__((noinline)) void rep_unit(void *to, const void *from)
{
    uint64_t length = BULK;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

uint64_t memcpy_sse2(uint64_t units)
{
    if (((uint8_t *)bulk)[0] == 0)
        fill((uint8_t *)bulk, BULK);
    uint64_t sum = 0;
    while (units-- > 0) {
        sample((uint8_t *)bulk_copied, 1);
        sse2_unit(bulk_copied, bulk);
        sum += sample((uint8_t *)bulk_copied, 0);
    }
    return sum;
}

uint64_t memcpy_rep(uint64_t units)
{
    if (((uint8_t *)bulk)[0] == 0)
        fill((uint8_t *)bulk, BULK);
    uint64_t sum = 0;
    while (units-- > 0) {
        sample((uint8_t *)bulk_copied, 1);
        rep_unit(bulk_copied, bulk);
        sum += sample((uint8_t *)bulk_copied, 0);
    }
    return sum;
}
