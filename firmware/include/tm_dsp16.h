/* int16 activations and int8 weights on cores with the DSP extension (Cortex-M4, M7, M33).
 *
 * A word of weights has two taps of two output channels, a and b, as bytes a0, b0, a1, b1: SXTB16
 * makes a's taps of it, and b's of it rotated, for SMLAD with two inputs. The sums have 32 bits;
 * ops/_dsp_int16.py proves of each channel's weights that 32 are enough.
 *
 * Rescaling of such a sum by a multiplier m of 15 bits, (sum * m + 2^(14 - shift)) >> (15 - shift),
 * is SMMULR with m * 2^(17 + shift): (sum * m * 2^(17 + shift) + 2^31) >> 32.
 */
#ifndef TM_DSP16_H
#define TM_DSP16_H

#include "tm_dsp.h"

TM_DRIVER void tm_clamp_halves(int16_t *at, int32_t count, int32_t lo, int32_t hi)
{
    if (lo <= -32768 && hi >= 32767)
        return;
    for (int32_t i = 0; i < count; i++)
        at[i] = (int16_t)tm_clamp(at[i], lo, hi);
}

/* An int32 within the bounds of int16, or within 0 and 32767. */
static inline int32_t tm_saturate16(int32_t x, int rectified)
{
    int32_t r;
    if (rectified)
        __asm__("usat %0, #15, %1" : "=r"(r) : "r"(x));
    else
        __asm__("ssat %0, #16, %1" : "=r"(r) : "r"(x));
    return r;
}

static inline void tm_store4(void *at, int32_t word)
{
    memcpy(at, &word, 4); /* one STR; these cores take it unaligned */
}

/* The low halves of two words as one, and the high halves. */
static inline int32_t tm_low_halves(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

static inline int32_t tm_high_halves(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(r) : "r"(b), "r"(a));
    return r;
}

/* Two output channels of `groups` times four pixels. `columns` has, for each two taps, one word of
 * each of four pixels, group behind group; `pair` both biases and both multipliers. Results go to
 * out[0], out[1] and on by `step` bytes for each pixel. 14 instructions, 17 cycles by Cortex-M4
 * rules, for 16 products. */
