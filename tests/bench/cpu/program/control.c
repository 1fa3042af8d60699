/* Control flow: calls and returns (naive Fibonacci), and indirect jumps (an interpreter of a small stack machine). */

#include "compute.h"

enum { FIB_OF = 25, COLLATZ_TO = 300 };

/* The hidden values keep both calls: without them the compiler makes a loop of one and unrolls the other. */
static __attribute__((noinline)) uint64_t fib_of(uint64_t n)
{
    if (n < 2)
        return n;
    uint64_t a = fib_of(n - 1);
    HIDE(a);
    uint64_t b = fib_of(n - 2);
    HIDE(b);
    return a + b;
}

uint64_t fib(uint64_t units)
{
    uint64_t sum = 0;
    while (units-- > 0) {
        uint64_t n = FIB_OF;
        HIDE(n);
        sum += fib_of(n);
    }
    return sum;
}

enum op { PUSH, LOAD, STORE, ADD, MUL, AND, SHR, LESS, JUMP, JUMP_IF_ZERO, DUP, DROP, HALT };

/* Sum of the lengths of Collatz' series from 1 to COLLATZ_TO - 1. Locals: 0 the start, 1 the number, 2 the sum. */
static const int16_t collatz[] = {
    /* 0 */ PUSH, 1, STORE, 0,
    /* 4: while start < COLLATZ_TO */ LOAD, 0, PUSH, COLLATZ_TO, LESS, JUMP_IF_ZERO, 61,
    /* 11 */ LOAD, 0, STORE, 1,
    /* 15: while 1 < number */ PUSH, 1, LOAD, 1, LESS, JUMP_IF_ZERO, 52,
    /* 22 */ LOAD, 1, DUP, PUSH, 1, AND, JUMP_IF_ZERO, 38,
    /* 30: number * 3 + 1 */ PUSH, 3, MUL, PUSH, 1, ADD, JUMP, 41,
    /* 38: number / 2 */ PUSH, 1, SHR,
    /* 41 */ STORE, 1, LOAD, 2, PUSH, 1, ADD, STORE, 2, JUMP, 15,
    /* 52 */ LOAD, 0, PUSH, 1, ADD, STORE, 0, JUMP, 4,
    /* 61 */ LOAD, 2, HALT,
};

static __attribute__((noinline)) int64_t interpret(const int16_t *code)
{
    int64_t stack[32], locals[4] = {0};
    int64_t *top = stack;
    const int16_t *at = code;
    for (;;) {
        switch ((enum op)*at++) {
        case PUSH:
            *++top = *at++;
            break;
        case LOAD:
            *++top = locals[*at++];
            break;
        case STORE:
            locals[*at++] = *top--;
            break;
        case ADD:
            top--;
            top[0] += top[1];
            break;
        case MUL:
            top--;
            top[0] *= top[1];
            break;
        case AND:
            top--;
            top[0] &= top[1];
            break;
        case SHR:
            top--;
            top[0] >>= top[1];
            break;
        case LESS:
            top--;
            top[0] = top[0] < top[1];
            break;
        case JUMP:
            at = code + *at;
            break;
        case JUMP_IF_ZERO:
            at = *top-- == 0 ? code + *at : at + 1;
            break;
        case DUP:
            top++;
            top[0] = top[-1];
            break;
        case DROP:
            top--;
            break;
        case HALT:
            return *top;
        }
    }
}

uint64_t bytecode(uint64_t units)
{
    uint64_t sum = 0;
    while (units-- > 0) {
        const int16_t *hidden = collatz;
        HIDE(hidden);
        sum += (uint64_t)interpret(hidden);
    }
    return sum;
}
