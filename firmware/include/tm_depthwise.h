/* 3x3 depthwise convolutions by blocks of outputs, for cores with the DSP extension.
 *
 * A plane is one of four channels that lie beside each other: for each pair of columns, for each
 * row, one word of each channel, with both columns as its halves, so that SMLAD takes two taps.
 * A column of blocks is done from top to bottom, and stays within its pairs of columns.
 *
 * Weights and bias of a channel with a shift of n are raised by 13 - n bits. The high word of a sum
 * times the multiplier then has the result above 12 bits, whatever the scale, so that SSAT shifts
 * as it clamps. That is exact, since
 *     floor((floor(s * m / 2^31 + 1/2) + a) / 2^n) = floor((s * m + 2^30 + a * 2^31) / 2^(31 + n)).
 * Only for rectified layers, see tm_requantize_twice(). */
#ifndef TM_DEPTHWISE_H
#define TM_DEPTHWISE_H

#include "tm_dsp.h"

/* Two words as four pairs: bytes i of a and b. */
static inline void tm_interleave(int32_t to[4], int32_t a, int32_t b)
{
    const int32_t a_even = tm_even_bytes(0, a), a_odd = tm_odd_bytes(0, a);
    const int32_t b_even = tm_even_bytes(0, b), b_odd = tm_odd_bytes(0, b);
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(to[0]) : "r"(a_even), "r"(b_even));
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(to[1]) : "r"(a_odd), "r"(b_odd));
    __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(to[2]) : "r"(a_even), "r"(b_even));
    __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(to[3]) : "r"(a_odd), "r"(b_odd));
}

struct tm_depthwise_blocks {
    const int32_t *plane;
    int32_t pitch;   /* bytes from a pair of columns to the next */
    int8_t *out;     /* the first row */
    int32_t size;    /* bytes of a plane from the first block to behind the last */
    int32_t columns; /* of outputs */
    int32_t rows;    /* of outputs */
    int32_t step;    /* bytes to the next column of outputs */
    int32_t line;    /* bytes to the next row of outputs */
};

/* Frame: the channel's constants and the job, behind places for `out` and the end of a column of
 * blocks. What blocks load two by two lies side by side. */
#define TM_DEPTHWISE_ENTER                                                                         \
    "push   {r4-r11, lr}\n\t"                                                                      \
    "ldm    r2, {r3, r4, r5}\n\t"                                                                  \
    "ldm    r0!, {r6, r7, r8, r9, r10, r11}\n\t"                                                   \
    "push   {r3-r11}\n\t"                                                                          \
    "ldm    r0, {r4, r5}\n\t"                                                                      \
    "push   {r3-r6}\n\t"                                                                           \
    ".equ   TM_NOW_AT, 0\n\t"                                                                      \
    ".equ   TM_STEP_AT, 4\n\t"                                                                     \
    ".equ   TM_LINE_AT, 8\n\t"                                                                     \
    ".equ   TM_END_AT, 12\n\t"                                                                     \
    ".equ   TM_BIAS_AT, 16\n\t"                                                                    \
    ".equ   TM_MULTIPLIER_AT, 20\n\t" /* and the addend */                                         \
    ".equ   TM_PLANE_AT, 28\n\t"                                                                   \
    ".equ   TM_PITCH_AT, 32\n\t"                                                                   \
    ".equ   TM_OUT_AT, 36\n\t"                                                                     \
    ".equ   TM_SIZE_AT, 40\n\t"                                                                    \
    ".equ   TM_COLUMNS_AT, 44\n\t"                                                                 \
    ".equ   TM_ROWS_AT, 48\n\t"                                                                    \
    "ldm    r1, {r4-r9}\n"                                                                         \
    "2:\n\t"                                                                                       \
    "ldr    r0, [sp, #TM_PLANE_AT]\n\t"                                                            \
    "ldr    r3, [sp, #TM_PITCH_AT]\n\t"                                                            \
    "ldr    r10, [sp, #TM_OUT_AT]\n\t"                                                             \
    "ldr    r11, [sp, #TM_SIZE_AT]\n\t"                                                            \
    "ldr    r12, [sp, #TM_COLUMNS_AT]\n\t"                                                         \
    "add    r11, r11, r0\n\t"                                                                      \
    "str    r10, [sp, #TM_NOW_AT]\n\t"                                                             \
    "str    r11, [sp, #TM_END_AT]\n\t"                                                             \
    "cmp    r12, #1\n\t"