#define TM_DOT16_4X2(SATURATE)                                                                     \
    "push   {r1-r11, lr}\n\t" /* sp + 0: weights, 4: pair, 8: out */                               \
    "sub    sp, sp, #16\n\t"  /* sp + 0: where the weights end, 8: entry */                        \
    ".equ   TM_WEIGHTS_AT, 16\n\t"                                                                 \
    ".equ   TM_PAIR_AT, 20\n\t"                                                                    \
    ".equ   TM_OUT_AT, 24\n\t"                                                                     \
    ".equ   TM_WORDS_AT, 64\n\t"                                                                   \
    ".equ   TM_STEP_AT, 68\n\t"                                                                    \
    ".equ   TM_GROUPS_AT, 72\n\t"                                                                  \
    "ldr    r12, [sp, #TM_WORDS_AT]\n\t"                                                           \
    "add    lr, r1, r12, lsl #2\n\t"                                                               \
    "str    lr, [sp]\n\t"                                                                          \
    "rsb    r12, r12, #0\n\t" /* the first round enters in the middle */                           \
    "and    r12, r12, #(1 << " TM_ROUND_BITS ") - 1\n\t"                                           \
    "mov    lr, #56\n\t" /* bytes of one step */                                                   \
    "mul    r12, r12, lr\n\t"                                                                      \
    "adr    lr, 1f\n\t"                                                                            \
    "add    lr, lr, r12\n\t"                                                                       \
    "add    lr, lr, #1\n\t" /* Thumb */                                                            \
    "str    lr, [sp, #8]\n"                                                                        \
    "2:\n\t"                                                                                       \
    "ldr    r12, [sp, #TM_PAIR_AT]\n\t"                                                            \
    "ldr    r1, [sp, #TM_WEIGHTS_AT]\n\t"                                                          \
    "ldrd   r2, r3, [r12]\n\t" /* r2, r4, r6, r8: sums of a; r3, r5, r7, r9: of b */               \
    "mov    r4, r2\n\t"                                                                            \
    "mov    r5, r3\n\t"                                                                            \
    "mov    r6, r2\n\t"                                                                            \
    "mov    r7, r3\n\t"                                                                            \
    "mov    r8, r2\n\t"                                                                            \
    "mov    r9, r3\n\t"                                                                            \
    "ldr    pc, [sp, #8]\n\t"                                                                      \
    ".p2align 2\n"                                                                                 \
    "1:\n\t"                                                                                       \
    ".rept 1 << " TM_ROUND_BITS "\n\t"                                                             \
    "ldr    r10, [r1], #4\n\t"                                                                     \
    "ldr    r12, [r0], #4\n\t"                                                                     \
    "ldr    lr, [r0], #4\n\t"                                                                      \
    "sxtb16 r11, r10, ror #8\n\t"                                                                  \
    "sxtb16 r10, r10\n\t"                                                                          \
    "smlad  r3, r11, r12, r3\n\t"                                                                  \
    "smlad  r2, r10, r12, r2\n\t"                                                                  \
    "smlad  r5, r11, lr, r5\n\t"                                                                   \
    "smlad  r4, r10, lr, r4\n\t"                                                                   \
    "ldrd   r12, lr, [r0], #8\n\t"                                                                 \
    "smlad  r7, r11, r12, r7\n\t"                                                                  \
    "smlad  r6, r10, r12, r6\n\t"                                                                  \
    "smlad  r9, r11, lr, r9\n\t"                                                                   \
    "smlad  r8, r10, lr, r8\n\t"                                                                   \
    ".endr\n\t"                                                                                    \
    "ldr    r12, [sp]\n\t"                                                                         \
    "cmp    r1, r12\n\t"                                                                           \
    "bne.w  1b\n\t"                                                                                \
    "ldr    r12, [sp, #TM_PAIR_AT]\n\t"                                                            \
    "ldr    lr, [sp, #TM_STEP_AT]\n\t"                                                             \
    "ldrd   r10, r11, [r12, #8]\n\t"                                                               \
    "ldr    r12, [sp, #TM_OUT_AT]\n\t"                                                             \
    ".irp   sum, r2, r4, r6, r8\n\t"                                                               \
    "smmulr \\sum, \\sum, r10\n\t"                                                                 \
    SATURATE("\\sum")                                                                              \
    ".endr\n\t"                                                                                    \
    ".irp   sum, r3, r5, r7, r9\n\t"                                                               \
    "smmulr \\sum, \\sum, r11\n\t"                                                                 \
    SATURATE("\\sum")                                                                              \
    ".endr\n\t"                                                                                    \
    "pkhbt  r2, r2, r3, lsl #16\n\t"                                                               \
    "pkhbt  r4, r4, r5, lsl #16\n\t"                                                               \
    "pkhbt  r6, r6, r7, lsl #16\n\t"                                                               \
    "pkhbt  r8, r8, r9, lsl #16\n\t"                                                               \
    "str    r2, [r12]\n\t"                                                                         \
    "str    r4, [r12, lr]\n\t"                                                                     \
    "str    r6, [r12, lr, lsl #1]\n\t"                                                             \
    "add    r12, r12, lr, lsl #1\n\t"                                                              \
    "str    r8, [r12, lr]\n\t"                                                                     \
    "add    r12, r12, lr, lsl #1\n\t"                                                              \
    "str    r12, [sp, #TM_OUT_AT]\n\t"                                                             \
    "ldr    r12, [sp, #TM_GROUPS_AT]\n\t"                                                          \
    "subs   r12, r12, #1\n\t"                                                                      \
    "str    r12, [sp, #TM_GROUPS_AT]\n\t"                                                          \
    "bne.w  2b\n\t"                                                                                \
    "add    sp, sp, #28\n\t"                                                                       \
    "pop    {r4-r11, pc}\n\t"

#define TM_SATURATED(x) "ssat   " x ", #16, " x "\n\t"
#define TM_RECTIFIED16(x) "usat   " x ", #15, " x "\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_dot16_4x2(const int32_t *columns, const int32_t *weights, const int32_t *pair, int16_t *out,
             int32_t words, int32_t step, int32_t groups)
{
    __asm__ volatile(TM_DOT16_4X2(TM_SATURATED));
}

