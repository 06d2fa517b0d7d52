/* Quotient of two int8 tensors of any scales, broadcasting: a step of 0 stays in place.
 * The divisor is inverted in Q0.31; the dividend is raised as far as it goes without overflow.
 * Quotients that TFLite-Micro shifts right by more than 31 bits are 0 here; x / 0 saturates. */
#ifndef TM_KERNELS_DIV_S8_H
#define TM_KERNELS_DIV_S8_H

#include "tm_kernel.h"

struct div_s8 {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
    int32_t a_zero, b_zero, out_zero;
    int32_t multiplier, shift; /* a.scale / (b.scale * out.scale) */
    int32_t act_min, act_max;
};

TM_KERNEL void div_s8(const struct div_s8 *p, int32_t y0, int32_t y1, struct tm_in in_a,
                      struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t va = a[x * p->a_column + c * p->a_channel] - p->a_zero;
                const int32_t vb = b[x * p->b_column + c * p->b_channel] - p->b_zero;
                const uint32_t size = (uint32_t)(vb < 0 ? -vb : vb);
                const int32_t dividend = vb < 0 ? -va : va;
                const int32_t zeros = size ? __builtin_clz(size) : 31;
                const int32_t inverse = tm_reciprocal((int32_t)((size << zeros) & INT32_MAX));
                const int32_t headroom = dividend ? __builtin_clrsb(dividend) : 31;
                const int32_t quotient = tm_mul_high(tm_shift_left(dividend, headroom), inverse);
                const int32_t right = 31 - zeros + headroom - p->shift;
                int32_t v = right > 31 ? 0 : tm_rescale(quotient, p->multiplier, -right);
                if (vb == 0)
                    v = va > 0 ? 256 : va < 0 ? -256 : 0;
                *to++ = (int8_t)tm_clamp(v + p->out_zero, p->act_min, p->act_max);
            }
        }
    }
}

#endif
