/* Floating point: a matrix product in two ways, and the Mandelbrot set, two points at a time in SSE2 registers. */

#include "compute.h"
#include <emmintrin.h>

enum { SIZE = 128 };
enum { WIDTH = 128, HEIGHT = 96, DEPTH = 256 };

static uint64_t bits_of(double value)
{
    union {
        double value;
        uint64_t bits;
    } both = {value};
    return both.bits;
}

typedef double matrix[SIZE][SIZE];

static uint64_t digest(matrix c)
{
    uint64_t sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum = sum * 31 + bits_of(c[i][(i * 7) % SIZE]);
    return sum;
}

/* Row by row: the compiler makes it of operations on two numbers at a time. */
static __attribute__((noinline)) uint64_t rows_unit(matrix a, matrix b, double (*restrict c)[SIZE])
{
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++)
            c[i][j] = 0;
        for (int k = 0; k < SIZE; k++) {
            double factor = a[i][k];
            for (int j = 0; j < SIZE; j++)
                c[i][j] += factor * b[k][j];
        }
    }
    return digest(c);
}

/* Number by number. */
static __attribute__((noinline)) uint64_t dots_unit(matrix a, matrix b, matrix c)
{
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            double sum = 0;
            for (int k = 0; k < SIZE; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
    }
    return digest(c);
}

static uint64_t multiply(uint64_t units, uint64_t (*unit)(matrix, matrix, matrix))
{
    static matrix a, b, c;
    uint32_t random = 4711;
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            a[i][j] = next_random(&random) / 4294967296.0;
            b[i][j] = next_random(&random) / 4294967296.0 - 0.5;
        }
    }
    uint64_t sum = 0;
    while (units-- > 0) {
        double(*hidden)[SIZE] = a;
        HIDE(hidden);
        sum += unit(hidden, b, c);
    }
    return sum;
}

uint64_t matmul(uint64_t units)
{
    return multiply(units, rows_unit);
}

uint64_t matmul_dots(uint64_t units)
{
    return multiply(units, dots_unit);
}

/* Sum of the depths at which the points of the picture leave the circle. */
static __attribute__((noinline)) uint64_t mandelbrot_unit(double left)
{
    const __m128d four = _mm_set1_pd(4);
    const __m128i one = _mm_set1_epi64x(1);
    __m128i total = _mm_setzero_si128();
    for (int row = 0; row < HEIGHT; row++) {
        __m128d ci = _mm_set1_pd(row * (2.0 / HEIGHT) - 1.0);
        for (int column = 0; column < WIDTH; column += 2) {
            double cr0 = left + column * (3.0 / WIDTH);
            __m128d cr = _mm_set_pd(cr0 + 3.0 / WIDTH, cr0), zr = _mm_setzero_pd(), zi = _mm_setzero_pd();
            __m128i depth = _mm_setzero_si128();
            for (int i = 0; i < DEPTH; i++) {
                __m128d r2 = _mm_mul_pd(zr, zr), i2 = _mm_mul_pd(zi, zi);
                __m128d inside = _mm_cmple_pd(_mm_add_pd(r2, i2), four);
                if (_mm_movemask_pd(inside) == 0)
                    break;
                depth = _mm_add_epi64(depth, _mm_and_si128(_mm_castpd_si128(inside), one));
                __m128d cross = _mm_mul_pd(zr, zi);
                zi = _mm_add_pd(_mm_add_pd(cross, cross), ci);
                zr = _mm_add_pd(_mm_sub_pd(r2, i2), cr);
            }
            total = _mm_add_epi64(total, depth);
        }
    }
    uint64_t halves[2];
    _mm_storeu_si128((__m128i *)halves, total);
    return halves[0] * 3 + halves[1];
}

uint64_t mandelbrot(uint64_t units)
{
    uint64_t sum = 0;
    while (units-- > 0) {
        int left = -2;
        HIDE(left);
        sum += mandelbrot_unit(left);
    }
    return sum;
}