__attribute__((naked, noipa, unused)) static void
tm_dot16_4x2_rectified(const int32_t *columns, const int32_t *weights, const int32_t *pair,
                       int16_t *out, int32_t words, int32_t step, int32_t groups)
{
    __asm__ volatile(TM_DOT16_4X2(TM_RECTIFIED16));
}
#pragma GCC diagnostic pop

/* `words` words of one pixel as every fourth word of columns. */
static inline int32_t *tm_column16(int32_t *to, const int16_t *from, int32_t words)
{
#pragma GCC unroll 4
    for (int32_t k = 0; k < words; k++, to += 4)
        *to = tm_load4(from + 2 * k);
    return to;
}

/* All channels of `pixels` pixels whose columns lie in groups of four; `out_c` values a pixel. */
static inline void tm_dot16_pixels(const int32_t *columns, int32_t pixels, const int32_t *weights,
                                   const int32_t *pairs, int32_t words, int16_t *out, int32_t out_c,
                                   int rectified)
{
    void (*const dot)(const int32_t *, const int32_t *, const int32_t *, int16_t *, int32_t, int32_t,
                      int32_t) = rectified ? tm_dot16_4x2_rectified : tm_dot16_4x2;
    for (int32_t c = 0; c < out_c; c += 2, pairs += 4, weights += words) {
        const int32_t whole = c + 1 < out_c ? pixels / 4 : 0;
        if (whole)
            dot(columns, weights, pairs, out + c, words, 2 * out_c, whole);
        for (int32_t i = 4 * whole; i < pixels; i += 4) { /* not all of these may be stored */
            int16_t some[8];
            dot(columns + i * words, weights, pairs, some, words, 4, 1);
            for (int32_t k = 0; k < tm_min(pixels - i, 4); k++) {
                out[(i + k) * out_c + c] = some[2 * k];
                if (c + 1 < out_c)
                    out[(i + k) * out_c + c + 1] = some[2 * k + 1];
            }
        }
    }
}

/* Four outputs of a dense layer, added to `sums`. `weights` has two steps of words of each four
 * inputs: of the first pair of channels and the second, packed as in tm_dsp.h, for inputs 0 and 1,
 * then for 2 and 3. S0 has 32 bits, S01 64. 15 instructions, 24 cycles by Cortex-M4 rules, for 16
 * products. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_dot16_1x4(const int16_t *inputs, const int32_t *weights, int64_t *sums, int32_t steps)
{
    __asm__ volatile(
        ".macro TM_HALF_STEP16 inputs\n\t"
        "ldmia  r1!, {r10, r11}\n\t"
        "sxtb16 r12, r10\n\t"
        "smlald r3, r4, r10, \\inputs\n\t"
        "smlad  r2, r12, \\inputs, r2\n\t"
        "sxtb16 r12, r11\n\t"
        "smlald r6, r7, r11, \\inputs\n\t"
        "smlad  r5, r12, \\inputs, r5\n\t"
        ".endm\n\t"
        ".macro TM_STEP16\n\t"
        "ldmia  r0!, {r8, r9}\n\t"
        "TM_HALF_STEP16 r8\n\t"
        "TM_HALF_STEP16 r9\n\t"
        ".endm\n\t"
        "push   {r2, r4-r11, lr}\n\t"
        "mov    lr, r3\n\t"
        "movs   r2, #0\n\t" /* r2, r5: S0; r3:r4, r6:r7: S01 */
        "movs   r3, #0\n\t"
        "movs   r4, #0\n\t"
        "movs   r5, #0\n\t"
        "movs   r6, #0\n\t"
        "movs   r7, #0\n\t"
#ifdef __OPTIMIZE_SIZE__
        "1:\n\t"
        "TM_STEP16\n\t"
#else
        "lsrs   lr, lr, #1\n\t" /* rounds of two, behind an odd one */
        "bcc    1f\n\t"
        "TM_STEP16\n\t"
        "cmp    lr, #0\n\t"
        "beq    3f\n"
        "1:\n\t"
        "TM_STEP16\n\t"
        "TM_STEP16\n\t"
