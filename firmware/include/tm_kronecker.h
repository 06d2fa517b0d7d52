/* Convolutions by 64-bit products, for cores with the DSP extension: Kronecker substitution.
 *
 * With B = 2^21, two pixels x + y * B times two weights w0 + w1 * B are one SMLAL, and its sums
 *     sum x * w0  +  (sum x * w1 + sum y * w0) * B  +  sum y * w1 * B^2
 * come apart again as long as each stays below 2^20. The one in the middle is two results; with the
 * pixels y + z * B besides, two products give six: x, y and z with both weights. So a product
 * counts for three, where SMLAD counts for two. The two results in the middle may be up to 2^20
 * each, together more than their field holds, for 12 instructions more.
 * ops/_kronecker.py proves the ranges for each layer.
 *
 * Weights and biases are doubled, so that a sum at the top of a word is 2^11 times itself. The high
 * word of its product with a multiplier then has the result in its upper half, whatever the scale:
 * PKHTB takes that from two words, USAT16 clamps both. ops/_kronecker.py finds a multiplier and an
 * addend that give what the reference does for every sum of the channel.
 */
#ifndef TM_KRONECKER_H
#define TM_KRONECKER_H

#include "tm_kernel.h"

#define TM_KRONECKER_GROUP 12 /* words of an array `channels` for four output channels */

/* Six sums of registers lo0, hi0 (x and y) and lo1, hi1 (y and z), left-aligned. The first
 * channel's are then in s, t, lo1, for x, y, z; the second's in lo0, hi0, hi1. A sum below another
 * one takes 1 from it where it is negative. */
#define TM_KRONECKER_SUMS(lo0, hi0, lo1, hi1, s, t)                                                \
    "lsl    " s ", " lo0 ", #10\n\t"                                                               \
    "lsr    " lo0 ", " lo0 ", #11\n\t"                                                             \
    "orr    " lo0 ", " lo0 ", " hi0 ", lsl #21\n\t"                                                \
    "sub    " hi0 ", " hi0 ", " lo0 ", asr #21\n\t"                                                \
    "sub    " lo0 ", " lo0 ", " s ", asr #21\n\t"                                                  \
    "lsl    " t ", " lo1 ", #10\n\t"                                                               \
    "lsr    " lo1 ", " lo1 ", #11\n\t"                                                             \
    "orr    " lo1 ", " lo1 ", " hi1 ", lsl #21\n\t"                                                \
    "sub    " hi1 ", " hi1 ", " lo1 ", asr #21\n\t"                                                \
    "sub    " lo1 ", " lo1 ", " t ", asr #21\n\t"                                                  \
    "sub    " lo0 ", " lo0 ", " t "\n\t"                                                           \
    "sub    " lo1 ", " lo1 ", " hi0 "\n\t"

/* The same where the sum in the middle may leave its field: its two results, apart, do not. What the
 * one above it has too much of is what they are together, by halves so that it fits. */
#define TM_KRONECKER_SUMS_WIDE(lo0, hi0, lo1, hi1, s, t)                                           \
    "lsl    " s ", " lo0 ", #10\n\t"                                                               \
    "lsl    " t ", " lo1 ", #10\n\t"                                                               \
    "lsr    " lo0 ", " lo0 ", #11\n\t"                                                             \
    "orr    " lo0 ", " lo0 ", " hi0 ", lsl #21\n\t"                                                \
    "sub    " lo0 ", " lo0 ", " s ", asr #21\n\t"                                                  \
    "sub    " lo0 ", " lo0 ", " t "\n\t"                                                           \
    TM_KRONECKER_ABOVE(hi0, lo0, t, s)                                                             \
    "lsr    " lo1 ", " lo1 ", #11\n\t"                                                             \
    "orr    " lo1 ", " lo1 ", " hi1 ", lsl #21\n\t"                                                \
    "sub    " lo1 ", " lo1 ", " t ", asr #21\n\t"                                                  \
    "sub    " lo1 ", " lo1 ", " hi0 "\n\t"                                                         \
    TM_KRONECKER_ABOVE(hi1, lo1, hi0, t)
