/* For cores with the DSP extension (Cortex-M4, M7, M33): dual 16-bit multiply-accumulate.
 *
 * Pair packing: two int8 weights of two output channels lie in one halfword, H = 256 * w1 + w0.
 * SXTB16 of a word of two halfwords gives the w0 of two taps, SMLAD takes H as it is:
 *     S0 = sum x * w0,  S01 = sum x * H,  sum x * w1 = (S01 - S0) / 256, exactly.
 * It needs |sum x * w1| < 2^23 and H within 16 bits; ops/_dsp.py proves both for each layer.
 *
 * Taps come in fours as (0, 2), (1, 3): what SXTB16 makes of four bytes, and of them rotated.
 */
#ifndef TM_DSP_H
#define TM_DSP_H

#include "tm_kernel.h"

/* Two output channels are 8 words in an array `pairs`: multiplier, addend, shift and bias of the
 * first; twice the bias, multiplier, addend and shift of the second. The shift is to the right by
 * 1 to 20; the addend, 2^(shift-1) + (zero_point << shift), rounds and adds the zero point. */


static inline int32_t tm_load4(const void *at)
{
    int32_t word;
    memcpy(&word, at, 4); /* one LDR; these cores take it unaligned */
    return word;
}

/* The same, and on to the next four: GCC would often count several addresses in more registers. */
static inline int32_t tm_next4(const int8_t **at)
{
    int32_t word;
    __asm__ volatile("ldr %0, [%1], #4" : "=r"(word), "+r"(*at) : : "memory");
    return word;
}

/* Bytes 0 and 2, sign-extended into the halves of a word, each plus that half of `add`. */
static inline int32_t tm_even_bytes(int32_t add, int32_t bytes)
{
    int32_t r;
    __asm__("sxtab16 %0, %1, %2" : "=r"(r) : "r"(add), "r"(bytes));
    return r;
}

static inline int32_t tm_odd_bytes(int32_t add, int32_t bytes)
{
    int32_t r;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(r) : "r"(add), "r"(bytes));
    return r;
}

/* The four bytes at `from` as int16, each `apart` values behind the one before. */
TM_KERNEL void tm_spread_planes(int16_t *to, int32_t apart, const int8_t *from)
{
    const int32_t bytes = tm_load4(from);
    const int32_t even = tm_even_bytes(0, bytes), odd = tm_odd_bytes(0, bytes);
    to[0] = (int16_t)even;
    to[apart] = (int16_t)odd;
    to[2 * apart] = (int16_t)(even >> 16);
    to[3 * apart] = (int16_t)(odd >> 16);
}

/* Adds `taps` times four bytes, `step` apart, to the halves of `even` and `odd`. Up to 256 taps fit. */
TM_KERNEL void tm_sum_fours(int32_t *even, int32_t *odd, const int8_t *at, int32_t step,
                            int32_t taps)
{
    TM_UNROLL_4
    for (int32_t k = 0; k < taps; k++, at += step) {
        const int32_t four = tm_load4(at);
        *even = tm_even_bytes(*even, four);
        *odd = tm_odd_bytes(*odd, four);
    }
}

/* Bytes 0 and 2, sign-extended into the halves of a word; and bytes 1 and 3. */
static inline int32_t tm_spread_even(int32_t bytes)
{
    int32_t r;
    __asm__("sxtb16 %0, %1" : "=r"(r) : "r"(bytes));
    return r;
}

static inline int32_t tm_spread_odd(int32_t bytes)
{
    int32_t r;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(bytes));
    return r;
}

/* Both halves of a word, doubled. */
static inline int32_t tm_twice_halves(int32_t halves)
{
    int32_t r;
    __asm__("sadd16 %0, %1, %1" : "=r"(r) : "r"(halves));
    return r;
}

/* sum + low(a) * low(b) + high(a) * high(b). */
static inline int32_t tm_mac_both(int32_t sum, int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smlad %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(sum));
    return r;
}

/* sum + low(a) * low(b), and the same with the high halves. */
static inline int32_t tm_mac_low(int32_t sum, int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(sum));
    return r;
}

static inline int32_t tm_mac_high(int32_t sum, int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smlatt %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(sum));
    return r;
}

/* x * m / 2^32, halves up: tm_mul_high(x / 2, m) for an even x. */
static inline int32_t tm_mul_high_twice(int32_t x, int32_t m)
{
    int32_t r;
    __asm__("smmulr %0, %1, %2" : "=r"(r) : "r"(x), "r"(m));
    return r;
}

