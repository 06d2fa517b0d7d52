/* Logarithm of the softmax over the channels of each pixel, HWC int8; output scale 1/16, zero
 * point 127. exponentials[d] is exp(-scale * d) in Q0.31 and scaled[d] is -scale * d in Q5.26,
 * computed at build time by the fixed-point steps TFLite takes. */
#ifndef TM_KERNELS_LOG_SOFTMAX_S8_H
#define TM_KERNELS_LOG_SOFTMAX_S8_H

#include "tm_kernel.h"

struct log_softmax_s8 {
    int32_t width, channels;
    int32_t diff_min;           /* differences below it count as nothing */
    int32_t multiplier, shift;  /* from Q5.26 to steps of the input */
    const int32_t *exponentials; /* 256 */
    const int32_t *scaled;       /* 256 */
};

TM_KERNEL int32_t log_softmax_s8_raise(int32_t x, int32_t bits)
{
    const int64_t v = (int64_t)x * (1ll << bits);
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* log(x) for x >= 1 in Q12.19, as Q5.26: x is r * 2^e with r near sqrt(sqrt(1/2)), once with r as
 * it is and once by sqrt(1/2), and log(r) a rational function. */
TM_KERNEL int32_t log_softmax_s8_log(int32_t x)
{
    const int32_t sqrt_half = 1518500250, centre = 1805811301; /* sqrt(1/2), its root; Q0.31 */
    const int32_t quarter = 1 << 23;                           /* Q6.25 */
    const int32_t zeros_a = __builtin_clz((uint32_t)x);
    const int32_t zeros_b = __builtin_clz((uint32_t)tm_mul_high(x, sqrt_half)) - 1;
    const int32_t high = tm_mul_high(log_softmax_s8_raise(x, zeros_a - 1), sqrt_half);
    const int32_t r = tm_min(log_softmax_s8_raise(high, 1), log_softmax_s8_raise(x, zeros_b));
    const int32_t exponent = tm_max(log_softmax_s8_raise(12 - zeros_a, 25) + quarter,
                                    log_softmax_s8_raise(12 - zeros_b, 25) - quarter);
    const int32_t p = (int32_t)(((int64_t)r + centre + 1) / 2);
    const int32_t q = (r - centre) * 2;
    const int32_t square = tm_mul_high(q, q);
    const int32_t top = tm_mul_high(q, r) + tm_mul_high(tm_mul_high(q, square), 117049297);
    const int32_t bottom =
        tm_mul_high(p, 1057819769 + q + tm_mul_high(127690142, square)) + tm_mul_high(638450708, q);
    const int32_t log_r = tm_mul_high(tm_shift_right(top, 6), tm_reciprocal(bottom));
    return log_softmax_s8_raise(tm_mul_high(exponent, 1488522236) + log_r, 1); /* log(2) */
}

TM_KERNEL void log_softmax_s8(const struct log_softmax_s8 *p, int32_t y0, int32_t y1,
                              struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++, a += p->channels, to += p->channels) {
            int32_t top = -128, sum = 0;
            for (int32_t c = 0; c < p->channels; c++)
                top = tm_max(top, a[c]);
            for (int32_t c = 0; c < p->channels; c++)
                sum += tm_shift_right(p->exponentials[top - a[c]], 12);
            const int32_t log_sum = log_softmax_s8_log(sum);
            const int32_t low = tm_rescale(log_sum + INT32_MIN, p->multiplier, p->shift);
            const int32_t least = tm_max(p->diff_min - 1, low);
            for (int32_t c = 0; c < p->channels; c++) {
                int32_t v = -128;
                if (a[c] - top > least)
                    v = tm_shift_right(p->scaled[top - a[c]] - log_sum, 22) + 127;
                to[c] = (int8_t)tm_clamp(v, -128, 127);
            }
        }
    }
}

#endif
