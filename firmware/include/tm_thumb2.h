/* For cores with Thumb-2 but without the DSP extension (Cortex-M3): two products in one SMLAL.
 *
 * A word X = x0 + x1 * 2^23 holds a tap of two pixels. The 64-bit sum of X * w over the taps is
 * S0 + S1 * 2^23, so both sums come out exactly where |S0| < 2^22; ops/_blocked.py proves that
 * for each layer. The words are made in RAM; the weights stay bytes.
 *
 * SMLAL takes 4 to 7 cycles on a Cortex-M3, and MLA 2: in cycles the gain over two MLA is in the
 * loads they share, and smaller than in instructions.
 */
#ifndef TM_THUMB2_H
#define TM_THUMB2_H

#include "tm_kernel.h"

/* The constants of two output channels: 10 words each in the array `pairs`. Of each channel:
 *   bias * (1 + 2^23) as a low and a high word, multiplier m,
 *   addend 2^(n-1) + (zero point << n), right shift n, 1 to 20. */

static inline int32_t tm_saturate8(int32_t x)
{
    __asm__("ssat %0, #8, %0" : "+r"(x));
    return x;
}

/* The upper word of 2 * x * m + 2^31 (twice the product, halves up), plus `high`. */
static inline int32_t tm_mul_high_wide(int32_t x, int32_t m, int32_t high)
{
    int32_t low = INT32_MIN;
    __asm__("smlal %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(x * 2), "r"(m));
    return high;
}

/* tm_rescale(x, m, -n) + zero_point, saturated to int8, for n >= 1 and |x| < 2^30: adding the sign
 * sends halves away from zero. */
static inline int32_t tm_requantize_wide(int32_t x, int32_t m, int32_t add, int32_t n)
{
    return tm_saturate8(tm_mul_high_wide(x, m, add + (x >> 31)) >> n);
}

#define TM_WIDE_MACROS                                                                     \
    ".macro TM_TWO_SUMS low, high, bits\n\t" /* from S0 + S1 * 2^bits, both doubled */     \
    "lsrs   r1, \\low, #\\bits\n\t"          /* the carry is the sign of S0 */             \
    "adc    \\high, r1, \\high, lsl #(32 - \\bits)\n\t"                                    \
    "sbfx   \\low, \\low, #0, #\\bits\n\t"                                                \
    "lsl    \\high, \\high, #1\n\t"                                                      \
    "lsl    \\low, \\low, #1\n\t"                                                        \
    ".endm\n\t"                                                                            \
    ".macro TM_REQUANTIZE_WIDE sum\n\t" /* doubled already; see tm_requantize_wide */      \
    "mov    r1, #0x80000000\n\t"                                                           \
    "add    lr, r11, \\sum, asr #31\n\t"                                                  \
    "smlal  r1, lr, \\sum, r10\n\t"                                                       \
    "asr    lr, lr, r12\n\t"                                                               \
    "ssat   \\sum, #8, lr\n\t"                                                            \
    ".endm\n\t"
#define TM_WIDE_MACROS_END ".purgem TM_TWO_SUMS\n\t.purgem TM_REQUANTIZE_WIDE\n\t"

/* Two output channels of `groups` times four pixels. `columns` has, for each tap, a word of
 * pixels 0 and 1 and one of pixels 2 and 3, group behind group; `weights` two bytes. Results go
 * to out[0], out[1] and on by `step` for each pixel. 7 instructions for 8 products. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_wide_4x2(const int32_t *columns, const int8_t *weights, const int32_t *pair, int8_t *out,
            int32_t taps, int32_t step, int32_t groups)
{
    __asm__ volatile(
        "push   {r1-r11, lr}\n\t" /* sp + 0: weights, 4: pair, 8: out */
        "sub    sp, sp, #8\n\t"   /* sp + 0: rounds, 4: entry */
        ".equ   TM_WEIGHTS_AT, 8\n\t"
        ".equ   TM_PAIR_AT, 12\n\t"
        ".equ   TM_OUT_AT, 16\n\t"
        ".equ   TM_TAPS_AT, 56\n\t"
        ".equ   TM_STEP_AT, 60\n\t"
        ".equ   TM_GROUPS_AT, 64\n\t"
        "ldr    r12, [sp, #TM_TAPS_AT]\n\t"
        "add    lr, r12, #7\n\t" /* rounds of 8; the first enters in the middle */
        "lsr    lr, lr, #3\n\t"
        "str    lr, [sp]\n\t"
        "rsb    r12, r12, #0\n\t"
        "and    r12, r12, #7\n\t"
        "mov    lr, #28\n\t" /* bytes of one of the eight */
        "mul    r12, r12, lr\n\t"
        "adr    lr, 1f\n\t"
        "add    lr, lr, r12\n\t"
        "add    lr, lr, #1\n\t" /* Thumb */
        "str    lr, [sp, #4]\n"
        "2:\n\t"
        "ldrd   r1, r12, [sp, #TM_WEIGHTS_AT]\n\t"
        "ldr    lr, [sp]\n\t"
        "ldrd   r2, r3, [r12]\n\t" /* r2-r5: the first channel, two pixels a pair */
        "ldrd   r6, r7, [r12, #20]\n\t" /* r6-r9: the second */
        "mov    r4, r2\n\t"
        "mov    r5, r3\n\t"
        "mov    r8, r6\n\t"
        "mov    r9, r7\n\t"
        "ldr    pc, [sp, #4]\n\t"
        ".p2align 2\n"
        "1:\n\t"
        ".rept 8\n\t"
        "ldrd   r10, r11, [r0], #8\n\t"
        "ldrsb  r12, [r1], #1\n\t"
        "smlal  r2, r3, r10, r12\n\t"
        "smlal  r4, r5, r11, r12\n\t"
        "ldrsb  r12, [r1], #1\n\t"
        "smlal  r6, r7, r10, r12\n\t"
        "smlal  r8, r9, r11, r12\n\t"
        ".endr\n\t"
        "subs   lr, lr, #1\n\t"
        "bne.w  1b\n\t"
        TM_WIDE_MACROS
        "TM_TWO_SUMS r2, r3, 23\n\t"
        "TM_TWO_SUMS r4, r5, 23\n\t"
        "TM_TWO_SUMS r6, r7, 23\n\t"
        "TM_TWO_SUMS r8, r9, 23\n\t"
        "ldr    lr, [sp, #TM_PAIR_AT]\n\t"
        "add    lr, lr, #8\n\t"
        "ldm    lr, {r10, r11, r12}\n\t"
        "TM_REQUANTIZE_WIDE r2\n\t"
        "TM_REQUANTIZE_WIDE r3\n\t"
        "TM_REQUANTIZE_WIDE r4\n\t"
        "TM_REQUANTIZE_WIDE r5\n\t"
        "ldr    lr, [sp, #TM_PAIR_AT]\n\t"
        "add    lr, lr, #28\n\t"
        "ldm    lr, {r10, r11, r12}\n\t"
        "TM_REQUANTIZE_WIDE r6\n\t"
        "TM_REQUANTIZE_WIDE r7\n\t"
        "TM_REQUANTIZE_WIDE r8\n\t"
        "TM_REQUANTIZE_WIDE r9\n\t"
        TM_WIDE_MACROS_END
        "ldr    lr, [sp, #TM_OUT_AT]\n\t"
        "ldr    r1, [sp, #TM_STEP_AT]\n\t"
        "add    r10, r1, r1, lsl #1\n\t"
        "strb   r2, [lr]\n\t"
        "strb   r3, [lr, r1]\n\t"
        "strb   r4, [lr, r1, lsl #1]\n\t"
        "strb   r5, [lr, r10]\n\t"
        "strb   r6, [lr, #1]!\n\t"
        "strb   r7, [lr, r1]\n\t"
        "strb   r8, [lr, r1, lsl #1]\n\t"
        "strb   r9, [lr, r10]\n\t"
        "ldr    r12, [sp, #TM_GROUPS_AT]\n\t"
        "add    lr, lr, r1, lsl #2\n\t"
        "sub    lr, lr, #1\n\t"
        "str    lr, [sp, #TM_OUT_AT]\n\t"
        "subs   r12, r12, #1\n\t"
        "str    r12, [sp, #TM_GROUPS_AT]\n\t"
        "bne.w  2b\n\t"
        "add    sp, sp, #20\n\t"
        "pop    {r4-r11, pc}\n\t");
}
#pragma GCC diagnostic pop