/* The same, plus `add`. */
static inline int32_t tm_mul_high_add(int32_t x, int32_t m, int32_t add)
{
    int32_t r;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(r) : "r"(x), "r"(m), "r"(add));
    return r;
}

/* tm_rescale(x / 2, m, -n) + zero_point, saturated to int8, of a layer that keeps nothing below the
 * zero point (`rectified`), for n >= 1 and |x| < 2^31: SMMLAR of twice the sum rounds as the doubling
 * high multiplication does. */
static inline int32_t tm_requantize_rectified(int32_t x, int32_t m, int32_t add, int32_t n)
{
    int32_t r = tm_mul_high_add(x, m, add) >> n;
    __asm__("ssat %0, #8, %0" : "+r"(r));
    return r;
}

/* The same of any layer: a sum below zero adds one less (x >> 31) before the shift, which sends
 * halves away from zero. */
static inline int32_t tm_requantize_twice(int32_t x, int32_t m, int32_t add, int32_t n)
{
    return tm_requantize_rectified(x, m, add + (x >> 31), n);
}

/* The multiplication of that in inner functions: of register `x` with r10, r11 added. */
#define TM_SIGNED(x, spare)                                                                        \
    "add    " spare ", r11, " x ", asr #31\n\t"                                                    \
    "smmlar " x ", " x ", r10, " spare "\n\t"
#define TM_RECTIFIED(x, spare) "smmlar " x ", " x ", r10, r11\n\t"

/* Two output channels of `groups` times four pixels. `columns` has, for each two taps, one word of
 * each of four pixels, group behind group; `weights` one word. Results go to out[0], out[1] and on
 * by `step` for each pixel. A round of eight steps fills the L4R5's instruction cache; rounds of
 * two take 312 bytes less and 15 % more instructions. */
#ifdef __OPTIMIZE_SIZE__
#define TM_ROUND_BITS "1"
#else
#define TM_ROUND_BITS "3"
#endif

/* A round of steps of 16 products, up to the flags that end the loop; what it needs of a step
 * before is loaded AHEAD. Cortex-M4: 13 instructions and 16 cycles a step; a third load behind two
 * others costs one cycle, LDRD always three. Cortex-M7, where LDRD goes alone and a value is used
 * two cycles after its load: 14 instructions, 8.2 cycles instead of 12.1, by LLVM's scheduling
 * model, not measured (docs/ESTIMATES.md). */
#ifdef TM_DUAL_ISSUE
#define TM_DOT_STEP_BYTES "56"
#define TM_DOT_AHEAD                                                                               \
    "ldr    r10, [r1], #4\n\t"                                                                     \
    "ldr    r12, [r0], #4\n\t"                                                                     \
    "ldr    lr, [r0], #4\n\t"
#define TM_DOT_STEP(load_r12, load_r10, load_lr)                                                   \
    "sxtb16 r11, r10\n\t"                                                                          \
    "smlad  r3, r10, r12, r3\n\t"                                                                  \
    "smlad  r2, r11, r12, r2\n\t"                                                                  \
    "ldr    r12, [r0], #4\n\t"                                                                     \
    "smlad  r5, r10, lr, r5\n\t"                                                                   \
    "smlad  r4, r11, lr, r4\n\t"                                                                   \
    "ldr    lr, [r0], #4\n\t"                                                                      \
    "smlad  r7, r10, r12, r7\n\t"                                                                  \
    "smlad  r6, r11, r12, r6\n\t" load_r12                                                         \
    "smlad  r9, r10, lr, r9\n\t" load_r10                                                          \
    "smlad  r8, r11, lr, r8\n\t" load_lr
#define TM_DOT_ROUND                                                                               \
    ".rept (1 << " TM_ROUND_BITS ") - 1\n\t"                                                       \
    TM_DOT_STEP("ldr    r12, [r0], #4\n\t", "ldr    r10, [r1], #4\n\t", "ldr    lr, [r0], #4\n\t") \
    ".endr\n\t"                                                                                    \
    TM_DOT_STEP("ldr    r12, [sp]\n\t", "cmp    r1, r12\n\t", "")