#define TM_DEPTHWISE_RETURN                                                                        \
    "add    sp, sp, #52\n\t"                                                                       \
    "pop    {r4-r11, pc}\n\t"

#define TM_DEPTHWISE_LEAVE                                                                         \
    "ldr    r10, [sp, #TM_OUT_AT]\n\t"                                                             \
    "ldr    r11, [sp, #TM_STEP_AT]\n\t"                                                            \
    "ldr    r12, [sp, #TM_COLUMNS_AT]\n\t"                                                         \
    "add    r10, r10, r11, lsl #1\n\t"                                                             \
    "str    r10, [sp, #TM_OUT_AT]\n\t"                                                             \
    "subs   r12, r12, #2\n\t"                                                                      \
    "str    r12, [sp, #TM_COLUMNS_AT]\n\t"                                                         \
    "bgt.w  2b\n\t" TM_DEPTHWISE_RETURN

/* Two words of the frame: LDRD takes Cortex-M4 as long as two LDR. Cortex-M7 does them apart, see
 * TM_EARLY(). */
#ifdef TM_DUAL_ISSUE
#define TM_FRAME_FIRST(first, second, at) "ldr    " first ", [sp, #" at "]\n\t"
#define TM_FRAME_SECOND(second, at) "ldr    " second ", [sp, #" at " + 4]\n\t"
#else
#define TM_FRAME_FIRST(first, second, at) "ldrd   " first ", " second ", [sp, #" at "]\n\t"
#define TM_FRAME_SECOND(second, at)
#endif
#define TM_FRAME_TWO(first, second, at)                                                            \
    TM_FRAME_FIRST(first, second, at) TM_FRAME_SECOND(second, at)

/* One row of a plane, its two words in r10 and r11, times one of the kernel in `w01` and `w12`,
 * for two columns of outputs. Then come the loads of r10 and r11, if any. */
#define TM_DEPTHWISE_TAPS(left, right, w01, w12, load_r10, load_r11)                               \
    "smlad  " left ", r10, " w01 ", " left "\n\t"                                                  \
    "smlatb " right ", r10, " w01 ", " right "\n\t" TM_EARLY(load_r10)                             \
    "smlabt " left ", r11, " w12 ", " left "\n\t"                                                  \
    "smlad  " right ", r11, " w12 ", " right "\n\t" TM_LATE(load_r10) load_r11

/* The same with the first row of the kernel, from the bias in r12 on. */
#define TM_DEPTHWISE_FIRST_TAPS(left, right, load_r10, load_r11)                                   \
    "smlad  " left ", r10, r4, r12\n\t"                                                            \
    "smlatb " right ", r10, r4, r12\n\t" TM_EARLY(load_r10)                                        \
    "smlabt " left ", r11, r5, " left "\n\t"                                                       \
    "smlad  " right ", r11, r5, " right "\n\t" TM_LATE(load_r10) load_r11

/* The same for one column of outputs, and for one column of two rows of outputs. */
#define TM_DEPTHWISE_COLUMN_TAPS(sum, from, w01, w12, load_r10, load_r11)                          \
    "smlad  " sum ", r10, " w01 ", " from "\n\t" TM_EARLY(load_r10)                                \
    "smlabt " sum ", r11, " w12 ", " sum "\n\t" TM_LATE(load_r10) load_r11