/* Eight outputs of a dense layer after the other, `groups` of them. A word of `weights` has a tap
 * of outputs (0, 3, 2, 1), or (4, 7, 6, 5), from its low byte on, those of even outputs plus 128:
 * masked, it is w0 + 128 + w1 * 2^24, and turned by 16 bits w2 + 128 + w3 * 2^24. `offset` is
 * -128 times the sum of the inputs. `table` has, for eight outputs, four biases as two words
 * and eight times multiplier, addend and shift. 11 instructions for 8 products. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_wide_1x8(const int8_t *inputs, const int32_t *weights, const int32_t *table, int8_t *out,
            int32_t taps, int32_t offset, int32_t groups)
{
    __asm__ volatile(
        "push   {r0-r11, lr}\n\t" /* sp + 8: inputs, 12: weights, 16: table, 20: out */
        "sub    sp, sp, #8\n\t"   /* sp + 0: end of the inputs, 4: entry */
        ".equ   TM_INPUTS_AT, 8\n\t"
        ".equ   TM_WEIGHTS_AT, 12\n\t"
        ".equ   TM_TABLE_AT, 16\n\t"
        ".equ   TM_OUT_AT, 20\n\t"
        ".equ   TM_TAPS_AT, 60\n\t"
        ".equ   TM_OFFSET_AT, 64\n\t"
        ".equ   TM_GROUPS_AT, 68\n\t"
        "ldr    r12, [sp, #TM_TAPS_AT]\n\t"
        "add    lr, r0, r12\n\t"
        "str    lr, [sp]\n\t"
        "rsb    r12, r12, #0\n\t"
        "and    r12, r12, #7\n\t"
        "mov    lr, #44\n\t" /* bytes of one of the eight */
        "mul    r12, r12, lr\n\t"
        "adr    lr, 1f\n\t"
        "add    lr, lr, r12\n\t"
        "add    lr, lr, #1\n\t" /* Thumb */
        "str    lr, [sp, #4]\n"
        "2:\n\t"
        "ldrd   r0, r1, [sp, #TM_INPUTS_AT]\n\t"
        "ldr    lr, [sp, #TM_TABLE_AT]\n\t"
        "ldr    r10, [sp, #TM_OFFSET_AT]\n\t"
        "ldm    lr!, {r2-r9}\n\t"
        "asr    r12, r10, #31\n\t"
        "str    lr, [sp, #TM_TABLE_AT]\n\t"
        "adds   r2, r2, r10\n\t"
        "adc    r3, r3, r12\n\t"
        "adds   r4, r4, r10\n\t"
        "adc    r5, r5, r12\n\t"
        "adds   r6, r6, r10\n\t"
        "adc    r7, r7, r12\n\t"
        "adds   r8, r8, r10\n\t"
        "adc    r9, r9, r12\n\t"
        "mvn    r11, #0x00FF0000\n\t"
        "bic    r11, r11, #0x0000FF00\n\t"
        "ldr    pc, [sp, #4]\n\t"
        ".p2align 2\n"
        "1:\n\t"
        ".rept 8\n\t"
        "ldrsb  r10, [r0], #1\n\t"
        "ldr    r12, [r1], #4\n\t"
        "and    lr, r12, r11\n\t"
        "smlal  r2, r3, r10, lr\n\t"
        "and    lr, r11, r12, ror #16\n\t"
        "smlal  r4, r5, r10, lr\n\t"
        "ldr    r12, [r1], #4\n\t"
        "and    lr, r12, r11\n\t"
        "smlal  r6, r7, r10, lr\n\t"
        "and    lr, r11, r12, ror #16\n\t"
        "smlal  r8, r9, r10, lr\n\t"
        ".endr\n\t"
        "ldr    lr, [sp]\n\t"
        "cmp    r0, lr\n\t"
        "bne.w  1b\n\t"
        "str    r1, [sp, #TM_WEIGHTS_AT]\n\t"
        "ldr    r0, [sp, #TM_TABLE_AT]\n\t"
        TM_WIDE_MACROS
        "TM_TWO_SUMS r2, r3, 24\n\t"
        "TM_TWO_SUMS r4, r5, 24\n\t"
        "TM_TWO_SUMS r6, r7, 24\n\t"
        "TM_TWO_SUMS r8, r9, 24\n\t"
        ".irp   sum, r2, r3, r4, r5, r6, r7, r8, r9\n\t"
        "ldm    r0!, {r10, r11, r12}\n\t"
        "TM_REQUANTIZE_WIDE \\sum\n\t"
        ".endr\n\t"
        TM_WIDE_MACROS_END
        "str    r0, [sp, #TM_TABLE_AT]\n\t"
        "ldr    lr, [sp, #TM_OUT_AT]\n\t"
        "ldr    r12, [sp, #TM_GROUPS_AT]\n\t"
        ".irp   sum, r2, r3, r4, r5, r6, r7, r8, r9\n\t"
        "strb   \\sum, [lr], #1\n\t"
        ".endr\n\t"
        "str    lr, [sp, #TM_OUT_AT]\n\t"
        "subs   r12, r12, #1\n\t"
        "str    r12, [sp, #TM_GROUPS_AT]\n\t"
        "bne.w  2b\n\t"
        "add    sp, sp, #24\n\t"
        "pop    {r4-r11, pc}\n\t");
}
#pragma GCC diagnostic pop