#else
#define TM_DOT_STEP_BYTES "52"
#define TM_DOT_AHEAD
#define TM_DOT_ROUND                                                                               \
    ".rept 1 << " TM_ROUND_BITS "\n\t"                                                             \
    "ldr    r10, [r1], #4\n\t"                                                                     \
    "ldr    r12, [r0], #4\n\t"                                                                     \
    "ldr    lr, [r0], #4\n\t"                                                                      \
    "sxtb16 r11, r10\n\t"                                                                          \
    "smlad  r3, r10, r12, r3\n\t"                                                                  \
    "smlad  r2, r11, r12, r2\n\t"                                                                  \
    "smlad  r5, r10, lr, r5\n\t"                                                                   \
    "smlad  r4, r11, lr, r4\n\t"                                                                   \
    "ldrd   r12, lr, [r0], #8\n\t"                                                                 \
    "smlad  r7, r10, r12, r7\n\t"                                                                  \
    "smlad  r6, r11, r12, r6\n\t"                                                                  \
    "smlad  r9, r10, lr, r9\n\t"                                                                   \
    "smlad  r8, r11, lr, r8\n\t"                                                                   \
    ".endr\n\t"                                                                                    \
    "ldr    r12, [sp]\n\t"                                                                         \
    "cmp    r1, r12\n\t"
#endif
#define TM_DOT_4X2(MULTIPLY)                                                                       \
    "push   {r1-r11, lr}\n\t" /* sp + 0: weights, 4: pair, 8: out */                               \
    "sub    sp, sp, #16\n\t"  /* sp + 0: where the weights end, 8: entry, 12: bias */              \
    ".equ   TM_WEIGHTS_AT, 16\n\t"                                                                 \
    ".equ   TM_PAIR_AT, 20\n\t"                                                                    \
    ".equ   TM_OUT_AT, 24\n\t"                                                                     \
    ".equ   TM_WORDS_AT, 64\n\t"                                                                   \
    ".equ   TM_STEP_AT, 68\n\t"                                                                    \
    ".equ   TM_GROUPS_AT, 72\n\t"                                                                  \
    "ldr    r12, [r2, #12]\n\t"                                                                    \
    "str    r12, [sp, #12]\n\t"                                                                    \
    "ldr    r12, [sp, #TM_WORDS_AT]\n\t"                                                           \
    "add    lr, r1, r12, lsl #2\n\t"                                                               \
    "str    lr, [sp]\n\t"                                                                          \
    "rsb    r12, r12, #0\n\t" /* the first round enters in the middle */                           \
    "and    r12, r12, #(1 << " TM_ROUND_BITS ") - 1\n\t"                                           \
    "mov    lr, #" TM_DOT_STEP_BYTES "\n\t"                                                        \
    "mul    r12, r12, lr\n\t"                                                                      \
    "adr    lr, 3f\n\t"                                                                            \
    "add    lr, lr, r12\n\t"                                                                       \
    "add    lr, lr, #1\n\t" /* Thumb */                                                            \
    "str    lr, [sp, #8]\n"                                                                        \
    "2:\n\t"                                                                                       \
    "ldr    r2, [sp, #12]\n\t"                                                                     \
    "ldr    r1, [sp, #TM_WEIGHTS_AT]\n\t"                                                          \
    "mov    r3, r2\n\t" /* r2, r4, r6, r8: S0; r3, r5, r7, r9: S01 */                              \
    "mov    r4, r2\n\t"                                                                            \
    "mov    r5, r2\n\t"                                                                            \
    "mov    r6, r2\n\t"                                                                            \
    "mov    r7, r2\n\t"                                                                            \
    "mov    r8, r2\n\t"                                                                            \
    "mov    r9, r2\n\t" TM_DOT_AHEAD                                                               \
    "ldr    pc, [sp, #8]\n\t"                                                                      \
    ".p2align 2\n"                                                                                 \
    "1:\n\t" TM_DOT_AHEAD                                                                          \
    "3:\n\t" TM_DOT_ROUND                                                                          \
    "bne.w  1b\n\t"                                                                                \
    "ldr    r1, [sp, #TM_PAIR_AT]\n\t"                                                             \
    "sub    r3, r3, r2\n\t"                                                                        \
    "sub    r5, r5, r4\n\t"                                                                        \
    "sub    r7, r7, r6\n\t"                                                                        \
    "sub    r9, r9, r8\n\t"                                                                        \
    "ldm    r1!, {r10, r11, r12, lr}\n\t" /* multiplier, addend, shift; and the bias again */      \
    ".irp   sum, r2, r4, r6, r8\n\t"                                                               \
    "lsl    \\sum, \\sum, #1\n\t"                                                                  \
    MULTIPLY("\\sum", "lr")                                                                        \
    "asr    \\sum, \\sum, r12\n\t"                                                                 \
    "ssat   \\sum, #8, \\sum\n\t"                                                                  \
    ".endr\n\t"                                                                                    \
    "ldr    lr, [sp, #TM_OUT_AT]\n\t"                                                              \
    "ldr    r10, [sp, #TM_STEP_AT]\n\t"                                                            \
    "strb   r2, [lr]\n\t"                                                                          \
    "add    r2, r10, r10, lsl #1\n\t"                                                              \
    "strb   r4, [lr, r10]\n\t"                                                                     \
    "strb   r6, [lr, r10, lsl #1]\n\t"                                                             \
    "strb   r8, [lr, r2]\n\t"                                                                      \
    "mov    r6, r10\n\t"                                                                           \
    "ldm    r1, {r4, r10, r11, r12}\n\t"                                                           \
    ".irp   sum, r3, r5, r7, r9\n\t"                                                               \
    "add    \\sum, r4, \\sum, asr #7\n\t" /* twice the sum: / 256 * 2 */                           \
    MULTIPLY("\\sum", "r1")                                                                        \
    "asr    \\sum, \\sum, r12\n\t"                                                                 \
    "ssat   \\sum, #8, \\sum\n\t"                                                                  \
    ".endr\n\t"                                                                                    \
    "ldr    r12, [sp, #TM_GROUPS_AT]\n\t"                                                          \
    "strb   r3, [lr, #1]!\n\t"                                                                     \
    "strb   r5, [lr, r6]\n\t"                                                                      \
    "strb   r7, [lr, r6, lsl #1]\n\t"                                                              \
    "strb   r9, [lr, r2]\n\t"                                                                      \
    "add    lr, lr, r6, lsl #2\n\t"                                                                \
    "sub    lr, lr, #1\n\t"                                                                        \
    "str    lr, [sp, #TM_OUT_AT]\n\t"                                                              \
    "subs   r12, r12, #1\n\t"                                                                      \
    "str    r12, [sp, #TM_GROUPS_AT]\n\t"                                                          \
    "bne.w  2b\n\t"                                                                                \
    "add    sp, sp, #28\n\t"                                                                       \
    "pop    {r4-r11, pc}\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_dot_4x2(const int32_t *columns, const int32_t *weights, const int32_t *pair, int8_t *out,
           int32_t words, int32_t step, int32_t groups)
{
    __asm__ volatile(TM_DOT_4X2(TM_SIGNED));
}