#define TM_DEPTHWISE_TWO_ROWS(from, upper01, upper12, lower01, lower12, load_r10, load_r11)        \
    "smlad  r1, r10, " upper01 ", r1\n\t"                                                          \
    "smlad  lr, r10, " lower01 ", " from "\n\t" TM_EARLY(load_r10)                                 \
    "smlabt r1, r11, " upper12 ", r1\n\t"                                                          \
    "smlabt lr, r11, " lower12 ", lr\n\t" TM_LATE(load_r10) load_r11

/* One row of a plane, its three words in r10, r11 and r1, for two columns of outputs. */
#define TM_DEPTHWISE_WIDE_TAPS(w01, w12, load_r10, load_r11, load_r1)                              \
    "smlad  r12, r10, " w01 ", r12\n\t" TM_EARLY(load_r10)                                         \
    "smlad  lr, r11, " w01 ", lr\n\t"                                                              \
    "smlabt r12, r11, " w12 ", r12\n\t" TM_EARLY(load_r11)                                         \
    "smlabt lr, r1, " w12 ", lr\n\t" TM_LATE(load_r10) TM_LATE(load_r11) load_r1

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
/* `weights` has two words a row of the kernel, taps (0, 1) and (1, 2); `channel` bias, multiplier
 * and addend: 2^(11 - n) + 2^11 + (zero_point << 12) rounds twice and adds the zero point. */

/* Stride 1, blocks of 2x2 outputs: r1, r2 above lr, r12. A block takes 53 instructions and 67
 * cycles by Cortex-M4 rules, 1.9 for each product. A last column alone is done by blocks of two
 * outputs one above the other, a last row alone by one of two beside each other. */