#define TM_KRONECKER_ABOVE(above, one, other, below)                                               \
    "asr    r12, " one ", #1\n\t"                                                                  \
    "add    r12, r12, " other ", asr #1\n\t"                                                       \
    "add    r12, r12, " below ", asr #22\n\t"                                                      \
    "sub    " above ", " above ", r12, asr #20\n\t"

/* Three sums of the next channel at r1 as its results in upper halves. */
#define TM_KRONECKER_CHANNEL(x, y, z)                                                              \
    "ldmia  r1!, {r12, lr}\n\t" /* multiplier, addend */                                           \
    "smmla  " x ", " x ", r12, lr\n\t"                                                             \
    "smmla  " y ", " y ", r12, lr\n\t"                                                             \
    "smmla  " z ", " z ", r12, lr\n\t"

/* Of two channels, results as the halves of x. */
#define TM_KRONECKER_HALVES(x, other)                                                              \
    "pkhtb  " x ", " other ", " x ", asr #16\n\t"                                                  \
    "usat16 " x ", #8, " x "\n\t"

/* A round of 12 taps, of 8 instructions each for 12 products, up to the flags that end the loop;
 * what it needs of a tap before is loaded AHEAD. Cortex-M4 wants loads side by side, for 9 cycles a
 * tap. Cortex-M7 wants one beside each product, and used no earlier than two cycles later: 4.2
 * cycles a tap instead of 6.1, by LLVM's scheduling model, not measured (docs/ESTIMATES.md). */
#ifdef TM_DUAL_ISSUE
#define TM_KRONECKER_AHEAD                                                                         \
    "ldr    r10, [r0], #4\n\t"                                                                     \
    "ldr    r12, [r1], #4\n\t"                                                                     \
    "ldr    r11, [r0], #4\n\t"
#define TM_KRONECKER_TAP(load_r12, load_r10, load_r11)                                             \
    "smlal  r2, r3, r10, r12\n\t"                                                                  \
    "ldr    lr, [r1], #4\n\t"                                                                      \
    "smlal  r4, r5, r11, r12\n\t" load_r12                                                         \
    "smlal  r6, r7, r10, lr\n\t" load_r10                                                          \
    "smlal  r8, r9, r11, lr\n\t" load_r11
#define TM_KRONECKER_ROUND                                                                         \
    ".rept 11\n\t"                                                                                 \
    TM_KRONECKER_TAP("ldr    r12, [r1], #4\n\t", "ldr    r10, [r0], #4\n\t",                       \
                     "ldr    r11, [r0], #4\n\t")                                                   \
    ".endr\n\t"                                                                                    \
    TM_KRONECKER_TAP("ldr    r12, [sp]\n\t", "cmp    r1, r12\n\t", "")
#else
#define TM_KRONECKER_AHEAD
#define TM_KRONECKER_ROUND                                                                         \
    ".rept 12\n\t"                                                                                 \
    "ldr    r10, [r0], #4\n\t"                                                                     \
    "ldr    r12, [r1], #4\n\t"                                                                     \
    "ldr    r11, [r0], #4\n\t"                                                                     \
    "ldr    lr, [r1], #4\n\t"                                                                      \
    "smlal  r2, r3, r10, r12\n\t"                                                                  \
    "smlal  r4, r5, r11, r12\n\t"                                                                  \
    "smlal  r6, r7, r10, lr\n\t"                                                                   \
    "smlal  r8, r9, r11, lr\n\t"                                                                   \
    ".endr\n\t"                                                                                    \
    "ldr    r12, [sp]\n\t"                                                                         \
    "cmp    r1, r12\n\t"
#endif

