/* Dense layers on cores whose only multiplication is 32 x 32 to 32 bits (Cortex-M0).
 *
 * As in tm_thumb.h, the upper half of X * W, of X = x0 + x1 * 2^16 and W = w1 + w0 * 2^16, is two
 * products. As long as the sums of a group of taps fit 16 bits, whatever the inputs, its words
 * X * W are added before the upper half is taken: most groups of four or eight do where all
 * channels of a layer have one scale. ops/_dense_pairs.py proves it for each group, and divides a
 * row of weights among several where it is not so.
 *
 * Four weights are one word V = E + 256 * O, of two words W each plus 0x00800080. In a group of four
 * or more only O is masked out of it,
 *     X * E + Y * O = X * V + (Y - 256 * X) * O
 * modulo 2^32; and what the 0x00800080 adds is the same for all outputs, so the inputs' words have
 * it.
 */
#ifndef TM_THUMB_ROWS_H
#define TM_THUMB_ROWS_H

#include "tm_thumb.h"

/* r6: the sum of the row, plus four taps; r8: -0x00800080. 13 instructions for 4 products. */
#define TM_ROWS_PAIRS                                                                              \
    "ldmia  r0!, {r2, r3}\n\t"                                                                     \
    "ldmia  r1!, {r4}\n\t"                                                                         \
    "lsrs   r5, r4, #8\n\t"                                                                        \
    "ands   r4, r4, r7\n\t"                                                                        \
    "ands   r5, r5, r7\n\t"                                                                        \
    "add    r4, r4, r8\n\t"                                                                        \
    "add    r5, r5, r8\n\t"                                                                        \
    "muls   r4, r2, r4\n\t"                                                                        \
    "muls   r5, r3, r5\n\t"                                                                        \
    "asrs   r4, r4, #16\n\t"                                                                       \
    "adcs   r6, r6, r4\n\t"                                                                        \
    "asrs   r5, r5, #16\n\t"                                                                       \
    "adcs   r6, r6, r5\n\t"

/* r6: the sum of a group, plus four taps of the inputs' words in r2 and r3 */
#define TM_ROWS_FOUR                                                                               \
    "ldmia  r1!, {r4}\n\t"                                                                         \
    "lsrs   r5, r4, #8\n\t"                                                                        \
    "ands   r5, r5, r7\n\t"                                                                        \
    "muls   r4, r2, r4\n\t"                                                                        \
    "muls   r5, r3, r5\n\t"                                                                        \
    "adds   r6, r6, r4\n\t"                                                                        \
    "adds   r6, r6, r5\n\t"

/* r12: the sum of the row, plus a group of four taps, or of eight. 10 and 18 instructions. */
#define TM_ROWS_FOURS                                                                              \
    "ldmia  r0!, {r2, r3, r6}\n\t"                                                                 \
    TM_ROWS_FOUR                                                                                   \
    "asrs   r6, r6, #16\n\t"                                                                       \
    "add    r12, r12, r6\n\t"
#define TM_ROWS_EIGHTS                                                                             \
    "ldmia  r0!, {r2, r3, r6}\n\t"                                                                 \
    TM_ROWS_FOUR                                                                                   \
    "ldmia  r0!, {r2, r3}\n\t"                                                                     \
    TM_ROWS_FOUR                                                                                   \
    "asrs   r6, r6, #16\n\t"                                                                       \
    "add    r12, r12, r6\n\t"

/* Rows of weights times the inputs, which are `bytes` bytes of words. `channels` has bias,
 * multiplier, addend and shift of each row, see tm_split.h; a shift of 0 where its sum is part of
 * the next row's. `round` takes 16 taps; between `before` and `behind` it the sum of a row, which
 * is in r12, may be elsewhere. 48 instructions for each output besides. */
