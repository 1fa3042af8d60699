/* Integer arithmetic in registers: a mix of cheap operations with a small table, and SHA-256 of a buffer. */

#include "compute.h"

enum { MIX_STEPS = 10000, TABLE = 64, MESSAGE = 16384, BLOCK = 64 };

static uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static uint32_t rotr(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* A processor finds several operations of a step to do at a time, and guesses every jump right. */
static __attribute__((noinline)) uint64_t mix_unit(uint64_t seed)
{
    uint64_t table[TABLE], a = seed, b = seed * 3;
    uint32_t c = (uint32_t)seed, d = 7;
    for (uint32_t i = 0; i < TABLE; i++)
        table[i] = seed * i;
    for (uint32_t i = 0; i < MIX_STEPS; i++) {
        uint64_t x = table[i % TABLE];
        a += x ^ (a >> 7);
        b = rotl(b, 13) - (x << 3);
        c = c * 69069 + 12345;
        d = (d ^ (d >> 5)) + (c >> 16);
        if (d < c)
            b += d;
        table[(i + 5) % TABLE] = a + (b & 0xffff) + (uint64_t)(int32_t)c;
    }
    for (uint32_t i = 0; i < TABLE; i++)
        a = a * 31 + table[i];
    return a ^ b ^ c ^ (uint64_t)d << 32;
}

uint64_t int_mix(uint64_t units)
{
    uint64_t sum = 0;
    while (units-- > 0) {
        uint64_t seed = 42;
        HIDE(seed);
        sum += mix_unit(seed);
    }
    return sum;
}

/* FIPS 180-4, section 4.2.2 */
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void sha256_block(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++) {
        const uint8_t *p = block + 4 * i;
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ x >> 3) + w[i - 7] + (rotr(y, 17) ^ rotr(y, 19) ^ y >> 10);
    }
    uint32_t s[8];
    for (int i = 0; i < 8; i++)
        s[i] = h[i];
    for (int i = 0; i < 64; i++) {
        uint32_t big1 = rotr(s[4], 6) ^ rotr(s[4], 11) ^ rotr(s[4], 25);
        uint32_t t1 = s[7] + big1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
        uint32_t big0 = rotr(s[0], 2) ^ rotr(s[0], 13) ^ rotr(s[0], 22);
        uint32_t t2 = big0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t1;
        s[3] = s[2], s[2] = s[1], s[1] = s[0], s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

/* The first 8 bytes of the digest of MESSAGE bytes; byte i is i modulo 251. */
static __attribute__((noinline)) uint64_t sha256_unit(const uint8_t *message)
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (int at = 0; at < MESSAGE; at += BLOCK)
        sha256_block(h, message + at);
    uint8_t last[BLOCK] = {0x80};
    for (int i = 0; i < 4; i++)
        last[BLOCK - 1 - i] = (uint8_t)(MESSAGE * 8u >> 8 * i);
    sha256_block(h, last);
    return (uint64_t)h[0] << 32 | h[1];
}

uint64_t sha256(uint64_t units)
{
    static uint8_t message[MESSAGE];
    for (uint32_t i = 0; i < MESSAGE; i++)
        message[i] = (uint8_t)(i % 251);
    uint64_t sum = 0;
    while (units-- > 0) {
        const uint8_t *hidden = message;
        HIDE(hidden);
        sum += sha256_unit(hidden);
    }
    return sum;
}
