/* Product of two int16 tensors of any scales and zero point 0, broadcasting: a step of 0
 * stays in place. */
#ifndef TM_KERNELS_MUL_S16_H
#define TM_KERNELS_MUL_S16_H

#include "tm_kernel.h"

struct mul_s16 {
    int32_t width, channels;
    int32_t a_column, a_channel, b_column, b_channel; /* steps in the operands, in values */
    int32_t multiplier, shift; /* a.scale * b.scale / out.scale */
    int32_t act_min, act_max;
};

TM_KERNEL void mul_s16(const struct mul_s16 *p, int32_t y0, int32_t y1, struct tm_in in_a,
                       struct tm_in in_b, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in_a, y), *b = tm_in_row(in_b, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t x = 0; x < p->width; x++) {
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t va = a[x * p->a_column + c * p->a_channel];
                const int32_t vb = b[x * p->b_column + c * p->b_channel];
                const int32_t v = tm_rescale(va * vb, p->multiplier, p->shift);
                *to++ = (int16_t)tm_clamp(v, p->act_min, p->act_max);
            }
        }
    }
}

#endif
