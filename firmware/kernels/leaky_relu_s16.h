/* int16 to int16 of another scale, with one slope below the zero point and one from it on. */
#ifndef TM_KERNELS_LEAKY_RELU_S16_H
#define TM_KERNELS_LEAKY_RELU_S16_H

#include "tm_kernel.h"

struct leaky_relu_s16 {
    int32_t count; /* values of one row */
    int32_t in_zero, out_zero, multiplier, shift;
    int32_t slope_multiplier, slope_shift, slope_sign;
};

TM_KERNEL void leaky_relu_s16(const struct leaky_relu_s16 *p, int32_t y0, int32_t y1,
                              struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int16_t *a = tm_in_row(in, y);
        int16_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const int32_t x = a[i] - p->in_zero;
            const int32_t v =
                x >= 0 ? tm_rescale(x, p->multiplier, p->shift)
                       : p->slope_sign * tm_rescale(x, p->slope_multiplier, p->slope_shift);
            to[i] = (int16_t)tm_clamp(v + p->out_zero, -32768, 32767);
        }
    }
}

#endif