#define TM_ROWS(before, round, behind)                                                             \
    ".syntax unified\n\t"                                                                          \
    "push   {r4-r7, lr}\n\t"                                                                       \
    "mov    r4, r8\n\t"                                                                            \
    "mov    r5, r9\n\t"                                                                            \
    "mov    r6, r10\n\t"                                                                           \
    "mov    r7, r11\n\t"                                                                           \
    "push   {r4-r7}\n\t" /* sp + 36: bytes, 40: rows left, 44: act_min, 48: act_max */             \
    "ldr    r4, [sp, #36]\n\t"                                                                     \
    "adds   r4, r4, r0\n\t"                                                                        \
    "mov    r9, r4\n\t"  /* end of the inputs */                                                   \
    "mov    r10, r0\n\t" /* inputs */                                                              \
    "mov    r11, r2\n\t" /* channels */                                                            \
    "mov    lr, r3\n\t"  /* out */                                                                 \
    "ldr    r4, =-0x00800080\n\t"                                                                  \
    "mov    r8, r4\n\t"                                                                            \
    "movs   r4, #0\n\t"                                                                            \
    "mov    r12, r4\n" /* sum */                                                                   \
    "2:\n\t"                                                                                       \
    "mov    r0, r10\n\t"                                                                           \
    "mov    r2, r11\n\t"                                                                           \
    "ldmia  r2!, {r4}\n\t"                                                                         \
    "mov    r11, r2\n\t"                                                                           \
    "add    r12, r12, r4\n\t"                                                                      \
    "ldr    r7, =0x00FF00FF\n\t" before                                                            \
    "1:\n\t" round                                                                                 \
    "cmp    r0, r9\n\t"                                                                            \
    "bne    1b\n\t" behind                                                                         \
    "mov    r3, r11\n\t"                                                                           \
    "ldmia  r3!, {r4, r5, r6}\n\t" /* multiplier, addend, shift */                                 \
    "mov    r11, r3\n\t"                                                                           \
    "cmp    r6, #0\n\t"                                                                            \
    "beq    3f\n\t"                                                                                \
    "mov    r2, r12\n\t" /* as tm_requantize_split */                                              \
    "asrs   r3, r2, #31\n\t"                                                                       \
    "adds   r5, r5, r3\n\t"                                                                        \
    "lsls   r2, r2, #1\n\t"                                                                        \
    "asrs   r0, r2, #16\n\t" /* high */                                                            \
    "uxth   r2, r2\n\t"      /* low */                                                             \
    "uxth   r3, r4\n\t"                                                                            \
    "asrs   r4, r4, #16\n\t"                                                                       \
    "mov    r7, r2\n\t"                                                                            \
    "muls   r7, r3, r7\n\t"                                                                        \
    "lsrs   r7, r7, #16\n\t"                                                                       \
    "muls   r2, r4, r2\n\t"                                                                        \
    "adds   r2, r2, r7\n\t" /* middle */                                                           \
    "muls   r3, r0, r3\n\t"                                                                        \
    "adds   r2, r2, r3\n\t"                                                                        \
    "ldr    r3, =0xC0008000\n\t"                                                                   \
    "adds   r2, r2, r3\n\t" /* near */                                                             \
    "asrs   r2, r2, #16\n\t"                                                                       \
    "muls   r0, r4, r0\n\t"                                                                        \
    "adds   r0, r0, r2\n\t"                                                                        \
    "adds   r0, r0, r5\n\t"                                                                        \
    "asrs   r0, r0, r6\n\t"                                                                        \
    "ldr    r2, [sp, #44]\n\t"                                                                     \
    "cmp    r0, r2\n\t"                                                                            \
    "bge    4f\n\t"                                                                                \
    "mov    r0, r2\n"                                                                              \
    "4:\n\t"                                                                                       \
    "ldr    r2, [sp, #48]\n\t"                                                                     \
    "cmp    r0, r2\n\t"                                                                            \
    "ble    4f\n\t"                                                                                \
    "mov    r0, r2\n"                                                                              \
    "4:\n\t"                                                                                       \
    "mov    r2, lr\n\t"                                                                            \
    "strb   r0, [r2]\n\t"                                                                          \
    "adds   r2, r2, #1\n\t"                                                                        \
    "mov    lr, r2\n\t"                                                                            \
    "movs   r2, #0\n\t"                                                                            \
    "mov    r12, r2\n"                                                                             \
    "3:\n\t"                                                                                       \
    "ldr    r2, [sp, #40]\n\t"                                                                     \
    "subs   r2, r2, #1\n\t"                                                                        \
    "str    r2, [sp, #40]\n\t"                                                                     \
    "bne    2b\n\t"                                                                                \
    "pop    {r4-r7}\n\t"                                                                           \
    "mov    r8, r4\n\t"                                                                            \
    "mov    r9, r5\n\t"                                                                            \
    "mov    r10, r6\n\t"                                                                           \
    "mov    r11, r7\n\t"                                                                           \
    "pop    {r4-r7, pc}\n\t"                                                                       \
    ".ltorg\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