#endif
        "subs   lr, lr, #1\n\t"
        "bne    1b\n"
        "3:\n\t"
        ".purgem TM_STEP16\n\t"
        ".purgem TM_HALF_STEP16\n\t"
        "pop    {r12}\n\t"
        ".macro TM_PAIR16 even, low, high\n\t" /* S1 = (S01 - S0) / 256 */
        "ldmia  r12, {r8, r9, r10, r11}\n\t"
        "subs   \\low, \\low, \\even\n\t"
        "sbc    \\high, \\high, \\even, asr #31\n\t"
        "lsr    \\low, \\low, #8\n\t"
        "orr    \\low, \\low, \\high, lsl #24\n\t"
        "adds   r8, r8, \\even\n\t"
        "adc    r9, r9, \\even, asr #31\n\t"
        "adds   r10, r10, \\low\n\t"
        "adc    r11, r11, \\high, asr #8\n\t"
        "stmia  r12!, {r8, r9, r10, r11}\n\t"
        ".endm\n\t"
        "TM_PAIR16 r2, r3, r4\n\t"
        "TM_PAIR16 r5, r6, r7\n\t"
        ".purgem TM_PAIR16\n\t"
        "pop    {r4-r11, pc}\n\t");
}
#pragma GCC diagnostic pop

/* A 3x3 depthwise convolution of one channel. `plane` has int16 rows with their padding, `line`
 * bytes apart. `channel` is its bias and multiplier; `weights` has two words a row of the kernel:
 * taps (0, 1) and (1, 2). Each of `rows` rows gets `pairs` times two outputs of columns beside each
 * other, then `singles` outputs of every second column, all `step` bytes apart; behind a row,
 * `plane` goes on by `skip` bytes and `out` by `out_skip`.
 * A pair takes 31 instructions, 1.7 for each product; a single 20, 2.2. */
struct tm_depthwise16_3x3 {
    const int16_t *plane;
    int32_t line;
    int16_t *out;
    int32_t step, span; /* span: 2 * pairs * step */
    int32_t singles, skip, out_skip, rows;
};