__attribute__((naked, noipa, unused)) static void
tm_dot_4x2_rectified(const int32_t *columns, const int32_t *weights, const int32_t *pair,
                     int8_t *out, int32_t words, int32_t step, int32_t groups)
{
    __asm__ volatile(TM_DOT_4X2(TM_RECTIFIED));
}
#pragma GCC diagnostic pop

/* One pixel of `tm_dot_4x2`'s columns: `taps` bytes (a multiple of four), every fourth word. */
static inline int32_t *tm_column(int32_t *to, const int8_t *from, int32_t taps)
{
    for (int32_t k = 0; k < taps; k += 4, to += 8) {
        const int32_t bytes = tm_load4(from + k);
        to[0] = tm_even_bytes(0, bytes);
        to[4] = tm_odd_bytes(0, bytes);
    }
    return to;
}

/* All channels of `pixels` pixels whose columns lie in groups of four; `out_c` bytes a pixel. */
static inline void tm_dot_pixels(const int32_t *columns, int32_t pixels, const int32_t *weights,
                                 const int32_t *pairs, int32_t words, int8_t *out, int32_t out_c,
                                 int rectified)
{
    void (*const dot)(const int32_t *, const int32_t *, const int32_t *, int8_t *, int32_t, int32_t,
                      int32_t) = rectified ? tm_dot_4x2_rectified : tm_dot_4x2;
    for (int32_t c = 0; c < out_c; c += 2, pairs += 8, weights += words) {
        const int32_t whole = c + 1 < out_c ? pixels / 4 : 0;
        if (whole)
            dot(columns, weights, pairs, out + c, words, out_c, whole);
        for (int32_t i = 4 * whole; i < pixels; i += 4) { /* not all of these may be stored */
            int8_t some[8];
            dot(columns + i * words, weights, pairs, some, words, 2, 1);
            for (int32_t k = 0; k < tm_min(pixels - i, 4); k++) {
                out[(i + k) * out_c + c] = some[2 * k];
                if (c + 1 < out_c)
                    out[(i + k) * out_c + c + 1] = some[2 * k + 1];
            }
        }
    }
}