/* Four output channels of `groups` times three pixels. `columns` has two words of each tap,
 * x + y * B and y + z * B, group behind group; `weights` two words of each tap, for the channels
 * (0, 2) and (1, 3); `channels` twice the biases of these pairs, and then multiplier and addend of
 * each channel in that order. Four results of a pixel go to `out` as one word, those of the next
 * one to `step` bytes behind.
 * Rounds of 12 taps leave room for the caller in the 1 kB of the L4R5's instruction cache: with 16,
 * it refills at each call. */
#define TM_KRONECKER_3X4(sums)                                                                     \
    "push   {r1-r11, lr}\n\t"                                                                      \
    "sub    sp, sp, #8\n\t" /* sp + 0: where the weights end, 4: entry */                          \
    ".equ   TM_WEIGHTS_AT, 8\n\t"                                                                  \
    ".equ   TM_CHANNELS_AT, 12\n\t"                                                                \
    ".equ   TM_OUT_AT, 16\n\t"                                                                     \
    ".equ   TM_TAPS_AT, 56\n\t"                                                                    \
    ".equ   TM_STEP_AT, 60\n\t"                                                                    \
    ".equ   TM_GROUPS_AT, 64\n\t"                                                                  \
    "ldr    r12, [sp, #TM_TAPS_AT]\n\t"                                                            \
    "add    lr, r1, r12, lsl #3\n\t"                                                               \
    "str    lr, [sp]\n\t"                                                                          \
    "add    r10, r12, #11\n\t" /* the first round enters in the middle */                          \
    "mov    r11, #12\n\t"                                                                          \
    "udiv   r10, r10, r11\n\t"                                                                     \
    "mul    r10, r10, r11\n\t"                                                                     \
    "sub    r12, r10, r12\n\t"                                                                     \
    "adr    lr, 3f\n\t"                                                                            \
    "add    lr, lr, r12, lsl #5\n\t"                                                               \
    "add    lr, lr, #1\n\t" /* Thumb */                                                            \
    "str    lr, [sp, #4]\n"                                                                        \
    "2:\n\t"                                                                                       \
    "ldr    r1, [sp, #TM_CHANNELS_AT]\n\t"                                                         \
    "ldm    r1, {r2, r3, r6, r7}\n\t"                                                              \
    "ldr    r1, [sp, #TM_WEIGHTS_AT]\n\t"                                                          \
    "mov    r4, r2\n\t"                                                                            \
    "mov    r5, r3\n\t"                                                                            \
    "mov    r8, r6\n\t"                                                                            \
    "mov    r9, r7\n\t"                                                                            \
    TM_KRONECKER_AHEAD                                                                             \
    "ldr    pc, [sp, #4]\n\t"                                                                      \
    ".p2align 2\n"                                                                                 \
    "1:\n\t"                                                                                       \
    TM_KRONECKER_AHEAD                                                                             \
    "3:\n\t"                                                                                       \
    TM_KRONECKER_ROUND                                                                             \
    "bne.w  1b\n\t"                                                                                \
    "ldr    r1, [sp, #TM_CHANNELS_AT]\n\t"                                                         \
    "add    r1, r1, #16\n\t"                                                                       \
    sums("r2", "r3", "r4", "r5", "r10", "r11")                                                     \
    TM_KRONECKER_CHANNEL("r10", "r11", "r4")                                                       \
    TM_KRONECKER_CHANNEL("r2", "r3", "r5")                                                         \
    TM_KRONECKER_HALVES("r10", "r2")                                                               \
    TM_KRONECKER_HALVES("r11", "r3")                                                               \
    TM_KRONECKER_HALVES("r4", "r5")                                                                \
    sums("r6", "r7", "r8", "r9", "r2", "r3")                                                       \
    TM_KRONECKER_CHANNEL("r2", "r3", "r8")                                                         \
    TM_KRONECKER_CHANNEL("r6", "r7", "r9")                                                         \
    TM_KRONECKER_HALVES("r2", "r6")                                                                \
    TM_KRONECKER_HALVES("r3", "r7")                                                                \
    TM_KRONECKER_HALVES("r8", "r9")                                                                \
    "ldr    r1, [sp, #TM_OUT_AT]\n\t"                                                              \
    "ldr    r12, [sp, #TM_STEP_AT]\n\t"                                                            \
    "ldr    lr, [sp, #TM_GROUPS_AT]\n\t"                                                           \
    "orr    r10, r10, r2, lsl #8\n\t"                                                              \
    "orr    r11, r11, r3, lsl #8\n\t"                                                              \
    "orr    r4, r4, r8, lsl #8\n\t"                                                                \
    "eor    r10, r10, #0x80808080\n\t" /* results were 0 to 255 */                                 \
    "eor    r11, r11, #0x80808080\n\t"                                                             \
    "eor    r4, r4, #0x80808080\n\t"                                                               \
    "str    r10, [r1]\n\t"                                                                         \
    "str    r11, [r1, r12]\n\t"                                                                    \
    "str    r4, [r1, r12, lsl #1]\n\t"                                                             \
    "add    r12, r12, r12, lsl #1\n\t"                                                             \
    "add    r1, r1, r12\n\t"                                                                       \
    "str    r1, [sp, #TM_OUT_AT]\n\t"                                                              \
    "subs   lr, lr, #1\n\t"                                                                        \
    "str    lr, [sp, #TM_GROUPS_AT]\n\t"                                                           \
    "bne.w  2b\n\t"                                                                                \
    "add    sp, sp, #20\n\t"                                                                       \
    "pop    {r4-r11, pc}\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_kronecker_3x4(const int32_t *columns, const int32_t *weights, const int32_t *channels,
                 int8_t *out, int32_t taps, int32_t step, int32_t groups)
{
    __asm__ volatile(TM_KRONECKER_3X4(TM_KRONECKER_SUMS));
}

