/* For cores whose only multiplication is 32 x 32 to 32 bits (Cortex-M0): two products in one MULS.
 *
 * With X = x0 + x1 * 2^16 and W = w1 + w0 * 2^16, the upper half of X * W is x0 * w0 + x1 * w1,
 * rounded: x0 * w1, below, is less than half a step. It is exact where the sum of the two products
 * fits 16 bits: always, unless w0 and w1 are both -128. ops/_blocked.py looks at every pair.
 * ASRS by 16 leaves the rounding bit in the carry, and ADCS adds it.
 */
#ifndef TM_THUMB_H
#define TM_THUMB_H

#include "tm_split.h"

/* 4 * `fours` values as 2 * `fours` words X. 12 instructions for four. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_pair_words(int32_t *to, const int8_t *from, int32_t fours)
{
    __asm__ volatile(
        ".syntax unified\n\t"
        "push   {r4-r7, lr}\n\t"
        "mov    r4, r8\n\t"
        "push   {r4}\n\t"
        "lsls   r2, r2, #3\n\t"
        "adds   r2, r2, r0\n\t"
        "mov    r8, r2\n\t" /* end */
        "movs   r2, #0\n\t"
        "movs   r3, #1\n"
        "1:\n\t"
        "ldrsb  r4, [r1, r2]\n\t"
        "ldrsb  r6, [r1, r3]\n\t"
        "adds   r1, r1, #2\n\t"
        "ldrsb  r5, [r1, r2]\n\t"
        "ldrsb  r7, [r1, r3]\n\t"
        "adds   r1, r1, #2\n\t"
        "lsls   r6, r6, #16\n\t"
        "adds   r4, r4, r6\n\t"
        "lsls   r7, r7, #16\n\t"
        "adds   r5, r5, r7\n\t"
        "stmia  r0!, {r4, r5}\n\t"
        "cmp    r0, r8\n\t"
        "bne    1b\n\t"
        "pop    {r4}\n\t"
        "mov    r8, r4\n\t"
        "pop    {r4-r7, pc}\n\t");
}

/* The sums of two output channels for each of `pixels` columns of `bytes` bytes, a multiple of 16.
 * `weights` has the two biases, then of each four taps two words of the one and two of the other
 * channel. 32 instructions for 16 products. */
__attribute__((naked, noipa, unused)) static void
tm_pair_dots(const int32_t *columns, const int32_t *weights, int32_t *sums, int32_t bytes,
             int32_t pixels)
{
    __asm__ volatile(
        ".syntax unified\n\t"
        "push   {r4-r7, lr}\n\t"
        "mov    r4, r8\n\t"
        "mov    r5, r9\n\t"
        "mov    r6, r10\n\t"
        "mov    r7, r11\n\t"
        "push   {r4-r7}\n\t"
        "mov    r8, r1\n\t"  /* weights */
        "mov    r9, r2\n\t"  /* sums */
        "mov    r11, r3\n\t" /* bytes of a column */
        "ldr    r4, [sp, #36]\n\t"
        "mov    r12, r4\n\t" /* pixels left */
        "mov    r10, r0\n"   /* end of the column */
        "2:\n\t"
        "add    r10, r10, r11\n\t"
        "mov    r1, r8\n\t"
        "ldmia  r1!, {r6, r7}\n"
        "1:\n\t"
        ".rept 2\n\t"
        "ldmia  r0!, {r2, r3}\n\t"
        "ldmia  r1!, {r4, r5}\n\t"
        "muls   r4, r2, r4\n\t"
        "muls   r5, r3, r5\n\t"
        "asrs   r4, r4, #16\n\t"
        "adcs   r6, r6, r4\n\t"
        "asrs   r5, r5, #16\n\t"
        "adcs   r6, r6, r5\n\t"
        "ldmia  r1!, {r4, r5}\n\t"
        "muls   r4, r2, r4\n\t"
        "muls   r5, r3, r5\n\t"
        "asrs   r4, r4, #16\n\t"
        "adcs   r7, r7, r4\n\t"
        "asrs   r5, r5, #16\n\t"
        "adcs   r7, r7, r5\n\t"
        ".endr\n\t"
        "cmp    r0, r10\n\t"
        "bne    1b\n\t"
        "mov    r4, r9\n\t"
        "stmia  r4!, {r6, r7}\n\t"
        "mov    r9, r4\n\t"
        "mov    r4, r12\n\t"
        "subs   r4, r4, #1\n\t"
        "mov    r12, r4\n\t"
        "bne    2b\n\t"
        "pop    {r4-r7}\n\t"
        "mov    r8, r4\n\t"
        "mov    r9, r5\n\t"
        "mov    r10, r6\n\t"
        "mov    r11, r7\n\t"
        "pop    {r4-r7, pc}\n\t");
}
#pragma GCC diagnostic pop

/* `taps` values as words X, the last filled up with zero; where the next go. */
static inline int32_t *tm_pair_taps(int32_t *to, const int8_t *from, int32_t taps)
{
    if (taps >= 4)
        tm_pair_words(to, from, taps / 4);
    to += taps / 4 * 2;
    from += taps / 4 * 4;
    for (int32_t i = 0; i < taps % 4; i += 2)
        *to++ = from[i] + (i + 1 < taps % 4 ? from[i + 1] * (1 << 16) : 0);
    return to;
}

/* One output channel of `count` sums, `apart` words apart. channel: bias, multiplier, addend and
 * shift of tm_requantize_split. */
static __attribute__((noinline, noclone, unused)) void
tm_split_sums(const int32_t *sums, int32_t apart, int32_t count, const int32_t *channel, int8_t *to,
              int32_t step, int32_t lo, int32_t hi)
{
    const int32_t m = channel[1], add = channel[2], n = channel[3];
    for (; count > 0; count--, sums += apart, to += step)
        *to = (int8_t)tm_clamp(tm_requantize_split(*sums, m, add, n), lo, hi);
}

#endif