__attribute__((naked, noipa, unused)) static void
tm_depthwise_2x2(const struct tm_depthwise_blocks *job, const int32_t *weights,
                 const int32_t *channel)
{
    __asm__ volatile(
        TM_DEPTHWISE_ENTER
        "add    r3, r3, r0\n\t"
        "str    r3, [sp, #TM_PLANE_AT]\n\t"
        "beq.w  5f\n\t"
        "cmp    r0, r11\n\t"
        "beq.w  3f\n"
        "1:\n\t"
        "ldr    r12, [sp, #TM_BIAS_AT]\n\t"
        "ldr    r10, [r0], #32\n\t"
        "ldr    r11, [r3], #32\n\t"
        TM_DEPTHWISE_FIRST_TAPS("r1", "r2", "ldr    r10, [r0, #-16]\n\t",
                                "ldr    r11, [r3, #-16]\n\t")
        TM_DEPTHWISE_TAPS("r1", "r2", "r6", "r7", "", "")
        TM_DEPTHWISE_FIRST_TAPS("lr", "r12", "ldr    r10, [r0]\n\t", "ldr    r11, [r3]\n\t")
        TM_DEPTHWISE_TAPS("r1", "r2", "r8", "r9", "", "")
        TM_DEPTHWISE_TAPS("lr", "r12", "r6", "r7", "ldr    r10, [r0, #16]\n\t",
                          "ldr    r11, [r3, #16]\n\t")
        TM_DEPTHWISE_TAPS("lr", "r12", "r8", "r9",
                          TM_FRAME_FIRST("r10", "r11", "TM_MULTIPLIER_AT"),
                          TM_FRAME_SECOND("r11", "TM_MULTIPLIER_AT"))
        "smmla  r1, r1, r10, r11\n\t"
        "smmla  r2, r2, r10, r11\n\t"
        "smmla  lr, lr, r10, r11\n\t"
        "ssat   r1, #8, r1, asr #12\n\t"
        "smmla  r12, r12, r10, r11\n\t"
        "ssat   r2, #8, r2, asr #12\n\t"
        TM_FRAME_TWO("r10", "r11", "TM_NOW_AT")
        "ssat   lr, #8, lr, asr #12\n\t"
        "ssat   r12, #8, r12, asr #12\n\t"
        "strb   r1, [r10]\n\t"
        "strb   r2, [r10, r11]\n\t"
        TM_FRAME_TWO("r1", "r2", "TM_LINE_AT") /* and the end */
        "add    r10, r10, r1\n\t"
        "strb   lr, [r10]\n\t"
        "strb   r12, [r10, r11]\n\t"
        "add    r10, r10, r1\n\t"
        "str    r10, [sp, #TM_NOW_AT]\n\t"
        "cmp    r0, r2\n\t"
        "bne.w  1b\n"
        "3:\n\t"
        "ldr    r12, [sp, #TM_ROWS_AT]\n\t"
        "tst    r12, #1\n\t"
        "beq    4f\n\t"
        "ldr    r12, [sp, #TM_BIAS_AT]\n\t"
        "ldr    r10, [r0]\n\t"
        "ldr    r11, [r3]\n\t"
        TM_DEPTHWISE_FIRST_TAPS("r1", "r2", "ldr    r10, [r0, #16]\n\t",
                                "ldr    r11, [r3, #16]\n\t")
        TM_DEPTHWISE_TAPS("r1", "r2", "r6", "r7", "ldr    r10, [r0, #32]\n\t",
                          "ldr    r11, [r3, #32]\n\t")
        TM_DEPTHWISE_TAPS("r1", "r2", "r8", "r9",
                          TM_FRAME_FIRST("r10", "r11", "TM_MULTIPLIER_AT"),
                          TM_FRAME_SECOND("r11", "TM_MULTIPLIER_AT"))
        "smmla  r1, r1, r10, r11\n\t"
        "smmla  r2, r2, r10, r11\n\t"
        TM_FRAME_TWO("r10", "r11", "TM_NOW_AT")
        "ssat   r1, #8, r1, asr #12\n\t"
        "ssat   r2, #8, r2, asr #12\n\t"
        "strb   r1, [r10]\n\t"
        "strb   r2, [r10, r11]\n"
        "4:\n\t"
        TM_DEPTHWISE_LEAVE
        "5:\n\t" /* a last column: r1 above lr, which go to r2; r12 is the bias */
        "ldr    r12, [sp, #TM_BIAS_AT]\n\t"
        "mov    r2, r10\n\t"
        "cmp    r0, r11\n\t"
        "beq    7f\n"
        "6:\n\t"
        "ldr    r10, [r0], #32\n\t"
        "ldr    r11, [r3], #32\n\t"
        TM_DEPTHWISE_COLUMN_TAPS("r1", "r12", "r4", "r5", "ldr    r10, [r0, #-16]\n\t",
                                 "ldr    r11, [r3, #-16]\n\t")
        TM_DEPTHWISE_TWO_ROWS("r12", "r6", "r7", "r4", "r5", "ldr    r10, [r0]\n\t",
                              "ldr    r11, [r3]\n\t")
        TM_DEPTHWISE_TWO_ROWS("lr", "r8", "r9", "r6", "r7", "ldr    r10, [r0, #16]\n\t",
                              "ldr    r11, [r3, #16]\n\t")
        TM_DEPTHWISE_COLUMN_TAPS("lr", "lr", "r8", "r9",
                                 TM_FRAME_FIRST("r10", "r11", "TM_MULTIPLIER_AT"),
                                 TM_FRAME_SECOND("r11", "TM_MULTIPLIER_AT"))
        "smmla  r1, r1, r10, r11\n\t"
        "smmla  lr, lr, r10, r11\n\t"
        TM_FRAME_TWO("r10", "r11", "TM_LINE_AT")
        "ssat   r1, #8, r1, asr #12\n\t"
        "ssat   lr, #8, lr, asr #12\n\t"
        "strb   r1, [r2]\n\t"
        "strb   lr, [r2, r10]\n\t"
        "add    r2, r2, r10, lsl #1\n\t"
        "cmp    r0, r11\n\t"
        "bne    6b\n"
        "7:\n\t"
        "ldr    r10, [sp, #TM_ROWS_AT]\n\t"
        "tst    r10, #1\n\t"
        "beq    8f\n\t"
        "ldr    r10, [r0]\n\t"
        "ldr    r11, [r3]\n\t"
        TM_DEPTHWISE_COLUMN_TAPS("r1", "r12", "r4", "r5", "ldr    r10, [r0, #16]\n\t",
                                 "ldr    r11, [r3, #16]\n\t")
        TM_DEPTHWISE_COLUMN_TAPS("r1", "r1", "r6", "r7", "ldr    r10, [r0, #32]\n\t",
                                 "ldr    r11, [r3, #32]\n\t")
        TM_DEPTHWISE_COLUMN_TAPS("r1", "r1", "r8", "r9",
                                 TM_FRAME_FIRST("r10", "r11", "TM_MULTIPLIER_AT"),
                                 TM_FRAME_SECOND("r11", "TM_MULTIPLIER_AT"))
        "smmla  r1, r1, r10, r11\n\t"
        "ssat   r1, #8, r1, asr #12\n\t"
        "strb   r1, [r2]\n"
        "8:\n\t"
        TM_DEPTHWISE_RETURN);
}