__attribute__((naked, noipa, unused)) static void
tm_kronecker_3x4_wide(const int32_t *columns, const int32_t *weights, const int32_t *channels,
                      int8_t *out, int32_t taps, int32_t step, int32_t groups)
{
    __asm__ volatile(TM_KRONECKER_3X4(TM_KRONECKER_SUMS_WIDE));
}
#pragma GCC diagnostic pop

/* `taps` taps of three pixels as words of their columns. */
static inline int32_t *tm_kronecker_column(int32_t *to, const int8_t *x, const int8_t *y,
                                           const int8_t *z, int32_t taps)
{
#pragma GCC unroll 9
    for (int32_t k = 0; k < taps; k++, to += 2) {
        const int32_t a = x[k], b = y[k], c = z[k]; /* bytes may alias words */
        to[0] = a + b * (1 << 21);
        to[1] = b + c * (1 << 21);
    }
    return to;
}

/* All channels of `pixels` pixels whose columns lie in groups of three; `wide`: of large sums. */
static inline void tm_kronecker_pixels(const int32_t *columns, int32_t pixels,
                                       const int32_t *weights, const int32_t *channels,
                                       int32_t taps, int8_t *out, int32_t out_c, int wide)
{
    void (*const dots)(const int32_t *, const int32_t *, const int32_t *, int8_t *, int32_t,
                       int32_t, int32_t) = wide ? tm_kronecker_3x4_wide : tm_kronecker_3x4;
    for (int32_t c = 0; c < out_c; c += 4, channels += TM_KRONECKER_GROUP, weights += 2 * taps) {
        const int32_t whole = c + 4 <= out_c ? pixels / 3 : 0;
        if (whole)
            dots(columns, weights, channels, out + c, taps, out_c, whole);
        for (int32_t i = 3 * whole; i < pixels; i += 3) { /* not all of these may be stored */
            int8_t some[12];
            dots(columns + 2 * i / 3 * taps, weights, channels, some, taps, 4, 1);
            for (int32_t k = 0; k < tm_min(pixels - i, 3); k++)
                memcpy(out + (i + k) * out_c + c, some + 4 * k, (size_t)tm_min(out_c - c, 4));
        }
    }
}

#endif
