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

/* Two output channels: 8 words each in the array `pairs`. m: multiplier; n: right shift, 1 to 20;
 * c: 2^(n-1) + (zero_point << n), rounding and output zero point in one addition. */
enum { TM_BIAS0, TM_MULTIPLIER0, TM_ADD0, TM_SHIFT0, TM_TWICE_BIAS1, TM_MULTIPLIER1, TM_ADD1, TM_SHIFT1 };

static inline int32_t tm_load4(const void *at)
{
    int32_t word;
    memcpy(&word, at, 4); /* one LDR; these cores take it unaligned */
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

static inline int32_t tm_smlad(int32_t sum, int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smlad %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(sum));
    return r;
}

/* sum + low(a) * high(b), and sum + high(a) * low(b). */
static inline int32_t tm_mac_low_high(int32_t sum, int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smlabt %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(sum));
    return r;
}

static inline int32_t tm_mac_high_low(int32_t sum, int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smlatb %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(sum));
    return r;
}

/* tm_rescale(x / 2, m, -n) + zero_point, saturated to int8, for n >= 1 and |x| < 2^31: SMMULR of
 * twice the sum rounds as the doubling high multiplication does, and adding the sign (x >> 31)
 * before the shift sends halves away from zero. */
static inline int32_t tm_requantize_twice(int32_t x, int32_t m, int32_t add, int32_t n)
{
    int32_t r;
    __asm__("smmulr %0, %1, %2" : "=r"(r) : "r"(x), "r"(m));
    r = (r + (r >> 31) + add) >> n;
    __asm__("ssat %0, #8, %0" : "+r"(r));
    return r;
}

/* Four pixels times two channels. `columns` has, for each two taps, one word of each of the four
 * pixels; `weights` one word. Results go to out[0], out[1] and on by `step` for each pixel.
 * 12 instructions for 16 multiply-accumulates: 0.75 each, 1.06 cycles by Cortex-M4 rules. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa, unused)) static void
tm_dot_4x2(const int32_t *columns, const int32_t *weights, const int32_t *pair, int8_t *out,
           int32_t words, int32_t step)
{
    __asm__ volatile(
        "push   {r2-r11, lr}\n\t"
        "ldr    r12, [sp, #44]\n\t" /* words */
        "ldr    r2, [r2]\n\t"
        "mov    r3, r2\n\t" /* r2, r4, r6, r8: S0; r3, r5, r7, r9: S01 */
        "mov    r4, r2\n\t"
        "mov    r5, r2\n\t"
        "mov    r6, r2\n\t"
        "mov    r7, r2\n\t"
        "mov    r8, r2\n\t"
        "mov    r9, r2\n\t"
        "add    lr, r12, #7\n\t" /* rounds of 8; the first enters in the middle */
        "lsr    lr, lr, #3\n\t"
        "str    lr, [sp, #44]\n\t"
        "rsb    r12, r12, #0\n\t"
        "and    r12, r12, #7\n\t"
        "add    r12, r12, r12, lsl #1\n\t"
        "adr    lr, 1f\n\t"
        "add    lr, lr, r12, lsl #4\n\t" /* 48 bytes each */
        "add    lr, lr, #1\n\t"
        "bx     lr\n\t"
        ".p2align 2\n"
        "1:\n\t"
        ".rept 8\n\t"
        "ldr    r10, [r1], #4\n\t"
        "ldrd   r12, lr, [r0], #8\n\t"
        "sxtb16 r11, r10\n\t"
        "smlad  r3, r10, r12, r3\n\t"
        "smlad  r2, r11, r12, r2\n\t"
        "smlad  r5, r10, lr, r5\n\t"
        "smlad  r4, r11, lr, r4\n\t"
        "ldrd   r12, lr, [r0], #8\n\t"
        "smlad  r7, r10, r12, r7\n\t"
        "smlad  r6, r11, r12, r6\n\t"
        "smlad  r9, r10, lr, r9\n\t"
        "smlad  r8, r11, lr, r8\n\t"
        ".endr\n\t"
        "ldr    r12, [sp, #44]\n\t"
        "subs   r12, r12, #1\n\t"
        "str    r12, [sp, #44]\n\t"
        "bne.w  1b\n\t"
        "sub    r3, r3, r2\n\t"
        "sub    r5, r5, r4\n\t"
        "sub    r7, r7, r6\n\t"
        "sub    r9, r9, r8\n\t"
        "ldrd   r0, lr, [sp]\n\t" /* pair, out */
        "ldr    r1, [sp, #48]\n\t" /* step */
        "add    r0, r0, #4\n\t"
        "ldmia  r0!, {r10, r11, r12}\n\t"
        ".irp   sum, r2, r4, r6, r8\n\t"
        "lsl    \\sum, \\sum, #1\n\t"
        "smmulr \\sum, \\sum, r10\n\t"
        "add    \\sum, \\sum, \\sum, asr #31\n\t"
        "add    \\sum, \\sum, r11\n\t"
        "asr    \\sum, \\sum, r12\n\t"
        "ssat   \\sum, #8, \\sum\n\t"
        ".endr\n\t"
        "strb   r2, [lr]\n\t"
        "add    r2, r1, r1, lsl #1\n\t"
        "strb   r4, [lr, r1]\n\t"
        "strb   r6, [lr, r1, lsl #1]\n\t"
        "strb   r8, [lr, r2]\n\t"
        "ldm    r0, {r4, r10, r11, r12}\n\t"
        "add    lr, lr, #1\n\t"
        ".irp   sum, r3, r5, r7, r9\n\t"
        "add    \\sum, r4, \\sum, asr #7\n\t" /* twice the sum: / 256 * 2 */
        "smmulr \\sum, \\sum, r10\n\t"
        "add    \\sum, \\sum, \\sum, asr #31\n\t"
        "add    \\sum, \\sum, r11\n\t"
        "asr    \\sum, \\sum, r12\n\t"
        "ssat   \\sum, #8, \\sum\n\t"
        ".endr\n\t"
        "strb   r3, [lr]\n\t"
        "strb   r5, [lr, r1]\n\t"
        "strb   r7, [lr, r1, lsl #1]\n\t"
        "strb   r9, [lr, r2]\n\t"
        "add    sp, sp, #8\n\t"
        "pop    {r4-r11, pc}\n\t");
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
                                 const int32_t *pairs, int32_t words, int8_t *out, int32_t out_c)
{
    for (int32_t c = 0; c < out_c; c += 2, pairs += 8, weights += words) {
        const int32_t whole = c + 1 < out_c ? pixels / 4 * 4 : 0;
        for (int32_t i = 0; i < whole; i += 4)
            tm_dot_4x2(columns + i * words, weights, pairs, out + i * out_c + c, words, out_c);
        for (int32_t i = whole; i < pixels; i += 4) { /* what must not be stored goes here */
            int8_t some[8];
            tm_dot_4x2(columns + i * words, weights, pairs, some, words, 2);
            for (int32_t k = 0; k < tm_min(pixels - i, 4); k++) {
                out[(i + k) * out_c + c] = some[2 * k];
                if (c + 1 < out_c)
                    out[(i + k) * out_c + c + 1] = some[2 * k + 1];
            }
        }
    }
}

static inline void tm_clamp_bytes(int8_t *at, int32_t count, int32_t lo, int32_t hi)
{
    if (lo <= -128 && hi >= 127)
        return;
    for (int32_t i = 0; i < count; i++)
        at[i] = (int8_t)tm_clamp(at[i], lo, hi);
}

#endif