#define TM_DEPTHWISE16_3X3(SATURATE)                                                               \
    "push   {r0, r4-r11, lr}\n\t"                                                                  \
    "mov    r12, r0\n\t"                                                                           \
    "ldm    r1, {r4, r5}\n\t" /* bias, multiplier */                                               \
    "mov    r3, r2\n\t"                                                                            \
    "ldm    r12, {r0, r1, r2, r6}\n\t" /* plane, line, out, step */                                \
    "sub    sp, sp, #16\n\t" /* sp + 0: where the pairs end; 16: job */                            \
    "strd   r5, r6, [sp, #4]\n\t"                                                                  \
    "str    r4, [sp, #12]\n\t"                                                                     \
    "ldm    r3, {r4-r9}\n"                                                                         \
    "2:\n\t"                                                                                       \
    "ldr    r11, [r12, #16]\n\t" /* span */                                                        \
    "add    r3, r0, #4\n\t"                                                                        \
    "cmp    r11, #0\n\t"                                                                           \
    "beq    4f\n\t"                                                                                \
    "add    r11, r11, r2\n\t"                                                                      \
    "str    r11, [sp]\n"                                                                           \
    "1:\n\t"                                                                                       \
    "ldr    r12, [sp, #12]\n\t"                                                                    \
    "ldr    r10, [r0, r1]\n\t"                                                                     \
    "ldr    r11, [r3, r1]\n\t"                                                                     \
    "mov    lr, r12\n\t"                                                                           \
    "smlad  r12, r10, r6, r12\n\t"                                                                 \
    "smlatb lr, r10, r6, lr\n\t"                                                                   \
    "smlabt r12, r11, r7, r12\n\t"                                                                 \
    "smlad  lr, r11, r7, lr\n\t"                                                                   \
    "ldr    r10, [r0, r1, lsl #1]\n\t"                                                             \
    "ldr    r11, [r3, r1, lsl #1]\n\t"                                                             \
    "smlad  r12, r10, r8, r12\n\t"                                                                 \
    "smlatb lr, r10, r8, lr\n\t"                                                                   \
    "smlabt r12, r11, r9, r12\n\t"                                                                 \
    "smlad  lr, r11, r9, lr\n\t"                                                                   \
    "ldr    r10, [r0], #4\n\t"                                                                     \
    "ldr    r11, [r3], #4\n\t"                                                                     \
    "smlad  r12, r10, r4, r12\n\t"                                                                 \
    "smlatb lr, r10, r4, lr\n\t"                                                                   \
    "smlabt r12, r11, r5, r12\n\t"                                                                 \
    "smlad  lr, r11, r5, lr\n\t"                                                                   \
    "ldrd   r10, r11, [sp, #4]\n\t"                                                                \
    "smmulr r12, r12, r10\n\t"                                                                     \
    "smmulr lr, lr, r10\n\t"                                                                       \
    "ldr    r10, [sp]\n\t"                                                                         \
    SATURATE("r12")                                                                                \
    SATURATE("lr")                                                                                 \
    "strh   r12, [r2]\n\t"                                                                         \
    "strh   lr, [r2, r11]\n\t"                                                                     \
    "add    r2, r2, r11, lsl #1\n\t"                                                               \
    "cmp    r2, r10\n\t"                                                                           \
    "bne    1b\n\t"                                                                                \
    "ldr    r12, [sp, #16]\n"                                                                      \
    "4:\n\t"                                                                                       \
    "ldr    lr, [r12, #20]\n\t" /* singles */                                                      \
    "cmp    lr, #0\n\t"                                                                            \
    "beq    5f\n"                                                                                  \
    "3:\n\t"                                                                                       \
    "ldr    r12, [sp, #12]\n\t"                                                                    \
    "ldr    r10, [r0, r1]\n\t"                                                                     \
    "ldr    r11, [r3, r1]\n\t"                                                                     \
    "smlad  r12, r10, r6, r12\n\t"                                                                 \
    "smlabt r12, r11, r7, r12\n\t"                                                                 \
    "ldr    r10, [r0, r1, lsl #1]\n\t"                                                             \
    "ldr    r11, [r3, r1, lsl #1]\n\t"                                                             \
    "smlad  r12, r10, r8, r12\n\t"                                                                 \
    "smlabt r12, r11, r9, r12\n\t"                                                                 \
    "ldr    r10, [r0], #4\n\t"                                                                     \
    "ldr    r11, [r3], #4\n\t"                                                                     \
    "smlad  r12, r10, r4, r12\n\t"                                                                 \
    "smlabt r12, r11, r5, r12\n\t"                                                                 \
    "ldrd   r10, r11, [sp, #4]\n\t"                                                                \
    "smmulr r12, r12, r10\n\t"                                                                     \
    SATURATE("r12")                                                                                \
    "strh   r12, [r2]\n\t"                                                                         \
    "add    r2, r2, r11\n\t"                                                                       \
    "subs   lr, lr, #1\n\t"                                                                        \
    "bne    3b\n\t"                                                                                \
    "ldr    r12, [sp, #16]\n"                                                                      \
    "5:\n\t"                                                                                       \
    "add    lr, r12, #24\n\t"                                                                      \
    "ldm    lr, {r3, r10, r11}\n\t" /* skip, out_skip, rows */                                     \
    "add    r0, r0, r3\n\t"                                                                        \
    "add    r2, r2, r10\n\t"                                                                       \
    "subs   r11, r11, #1\n\t"                                                                      \
    "str    r11, [r12, #32]\n\t"                                                                   \
    "bne.w  2b\n\t"                                                                                \
    "add    sp, sp, #20\n\t"                                                                       \
    "pop    {r4-r11, pc}\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_depthwise16_3x3(struct tm_depthwise16_3x3 *job, const int32_t *channel, const int32_t *weights)
{
    __asm__ volatile(TM_DEPTHWISE16_3X3(TM_SATURATED));
}

__attribute__((naked, noipa, unused)) static void
tm_depthwise16_3x3_rectified(struct tm_depthwise16_3x3 *job, const int32_t *channel,
                             const int32_t *weights)
{
    __asm__ volatile(TM_DEPTHWISE16_3X3(TM_RECTIFIED16));
}
#pragma GCC diagnostic pop

#endif