/* A round of two steps of 16 products, which leaves its number in r12. Cortex-M4: 13 instructions
 * and 16 cycles a step. Cortex-M7, for the reasons of tm_dot_4x2: 14 instructions, 9.5 cycles
 * instead of 13, the loop included, by LLVM's scheduling model, not measured (docs/ESTIMATES.md). */
#ifdef TM_DUAL_ISSUE
#define TM_WINOGRAD_STEP(load_r12, load_r10, load_r11)                                             \
    "smlad  r2, r10, r12, r2\n\t"                                                                  \
    "ldr    lr, [r0], #4\n\t"                                                                      \
    "smlad  r3, r11, r12, r3\n\t"                                                                  \
    "ldr    r12, [r0], #4\n\t"                                                                     \
    "smlad  r4, r10, lr, r4\n\t"                                                                   \
    "smlad  r5, r11, lr, r5\n\t"                                                                   \
    "ldr    lr, [r0], #4\n\t"                                                                      \
    "smlad  r6, r10, r12, r6\n\t"                                                                  \
    "smlad  r7, r11, r12, r7\n\t" load_r12                                                         \
    "smlad  r8, r10, lr, r8\n\t" load_r10                                                          \
    "smlad  r9, r11, lr, r9\n\t" load_r11
#define TM_WINOGRAD_ROUND                                                                          \
    "ldr    r10, [r1], #4\n\t"                                                                     \
    "ldr    r12, [r0], #4\n\t"                                                                     \
    "ldr    r11, [r1], #4\n\t"                                                                     \
    TM_WINOGRAD_STEP("ldr    r12, [r0], #4\n\t", "ldr    r10, [r1], #4\n\t",                       \
                     "ldr    r11, [r1], #4\n\t")                                                   \
    TM_WINOGRAD_STEP("ldr    r12, [sp]\n\t", "", "")
#else
#define TM_WINOGRAD_ROUND                                                                          \
    ".rept 2\n\t"                                                                                  \
    "ldr    r10, [r1], #4\n\t"                                                                     \
    "ldr    r11, [r1], #4\n\t"                                                                     \
    "ldr    r12, [r0], #4\n\t"                                                                     \
    "ldr    lr, [r0], #4\n\t"                                                                      \
    "smlad  r2, r10, r12, r2\n\t"                                                                  \
    "smlad  r3, r11, r12, r3\n\t"                                                                  \
    "smlad  r4, r10, lr, r4\n\t"                                                                   \
    "smlad  r5, r11, lr, r5\n\t"                                                                   \
    "ldrd   r12, lr, [r0], #8\n\t"                                                                 \
    "smlad  r6, r10, r12, r6\n\t"                                                                  \
    "smlad  r7, r11, r12, r7\n\t"                                                                  \
    "smlad  r8, r10, lr, r8\n\t"                                                                   \
    "smlad  r9, r11, lr, r9\n\t"                                                                   \
    ".endr\n\t"                                                                                    \
    "ldr    r12, [sp]\n\t"
#endif

/* Two output channels of four tiles at the 16 positions of a Winograd transform. `tiles` has, for
 * each position and each two channels, one word of each tile; `weights` one word of each output
 * channel. `sums` gets [position][tile][2] int32. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_winograd_4x2(const int32_t *tiles, const int32_t *weights, int32_t *sums, int32_t words)
{
    __asm__ volatile(
        "push   {r2-r11, lr}\n\t" /* sp + 0: sums, 4: words */
        "mov    r12, #16\n\t"
        "sub    sp, sp, #12\n\t" /* sp + 0: rounds left, 4: positions left; 12: sums */
        "str    r12, [sp, #4]\n"
        "2:\n\t"
        "ldr    r12, [sp, #16]\n\t"
        "mov    r2, #0\n\t"
        "mov    r3, #0\n\t"
        "mov    r4, #0\n\t"
        "mov    r5, #0\n\t"
        "mov    r6, #0\n\t"
        "mov    r7, #0\n\t"
        "mov    r8, #0\n\t"
        "mov    r9, #0\n\t"
        "lsr    r12, r12, #1\n" /* words come in twos */
        "1:\n\t"
        "str    r12, [sp]\n\t"
        TM_WINOGRAD_ROUND
        "subs   r12, r12, #1\n\t"
        "bne    1b\n\t"
        "ldrd   r11, r12, [sp, #4]\n\t"
        "ldr    r10, [sp, #12]\n\t"
        "stmia  r10!, {r2-r9}\n\t"
        "str    r10, [sp, #12]\n\t"
        "subs   r11, r11, #1\n\t"
        "str    r11, [sp, #4]\n\t"
        "bne    2b\n\t"
        "add    sp, sp, #20\n\t"
        "pop    {r4-r11, pc}\n\t");
}
#pragma GCC diagnostic pop