/* Stride 2, blocks of two outputs beside each other, r12 and lr. A block takes 35 instructions and
 * 47 cycles by Cortex-M4 rules, 2.6 for each product. */
__attribute__((naked, noipa, unused)) static void
tm_depthwise_1x2(const struct tm_depthwise_blocks *job, const int32_t *weights,
                 const int32_t *channel)
{
    __asm__ volatile(
        TM_DEPTHWISE_ENTER
        "it     eq\n\t" /* where a store is repeated, the last one is right */
        "moveq  r12, #0\n\t"
        "it     eq\n\t"
        "streq  r12, [sp, #TM_STEP_AT]\n\t"
        "add    r2, r0, r3, lsl #1\n\t"
        "add    r3, r3, r0\n\t"
        "str    r2, [sp, #TM_PLANE_AT]\n"
        "1:\n\t"
        "ldr    r12, [sp, #TM_BIAS_AT]\n\t"
        "ldr    r10, [r0], #32\n\t"
        "ldr    r11, [r3], #32\n\t"
        "ldr    r1, [r2], #32\n\t"
        "smlad  lr, r11, r4, r12\n\t"
        "smlad  r12, r10, r4, r12\n\t"
        TM_EARLY("ldr    r10, [r0, #-16]\n\t")
        "smlabt lr, r1, r5, lr\n\t"
        TM_EARLY("ldr    r1, [r2, #-16]\n\t")
        "smlabt r12, r11, r5, r12\n\t"
        TM_LATE("ldr    r10, [r0, #-16]\n\t")
        "ldr    r11, [r3, #-16]\n\t"
        TM_LATE("ldr    r1, [r2, #-16]\n\t")
        TM_DEPTHWISE_WIDE_TAPS("r6", "r7", "ldr    r10, [r0]\n\t", "ldr    r11, [r3]\n\t",
                               "ldr    r1, [r2]\n\t")
        TM_DEPTHWISE_WIDE_TAPS("r8", "r9", TM_FRAME_FIRST("r10", "r11", "TM_MULTIPLIER_AT"),
                               TM_FRAME_SECOND("r11", "TM_MULTIPLIER_AT"), "")
        "smmla  r12, r12, r10, r11\n\t"
        "smmla  lr, lr, r10, r11\n\t"
        TM_FRAME_TWO("r10", "r11", "TM_NOW_AT")
        "ssat   r12, #8, r12, asr #12\n\t"
        "ssat   lr, #8, lr, asr #12\n\t"
        "strb   lr, [r10, r11]\n\t"
        "strb   r12, [r10]\n\t"
        TM_FRAME_TWO("r11", "r12", "TM_LINE_AT") /* and the end */
        "add    r10, r10, r11\n\t"
        "str    r10, [sp, #TM_NOW_AT]\n\t"
        "cmp    r0, r12\n\t"
        "bne.w  1b\n\t"
        TM_DEPTHWISE_LEAVE);
}
#pragma GCC diagnostic pop

#endif
