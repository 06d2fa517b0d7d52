/* int8 to int8 of another scale, bounded: QUANTIZE, and RELU and RELU6 standing alone. */
#ifndef TM_KERNELS_REQUANTIZE_S8_H
#define TM_KERNELS_REQUANTIZE_S8_H

#include "tm_kernel.h"

struct requantize_s8 {
    int32_t count; /* values of one row */
    int32_t in_zero, out_zero, multiplier, shift, act_min, act_max;
};

TM_KERNEL void requantize_s8(const struct requantize_s8 *p, int32_t y0, int32_t y1,
                             struct tm_in in, struct tm_out out, void *scratch)
{
    (void)scratch;
    for (int32_t y = y0; y < y1; y++) {
        const int8_t *a = tm_in_row(in, y);
        int8_t *to = tm_out_row(out, y);
        for (int32_t i = 0; i < p->count; i++) {
            const int32_t v = tm_rescale(a[i] - p->in_zero, p->multiplier, p->shift);
            to[i] = (int8_t)tm_clamp(v + p->out_zero, p->act_min, p->act_max);
        }
    }
}

#endif