/* Sums and differences of both halves. */
static inline int32_t tm_add_halves(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("sadd16 %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

static inline int32_t tm_sub_halves(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("ssub16 %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

/* Words of the next row of a plane are loaded side by side, which saves Cortex-M4 a cycle; for
 * Cortex-M7 each beside a product, as soon as its register is free: 40 cycles instead of 46 for a
 * block of tm_depthwise_2x2, 23 instead of 28 for one of 1x2, 22 instead of 25 for a pair of
 * tm_depthwise_3x3, by LLVM's scheduling model, not measured (docs/ESTIMATES.md). */
#ifdef TM_DUAL_ISSUE
#define TM_EARLY(load) load
#define TM_LATE(load)
#else
#define TM_EARLY(load)
#define TM_LATE(load) load
#endif

/* A 3x3 depthwise convolution of one channel. `plane` has padded int16 rows, `line` bytes apart.
 * `weights` has two words a row of the kernel: taps (0, 1) and (1, 2), doubled; `channel` twice the
 * bias, multiplier, addend, shift. Each of `rows` rows gets `pairs` times two outputs of columns
 * beside each other, then `singles` outputs of every second column, all `step` bytes apart; behind
 * a row, `plane` goes on by `skip` bytes and `out` by `out_skip`.
 * A pair takes 34 instructions where it is rectified, 1.9 for each product; a single 23, 2.6. */
struct tm_depthwise_3x3 {
    const int16_t *plane;
    int32_t line;
    int8_t *out;
    int32_t step, span; /* span: 2 * pairs * step */
    int32_t singles, skip, out_skip, rows;
};

#define TM_DEPTHWISE_3X3(PAIR, SINGLE)                                                             \
    "push   {r0, r4-r11, lr}\n\t"                                                                  \
    "mov    r12, r0\n\t"                                                                           \
    "ldm    r2, {r4, r5, r6, r7}\n\t"                                                              \
    "push   {r4, r5, r6, r7}\n\t" /* sp + 8: bias, 12: multiplier, 16: addend, 20: shift */        \
    "sub    sp, sp, #8\n\t"       /* sp + 0: where the pairs end, 4: step; 24: job */              \
    "ldm    r1, {r4-r9}\n\t"                                                                       \
    "ldm    r12, {r0, r1, r2, r10}\n\t"                                                            \
    "str    r10, [sp, #4]\n"                                                                       \
    "2:\n\t"                                                                                       \
    "ldr    r11, [r12, #16]\n\t" /* span */                                                        \
    "add    r3, r0, #4\n\t"                                                                        \
    "cmp    r11, #0\n\t"                                                                           \
    "beq.w  4f\n\t"                                                                                \
    "add    r11, r11, r2\n\t"                                                                      \
    "str    r11, [sp]\n"                                                                           \
    "1:\n\t"                                                                                       \
    "ldr    r12, [sp, #8]\n\t"                                                                     \
    "ldr    r10, [r0, r1]\n\t"                                                                     \
    "ldr    r11, [r3, r1]\n\t"                                                                     \
    "mov    lr, r12\n\t"                                                                           \
    "smlad  r12, r10, r6, r12\n\t"                                                                 \
    "smlatb lr, r10, r6, lr\n\t" TM_EARLY("ldr    r10, [r0, r1, lsl #1]\n\t")                      \
    "smlabt r12, r11, r7, r12\n\t"                                                                 \
    "smlad  lr, r11, r7, lr\n\t" TM_LATE("ldr    r10, [r0, r1, lsl #1]\n\t")                       \
    "ldr    r11, [r3, r1, lsl #1]\n\t"                                                             \
    "smlad  r12, r10, r8, r12\n\t"                                                                 \
    "smlatb lr, r10, r8, lr\n\t" TM_EARLY("ldr    r10, [r0], #4\n\t")                              \
    "smlabt r12, r11, r9, r12\n\t"                                                                 \
    "smlad  lr, r11, r9, lr\n\t" TM_LATE("ldr    r10, [r0], #4\n\t")                               \
    "ldr    r11, [r3], #4\n\t"                                                                     \
    "smlad  r12, r10, r4, r12\n\t"                                                                 \
    "smlatb lr, r10, r4, lr\n\t" TM_EARLY("ldr    r10, [sp, #12]\n\t")                             \
    "smlabt r12, r11, r5, r12\n\t"                                                                 \
    "smlad  lr, r11, r5, lr\n\t" TM_LATE("ldr    r10, [sp, #12]\n\t")                              \
    "ldr    r11, [sp, #16]\n\t"                                                                    \
    PAIR                                                                                           \
    "ldr    r11, [sp, #20]\n\t"                                                                    \
    "ldr    r10, [sp, #4]\n\t"                                                                     \
    "asr    r12, r12, r11\n\t"                                                                     \
    "asr    lr, lr, r11\n\t"                                                                       \
    "ldr    r11, [sp]\n\t"                                                                         \
    "ssat   r12, #8, r12\n\t"                                                                      \
    "ssat   lr, #8, lr\n\t"                                                                        \
    "strb   r12, [r2]\n\t"                                                                         \
    "strb   lr, [r2, r10]\n\t"                                                                     \
    "add    r2, r2, r10, lsl #1\n\t"                                                               \
    "cmp    r2, r11\n\t"                                                                           \
    "bne    1b\n\t"                                                                                \
    "ldr    r12, [sp, #24]\n"                                                                      \
    "4:\n\t"                                                                                       \
    "ldr    lr, [r12, #20]\n\t" /* singles */                                                      \
    "cmp    lr, #0\n\t"                                                                            \
    "beq    5f\n"                                                                                  \
    "3:\n\t"                                                                                       \
    "ldr    r12, [sp, #8]\n\t"                                                                     \
    "ldr    r10, [r0, r1]\n\t"                                                                     \
    "ldr    r11, [r3, r1]\n\t"                                                                     \
    "smlad  r12, r10, r6, r12\n\t" TM_EARLY("ldr    r10, [r0, r1, lsl #1]\n\t")                    \
    "smlabt r12, r11, r7, r12\n\t" TM_LATE("ldr    r10, [r0, r1, lsl #1]\n\t")                     \
    "ldr    r11, [r3, r1, lsl #1]\n\t"                                                             \
    "smlad  r12, r10, r8, r12\n\t" TM_EARLY("ldr    r10, [r0], #4\n\t")                            \
    "smlabt r12, r11, r9, r12\n\t" TM_LATE("ldr    r10, [r0], #4\n\t")                             \
    "ldr    r11, [r3], #4\n\t"                                                                     \
    "smlad  r12, r10, r4, r12\n\t" TM_EARLY("ldr    r10, [sp, #12]\n\t")                           \
    "smlabt r12, r11, r5, r12\n\t" TM_LATE("ldr    r10, [sp, #12]\n\t")                            \
    "ldr    r11, [sp, #16]\n\t"                                                                    \
    SINGLE                                                                                         \
    "ldr    r11, [sp, #20]\n\t"                                                                    \
    "ldr    r10, [sp, #4]\n\t"                                                                     \
    "asr    r12, r12, r11\n\t"                                                                     \
    "ssat   r12, #8, r12\n\t"                                                                      \
    "strb   r12, [r2]\n\t"                                                                         \
    "add    r2, r2, r10\n\t"                                                                       \
    "subs   lr, lr, #1\n\t"                                                                        \
    "bne    3b\n\t"                                                                                \
    "ldr    r12, [sp, #24]\n"                                                                      \
    "5:\n\t"                                                                                       \
    "add    lr, r12, #24\n\t"                                                                      \
    "ldm    lr, {r3, r10, r11}\n\t" /* skip, out_skip, rows */                                     \
    "add    r0, r0, r3\n\t"                                                                        \
    "add    r2, r2, r10\n\t"                                                                       \
    "subs   r11, r11, #1\n\t"                                                                      \
    "str    r11, [r12, #32]\n\t"                                                                   \
    "bne.w  2b\n\t"                                                                                \
    "add    sp, sp, #28\n\t"                                                                       \
    "pop    {r4-r11, pc}\n\t"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_depthwise_3x3(struct tm_depthwise_3x3 *job, const int32_t *weights, const int32_t *channel)
{
    __asm__ volatile(TM_DEPTHWISE_3X3("smmulr r12, r12, r10\n\t"
                                      "add    r12, r12, r12, asr #31\n\t"
                                      "add    r12, r12, r11\n\t" TM_SIGNED("lr", "r11"),
                                      TM_SIGNED("r12", "r11")));
}

__attribute__((naked, noipa, unused)) static void
tm_depthwise_3x3_rectified(struct tm_depthwise_3x3 *job, const int32_t *weights,
                           const int32_t *channel)
{
    __asm__ volatile(TM_DEPTHWISE_3X3(TM_RECTIFIED("r12", "") TM_RECTIFIED("lr", ""),
                                      TM_RECTIFIED("r12", "")));
}
#pragma GCC diagnostic pop

/* Four outputs of a dense layer after the other, `groups` of them. `weights` has, for each four
 * inputs, two words of a pair of channels and two of the other, as (pair 0, pair 1) twice;
 * `steps` counts fours of inputs. 14 instructions, 20 cycles by Cortex-M4 rules, for 16 products. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_dot_1x4(const int32_t *inputs, const int32_t *weights, const int32_t *pairs, int8_t *out,
           int32_t steps, int32_t groups)
{
    __asm__ volatile(
        ".macro TM_STEP_1X4\n\t"
        "ldmia  r0!, {r6, r7}\n\t"
        "ldmia  r1!, {r8, r9, r10, r11}\n\t"
        "sxtb16 r12, r8\n\t"
        "smlad  r3, r8, r6, r3\n\t"
        "smlad  r2, r12, r6, r2\n\t"
        "sxtb16 r12, r9\n\t"
        "smlad  r5, r9, r6, r5\n\t"
        "smlad  r4, r12, r6, r4\n\t"
        "sxtb16 r12, r10\n\t"
        "smlad  r3, r10, r7, r3\n\t"
        "smlad  r2, r12, r7, r2\n\t"
        "sxtb16 r12, r11\n\t"
        "smlad  r5, r11, r7, r5\n\t"
        "smlad  r4, r12, r7, r4\n\t"
        ".endm\n\t"
        "push   {r0-r11, lr}\n" /* sp + 0: inputs, 4: weights, 8: pairs, 12: out */
        "2:\n\t"
        "ldr    lr, [sp, #52]\n\t" /* steps */
        "ldr    r12, [sp, #8]\n\t"
        "ldr    r0, [sp]\n\t"
        "ldr    r2, [r12, #12]\n\t" /* the biases of the even channels */
        "ldr    r4, [r12, #44]\n\t"
        "mov    r3, r2\n\t"
        "mov    r5, r4\n\t"
#ifdef __OPTIMIZE_SIZE__
        "1:\n\t"
        "TM_STEP_1X4\n\t"
#else
        "lsrs   lr, lr, #1\n\t" /* rounds of two, behind an odd one */
        "bcc    1f\n\t"
        "TM_STEP_1X4\n\t"
        "cmp    lr, #0\n\t"
        "beq    3f\n"
        "1:\n\t"
        "TM_STEP_1X4\n\t"
        "TM_STEP_1X4\n\t"
#endif
        "subs   lr, lr, #1\n\t"
        "bne    1b\n"
        "3:\n\t"
        "ldrd   lr, r6, [sp, #8]\n\t" /* pairs, out */
        "sub    r3, r3, r2\n\t"
        "sub    r5, r5, r4\n\t"
        ".macro TM_PAIR_1X4 even, odd\n\t"
        "ldmia  lr!, {r7, r8, r9, r10, r11, r12}\n\t" /* m, add, n, bias; bias, m */
        "lsl    \\even, \\even, #1\n\t"
        "add    \\odd, r11, \\odd, asr #7\n\t"
        "add    r8, r8, \\even, asr #31\n\t"
        "ldmia  lr!, {r10, r11}\n\t"
        "smmlar \\even, \\even, r7, r8\n\t"
        "add    r10, r10, \\odd, asr #31\n\t"
        "asr    \\even, \\even, r9\n\t"
        "smmlar \\odd, \\odd, r12, r10\n\t"
        "asr    \\odd, \\odd, r11\n\t"
        "ssat   \\even, #8, \\even\n\t"
        "ssat   \\odd, #8, \\odd\n\t"
        "strb   \\even, [r6], #1\n\t"
        "strb   \\odd, [r6], #1\n\t"
        ".endm\n\t"
        "TM_PAIR_1X4 r2, r3\n\t"
        "TM_PAIR_1X4 r4, r5\n\t"
        ".purgem TM_PAIR_1X4\n\t"
        ".purgem TM_STEP_1X4\n\t"
        "strd   lr, r6, [sp, #8]\n\t"
        "ldr    r12, [sp, #56]\n\t" /* groups */
        "subs   r12, r12, #1\n\t"
        "str    r12, [sp, #56]\n\t"
        "bne    2b\n\t"
        "add    sp, sp, #16\n\t"
        "pop    {r4-r11, pc}\n\t");
}
#pragma GCC diagnostic pop

#endif