/* Taps of four pixels as columns of tm_wide_4x2; where the next go. */
static inline int32_t *tm_wide_columns(int32_t *to, const int8_t *const from[4], int32_t taps)
{
    const int8_t *a = from[0], *b = from[1], *c = from[2], *d = from[3];
    for (const int32_t *stop = to + 2 * taps; to < stop; to += 2) {
        to[0] = *a++ + *b++ * (1 << 23);
        to[1] = *c++ + *d++ * (1 << 23);
    }
    return to;
}

/* All channels of `pixels` pixels whose columns lie in groups of four; `out_c` bytes a pixel. */
static inline void tm_wide_pixels(const int32_t *columns, int32_t pixels, const int8_t *weights,
                                  const int32_t *pairs, int32_t taps, int8_t *out, int32_t out_c)
{
    for (int32_t c = 0; c < out_c; c += 2, pairs += 10, weights += 2 * taps) {
        const int32_t two = c + 1 < out_c;
        for (int32_t i = 0; i < pixels;) {
            const int32_t groups = two ? (pixels - i) / 4 : 0;
            int8_t some[8]; /* where not all may be stored */
            int8_t *to = out + i * out_c + c;
            tm_wide_4x2(columns + i / 2 * taps, weights, pairs, groups ? to : some, taps,
                        groups ? out_c : 2, groups ? groups : 1);
            for (int32_t k = 0; !groups && k < tm_min(pixels - i, 4); k++, to += out_c) {
                to[0] = some[2 * k];
                if (two)
                    to[1] = some[2 * k + 1];
            }
            i += groups ? 4 * groups : 4;
        }
    }
}

#endif