/* Groups of two taps; weights [row][taps / 4] words, of the taps (1, 3, 0, 2) plus 128, from the
 * low byte on. */
__attribute__((naked, noipa, unused)) static void
tm_rows_2(const int32_t *inputs, const int32_t *weights, const int32_t *channels, int8_t *out,
          int32_t bytes, int32_t rows, int32_t lo, int32_t hi)
{
    __asm__ volatile(TM_ROWS("mov    r6, r12\n",
                             TM_ROWS_PAIRS TM_ROWS_PAIRS TM_ROWS_PAIRS TM_ROWS_PAIRS,
                             "mov    r12, r6\n\t"));
}

/* Of four. */
__attribute__((naked, noipa, unused)) static void
tm_rows_4(const int32_t *inputs, const int32_t *weights, const int32_t *channels, int8_t *out,
          int32_t bytes, int32_t rows, int32_t lo, int32_t hi)
{
    __asm__ volatile(
        TM_ROWS("\n", TM_ROWS_FOURS TM_ROWS_FOURS TM_ROWS_FOURS TM_ROWS_FOURS, ""));
}

/* Of eight. */
__attribute__((naked, noipa, unused)) static void
tm_rows_8(const int32_t *inputs, const int32_t *weights, const int32_t *channels, int8_t *out,
          int32_t bytes, int32_t rows, int32_t lo, int32_t hi)
{
    __asm__ volatile(TM_ROWS("\n", TM_ROWS_EIGHTS TM_ROWS_EIGHTS, ""));
}
#pragma GCC diagnostic pop

/* A group of four or eight inputs as words: X and Y - 256 * X of four, then what its sum starts
 * from, which is half a step, to round, less what 0x00800080 in the weights adds; then two words of
 * the other four. */
static inline uint32_t *tm_rows_group(uint32_t *to, const int8_t *x, int32_t group)
{
    uint32_t all = 0, *start = to + 2;
    for (int32_t k = 0; k < group; k += 4, to += 2) {
        const uint32_t even = (uint32_t)x[k] + ((uint32_t)x[k + 1] << 16);
        const uint32_t odd = (uint32_t)x[k + 2] + ((uint32_t)x[k + 3] << 16);
        to[0] = even;
        to[1] = odd - (even << 8);
        to += k == 0;
        all += even + odd;
    }
    *start = 0x8000 - (all << 7) - (all << 23);
    return to;
}

/* `taps` inputs, filled up with zeros to `width`. */
static __attribute__((noinline, noclone, unused)) void
tm_rows_words(uint32_t *to, const int8_t *from, int32_t taps, int32_t width, int32_t group)
{
    int32_t i = 0;
    for (; i + group <= taps; i += group)
        to = tm_rows_group(to, from + i, group);
    for (; i < width; i += group) {
        int8_t rest[8] = {0};
        for (int32_t k = i; k < taps; k++)
            rest[k - i] = from[k];
        to = tm_rows_group(to, rest, group);
    }
}

#endif
